/** Changing a sale, while it sells too. */
import { useState } from "react";
import { useLocation, useSearch } from "wouter";
import { Notice } from "@/components/Notice";
import { Page } from "@/components/Page";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { SaleFrame } from "../SaleFrame";
import { changePicture, updateSale, useSaleChanged } from "../saleRequests";
import { useSale } from "../useSale";
import type { PictureChange } from "./picture";
import { SaleForm } from "./SaleForm";
import { changeBody, draftOf, type SaleDraft } from "./saleDraft";

export default function EditSalePage({ flashSaleId }: { flashSaleId: string }) {
  const { t } = useTranslator();
  const search = useSale(flashSaleId);
  const { sale, sales } = search;
  if (!sale) {
    return <SaleFrame title={t("admin.edit.title")} search={search} />;
  }
  return (
    <Page title={t("admin.edit.titleOf", { name: sale.name })}>
      <EditSaleForm sale={sale} sales={sales} />
    </Page>
  );
}

function EditSaleForm({ sale, sales }: { sale: Sale; sales: readonly Sale[] }) {
  const { t, language } = useTranslator();
  const [initial] = useState(() => draftOf(sale, language));
  const isPictureMissing = new URLSearchParams(useSearch()).get("picture") === "failed";
  const siblings = sales.filter(({ product_id }) => product_id === sale.product_id).length - 1;
  return (
    <>
      <div className="mb-8 flex flex-col gap-3 empty:hidden">
        {isPictureMissing && (
          <Notice tone="warn" title={t("admin.edit.pictureFailed")}>
            <p>{t("admin.edit.pictureFailedText")}</p>
          </Notice>
        )}
        {sale.status === "active" && <Notice tone="busy">{t("admin.edit.running")}</Notice>}
        {sale.status === "ended" && <Notice tone="busy">{t("admin.edit.ended")}</Notice>}
        {siblings > 0 && <Notice tone="busy">{t("admin.edit.shared", { count: siblings })}</Notice>}
      </div>
      <SaleForm
        initial={initial}
        sale={sale}
        sales={sales}
        onSubmit={useChangeSale(sale)}
        submitLabel={t("admin.edit.submit")}
        backHref={`/sales/${sale.flash_sale_id}`}
      />
    </>
  );
}

/** Sends what was changed, then goes to the dashboard. */
function useChangeSale(sale: Sale): (draft: SaleDraft, picture: PictureChange, before: SaleDraft) => Promise<void> {
  const { language } = useTranslator();
  const [, navigate] = useLocation();
  const saleChanged = useSaleChanged();
  return async (draft, picture, before) => {
    const body = changeBody(sale.flash_sale_id, draft, before, language);
    if (body) {
      await updateSale(body);
      void saleChanged(sale.flash_sale_id);
    }
    await changePicture(sale.product_id, picture);
    navigate(`/sales/${sale.flash_sale_id}`);
  };
}
