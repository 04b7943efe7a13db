/** The screens of the shop owner by address, loaded only for them. Inside, addresses are relative to /admin. */
import { lazy } from "react";
import { Redirect, Route, Switch, useLocation, useSearch } from "wouter";
import { ButtonLink } from "@/components/Button";
import { Notice, Placeholder } from "@/components/Notice";
import { Page } from "@/components/Page";
import { useSession } from "@/features/account/session";
import { useTranslator } from "@/i18n";
import { SaleListPage } from "./SaleListPage";
import "./print.css";

const NewSalePage = lazy(() => import("./form/NewSalePage"));
const EditSalePage = lazy(() => import("./form/EditSalePage"));
const DashboardPage = lazy(() => import("./dashboard/DashboardPage"));
const ReportPage = lazy(() => import("./report/ReportPage"));

export default function AdminRoutes() {
  const { t } = useTranslator();
  const user = useSession();
  if (user === undefined) {
    return (
      <Page title={t("admin.title")}>
        <Placeholder label={t("loading")} className="h-96" />
      </Page>
    );
  }
  return user?.is_administrator ? <Screens /> : <NotForYou isSignedIn={user !== null} />;
}

function Screens() {
  return (
    <Switch>
      <Route path="/" component={SaleListPage} />
      <Route path="/sales/new" component={NewSalePage} />
      <Route path="/sales/:flashSaleId">
        {({ flashSaleId }) => <DashboardPage key={flashSaleId} flashSaleId={flashSaleId} />}
      </Route>
      <Route path="/sales/:flashSaleId/edit">
        {({ flashSaleId }) => <EditSalePage key={flashSaleId} flashSaleId={flashSaleId} />}
      </Route>
      <Route path="/sales/:flashSaleId/report">
        {({ flashSaleId }) => <ReportPage key={flashSaleId} flashSaleId={flashSaleId} />}
      </Route>
      <Route>
        <Redirect to="/" replace />
      </Route>
    </Switch>
  );
}

function NotForYou({ isSignedIn }: { isSignedIn: boolean }) {
  const { t } = useTranslator();
  const [location] = useLocation();
  const search = useSearch();
  const here = `/admin${location === "/" ? "" : location}${search ? `?${search}` : ""}`;
  const signIn = <ButtonLink href={`~/sign-in?next=${encodeURIComponent(here)}`}>{t("layout.signIn")}</ButtonLink>;
  return (
    <Page title={t("admin.title")} width="narrow">
      <Notice
        tone="warn"
        title={t(isSignedIn ? "admin.forbidden" : "admin.signIn")}
        actions={
          <>
            {!isSignedIn && signIn}
            <ButtonLink href="~/">{t("notFound.home")}</ButtonLink>
          </>
        }
      >
        <p>{t(isSignedIn ? "admin.forbiddenText" : "admin.signInText")}</p>
      </Notice>
    </Page>
  );
}
