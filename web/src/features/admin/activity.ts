/** What happens around a sale now, asked for as often as it can change. */
import { queryOptions } from "@tanstack/react-query";
import { statusAt } from "@/features/sales/sales";
import { api, Problem, type Schemas, unwrap } from "@/lib/api/client";
import { serverClock } from "@/lib/clock/serverClock";
import { clockWasRead } from "@/lib/clock/useServerNow";

export type Activity = Schemas["SaleActivityView"];
export type ActivitySecond = Schemas["ActivitySecondView"];
export type RefusedAttempts = Schemas["RefusedAttemptsView"];
export type RefusalReason = RefusedAttempts["reason"];

const POLL_BUSY_MS = 1_000;
const POLL_QUIET_MS = 10_000;

export const activityQuery = (flashSaleId: string) =>
  queryOptions({
    queryKey: ["activity", flashSaleId],
    queryFn: async ({ signal }): Promise<Activity> => {
      const path = { flash_sale_id: flashSaleId };
      const activity = await unwrap(api.GET("/sales/{flash_sale_id}/activity", { params: { path }, signal }));
      serverClock.read(activity.server_time);
      clockWasRead();
      return activity;
    },
    refetchInterval: ({ state }) => (isRefusal(state.error) ? POLL_QUIET_MS : pollPause(state.data, serverClock.now())),
    // It is asked again anyway.
    retry: (failures, error) => failures < 1 && !isRefusal(error),
    retryDelay: POLL_BUSY_MS,
  });

/** No such sale, or no right to see it: asking at once again changes nothing. */
function isRefusal(error: Error | null): boolean {
  return error instanceof Problem && [401, 403, 404].includes(error.status);
}

/** How long until the next question: every second while something can happen, and in time for the start. */
export function pollPause(activity: Pick<Activity, "sale" | "in_progress"> | undefined, now: number | null): number {
  if (!activity || activity.in_progress > 0) {
    return POLL_BUSY_MS;
  }
  const { sale } = activity;
  const status = now === null ? sale.status : statusAt(sale, now);
  if (status === "active") {
    return POLL_BUSY_MS;
  }
  const untilStart = status === "upcoming" && now !== null ? Date.parse(sale.start_date) - now : POLL_QUIET_MS;
  return Math.min(POLL_QUIET_MS, Math.max(POLL_BUSY_MS, untilStart));
}

/** All attempts that got no order. */
export function refusedAttempts(refusals: readonly RefusedAttempts[]): number {
  return refusals.reduce((sum, { attempts }) => sum + attempts, 0);
}
