/** Which field of the form a refusal of the server is about. */
import { Problem } from "@/lib/api/client";
import { DRAFT_FIELDS, type DraftField } from "./saleDraft";

export type FormField = DraftField | "picture";

const FIELDS: Record<string, FormField> = {
  quantity_below_sold: "quantity",
  sale_overlaps: "start_date",
  product_not_found: "product_id",
  picture_too_large: "picture",
  picture_type_unsupported: "picture",
};

/** Null when it is about all of it. */
export function fieldOfRefusal(error: unknown): FormField | null {
  if (!(error instanceof Problem)) {
    return null;
  }
  return DRAFT_FIELDS.find((field) => field === error.field) ?? FIELDS[error.code] ?? null;
}

/** The reason of an `invalid_request` without the field's name in front of it; null for every other problem. */
export function invalidReason(error: unknown): string | null {
  return error instanceof Problem && error.field ? error.message.slice(error.field.length + 2) : null;
}

/** Whether the request may have been carried out, or may still be: then it goes out again with the same key. */
export function isFateUnknown(error: unknown): boolean {
  if (!(error instanceof Problem)) {
    return true;
  }
  const mayPass = error.status === 0 || error.status === 408 || error.status === 429 || error.status >= 500;
  return mayPass || error.code === "idempotency_key_in_use";
}
