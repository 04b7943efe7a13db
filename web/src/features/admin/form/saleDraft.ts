/** A sale as it is being typed: texts by the API's own names, and the request they make. */
import type { Sale, Schemas } from "@/lib/api/client";
import { fromLocalInput, toLocalInput } from "./localTime";
import { parsePrice, priceText } from "./price";

export type CreateSale = Schemas["CreateSale"];
export type UpdateSale = Schemas["UpdateSale"];

export interface SaleDraft {
  /** A product that exists; empty for one to be made. */
  product_id: string;
  name: string;
  description: string;
  price_in_cents: string;
  quantity: string;
  start_date: string;
  end_date: string;
}

export type DraftField = keyof SaleDraft;
export const DRAFT_FIELDS = [
  "product_id",
  "name",
  "description",
  "price_in_cents",
  "quantity",
  "start_date",
  "end_date",
] as const satisfies readonly DraftField[];

const HOUR_MS = 3_600_000;

/** An empty form: dates filled in, so that the preview shows something that makes sense. */
export function newDraft(now: number, productId = ""): SaleDraft {
  const start = nextHour(now);
  return {
    product_id: productId,
    name: "",
    description: "",
    price_in_cents: "",
    quantity: "100",
    start_date: toLocalInput(start),
    end_date: toLocalInput(start + HOUR_MS),
  };
}

/** The next full hour of the reader's clock that is at least a minute away. */
export function nextHour(now: number): number {
  const date = new Date(now + 60_000);
  return date.setHours(date.getHours() + 1, 0, 0, 0);
}

export function draftOf(sale: Sale, language: string): SaleDraft {
  return {
    product_id: sale.product_id,
    name: sale.name,
    description: sale.description,
    price_in_cents: priceText(sale.price_in_cents, language),
    quantity: String(sale.quantity),
    start_date: toLocalInput(Date.parse(sale.start_date)),
    end_date: toLocalInput(Date.parse(sale.end_date)),
  };
}

/** A whole number, with or without groups of three; null for anything else. */
export function parseQuantity(text: string): number | null {
  const typed = text.trim();
  return /^\d{1,12}$|^\d{1,3}([.,\s'’]\d{3})+$/.test(typed) ? Number(typed.replace(/\D/g, "")) : null;
}

/** What is sent for a new sale. Of a draft that has no problems. */
export function createBody(draft: SaleDraft, language: string): CreateSale {
  const window = {
    quantity: parseQuantity(draft.quantity) ?? 0,
    start_date: rfc3339(draft.start_date),
    end_date: rfc3339(draft.end_date),
  };
  if (draft.product_id) {
    return { product_id: draft.product_id, ...window };
  }
  return {
    name: draft.name.trim(),
    description: draft.description.trim(),
    price_in_cents: parsePrice(draft.price_in_cents, language) ?? 0,
    ...window,
  };
}

/**
 * What is sent for a change: what was typed over and nothing else, so that a field which another person changed meanwhile
 * is left alone. Null when nothing was changed.
 *
 * @param before the draft as the form was opened
 */
export function changeBody(
  flashSaleId: string,
  draft: SaleDraft,
  before: SaleDraft,
  language: string,
): UpdateSale | null {
  const price = parsePrice(draft.price_in_cents, language);
  const change: Omit<UpdateSale, "flash_sale_id"> = {
    ...(draft.name.trim() !== before.name.trim() ? { name: draft.name.trim() } : {}),
    ...(draft.description.trim() !== before.description.trim() ? { description: draft.description.trim() } : {}),
    ...(price !== parsePrice(before.price_in_cents, language) ? { price_in_cents: price } : {}),
    ...(parseQuantity(draft.quantity) !== parseQuantity(before.quantity)
      ? { quantity: parseQuantity(draft.quantity) }
      : {}),
    // By text: the input holds no fractions of a second, and comparing moments would see a change in that.
    ...(draft.start_date !== before.start_date ? { start_date: rfc3339(draft.start_date) } : {}),
    ...(draft.end_date !== before.end_date ? { end_date: rfc3339(draft.end_date) } : {}),
  };
  return Object.keys(change).length > 0 ? { flash_sale_id: flashSaleId, ...change } : null;
}

function rfc3339(localInput: string): string {
  return new Date(fromLocalInput(localInput) ?? 0).toISOString();
}
