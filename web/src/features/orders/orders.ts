/** The orders of who is signed in: every outcome, newest first. */
import { queryOptions } from "@tanstack/react-query";
import { api, type Sale, type Schemas, unwrap } from "@/lib/api/client";
import { untilAnswered } from "@/lib/api/untilAnswered";

export type Order = Schemas["PastOrderView"];

/** How often the outcome of an order in progress is asked for, besides being told by the event stream. */
const POLL_IN_PROGRESS_MS = 2_000;

export const ordersQuery = queryOptions({
  queryKey: ["orders"],
  queryFn: async ({ signal }): Promise<Order[]> => (await unwrap(api.GET("/orders/history", { signal }))).orders,
  refetchInterval: (query) => (isUnderWay(query.state.data) ? POLL_IN_PROGRESS_MS : untilAnswered(query)),
});

/**
 * Whether an outcome is still to come.
 *
 * @param acceptedId an order that was accepted: under way too as long as it is not among the orders
 */
function isUnderWay(orders: readonly Order[] | undefined, acceptedId?: string): boolean {
  const isMissing = acceptedId !== undefined && !orders?.some((order) => order.order_id === acceptedId);
  return isMissing || (orders?.some((order) => order.status === "in_progress") ?? false);
}

/** The orders, asked for until an order that was accepted is among them and has its outcome. */
export function ordersWith(acceptedId: string | undefined) {
  return queryOptions({
    ...ordersQuery,
    refetchInterval: (query) => (isUnderWay(query.state.data, acceptedId) ? POLL_IN_PROGRESS_MS : untilAnswered(query)),
  });
}

/**
 * The order that counts at a sale: the one of its product that is not failed, for it is one each whatever the sale; else
 * the newest failed one of this very sale.
 */
export function orderOf(orders: readonly Order[], sale: Pick<Sale, "product_id" | "flash_sale_id">): Order | undefined {
  return (
    orders.find((order) => order.product_id === sale.product_id && order.status !== "failed") ??
    orders.find((order) => order.flash_sale_id === sale.flash_sale_id)
  );
}

const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("flashsale orders");

/** Tells the other tabs of this browser that an order was placed. */
export function tellOtherTabs(): void {
  channel?.postMessage("changed");
}

/** Calls back when another tab has placed an order; returns how to stop. */
export function ordersChangedInOtherTab(callback: () => void): () => void {
  channel?.addEventListener("message", callback);
  return () => channel?.removeEventListener("message", callback);
}
