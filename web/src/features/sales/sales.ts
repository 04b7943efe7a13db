/** The sales as they are now: live by the event stream, by polling when that fails. */
import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, type Sale, type Sales, unwrap } from "@/lib/api/client";
import { serverClock } from "@/lib/clock/serverClock";
import { clockWasRead, useServerNow } from "@/lib/clock/useServerNow";

export type SaleStatus = Sale["status"];

/** While the stream works, what it might have missed is looked for this often. */
const POLL_LIVE_MS = 30_000;
/** Without the stream. */
export const POLL_MS = 2_000;

export const salesQuery = queryOptions({
  queryKey: ["sales"],
  queryFn: async ({ signal, client, queryKey }): Promise<Sales> => {
    const updatesBefore = client.getQueryState(queryKey)?.dataUpdateCount;
    const sales = await unwrap(api.GET("/sales", { signal }));
    readServerTime(sales);
    // What the event stream has brought meanwhile may be newer than this answer.
    const now = client.getQueryState<Sales>(queryKey);
    return now?.data && now.dataUpdateCount !== updatesBefore ? now.data : sales;
  },
});

/** Sets the page's clock by what the sales say. */
export function readServerTime(sales: Sales): void {
  serverClock.read(sales.server_time);
  clockWasRead();
}

/** All sales; polls unless the event stream is live. */
export function useSales(isLive: boolean) {
  return useQuery({ ...salesQuery, refetchInterval: isLive ? POLL_LIVE_MS : POLL_MS });
}

/** The state of a sale at a moment of the server's clock: it does not wait for the server to say so. */
export function statusAt(sale: Pick<Sale, "start_date" | "end_date">, now: number): SaleStatus {
  if (now < Date.parse(sale.start_date)) {
    return "upcoming";
  }
  return now < Date.parse(sale.end_date) ? "active" : "ended";
}

/** The state of a sale now, changing by itself. */
export function useSaleStatus(sale: Sale): SaleStatus {
  const now = useServerNow();
  return now === null ? sale.status : statusAt(sale, now);
}

/** What to look at first: sales that run, then those to come, the next change leading; then those that ended last. */
export function inOrderOfInterest(sales: readonly Sale[], now: number): Sale[] {
  const rank = { active: 0, upcoming: 1, ended: 2 };
  const key = (sale: Sale): [number, number] => {
    const status = statusAt(sale, now);
    const time = Date.parse(status === "upcoming" ? sale.start_date : sale.end_date);
    const soldOutLast = status === "active" && sale.remaining_stock <= 0 ? 0.5 : 0;
    return [rank[status] + soldOutLast, status === "ended" ? -time : time];
  };
  return [...sales].sort((a, b) => {
    const [rankA, timeA] = key(a);
    const [rankB, timeB] = key(b);
    return rankA - rankB || timeA - timeB;
  });
}
