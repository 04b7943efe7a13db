/** The page's screens by address. What a shopper does not need at first is loaded when it is asked for. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { Route, Switch, useLocation } from "wouter";
import { AnnouncerProvider } from "@/components/Announcer";
import { Loading, NotFoundPage } from "@/components/EmptyPages";
import { useSessionOfOtherTabs } from "@/features/account/session";
import { SalePage } from "@/features/sales/SalePage";
import { SalesPage } from "@/features/sales/SalesPage";
import { needMessages } from "@/i18n";
import { Problem } from "@/lib/api/client";
import { ErrorBoundary } from "./ErrorBoundary";
import { Layout } from "./Layout";
import { LiveProvider } from "./Live";

const SignInPage = lazy(() => import("@/features/account/SignInPage"));
const SignUpPage = lazy(() => import("@/features/account/SignUpPage"));
const OrdersPage = lazy(() => import("@/features/orders/OrdersPage"));
const AdminRoutes = lazy(async () => {
  const [routes] = await Promise.all([import("@/features/admin/AdminRoutes"), needMessages("admin")]);
  return routes;
});

const RETRIES_MAX = 3;

/** A refusal is an answer; only what may pass is asked again. */
function newQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (failures, error) =>
          failures < RETRIES_MAX && (!(error instanceof Problem) || error.status === 0 || error.status >= 500),
        // As the server asks, and not everybody in the same moment.
        retryDelay: (failures, error) => {
          const askedMs = error instanceof Problem ? (error.retryAfterMs ?? 0) : 0;
          return Math.max(askedMs, 1000 * 2 ** failures) * (1 + Math.random() * 0.5);
        },
        staleTime: 5_000,
      },
    },
  });
}

export function App() {
  const [client] = useState(newQueryClient);
  return (
    <I18nProvider i18n={i18n}>
      <QueryClientProvider client={client}>
        <AnnouncerProvider>
          <LiveProvider>
            <Layout>
              <Screens />
            </Layout>
          </LiveProvider>
        </AnnouncerProvider>
      </QueryClientProvider>
    </I18nProvider>
  );
}

/** Addresses that the server answers with this page are listed in src/http/page.rs too. */
function Screens() {
  const [place] = useLocation();
  useSessionOfOtherTabs();
  return (
    <ErrorBoundary place={place}>
      <Suspense fallback={<Loading />}>
        <Switch>
          <Route path="/" component={SalesPage} />
          <Route path="/sale/:flashSaleId">{({ flashSaleId }) => <SalePage flashSaleId={flashSaleId} />}</Route>
          <Route path="/sign-in" component={SignInPage} />
          <Route path="/sign-up" component={SignUpPage} />
          <Route path="/my-orders" component={OrdersPage} />
          <Route path="/admin" nest component={AdminRoutes} />
          <Route component={NotFoundPage} />
        </Switch>
      </Suspense>
    </ErrorBoundary>
  );
}
