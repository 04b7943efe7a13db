import { act, renderHook } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";

const NOON = Date.parse("2031-05-01T12:00:00Z");

/** The page has one clock: a new one for each test. */
async function newPage() {
  vi.resetModules();
  const { serverClock } = await import("./serverClock");
  const { clockWasRead, useServerNow } = await import("./useServerNow");
  const read = (ms: number): void => {
    serverClock.read(new Date(ms).toISOString());
    clockWasRead();
  };
  return { read, useServerNow };
}

beforeEach(() => {
  vi.useFakeTimers();
});

test("is unknown before the first answer and known at once after it", async () => {
  const { read, useServerNow } = await newPage();
  const { result } = renderHook(useServerNow);
  expect(result.current).toBeNull();
  act(() => read(NOON + 400));
  expect(result.current).toBe(NOON);
});

test("changes just after the server's whole second, whenever it was read", async () => {
  const { read, useServerNow } = await newPage();
  const { result } = renderHook(useServerNow);
  act(() => read(NOON + 400));
  act(() => void vi.advanceTimersByTime(599));
  expect(result.current).toBe(NOON);
  act(() => void vi.advanceTimersByTime(5));
  expect(result.current).toBe(NOON + 1_000);
  act(() => void vi.advanceTimersByTime(1_000));
  expect(result.current).toBe(NOON + 2_000);
});

test("renders once a second for any number of readers, and not at all without", async () => {
  const { read, useServerNow } = await newPage();
  const first = renderHook(useServerNow);
  const second = renderHook(useServerNow);
  act(() => read(NOON));
  expect(vi.getTimerCount()).toBe(1);
  first.unmount();
  act(() => void vi.advanceTimersByTime(1_002));
  expect(second.result.current).toBe(NOON + 1_000);
  second.unmount();
  expect(vi.getTimerCount()).toBe(0);
});
