/** Series ready to be drawn, and the few figures that say in words what they show. */
import type { ActivitySecond } from "../activity";

export interface ChartPoint {
  /** When, in milliseconds since the epoch. */
  at: number;
  /** One for each series; null where nobody looked. */
  values: readonly (number | null)[];
}

export interface ChartSeries {
  label: string;
  /** A CSS colour. */
  color: string;
  /** Hatched, to be told apart without its colour. */
  isHatched?: boolean;
}

/** Points of some columns of rows. */
export function toPoints<Row>(
  rows: readonly Row[],
  at: (row: Row) => string,
  ...columns: readonly ((row: Row) => number | null)[]
): ChartPoint[] {
  return rows.map((row) => ({ at: Date.parse(at(row)), values: columns.map((column) => column(row)) }));
}

/** Points of the seconds of a sale. */
export function secondPoints(
  seconds: readonly ActivitySecond[],
  ...columns: readonly ((second: ActivitySecond) => number | null)[]
): ChartPoint[] {
  return toPoints(seconds, (second) => second.at, ...columns);
}

/** Everything of a point on top of each other; null when nothing of it is known. */
export function heightOf({ values }: ChartPoint): number | null {
  const known = values.filter((value) => value !== null);
  return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) : null;
}

export interface ChartFigures {
  /** The newest known; null when nothing is. */
  last: number | null;
  highest: number;
  sum: number;
}

export function figuresOf(points: readonly ChartPoint[]): ChartFigures {
  const heights = points.map(heightOf).filter((height) => height !== null);
  return {
    last: heights.at(-1) ?? null,
    highest: Math.max(0, ...heights),
    sum: heights.reduce((sum, height) => sum + height, 0),
  };
}

/** Lines of the upward axis beside 0, at most. */
const STEPS_MAX = 4;

/** Round values for the upward axis, from 0 to at least the highest: never fewer units than can be told apart. */
export function valueTicks(highest: number, isCount: boolean): number[] {
  const least = isCount ? 1 : 0.1;
  const wanted = Math.max(highest, isCount ? STEPS_MAX : 1) / STEPS_MAX;
  const power = 10 ** Math.floor(Math.log10(wanted));
  const round = [1, 2, ...(isCount ? [2.5] : []), 5, 10].map((factor) => factor * power);
  const step = Math.max(least, round.find((one) => one >= wanted && (!isCount || Number.isInteger(one))) ?? wanted);
  const count = Math.max(1, Math.ceil(Math.max(highest, isCount ? STEPS_MAX : 1) / step));
  return Array.from({ length: count + 1 }, (_, line) => line * step);
}

const MINUTE_MS = 60_000;

/** A tick a minute, back from the newest point. */
export function minuteTicks(points: readonly ChartPoint[]): number[] {
  const first = points[0]?.at;
  const last = points.at(-1)?.at;
  if (first === undefined || last === undefined) {
    return [];
  }
  // The oldest of 180 seconds is 179 s before the newest.
  const count = Math.floor((last - first + 1_000) / MINUTE_MS);
  return Array.from({ length: count + 1 }, (_, minute) => Math.max(first, last - (count - minute) * MINUTE_MS));
}

/** Minutes in which nothing happened, which the report leaves out, as long as they are few enough to be drawn. */
export function withEmptyMinutes(points: readonly ChartPoint[], minutesMax = 1_440): ChartPoint[] {
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last || (last.at - first.at) / MINUTE_MS > minutesMax) {
    return [...points];
  }
  const known = new Map(points.map((point) => [point.at, point]));
  const empty = first.values.map(() => 0);
  const minutes = Math.round((last.at - first.at) / MINUTE_MS) + 1;
  return Array.from({ length: minutes }, (_, minute) => {
    const at = first.at + minute * MINUTE_MS;
    return known.get(at) ?? { at, values: empty };
  });
}
