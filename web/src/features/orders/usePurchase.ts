/** A product's purchase as the sale page shows it: the press under way, else what the caller's order says. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { Sale } from "@/lib/api/client";
import { orderOf, ordersQuery, ordersWith, tellOtherTabs } from "./orders";
import { isToBeResumed } from "./pendingPurchase";
import { presses } from "./presses";
import type { PurchaseState, RefusalReason, WaitReason } from "./purchase";

export type PurchaseView =
  | { is: "unknown" }
  | { is: "idle" }
  | { is: "placing" }
  | { is: "waiting"; reason: WaitReason; waitMs: number }
  | { is: "in_progress"; orderId: string }
  | { is: "success"; orderId: string }
  | { is: "refused"; reason: RefusalReason; orderId?: string }
  | { is: "given_up" };

export interface Purchase {
  view: PurchaseView;
  /** Presses Buy; pressing again while it is under way does nothing. */
  press: () => void;
  /** Back to the button after a refusal. */
  dismiss: () => void;
}

const SIGNED_OUT: PurchaseView = { is: "refused", reason: "signed_out" };

/** @param userId who buys; null when nobody is signed in */
export function usePurchase(userId: string | null, sale: Pick<Sale, "product_id" | "flash_sale_id">): Purchase {
  const productId = sale.product_id;
  const client = useQueryClient();
  const press = useSyncExternalStore(presses.subscribe, () => presses.stateOf(userId, productId));
  const acceptedId = press?.phase === "accepted" ? press.orderId : undefined;
  const orders = useQuery({ ...ordersWith(acceptedId), enabled: userId !== null });
  // A failed order that was dismissed, to try again when stock comes back.
  const [dismissed, setDismissed] = useState<string | null>(null);

  const start = useCallback(() => {
    if (userId !== null) {
      presses.start(userId, productId, () => {
        void client.invalidateQueries({ queryKey: ordersQuery.queryKey });
        // A refusal knows better than what the page shows.
        void client.invalidateQueries({ queryKey: ["sales"] });
        tellOtherTabs();
      });
    }
  }, [client, userId, productId]);

  // A press that a reload interrupted goes on.
  useEffect(() => {
    if (userId !== null && isToBeResumed(userId, productId)) {
      start();
    }
  }, [start, userId, productId]);

  // A session that has ended is noticed by the rest of the page too, which forgets the press; its answer stays in view.
  const [wasSignedOut, setWasSignedOut] = useState(false);
  const isSignedOut = press?.phase === "refused" && press.reason === "signed_out";
  useEffect(() => {
    if (isSignedOut) {
      setWasSignedOut(true);
      void client.invalidateQueries({ queryKey: ["session"] });
    } else if (userId !== null) {
      setWasSignedOut(false);
    }
  }, [client, isSignedOut, userId]);

  const order = orders.data && orderOf(orders.data, sale);
  // Orders that cannot be read must not hold up a purchase: the server knows them.
  const isKnown = userId === null || orders.isFetched || orders.failureCount > 0;
  return {
    view: wasSignedOut ? SIGNED_OUT : purchaseView(press, order, isKnown, dismissed),
    press: start,
    dismiss: () => {
      presses.dismiss(userId, productId);
      setDismissed(order?.order_id ?? null);
    },
  };
}

/** What to show of a press and an order. */
export function purchaseView(
  press: PurchaseState | null,
  order: { order_id: string; status: "in_progress" | "success" | "failed"; reason?: string | null } | undefined,
  isKnown: boolean,
  dismissed: string | null,
): PurchaseView {
  // An order that exists says more than a request whose answer has not come: another try, or tab, has made it.
  const isOrdered = order !== undefined && order.status !== "failed";
  if (press && !isOrdered && (press.phase === "placing" || press.phase === "given_up")) {
    return { is: press.phase };
  }
  if (press?.phase === "waiting" && !isOrdered) {
    return { is: "waiting", reason: press.reason, waitMs: press.waitMs };
  }
  if (press?.phase === "refused" && (!isOrdered || press.reason === "already_purchased")) {
    const orderId = order?.status === "success" ? order.order_id : undefined;
    return { is: "refused", reason: press.reason, ...(orderId ? { orderId } : {}) };
  }
  if (press?.phase === "accepted" && order?.order_id !== press.orderId) {
    return { is: "in_progress", orderId: press.orderId };
  }
  if (!order) {
    return { is: isKnown ? "idle" : "unknown" };
  }
  if (order.status === "failed") {
    if (order.order_id === dismissed) {
      return { is: "idle" };
    }
    return { is: "refused", reason: order.reason === "sold_out" ? "sold_out" : "order_failed" };
  }
  return { is: order.status, orderId: order.order_id };
}
