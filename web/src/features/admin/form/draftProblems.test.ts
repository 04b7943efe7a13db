/** The rules of src/domain/sale.rs, at their edges. */
import { describe, expect, it } from "vitest";
import { newSale } from "../../../../tests/unit.shop";
import { type DraftContext, type DraftProblems, draftProblems } from "./draftProblems";
import { toLocalInput } from "./localTime";
import type { SaleDraft } from "./saleDraft";

const VALID: SaleDraft = {
  product_id: "",
  name: "Walnut Radio",
  description: "",
  price_in_cents: "129.00",
  quantity: "100",
  start_date: "2030-01-01T10:00",
  end_date: "2030-01-01T11:00",
};
const problemsOf = (changes: Partial<SaleDraft>, context: Partial<DraftContext> = {}): DraftProblems =>
  draftProblems({ ...VALID, ...changes }, { language: "en", sold: 0, sales: [], ...context });

describe("draftProblems", () => {
  it("has nothing to say of a valid draft", () => {
    expect(problemsOf({})).toEqual({});
    expect(problemsOf({ name: "n".repeat(200), description: "d".repeat(2000), quantity: "10000000" })).toEqual({});
    expect(problemsOf({ quantity: "0", price_in_cents: "0" })).toEqual({});
  });

  it.each<[Partial<SaleDraft>, DraftProblems]>([
    [{ name: "  " }, { name: "nameMissing" }],
    [{ name: "n".repeat(201) }, { name: "nameLong" }],
    [{ description: "d".repeat(2001) }, { description: "descriptionLong" }],
    [{ price_in_cents: "-1" }, { price_in_cents: "priceWrong" }],
    [{ price_in_cents: "" }, { price_in_cents: "priceWrong" }],
    [{ price_in_cents: "21474836.48" }, { price_in_cents: "priceHigh" }],
    [{ quantity: "-1" }, { quantity: "quantityWrong" }],
    [{ quantity: "1.5" }, { quantity: "quantityWrong" }],
    [{ quantity: "10000001" }, { quantity: "quantityHigh" }],
    [{ start_date: "" }, { start_date: "dateMissing" }],
    [{ end_date: "2201-06-01T10:00" }, { end_date: "dateRange" }],
    [{ end_date: "2030-01-01T10:00" }, { end_date: "endBeforeStart" }],
  ])("%j is %j", (changes, problems) => {
    expect(problemsOf(changes)).toEqual(problems);
  });

  it("counts characters, not their halves", () => {
    expect(problemsOf({ name: "🪔".repeat(200) })).toEqual({});
  });

  it("does not go below what is sold", () => {
    expect(problemsOf({ quantity: "59" }, { sold: 60 })).toEqual({ quantity: "quantityBelowSold" });
    expect(problemsOf({ quantity: "60" }, { sold: 60 })).toEqual({});
  });

  it("needs no name and price of a product that exists", () => {
    expect(problemsOf({ product_id: "p", name: "", price_in_cents: "" })).toEqual({});
  });

  it("sees another sale of the same product in the window, not the sale itself nor one that only touches", () => {
    const start_date = new Date("2030-01-01T10:30").toISOString();
    const other = newSale({ product_id: "p", start_date, end_date: new Date("2030-01-01T12:00").toISOString() });
    const context = { sales: [other] };
    expect(problemsOf({ product_id: "p" }, context)).toEqual({ start_date: "overlaps" });
    expect(problemsOf({ product_id: "q" }, context)).toEqual({});
    expect(problemsOf({ product_id: "p" }, { ...context, sale: other })).toEqual({});
    expect(problemsOf({ product_id: "p", end_date: toLocalInput(Date.parse(start_date)) }, context)).toEqual({});
  });
});
