import { describe, expect, test, vi } from "vitest";
import { json, problem, Shop } from "../../../tests/unit.shop";
import { api, Problem, toProblem, unwrap } from "./client";

const refused = async (answer: Promise<unknown>): Promise<Problem> => {
  const error = await answer.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
};

describe("an answer", () => {
  test("is its data", async () => {
    const shop = new Shop();
    shop.on("GET /orders/history", () => json({ orders: [] }));
    expect(await unwrap(api.GET("/orders/history"))).toEqual({ orders: [] });
  });

  test("that refuses is a problem with the server's word and sentence", async () => {
    const shop = new Shop();
    shop.on("POST /orders", () => problem(400, "sold_out", "Product sold out"));
    const error = await refused(unwrap(api.POST("/orders", { body: { product_id: "p" } })));
    expect(error).toMatchObject({ status: 400, code: "sold_out", message: "Product sold out", retryAfterMs: null });
  });

  test("is asked for past the HTTP cache, which would give the server's time of then", async () => {
    const shop = new Shop();
    let cache: RequestCache | undefined;
    shop.on("GET /sales", (_, request) => {
      cache = request.cache;
      return json({ server_time: "", sales: [] });
    });
    await unwrap(api.GET("/sales"));
    expect(cache).toBe("no-store");
  });

  test("that does not come is unreachable, not an exception of the network", async () => {
    const shop = new Shop();
    shop.on("GET /sales", () => Promise.reject(new TypeError("Failed to fetch")));
    expect(await refused(unwrap(api.GET("/sales")))).toMatchObject({ status: 0, code: "unreachable" });
  });

  test.each([
    ["GET /sales", 20_000, () => api.GET("/sales")],
    [
      "GET /sales/1/report",
      120_000,
      () => api.GET("/sales/{flash_sale_id}/report", { params: { path: { flash_sale_id: "1" } } }),
    ],
  ] as const)("to %s that does not come within %d ms is unreachable", async (route, withinMs, ask) => {
    vi.useFakeTimers();
    new Shop().on(route, () => new Promise(() => undefined));
    const answered = vi.fn();
    const answer = refused(unwrap<unknown>(ask()));
    void answer.then(answered);
    await vi.advanceTimersByTimeAsync(withinMs - 1);
    expect(answered).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(await answer).toMatchObject({ status: 0, code: "unreachable" });
  });

  test("nobody waits for any more is not a problem of the shop", async () => {
    const shop = new Shop();
    shop.on("GET /sales", () => new Promise(() => undefined));
    const leaving = new AbortController();
    const answer = unwrap(api.GET("/sales", { signal: leaving.signal }));
    leaving.abort();
    await expect(answer).rejects.not.toBeInstanceOf(Problem);
  });
});

describe("a problem", () => {
  const answer = (status: number, headers: Record<string, string> = {}) =>
    new Response(null, { status, statusText: "Words", headers });

  test.each([
    ["2", 2_000],
    ["0", null],
    ["-3", null],
    ["soon", null],
    ["Wed, 21 Oct 2015 07:28:00 GMT", null],
  ])("with Retry-After %s asks to wait %s ms", (value, ms) => {
    expect(toProblem(answer(503, { "retry-after": value }), {}).retryAfterMs).toBe(ms);
  });

  test.each([
    [502, "unavailable"],
    [403, "refused"],
  ])("of a proxy that answers %i without a body of ours is %s", (status, code) => {
    expect(toProblem(answer(status), "<html>Bad gateway</html>")).toMatchObject({ status, code, message: "Words" });
    expect(toProblem(answer(status), undefined)).toMatchObject({ status, code });
  });

  test.each([
    ["invalid_request", "email: must look like name@example.org", "email"],
    ["invalid_request", "price_in_cents: must be positive", "price_in_cents"],
    ["invalid_request", "The request cannot be understood", null],
    ["email_taken", "email: is taken", null],
  ])("%s, %s names the field %s", (code, message, field) => {
    expect(new Problem(400, code, message).field).toBe(field);
  });
});
