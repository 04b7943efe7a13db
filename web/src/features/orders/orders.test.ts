import { describe, expect, test } from "vitest";
import { newOrder, newSale } from "../../../tests/unit.shop";
import { orderOf } from "./orders";

const sale = newSale();
const of = (...orders: Parameters<typeof newOrder>[0][]) => orderOf(orders.map(newOrder), sale)?.order_id;

describe("the order that counts at a sale", () => {
  test("is none when nothing of it was ordered", () => {
    expect(of()).toBeUndefined();
    expect(of({ product_id: "another", flash_sale_id: "another" })).toBeUndefined();
  });

  test("is the one that did not fail, however many did", () => {
    expect(
      of(
        { order_id: "3", status: "failed", reason: "sold_out" },
        { order_id: "2", status: "in_progress" },
        { order_id: "1", status: "failed", reason: "sold_out" },
      ),
    ).toBe("2");
  });

  test("is the newest when all failed", () => {
    expect(of({ order_id: "2", status: "failed" }, { order_id: "1", status: "failed" })).toBe("2");
  });

  test("may be of an earlier sale of the product when it is a unit bought: it is one each", () => {
    expect(of({ order_id: "1", status: "success", flash_sale_id: "earlier" })).toBe("1");
  });

  test("is not a failed one of an earlier sale: this sale is a new chance", () => {
    expect(of({ order_id: "1", status: "failed", reason: "sold_out", flash_sale_id: "earlier" })).toBeUndefined();
  });
});
