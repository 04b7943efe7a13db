/** How often the dashboard asks. */
import { expect, it } from "vitest";
import { at, NOW, newSale } from "../../../tests/unit.shop";
import { pollPause, refusedAttempts } from "./activity";

it.each([
  ["running", {}, 0, 1_000],
  ["over but not settled", { end_date: at(-1) }, 3, 1_000],
  ["over and settled", { end_date: at(-1) }, 0, 10_000],
  ["far away", { start_date: at(60_000) }, 0, 10_000],
  ["about to start", { start_date: at(4_000) }, 0, 4_000],
  ["starting", { start_date: at(100) }, 0, 1_000],
])("of a sale that is %s", (_, changes, in_progress, pauseMs) => {
  expect(pollPause({ sale: newSale(changes), in_progress }, NOW)).toBe(pauseMs);
});

it("asks at once for what it does not know", () => {
  expect(pollPause(undefined, null)).toBe(1_000);
  expect(refusedAttempts([])).toBe(0);
});
