import { afterEach, describe, expect, test, vi } from "vitest";
import { deferred, problem, Shop } from "../../../tests/unit.shop";
import { isToBeResumed, pendingPurchase } from "./pendingPurchase";
import { Presses } from "./presses";
import { browserWorld } from "./purchase";

const POST = "POST /orders";

afterEach(() => vi.restoreAllMocks());

describe("a session that changes", () => {
  test("ends every press at once: no further try goes out, and it is not gone on with", async () => {
    const shop = new Shop();
    const late = deferred<Response>();
    shop.on(POST, () => late.promise);
    const presses = new Presses();
    const answered = vi.fn();
    presses.start("ada", "lamp", answered);
    await vi.waitFor(() => expect(shop.of(POST)).toHaveLength(1));
    presses.endAll();
    late.resolve(problem(503, "unavailable", "Busy", 1));
    await vi.waitFor(() => expect(presses.stateOf("ada", "lamp")).toBeNull());
    expect(pendingPurchase("ada", "lamp")).toBeNull();
    expect(shop.of(POST)).toHaveLength(1);
    expect(answered).not.toHaveBeenCalled();
  });
});

describe("a press that was given up", () => {
  test("does not go on by itself, and goes on with its key when it is pressed again", async () => {
    const shop = new Shop();
    shop.on(POST, () => problem(503, "unavailable", "Busy", 3_600));
    vi.spyOn(browserWorld, "random").mockReturnValue(0);
    const presses = new Presses();
    presses.start("ada", "lamp", () => undefined);
    await vi.waitFor(() => expect(presses.stateOf("ada", "lamp")?.phase).toBe("given_up"));
    expect(isToBeResumed("ada", "lamp")).toBe(false);
    presses.start("ada", "lamp", () => undefined);
    await vi.waitFor(() => expect(shop.of(POST)).toHaveLength(2));
    expect(new Set(shop.of(POST).map(({ key }) => key)).size).toBe(1);
  });
});
