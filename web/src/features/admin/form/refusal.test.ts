/** Refusals of the server and the fields that they belong to. */
import { expect, it } from "vitest";
import { Problem } from "@/lib/api/client";
import { pictureProblem } from "./picture";
import { fieldOfRefusal, invalidReason, isFateUnknown } from "./refusal";

it.each([
  ["invalid_request", "name: must be 1 to 200 characters long", "name"],
  ["invalid_request", "price_in_cents: must be 0 or more", "price_in_cents"],
  ["invalid_request", "end_date: must be later than start_date", "end_date"],
  ["invalid_request", "Idempotency-Key: must be 1 to 255 visible ASCII characters", null],
  ["quantity_below_sold", "More units than this are sold already", "quantity"],
  ["sale_overlaps", "Another sale of this product overlaps these dates", "start_date"],
  ["product_not_found", "Product not found", "product_id"],
  ["picture_too_large", "too large", "picture"],
  ["forbidden", "Only an administrator", null],
])("%s (%s) belongs to %s", (code, message, field) => {
  expect(fieldOfRefusal(new Problem(400, code, message))).toBe(field);
});

it("says the reason without the field's name", () => {
  expect(invalidReason(new Problem(400, "invalid_request", "name: must be short"))).toBe("must be short");
  expect(invalidReason(new Problem(409, "sale_overlaps", "name: x"))).toBeNull();
});

it("knows which requests may have been carried out", () => {
  for (const status of [0, 408, 429, 500, 503, 504]) {
    expect(isFateUnknown(new Problem(status, "x", "x"))).toBe(true);
  }
  expect(isFateUnknown(new Problem(409, "idempotency_key_in_use", "x"))).toBe(true);
  expect(isFateUnknown(new Problem(409, "sale_overlaps", "x"))).toBe(false);
});

it("takes pictures of the four kinds up to 1 MiB", () => {
  expect(pictureProblem({ type: "image/avif", size: 1024 * 1024 })).toBeNull();
  expect(pictureProblem({ type: "image/png", size: 1024 * 1024 + 1 })).toBe("pictureSize");
  expect(pictureProblem({ type: "image/svg+xml", size: 10 })).toBe("pictureType");
});
