import { describe, expect, test } from "vitest";
import { at, deferred, json, NOW, newClient, newSale, Shop } from "../../../tests/unit.shop";
import { partsOf } from "./Countdown";
import { shownStatus } from "./StatusBadge";
import { inOrderOfInterest, salesQuery, statusAt } from "./sales";

describe("the state of a sale", () => {
  const sale = newSale({ start_date: at(0), end_date: at(1_000) });
  test.each([
    [-1, "upcoming"],
    [0, "active"],
    [999, "active"],
    [1_000, "ended"],
  ] as const)("%i ms after its start is %s: the start belongs to it, the end does not", (ms, status) => {
    expect(statusAt(sale, NOW + ms)).toBe(status);
  });

  test.each([
    ["active", 0, "sold_out"],
    ["active", 1, "active"],
    ["upcoming", 0, "upcoming"],
    ["ended", 0, "ended"],
  ] as const)("%s with %i left is shown as %s", (status, left, shown) => {
    expect(shownStatus(status, left)).toBe(shown);
  });
});

test("sales are in order of interest: what can be bought, what is next, what was", () => {
  const hours = (start: number, end: number) => ({ start_date: at(start * 3_600_000), end_date: at(end * 3_600_000) });
  const named = (name: string, window: object, remaining_stock = 1) => newSale({ name, remaining_stock, ...window });
  const sales = [
    named("ended long ago", hours(-9, -8)),
    named("later", hours(5, 6)),
    named("ends later", hours(-1, 3)),
    named("just ended", hours(-2, -1)),
    named("sold out", hours(-1, 1), 0),
    named("next", hours(1, 9)),
    named("ends soon", hours(-3, 2)),
  ];
  const before = [...sales];
  expect(inOrderOfInterest(sales, NOW).map(({ name }) => name)).toEqual([
    ...["ends soon", "ends later", "sold out", "next", "later", "just ended", "ended long ago"],
  ]);
  expect(sales).toEqual(before);
});

describe("the parts of a countdown", () => {
  test.each([
    [0, [0, 0, 0, 0]],
    [-5_000, [0, 0, 0, 0]],
    [1, [0, 0, 0, 1]],
    [1_000, [0, 0, 0, 1]],
    [1_001, [0, 0, 0, 2]],
    [59_001, [0, 0, 1, 0]],
    [3_599_001, [0, 1, 0, 0]],
    [86_399_999, [1, 0, 0, 0]],
    [90_061_000, [1, 1, 1, 1]],
    [100 * 86_400_000, [100, 0, 0, 0]],
  ])("of %i ms", (ms, [days, hours, minutes, seconds]) => {
    expect(partsOf(ms)).toEqual({ days, hours, minutes, seconds });
  });
});

test("an answer that was under way when news came does not put the page back", async () => {
  const shop = new Shop();
  const slow = deferred<Response>();
  shop.on("GET /sales", () => slow.promise);
  const client = newClient();
  const asked = client.fetchQuery(salesQuery);
  const news = { server_time: at(2_000), sales: [newSale({ remaining_stock: 0 })] };
  client.setQueryData(salesQuery.queryKey, news);
  slow.resolve(json({ server_time: at(1_000), sales: [newSale({ remaining_stock: 1 })] }));
  await asked;
  expect(client.getQueryData(salesQuery.queryKey)).toEqual(news);
  shop.on("GET /sales", () => json({ server_time: at(3_000), sales: [] }));
  await client.fetchQuery(salesQuery);
  expect(client.getQueryData(salesQuery.queryKey)?.sales).toEqual([]);
});
