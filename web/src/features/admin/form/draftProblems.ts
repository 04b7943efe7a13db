/** What the server will accept (src/domain/sale.rs), known while typing. The server decides. */
import type { Language } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { fromLocalInput } from "./localTime";
import { PRICE_MAX_CENTS, parsePrice } from "./price";
import { type DraftField, parseQuantity, type SaleDraft } from "./saleDraft";

export const NAME_MAX = 200;
export const DESCRIPTION_MAX = 2000;
export const QUANTITY_MAX = 10_000_000;
export const YEAR_MIN = 2000;
export const YEAR_MAX = 2200;

export type QuantityProblem = "quantityWrong" | "quantityHigh" | "quantityBelowSold";

export type DraftProblem =
  | "nameMissing"
  | "nameLong"
  | "descriptionLong"
  | "priceWrong"
  | "priceHigh"
  | QuantityProblem
  | "dateMissing"
  | "dateRange"
  | "endBeforeStart"
  | "overlaps";

export type DraftProblems = Partial<Record<DraftField, DraftProblem>>;

export interface DraftContext {
  language: Language;
  /** The sale that is being changed. */
  sale?: Sale | undefined;
  /** Units sold of it now. */
  sold: number;
  /** All sales known, to see an overlap before the server does. */
  sales: readonly Sale[];
}

/** Every field that would be refused, with the first reason. */
export function draftProblems(draft: SaleDraft, context: DraftContext): DraftProblems {
  const isOfKnownProduct = draft.product_id !== "" && !context.sale;
  const found: Record<DraftField, DraftProblem | null> = {
    product_id: null,
    name: isOfKnownProduct ? null : nameProblem(draft.name),
    description: isOfKnownProduct || length(draft.description) <= DESCRIPTION_MAX ? null : "descriptionLong",
    price_in_cents: isOfKnownProduct ? null : priceProblem(draft.price_in_cents, context.language),
    quantity: quantityProblem(draft.quantity, context.sold),
    start_date: dateProblem(draft.start_date),
    end_date: dateProblem(draft.end_date),
  };
  if (!found.start_date && !found.end_date) {
    found.end_date = windowProblem(draft);
    found.start_date = found.end_date === null && overlaps(draft, context) ? "overlaps" : null;
  }
  return Object.fromEntries(Object.entries(found).filter(([, problem]) => problem !== null));
}

function nameProblem(name: string): DraftProblem | null {
  if (name.trim() === "") {
    return "nameMissing";
  }
  return length(name) > NAME_MAX ? "nameLong" : null;
}

function priceProblem(price: string, language: Language): DraftProblem | null {
  const cents = parsePrice(price, language);
  if (cents === null) {
    return "priceWrong";
  }
  return cents > PRICE_MAX_CENTS ? "priceHigh" : null;
}

export function quantityProblem(text: string, sold: number): QuantityProblem | null {
  const quantity = parseQuantity(text);
  if (quantity === null) {
    return "quantityWrong";
  }
  if (quantity > QUANTITY_MAX) {
    return "quantityHigh";
  }
  return quantity < sold ? "quantityBelowSold" : null;
}

function dateProblem(text: string): DraftProblem | null {
  const time = fromLocalInput(text);
  if (time === null) {
    return "dateMissing";
  }
  const year = new Date(time).getUTCFullYear();
  return year < YEAR_MIN || year > YEAR_MAX ? "dateRange" : null;
}

function windowProblem(draft: SaleDraft): DraftProblem | null {
  return (fromLocalInput(draft.end_date) ?? 0) > (fromLocalInput(draft.start_date) ?? 0) ? null : "endBeforeStart";
}

/** Another sale of the same product lies in the window, whose start is in it and whose end is not. */
function overlaps(draft: SaleDraft, { sale, sales }: DraftContext): boolean {
  const start = fromLocalInput(draft.start_date) ?? 0;
  const end = fromLocalInput(draft.end_date) ?? 0;
  return sales.some(
    (other) =>
      other.product_id === draft.product_id &&
      other.flash_sale_id !== sale?.flash_sale_id &&
      start < Date.parse(other.end_date) &&
      Date.parse(other.start_date) < end,
  );
}

/** Characters as the server counts them, of what is sent. */
function length(text: string): number {
  return [...text.trim()].length;
}
