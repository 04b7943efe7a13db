import { beforeEach, expect, test, vi } from "vitest";
import { Problem } from "./client";
import { patiently } from "./patiently";
import { untilAnswered } from "./untilAnswered";

const busy = (retryAfterMs: number | null = null) => new Problem(503, "unavailable", "Busy", retryAfterMs);

beforeEach(() => {
  vi.spyOn(Math, "random").mockReturnValue(0);
});

test("asks again after the time the server names, and gives the answer", async () => {
  const ask = vi.fn().mockRejectedValueOnce(busy(3_000)).mockRejectedValueOnce(busy()).mockResolvedValue("in");
  const pause = vi.fn().mockResolvedValue(undefined);
  expect(await patiently(ask, pause)).toBe("in");
  expect(pause.mock.calls).toEqual([[3_000], [1_000]]);
});

test("asks again after a rate limit too", async () => {
  const ask = vi
    .fn()
    .mockRejectedValueOnce(new Problem(429, "too_many_requests", "Slow"))
    .mockResolvedValue("in");
  expect(await patiently(ask, async () => undefined)).toBe("in");
});

test("never comes back earlier than it was told, and a crowd not at once", async () => {
  vi.mocked(Math.random).mockReturnValue(0.9);
  const pause = vi.fn().mockResolvedValue(undefined);
  await patiently(vi.fn().mockRejectedValueOnce(busy(2_000)).mockResolvedValue("in"), pause);
  expect(pause).toHaveBeenCalledWith(2_900);
});

test("does not wait longer than half a minute in all", async () => {
  const pause = vi.fn().mockResolvedValue(undefined);
  const ask = vi.fn().mockRejectedValue(busy(10_000));
  await expect(patiently(ask, pause)).rejects.toMatchObject({ code: "unavailable" });
  expect(pause).toHaveBeenCalledTimes(3);
});

test.each([new Problem(401, "invalid_credentials", "No"), new Problem(0, "unreachable", "Gone"), new TypeError("bug")])(
  "a definite answer is not asked for again: %s",
  async (error) => {
    const ask = vi.fn().mockRejectedValue(error);
    await expect(patiently(ask, async () => undefined)).rejects.toBe(error);
    expect(ask).toHaveBeenCalledTimes(1);
  },
);

test("a query that failed is asked again, one that was answered is not", () => {
  expect(untilAnswered({ state: { status: "error" } })).toBeGreaterThan(0);
  expect(untilAnswered({ state: { status: "success" } })).toBe(false);
});
