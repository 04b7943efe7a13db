/** What a draft makes the page send. */
import { describe, expect, it } from "vitest";
import { newSale } from "../../../../tests/unit.shop";
import { changeBody, createBody, draftOf, newDraft, parseQuantity } from "./saleDraft";

const NOW = Date.parse("2031-05-01T12:20:00Z");

describe("createBody", () => {
  it("is of a new product, trimmed, in cents and in UTC", () => {
    const draft = {
      ...newDraft(NOW),
      name: " Radio ",
      description: " It plays. ",
      price_in_cents: "1.234,50",
      quantity: "1.000",
      start_date: "2031-05-02T10:00",
      end_date: "2031-05-02T11:00:30",
    };
    expect(createBody(draft, "de")).toEqual({
      name: "Radio",
      description: "It plays.",
      price_in_cents: 123_450,
      quantity: 1000,
      start_date: new Date("2031-05-02T10:00").toISOString(),
      end_date: new Date("2031-05-02T11:00:30").toISOString(),
    });
  });

  it("is of a product that exists by its id alone", () => {
    const body = createBody({ ...newDraft(NOW, "p"), name: "left over", price_in_cents: "1" }, "en");
    expect(Object.keys(body).sort()).toEqual(["end_date", "product_id", "quantity", "start_date"]);
  });

  it("starts at the next full hour if nothing else is said", () => {
    const { start_date, end_date } = createBody(newDraft(NOW, "p"), "en");
    const start = new Date(start_date);
    // Of the reader's clock, which is half an hour off in some zones.
    expect([start.getMinutes(), start.getSeconds()]).toEqual([0, 0]);
    expect(start.getTime() - NOW).toBeGreaterThan(0);
    expect(start.getTime() - NOW).toBeLessThanOrEqual(3_660_000);
    expect(Date.parse(end_date) - start.getTime()).toBe(3_600_000);
  });
});

describe("changeBody", () => {
  const sale = newSale({ start_date: "2031-05-01T12:00:00.123Z" });
  const before = draftOf(sale, "de");

  it("is nothing when nothing was changed, whatever fractions of a second the sale's dates have", () => {
    expect(changeBody(sale.flash_sale_id, before, before, "de")).toBeNull();
    expect(changeBody(sale.flash_sale_id, { ...before, price_in_cents: "129" }, before, "de")).toBeNull();
  });

  it("has what was changed and no more", () => {
    const draft = { ...before, price_in_cents: "99,90", quantity: "120", description: "" };
    expect(changeBody(sale.flash_sale_id, draft, before, "de")).toEqual({
      flash_sale_id: sale.flash_sale_id,
      description: "",
      price_in_cents: 9990,
      quantity: 120,
    });
  });
});

it("reads whole numbers in groups", () => {
  expect(parseQuantity("1,000")).toBe(1000);
  expect(parseQuantity(" 10 000 ")).toBe(10_000);
  expect(parseQuantity("1,5")).toBeNull();
  expect(parseQuantity("")).toBeNull();
});
