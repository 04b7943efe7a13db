/** Everything the shopper has tried to buy, and what became of it. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { ButtonLink } from "@/components/Button";
import { Notice, Placeholder, Spinner } from "@/components/Notice";
import { Page } from "@/components/Page";
import { Picture } from "@/components/Picture";
import { ProblemNotice } from "@/components/Problems";
import { useSession } from "@/features/account/session";
import { type MessageId, useTranslator } from "@/i18n";
import { type Order, ordersQuery } from "./orders";

export default function OrdersPage() {
  const { t } = useTranslator();
  const user = useSession();
  const { data, error, refetch } = useQuery({ ...ordersQuery, enabled: Boolean(user) });
  return (
    <Page title={t("orders.title")}>
      {user === null ? (
        <Notice
          className="max-w-prose"
          actions={<ButtonLink href="/sign-in?next=/my-orders">{t("layout.signIn")}</ButtonLink>}
        >
          <p>{t("orders.signIn")}</p>
        </Notice>
      ) : data ? (
        <Orders orders={data} />
      ) : error ? (
        <ProblemNotice error={error} onRetry={() => void refetch()} />
      ) : (
        <Placeholder label={t("loading")} className="h-64" />
      )}
    </Page>
  );
}

function Orders({ orders }: { orders: readonly Order[] }) {
  const { t } = useTranslator();
  if (orders.length === 0) {
    return (
      <Notice
        className="max-w-prose"
        title={t("orders.none")}
        actions={<ButtonLink href="/">{t("outcome.otherSales")}</ButtonLink>}
      >
        <p>{t("orders.noneText")}</p>
      </Notice>
    );
  }
  return (
    <ul className="flex flex-col gap-4">
      {orders.map((order) => (
        <OrderRow key={order.order_id} order={order} />
      ))}
    </ul>
  );
}

function OrderRow({ order }: { order: Order }) {
  const { t, dateTime } = useTranslator();
  return (
    <li className="grid grid-cols-[4rem_1fr] gap-4 rounded-card border border-line bg-card p-4 shadow-card sm:grid-cols-[5rem_1fr]">
      <Picture productId={order.product_id} isFaded={order.status === "failed"} />
      <div className="flex min-w-0 flex-col gap-1">
        <h2 className="font-display font-semibold text-xl">
          <Link href={`/sale/${order.flash_sale_id}`} className="underline-offset-4 hover:underline">
            {order.name}
          </Link>
        </h2>
        <OrderStatus order={order} />
        <p className="text-muted text-sm">
          <time dateTime={order.accepted_at}>{dateTime(order.accepted_at)}</time>
        </p>
        <p className="text-muted text-sm">
          {t("outcome.orderNumber")} <code className="select-all text-[0.8125rem]">{order.order_id}</code>
        </p>
      </div>
    </li>
  );
}

function OrderStatus({ order }: { order: Order }) {
  const { t } = useTranslator();
  const text: MessageId =
    order.status === "failed"
      ? order.reason === "sold_out"
        ? "orders.sold_out"
        : "orders.failed"
      : `orders.${order.status}`;
  const look = order.status === "success" ? "text-accent" : order.status === "failed" ? "text-muted" : "text-warm";
  return (
    <p data-testid="order-status" className={`flex items-center gap-2 font-medium ${look}`}>
      {order.status === "in_progress" && <Spinner className="size-4" />}
      {t(text)}
    </p>
  );
}
