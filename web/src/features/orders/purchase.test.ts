import { describe, expect, test, vi } from "vitest";
import { Problem, type Schemas } from "@/lib/api/client";
import { browserWorld, buy, GIVE_UP_MS, type PurchaseState, type PurchaseWorld, stateAfter } from "./purchase";

const ORDER: Schemas["OrderView"] = { order_id: "o-1", user_id: "u-1", product_id: "p-1", status: "in_progress" };

const refused = (status: number, code: string, retryAfterMs: number | null = null) =>
  new Problem(status, code, code, retryAfterMs);
const busy = (retryAfterMs: number | null = null) => refused(503, "unavailable", retryAfterMs);

/** A shop that gives these answers in turn, the last for ever, in a world where pauses take no time but are counted. */
function newWorld(...answers: (Schemas["OrderView"] | Error)[]) {
  const clock = { ms: 0 };
  const keys: string[] = [];
  const pauses: number[] = [];
  const world: PurchaseWorld = {
    placeOrder: async (_, key) => {
      keys.push(key);
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      if (answer instanceof Error) {
        throw answer;
      }
      return answer as Schemas["OrderView"];
    },
    pause: async (ms) => {
      pauses.push(ms);
      clock.ms += ms;
    },
    monotonic: () => clock.ms,
    random: () => 0,
  };
  return { world, keys, pauses, clock };
}

async function statesOf(world: PurchaseWorld, signal = new AbortController().signal): Promise<PurchaseState[]> {
  const states: PurchaseState[] = [];
  await buy("p-1", "key-1", (state) => states.push(state), signal, world);
  return states;
}

describe("every answer has its state", () => {
  test.each<[string, Error, PurchaseState]>([
    ["sold out", refused(400, "sold_out"), { phase: "refused", reason: "sold_out" }],
    ["ended", refused(400, "sale_ended"), { phase: "refused", reason: "sale_ended" }],
    ["not started", refused(400, "sale_not_started"), { phase: "refused", reason: "sale_not_started" }],
    ["already purchased", refused(400, "already_purchased"), { phase: "refused", reason: "already_purchased" }],
    ["no such product", refused(404, "product_not_found"), { phase: "refused", reason: "product_not_found" }],
    ["dead-lettered", refused(409, "order_failed"), { phase: "refused", reason: "order_failed" }],
    ["signed out", refused(401, "unauthorized"), { phase: "refused", reason: "signed_out" }],
    ["another origin", refused(403, "foreign_origin"), { phase: "refused", reason: "refused" }],
    ["not understood", refused(400, "invalid_request"), { phase: "refused", reason: "refused" }],
    ["key reused", refused(422, "idempotency_key_reused"), { phase: "refused", reason: "refused" }],
    ["a word we do not know", refused(400, "constructor"), { phase: "refused", reason: "refused" }],
    ["still running", refused(409, "idempotency_key_in_use"), { phase: "waiting", reason: "busy", waitMs: 0 }],
    ["busy", busy(2_000), { phase: "waiting", reason: "busy", waitMs: 2_000 }],
    ["outcome unknown", refused(504, "outcome_unknown"), { phase: "waiting", reason: "busy", waitMs: 0 }],
    ["broken", refused(500, "internal_error"), { phase: "waiting", reason: "busy", waitMs: 0 }],
    ["a proxy's 502", refused(502, "unavailable"), { phase: "waiting", reason: "busy", waitMs: 0 }],
    ["request timeout", refused(408, "request_timeout"), { phase: "waiting", reason: "busy", waitMs: 0 }],
    [
      "too many",
      refused(429, "too_many_requests", 1_000),
      { phase: "waiting", reason: "too_many_requests", waitMs: 1_000 },
    ],
    ["unreachable", refused(0, "unreachable"), { phase: "waiting", reason: "unreachable", waitMs: 0 }],
    ["an answer cut off", new SyntaxError("JSON"), { phase: "waiting", reason: "unreachable", waitMs: 0 }],
  ])("%s", (_, error, state) => {
    expect(stateAfter(error)).toEqual(state);
  });

  test("accepted", async () => {
    expect(await statesOf(newWorld(ORDER).world)).toEqual([
      { phase: "placing" },
      { phase: "accepted", orderId: "o-1" },
    ]);
  });

  test("a 200 that is not of this shop is no answer", async () => {
    const { world, keys } = newWorld(undefined as never, ORDER);
    expect((await statesOf(world)).at(-1)).toEqual({ phase: "accepted", orderId: "o-1" });
    expect(keys).toHaveLength(2);
  });
});

describe("a press whose fate is not known", () => {
  test("goes out again with the same key until there is an answer, and then no more", async () => {
    const { world, keys } = newWorld(refused(0, "unreachable"), busy(), refused(504, "outcome_unknown"), ORDER);
    const states = await statesOf(world);
    expect(keys).toEqual(["key-1", "key-1", "key-1", "key-1"]);
    expect(states.map((state) => state.phase)).toEqual([...["placing", "waiting", "waiting", "waiting", "accepted"]]);
  });

  test("a refusal is not tried again", async () => {
    const { world, keys } = newWorld(refused(400, "sold_out"), ORDER);
    await statesOf(world);
    expect(keys).toHaveLength(1);
  });

  test("waits as long as the server asks", async () => {
    const { world, pauses } = newWorld(busy(7_000), refused(429, "too_many_requests", 3_000), ORDER);
    const states = await statesOf(world);
    expect(pauses).toEqual([7_000, 3_000]);
    expect(states[1]).toEqual({ phase: "waiting", reason: "busy", waitMs: 7_000 });
  });

  test("waits longer each time when nobody says how long, up to a bound", async () => {
    const { world, pauses } = newWorld(...Array.from({ length: 7 }, () => refused(0, "unreachable")), ORDER);
    await statesOf(world);
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000]);
  });

  test("comes back later than asked, never earlier, each shopper at another moment", async () => {
    const { world, pauses } = newWorld(busy(2_000), ORDER);
    world.random = () => 0.8;
    await statesOf(world);
    expect(pauses).toEqual([2_800]);
  });

  test("gives up after two minutes, not before", async () => {
    const { world, clock } = newWorld(busy());
    expect((await statesOf(world)).at(-1)).toEqual({ phase: "given_up" });
    expect(clock.ms).toBeLessThanOrEqual(GIVE_UP_MS);
    expect(clock.ms).toBeGreaterThan(GIVE_UP_MS - 10_000);
  });
});

describe("an aborted press", () => {
  test("says nothing more when its answer comes late", async () => {
    const leaving = new AbortController();
    const { world } = newWorld(ORDER);
    const place = world.placeOrder;
    world.placeOrder = async (...asked) => {
      leaving.abort();
      return place(...asked);
    };
    expect(await statesOf(world, leaving.signal)).toEqual([{ phase: "placing" }]);
  });

  test("does not go out again after a pause", async () => {
    const leaving = new AbortController();
    const { world, keys } = newWorld(busy());
    world.pause = async () => {
      leaving.abort();
      throw leaving.signal.reason;
    };
    await statesOf(world, leaving.signal);
    expect(keys).toHaveLength(1);
  });

  test("never goes out when it is aborted already", async () => {
    const { world, keys } = newWorld(ORDER);
    expect(await statesOf(world, AbortSignal.abort())).toEqual([]);
    expect(keys).toHaveLength(0);
  });
});

describe("a pause in the browser", () => {
  test("ends after its time", async () => {
    vi.useFakeTimers();
    const ended = vi.fn();
    void browserWorld.pause(5_000, new AbortController().signal, true).then(ended);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(ended).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toHaveBeenCalled();
  });

  test("ends at once when the browser is back online, and leaves no timer", async () => {
    vi.useFakeTimers();
    const pause = browserWorld.pause(60_000, new AbortController().signal, true);
    window.dispatchEvent(new Event("online"));
    await pause;
    expect(vi.getTimerCount()).toBe(0);
  });

  test("that the server asked for is kept although the browser comes back online", async () => {
    vi.useFakeTimers();
    const ended = vi.fn();
    void browserWorld.pause(5_000, new AbortController().signal, false).then(ended);
    window.dispatchEvent(new Event("online"));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(ended).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(ended).toHaveBeenCalled();
  });

  test("ends at once when aborted, and leaves no timer", async () => {
    vi.useFakeTimers();
    const leaving = new AbortController();
    const pause = browserWorld.pause(60_000, leaving.signal, true).catch(() => undefined);
    leaving.abort();
    await pause;
    expect(vi.getTimerCount()).toBe(0);
  });
});
