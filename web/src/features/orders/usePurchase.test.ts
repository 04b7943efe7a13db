import { describe, expect, test } from "vitest";
import type { PurchaseState } from "./purchase";
import { type PurchaseView, purchaseView } from "./usePurchase";

const inProgress = { order_id: "o", status: "in_progress" } as const;
const success = { order_id: "o", status: "success" } as const;
const soldOut = { order_id: "o", status: "failed", reason: "sold_out" } as const;
const dead = { order_id: "o", status: "failed", reason: "dead_lettered" } as const;
const accepted: PurchaseState = { phase: "accepted", orderId: "o" };
const waiting: PurchaseState = { phase: "waiting", reason: "busy", waitMs: 1_000 };
const refused = (reason: "sold_out" | "already_purchased"): PurchaseState => ({ phase: "refused", reason });

type Order = Parameters<typeof purchaseView>[1];

describe("what is shown of a press and an order", () => {
  test.each<[string, PurchaseState | null, Order, PurchaseView]>([
    ["nothing yet", null, undefined, { is: "idle" }],
    ["an order in progress", null, inProgress, { is: "in_progress", orderId: "o" }],
    ["a unit bought", null, success, { is: "success", orderId: "o" }],
    ["a failed order", null, soldOut, { is: "refused", reason: "sold_out" }],
    ["an order we could not process", null, dead, { is: "refused", reason: "order_failed" }],
    ["a press under way", { phase: "placing" }, undefined, { is: "placing" }],
    ["a press under way after a failed order", { phase: "placing" }, soldOut, { is: "placing" }],
    ["a press that waits", waiting, undefined, { is: "waiting", reason: "busy", waitMs: 1_000 }],
    ["a press that was given up", { phase: "given_up" }, undefined, { is: "given_up" }],
    ["a press that waits, whose order is known", waiting, success, { is: "success", orderId: "o" }],
    ["a press given up, whose order is known", { phase: "given_up" }, inProgress, { is: "in_progress", orderId: "o" }],
    ["an accepted order not known yet", accepted, undefined, { is: "in_progress", orderId: "o" }],
    [
      "an accepted order after a failed one",
      accepted,
      { ...soldOut, order_id: "older" },
      { is: "in_progress", orderId: "o" },
    ],
    ["an accepted order with its outcome", accepted, success, { is: "success", orderId: "o" }],
    ["an accepted order that failed", accepted, soldOut, { is: "refused", reason: "sold_out" }],
    ["a refusal", refused("sold_out"), undefined, { is: "refused", reason: "sold_out" }],
    ["a refusal, when another tab has bought since", refused("sold_out"), success, { is: "success", orderId: "o" }],
    ["a refusal after a failed order", refused("sold_out"), dead, { is: "refused", reason: "sold_out" }],
    [
      "a refusal because it is bought already",
      refused("already_purchased"),
      success,
      { is: "refused", reason: "already_purchased", orderId: "o" },
    ],
  ])("%s", (_, press, order, view) => {
    expect(purchaseView(press, order, true, null)).toEqual(view);
  });

  test("nothing is promised before the orders are known", () => {
    expect(purchaseView(null, undefined, false, null)).toEqual({ is: "unknown" });
  });

  test("a failed order that was dismissed gives the button back, another one does not", () => {
    expect(purchaseView(null, soldOut, true, "o")).toEqual({ is: "idle" });
    expect(purchaseView(null, soldOut, true, "earlier")).toEqual({ is: "refused", reason: "sold_out" });
  });
});
