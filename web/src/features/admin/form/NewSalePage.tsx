/** Creating a sale. */
import { useRef, useState } from "react";
import { useLocation, useSearch } from "wouter";
import { Placeholder } from "@/components/Notice";
import { Page } from "@/components/Page";
import { ProblemNotice } from "@/components/Problems";
import { useSales } from "@/features/sales/sales";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { newIdempotencyKey } from "@/lib/api/idempotencyKey";
import { serverClock } from "@/lib/clock/serverClock";
import { useIsLive } from "@/lib/live/isLive";
import { changePicture, createSale, useSaleChanged } from "../saleRequests";
import type { PictureChange } from "./picture";
import { isFateUnknown } from "./refusal";
import { SaleForm } from "./SaleForm";
import { createBody, newDraft, type SaleDraft } from "./saleDraft";

export default function NewSalePage() {
  const { t } = useTranslator();
  const { data, error, refetch } = useSales(useIsLive());
  return (
    <Page title={t("admin.new.title")}>
      {data ? (
        <NewSaleForm sales={data.sales} />
      ) : error ? (
        <ProblemNotice error={error} onRetry={() => void refetch()} />
      ) : (
        <Placeholder label={t("loading")} className="h-96" />
      )}
    </Page>
  );
}

function NewSaleForm({ sales }: { sales: readonly Sale[] }) {
  const { t } = useTranslator();
  const wanted = new URLSearchParams(useSearch()).get("product") ?? "";
  const [initial] = useState(() => {
    const isKnown = sales.some((sale) => sale.product_id === wanted);
    return newDraft(serverClock.now() ?? Date.now(), isKnown ? wanted : "");
  });
  return (
    <SaleForm
      initial={initial}
      sales={sales}
      onSubmit={useCreateSale()}
      submitLabel={t("admin.new.submit")}
      backHref="/"
    />
  );
}

/** Creates the sale once, however often it is sent, then uploads its picture, then goes to its dashboard. */
function useCreateSale(): (draft: SaleDraft, picture: PictureChange) => Promise<void> {
  const { language } = useTranslator();
  const [, navigate] = useLocation();
  const saleChanged = useSaleChanged();
  const key = useRef<string | null>(null);
  return async (draft, picture) => {
    key.current ??= newIdempotencyKey();
    const sale = await createSale(createBody(draft, language), key.current).catch((error: unknown) => {
      // A refusal is kept by the server under its key: what is mended needs a new one. What may have arrived keeps it.
      if (!isFateUnknown(error)) {
        key.current = null;
      }
      throw error;
    });
    void saleChanged(sale.flash_sale_id);
    const isUploaded = await changePicture(sale.product_id, draft.product_id ? { is: "kept" } : picture).then(
      () => true,
      () => false,
    );
    // There is a sale now: what is left to do is to change it.
    const place = `/sales/${sale.flash_sale_id}`;
    navigate(isUploaded ? place : `${place}/edit?picture=failed`, { replace: true });
  };
}
