/** Series as they are drawn and told. */
import { describe, expect, it } from "vitest";
import type { ActivitySecond } from "../activity";
import { figuresOf, minuteTicks, secondPoints, valueTicks, withEmptyMinutes } from "./chartData";

const START = Date.parse("2031-05-01T12:00:00Z");

function seconds(count: number): ActivitySecond[] {
  return Array.from({ length: count }, (_, second) => ({
    at: new Date(START + second * 1000).toISOString(),
    attempts: second,
    accepted: 1,
    refused: second - 1,
    succeeded: 0,
    failed: 0,
    remaining_stock: 10,
    queue_depth: second === count - 1 ? null : 2,
    queue_oldest_age_s: null,
  }));
}

it("makes points of some columns", () => {
  const points = secondPoints(
    seconds(2),
    (second) => second.attempts,
    (second) => second.queue_depth,
  );
  expect(points).toEqual([
    { at: START, values: [0, 2] },
    { at: START + 1000, values: [1, null] },
  ]);
});

describe("figuresOf", () => {
  it("adds what is stacked", () => {
    const points = secondPoints(
      seconds(4),
      (second) => second.accepted,
      (second) => second.refused,
    );
    expect(figuresOf(points)).toEqual({ last: 3, highest: 3, sum: 6 });
  });

  it("leaves out where nobody looked", () => {
    expect(figuresOf(secondPoints(seconds(3), (second) => second.queue_depth))).toMatchObject({ last: 2, highest: 2 });
    expect(figuresOf(secondPoints(seconds(3), (second) => second.queue_oldest_age_s))).toMatchObject({ last: null });
    expect(figuresOf([])).toEqual({ last: null, highest: 0, sum: 0 });
  });
});

it("marks every minute back from now", () => {
  const ticks = minuteTicks(secondPoints(seconds(180), (second) => second.attempts));
  expect(ticks.map((at) => (at - START) / 1000)).toEqual([0, 59, 119, 179]);
  expect(minuteTicks([])).toEqual([]);
});

it.each([
  [0, true, [0, 1, 2, 3, 4]],
  [30, true, [0, 10, 20, 30]],
  [100, true, [0, 25, 50, 75, 100]],
  [11, true, [0, 5, 10, 15]],
  [0, false, [0, 0.5, 1]],
  [1234, true, [0, 500, 1000, 1500]],
] as const)("labels an axis up to %i", (highest, isCount, ticks) => {
  expect(valueTicks(highest, isCount)).toEqual(ticks);
});

it("fills the minutes in which nothing happened, unless there are too many", () => {
  const points = [0, 3].map((minute) => ({ at: START + minute * 60_000, values: [5] }));
  expect(withEmptyMinutes(points).map(({ values }) => values[0])).toEqual([5, 0, 0, 5]);
  expect(withEmptyMinutes(points, 2)).toHaveLength(2);
  expect(withEmptyMinutes([])).toEqual([]);
});
