/**
 * One press of "Buy Now", carried to its answer. The request goes out again, with the same Idempotency-Key, as long as its
 * fate is not known: a lost connection, a busy shop, a rate limit. So there is never a second order and never a lost one.
 *
 * ```text
 *   placing ──┬──▶ accepted(order)         the rest is the order's own state
 *      │     ├──▶ refused(reason)          a definite answer: no order
 *      ▼     │
 *   waiting ─┘                             asks again: as long as the server says, or a little longer each time
 *      └───────▶ given_up                  nobody answered for GIVE_UP_MS; pressing again goes on with the same key
 * ```
 */
import { api, Problem, type Schemas, unwrap } from "@/lib/api/client";

export type RefusalReason =
  | "sold_out"
  | "sale_ended"
  | "sale_not_started"
  | "already_purchased"
  | "product_not_found"
  | "order_failed"
  | "signed_out"
  | "refused";

export type WaitReason = "unreachable" | "busy" | "too_many_requests";

export type PurchaseState =
  | { phase: "placing" }
  | { phase: "waiting"; reason: WaitReason; waitMs: number }
  | { phase: "accepted"; orderId: string }
  | { phase: "refused"; reason: RefusalReason }
  | { phase: "given_up" };

/** A press is followed for this long; shorter than the 24 hours that the server keeps a key. */
export const GIVE_UP_MS = 120_000;
const PAUSE_MIN_MS = 500;
const PAUSE_MAX_MS = 8_000;

const DEFINITE: ReadonlySet<string> = new Set<RefusalReason>([
  "sold_out",
  "sale_ended",
  "sale_not_started",
  "already_purchased",
  "product_not_found",
  "order_failed",
]);

/** What a purchase needs of the outside, so that tests can hold the clock. */
export interface PurchaseWorld {
  placeOrder: (productId: string, key: string, signal: AbortSignal) => Promise<Schemas["OrderView"]>;
  /** Resolves after the time; with `endsOnline` at once when the browser is back online. Rejects when aborted. */
  pause: (ms: number, signal: AbortSignal, endsOnline: boolean) => Promise<void>;
  monotonic: () => number;
  random: () => number;
}

export const browserWorld: PurchaseWorld = {
  placeOrder: (product_id, key, signal) =>
    unwrap(api.POST("/orders", { body: { product_id }, params: { header: { "Idempotency-Key": key } }, signal })),
  pause,
  monotonic: () => performance.now(),
  random: Math.random,
};

/**
 * Buys one unit of a product; reports every change of state, the last one being the answer. Ends quietly when aborted.
 *
 * @param key the Idempotency-Key of this press, the same after a reload
 */
export async function buy(
  productId: string,
  key: string,
  report: (state: PurchaseState) => void,
  signal: AbortSignal,
  world: PurchaseWorld = browserWorld,
): Promise<void> {
  const startedAt = world.monotonic();
  let pauseMs = PAUSE_MIN_MS;
  if (!signal.aborted) {
    report({ phase: "placing" });
  }
  // Later tries are part of the waiting: nothing flickers.
  while (!signal.aborted) {
    const answer = await tryOnce(productId, key, signal, world);
    if (signal.aborted) {
      return;
    }
    if (answer.phase !== "waiting") {
      report(answer);
      return;
    }
    // Everybody was turned away in the same second: spread out, so that they do not come back in the same one.
    const waitMs = Math.max(answer.waitMs, pauseMs) * (1 + world.random() * 0.5);
    pauseMs = Math.min(pauseMs * 2, PAUSE_MAX_MS);
    if (world.monotonic() + waitMs - startedAt > GIVE_UP_MS) {
      report({ phase: "given_up" });
      return;
    }
    report({ ...answer, waitMs });
    await world.pause(waitMs, signal, answer.reason === "unreachable").catch(() => undefined);
  }
}

async function tryOnce(
  productId: string,
  key: string,
  signal: AbortSignal,
  world: PurchaseWorld,
): Promise<PurchaseState> {
  try {
    const order = await world.placeOrder(productId, key, signal);
    return { phase: "accepted", orderId: order.order_id };
  } catch (error) {
    return stateAfter(error);
  }
}

/** What a failed try means. */
export function stateAfter(error: unknown): PurchaseState {
  if (!(error instanceof Problem)) {
    return { phase: "waiting", reason: "unreachable", waitMs: 0 };
  }
  const waitMs = error.retryAfterMs ?? 0;
  if (error.status === 0) {
    return { phase: "waiting", reason: "unreachable", waitMs };
  }
  if (error.status === 429) {
    return { phase: "waiting", reason: "too_many_requests", waitMs };
  }
  // 409: our own first try is still under way.
  if (error.status >= 500 || error.code === "idempotency_key_in_use" || error.status === 408) {
    return { phase: "waiting", reason: "busy", waitMs };
  }
  if (error.status === 401) {
    return { phase: "refused", reason: "signed_out" };
  }
  return { phase: "refused", reason: DEFINITE.has(error.code) ? (error.code as RefusalReason) : "refused" };
}

function pause(ms: number, signal: AbortSignal, endsOnline: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const finish = (): void => {
      clearTimeout(timer);
      globalThis.removeEventListener("online", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    if (endsOnline) {
      globalThis.addEventListener("online", finish);
    }
    signal.addEventListener("abort", () => {
      finish();
      reject(signal.reason);
    });
  });
}
