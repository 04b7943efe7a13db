/** Prices as they are typed in either language. */
import { describe, expect, it } from "vitest";
import { parsePrice, priceText } from "./price";

describe("parsePrice", () => {
  it.each([
    ["49,90", 4990],
    ["49.90", 4990],
    ["1.234,50", 123_450],
    ["1,234.50", 123_450],
    ["1.234.567,8", 123_456_780],
    ["1 234,50 €", 123_450],
    ["1’234.50", 123_450],
    ["49", 4900],
    ["49,", 4900],
    ["0", 0],
    ["0,05", 5],
  ])("reads %s as %i cents in both languages", (text, cents) => {
    expect(parsePrice(text, "en")).toBe(cents);
    expect(parsePrice(text, "de")).toBe(cents);
  });

  it("takes a single separator before three digits only if the language groups by it", () => {
    expect(parsePrice("1.234", "de")).toBe(123_400);
    expect(parsePrice("1.234", "en")).toBeNull();
    expect(parsePrice("1,234", "en")).toBe(123_400);
    expect(parsePrice("1,234", "de")).toBeNull();
  });

  it.each(["", "-1", "abc", "1.2.3", "12.34,5,6", "1.234.50", "49,905x", "1e3"])("does not guess at %s", (text) => {
    expect(parsePrice(text, "en")).toBeNull();
    expect(parsePrice(text, "de")).toBeNull();
  });

  it("keeps every amount that it writes", () => {
    for (const cents of [0, 5, 4990, 123_450, 2_147_483_647]) {
      expect(parsePrice(priceText(cents, "en"), "en")).toBe(cents);
      expect(parsePrice(priceText(cents, "de"), "de")).toBe(cents);
    }
  });
});
