/** What an administrator changes on the server. Every refusal is a Problem. */
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useCallback } from "react";
import { salesQuery } from "@/features/sales/sales";
import { api, type Sale, unwrap } from "@/lib/api/client";
import { patiently } from "@/lib/api/patiently";
import type { PictureChange } from "./form/picture";
import type { CreateSale, UpdateSale } from "./form/saleDraft";

/** @param key the Idempotency-Key of the draft: sent again, the request creates nothing more */
export function createSale(body: CreateSale, key: string): Promise<Sale> {
  return patiently(() => unwrap(api.POST("/sales", { body, headers: { "Idempotency-Key": key } })));
}

/** Sets members to values, so sending it again does no harm. */
export function updateSale(body: UpdateSale): Promise<Sale> {
  return patiently(() => unwrap(api.POST("/sales/update", { body })));
}

/** @param key the Idempotency-Key of this decision: a second try after a lost answer is told that it worked */
export function endSale(flashSaleId: string, key: string): Promise<Sale> {
  const body = { flash_sale_id: flashSaleId };
  return patiently(() => unwrap(api.POST("/sales/end", { body, headers: { "Idempotency-Key": key } })));
}

/** Uploads or removes the picture of a product, as it was chosen. */
export async function changePicture(productId: string, change: PictureChange): Promise<void> {
  const params = { path: { product_id: productId } };
  if (change.is === "removed") {
    await patiently(() => unwrap(api.DELETE("/products/{product_id}/picture", { params })));
  } else if (change.is === "chosen") {
    const { file } = change;
    const headers = { "content-type": file.type };
    // The bytes as they are, where the client would write JSON.
    const request = { params, body: file, headers, bodySerializer: () => file };
    await patiently(() => unwrap(api.PUT("/products/{product_id}/picture", request)));
  }
}

/** Everything shown of a sale is asked again after a change; resolves when it has come. */
export function useSaleChanged(): (flashSaleId: string) => Promise<void> {
  const client = useQueryClient();
  return useCallback((flashSaleId: string) => saleChanged(client, flashSaleId), [client]);
}

async function saleChanged(client: QueryClient, flashSaleId: string): Promise<void> {
  const ofSale = ["sale", "activity", "report"].map((name) => [name, flashSaleId]);
  await Promise.all([salesQuery.queryKey, ...ofSale].map((queryKey) => client.invalidateQueries({ queryKey })));
}
