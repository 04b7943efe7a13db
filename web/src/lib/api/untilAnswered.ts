/** Goes on asking after a query has failed: a page that stays open through an outage comes back by itself. */

const AGAIN_MS = 5_000;

/** A `refetchInterval` of TanStack Query: only while the last answer was a failure. */
export function untilAnswered({ state }: { state: { status: "pending" | "error" | "success" } }): number | false {
  return state.status === "error" ? AGAIN_MS * (1 + Math.random()) : false;
}
