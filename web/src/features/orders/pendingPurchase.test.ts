import { beforeEach, describe, expect, test, vi } from "vitest";
import { beginPurchase, endPurchase, pendingPurchase } from "./pendingPurchase";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000_000_000_000 });
});

const pass = (ms: number): void => void vi.setSystemTime(Date.now() + ms);

describe("the key of a press", () => {
  test("is kept until its answer is known", () => {
    expect(pendingPurchase("ada", "radio")).toBeNull();
    const key = beginPurchase("ada", "radio");
    expect(pendingPurchase("ada", "radio")).toBe(key);
    endPurchase("ada", "radio");
    expect(pendingPurchase("ada", "radio")).toBeNull();
  });

  test("is one that the server takes and nobody can guess", () => {
    const keys = Array.from({ length: 50 }, (_, product) => beginPurchase("ada", String(product)));
    expect(new Set(keys).size).toBe(50);
    for (const key of keys) {
      expect(key).toMatch(/^[0-9a-f]{32}$/);
    }
  });

  test("is the same for whoever goes on: a reload, another tab", () => {
    const key = beginPurchase("ada", "radio");
    expect(beginPurchase("ada", "radio")).toBe(key);
  });

  test("is another after an answer", () => {
    const key = beginPurchase("ada", "radio");
    endPurchase("ada", "radio");
    expect(beginPurchase("ada", "radio")).not.toBe(key);
  });

  test("belongs to one person and one product", () => {
    const key = beginPurchase("ada", "radio");
    expect(pendingPurchase("bob", "radio")).toBeNull();
    expect(pendingPurchase("ada", "lamp")).toBeNull();
    expect(beginPurchase("bob", "radio")).not.toBe(key);
    endPurchase("bob", "radio");
    expect(pendingPurchase("ada", "radio")).toBe(key);
  });

  test("is forgotten after five minutes, not before", () => {
    const key = beginPurchase("ada", "radio");
    pass(299_000);
    expect(pendingPurchase("ada", "radio")).toBe(key);
    pass(2_000);
    expect(pendingPurchase("ada", "radio")).toBeNull();
    expect(beginPurchase("ada", "radio")).not.toBe(key);
  });

  test("is forgotten too when the wall clock was set far back", () => {
    beginPurchase("ada", "radio");
    pass(-3_600_000);
    expect(pendingPurchase("ada", "radio")).toBeNull();
  });
});

describe("a browser that", () => {
  test("keeps nothing still buys, with a new key each time", () => {
    const denied = (): never => {
      throw new DOMException("denied", "SecurityError");
    };
    for (const method of ["getItem", "setItem", "removeItem"] as const) {
      vi.spyOn(Storage.prototype, method).mockImplementation(denied);
    }
    expect(pendingPurchase("ada", "radio")).toBeNull();
    expect(beginPurchase("ada", "radio")).toMatch(/^[0-9a-f]{32}$/);
    expect(() => endPurchase("ada", "radio")).not.toThrow();
  });

  test.each(["{", "7", '"text"', "{}", "null", "[]"])("has kept nonsense (%s) buys with a new key", (kept) => {
    localStorage.setItem("flashsale purchase ada radio", kept);
    expect(beginPurchase("ada", "radio")).toMatch(/^[0-9a-f]{32}$/);
  });
});
