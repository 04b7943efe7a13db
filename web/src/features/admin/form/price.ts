/** Prices as people type them: "49,90", "49.90", "1.234,50" or "1,234.50", whatever language the page speaks. */

/** What the API's 32-bit cents can hold. */
export const PRICE_MAX_CENTS = 2_147_483_647;
const WHOLE_DIGITS_MAX = 12;

/**
 * The cents of a typed price; null when it cannot be read as an amount with at most two decimals.
 *
 * A separator before one or two digits is the decimal one. One before three digits groups, if the language groups by it;
 * "1.234" in English could mean either, so it is not guessed.
 */
export function parsePrice(text: string, language: string): number | null {
  const typed = text.replace(/[\s€'’]/g, "");
  const match = /^(\d[\d.,]*?)(?:([.,])(\d{0,2}))?$/.exec(typed);
  if (!match) {
    return null;
  }
  const [, whole = "", separator, decimals = ""] = match;
  const digits = withoutGroups(whole, separator, language);
  if (digits === null || digits.length > WHOLE_DIGITS_MAX) {
    return null;
  }
  return Number(digits) * 100 + Number(decimals.padEnd(2, "0"));
}

/** The digits of a whole number with or without separators between groups of three. */
function withoutGroups(whole: string, decimalSeparator: string | undefined, language: string): string | null {
  if (/^\d+$/.test(whole)) {
    return whole;
  }
  const groups = /^\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*$/.exec(whole);
  const separator = groups?.[1];
  const isSingle = whole.length <= 7;
  const isClear = decimalSeparator !== undefined || !isSingle || separator === groupSeparator(language);
  return separator && separator !== decimalSeparator && isClear ? whole.replaceAll(separator, "") : null;
}

function groupSeparator(language: string): string | undefined {
  const parts = new Intl.NumberFormat(language).formatToParts(1_234_567);
  return parts.find((part) => part.type === "group")?.value;
}

/** Cents as text to be edited. */
export function priceText(cents: number, language: string): string {
  const options = { minimumFractionDigits: 2, maximumFractionDigits: 2, useGrouping: false };
  return new Intl.NumberFormat(language, options).format(cents / 100);
}
