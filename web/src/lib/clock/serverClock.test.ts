import { describe, expect, test, vi } from "vitest";
import { ServerClock } from "./serverClock";

const NOON = Date.parse("2031-05-01T12:00:00Z");
const iso = (ms: number): string => new Date(ms).toISOString();

/** A clock with a monotonic time that the test moves. */
function newClock() {
  const monotonic = { ms: 1_000 };
  return { monotonic, clock: new ServerClock(() => monotonic.ms) };
}

describe("the server's clock", () => {
  test("is unknown before the first reading", () => {
    expect(newClock().clock.now()).toBeNull();
  });

  test("runs on with the monotonic time between readings", () => {
    const { clock, monotonic } = newClock();
    clock.read(iso(NOON));
    monotonic.ms += 2_500;
    expect(clock.now()).toBe(NOON + 2_500);
  });

  test("does not look at the wall clock, wrong or changed", () => {
    vi.useFakeTimers({ now: 0, toFake: ["Date"] });
    const { clock } = newClock();
    clock.read(iso(NOON));
    vi.setSystemTime(NOON + 86_400_000);
    expect(clock.now()).toBe(NOON);
  });

  test("is not set back by news that were late", () => {
    const { clock, monotonic } = newClock();
    clock.read(iso(NOON));
    monotonic.ms += 3_000;
    clock.read(iso(NOON + 1_000));
    expect(clock.now()).toBe(NOON + 3_000);
  });

  test("is set forward by news that were less late", () => {
    const { clock, monotonic } = newClock();
    clock.read(iso(NOON));
    monotonic.ms += 1_000;
    clock.read(iso(NOON + 1_400));
    expect(clock.now()).toBe(NOON + 1_400);
  });

  test("follows a server clock that was set back, once the readings before are old", () => {
    const { clock, monotonic } = newClock();
    clock.read(iso(NOON));
    monotonic.ms += 60_000;
    clock.read(iso(NOON - 3_600_000));
    expect(clock.now()).toBe(NOON + 60_000);
    monotonic.ms += 61_000;
    clock.read(iso(NOON - 3_600_000 + 61_000));
    expect(clock.now()).toBe(NOON - 3_600_000 + 61_000);
  });

  test("is right after a sleep during which the monotonic time stood still", () => {
    const { clock, monotonic } = newClock();
    clock.read(iso(NOON));
    monotonic.ms += 10;
    clock.read(iso(NOON + 7_200_000));
    expect(clock.now()).toBe(NOON + 7_200_000);
  });

  test("passes over what is not a time", () => {
    const { clock } = newClock();
    clock.read("soon");
    expect(clock.now()).toBeNull();
    clock.read(iso(NOON));
    clock.read("");
    expect(clock.now()).toBe(NOON);
  });

  test("keeps the best of many readings within reason", () => {
    const { clock, monotonic } = newClock();
    for (let reading = 0; reading < 1_000; reading += 1) {
      clock.read(iso(NOON + reading * 100));
      monotonic.ms += 100;
    }
    expect(clock.now()).toBe(NOON + 100_000);
  });
});
