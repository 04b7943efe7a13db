/** What shoppers will see of the sale that is being typed, at each of its stages. To look at only. */
import { useEffect, useState } from "react";
import { Button } from "@/components/Button";
import { Picture } from "@/components/Picture";
import { Countdown } from "@/features/sales/Countdown";
import { type ShownStatus, StatusBadge, shownStatus } from "@/features/sales/StatusBadge";
import { Stock } from "@/features/sales/Stock";
import { type MessageId, useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { fromLocalInput } from "./localTime";
import type { Product } from "./ProductFields";
import type { PictureChange } from "./picture";
import { parsePrice } from "./price";
import { parseQuantity, type SaleDraft } from "./saleDraft";

const STAGES: readonly ShownStatus[] = ["upcoming", "active", "sold_out", "ended"];
const BUTTONS: Record<ShownStatus, [label: MessageId, hint: MessageId]> = {
  upcoming: ["buy.soon", "buy.soonHint"],
  active: ["buy.now", "buy.oneEachHint"],
  sold_out: ["buy.soldOut", "buy.soldOutHint"],
  ended: ["buy.ended", "buy.endedHint"],
};

interface SalePreviewProps {
  draft: SaleDraft;
  picture: PictureChange;
  sold: number;
  /** The sale that is being changed. */
  sale?: Sale | undefined;
  /** The product that was chosen to be sold again. */
  product?: Product | undefined;
}

export function SalePreview(props: SalePreviewProps) {
  const { t } = useTranslator();
  const [stage, setStage] = useState<ShownStatus>(
    props.sale ? shownStatus(props.sale.status, props.sale.remaining_stock) : "upcoming",
  );
  return (
    <section
      aria-labelledby="preview"
      className="flex min-w-0 flex-col gap-4 lg:sticky lg:top-20 lg:col-start-2 lg:row-span-2 lg:row-start-1"
    >
      <h2 id="preview" className="font-display font-semibold text-2xl">
        {t("admin.preview.title")}
      </h2>
      <fieldset className="flex flex-wrap gap-1.5">
        <legend className="sr-only">{t("admin.preview.stage")}</legend>
        {STAGES.map((one) => (
          <label
            key={one}
            className="flex min-h-9 cursor-pointer items-center rounded-full border border-edge bg-card px-2.5 py-1 font-medium text-sm has-checked:border-accent has-checked:bg-accent-soft has-checked:font-semibold has-focus-visible:outline-3 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name="stage"
              className="sr-only"
              checked={stage === one}
              onChange={() => setStage(one)}
            />
            {t(`status.${one}`)}
          </label>
        ))}
      </fieldset>
      <div inert data-testid="preview" className="rounded-card border border-line bg-card p-4 shadow-card">
        <Preview {...props} stage={stage} />
      </div>
      <p className="text-muted text-sm">{t("admin.preview.hint")}</p>
    </section>
  );
}

function Preview({ draft, picture, sold, sale, product, stage }: SalePreviewProps & { stage: ShownStatus }) {
  const { t, price, language } = useTranslator();
  const isOfKnownProduct = product !== undefined && !sale;
  const name = isOfKnownProduct ? product.name : draft.name.trim();
  const description = isOfKnownProduct ? product.description : draft.description.trim();
  const cents = isOfKnownProduct ? product.price_in_cents : parsePrice(draft.price_in_cents, language);
  const quantity = parseQuantity(draft.quantity) ?? 0;
  const remaining = stage === "sold_out" ? 0 : Math.max(0, quantity - sold);
  return (
    <article className="flex flex-col gap-5">
      <DraftPicture picture={picture} productId={sale?.product_id ?? product?.product_id} isFaded={stage === "ended"} />
      <div className="flex flex-col gap-2">
        <StatusBadge status={stage} />
        <p className={`font-display font-semibold text-3xl leading-tight ${name ? "" : "text-muted"}`}>
          {name || t("admin.preview.name")}
        </p>
        <p className="tabular font-semibold text-xl">{cents === null ? "–" : price(cents)}</p>
        {description && <p className="line-clamp-6 whitespace-pre-line text-muted leading-relaxed">{description}</p>}
      </div>
      {stage !== "ended" && <Stock sale={{ quantity, remaining_stock: remaining }} />}
      <PreviewTime draft={draft} stage={stage} />
      <div className="flex flex-col gap-2">
        <Button className="min-h-14 w-full text-lg" isOff={stage !== "active"}>
          {t(BUTTONS[stage][0])}
        </Button>
        <p className="text-muted text-sm">{t(BUTTONS[stage][1])}</p>
      </div>
    </article>
  );
}

function PreviewTime({ draft, stage }: { draft: SaleDraft; stage: ShownStatus }) {
  const { t, dateTime } = useTranslator();
  const start = fromLocalInput(draft.start_date);
  const end = fromLocalInput(draft.end_date);
  if (start === null || end === null) {
    return <p className="text-muted">{t("admin.preview.noDates")}</p>;
  }
  if (stage === "ended") {
    return <p className="text-muted">{t("sale.ended", { date: dateTime(end) })}</p>;
  }
  return stage === "upcoming" ? (
    <Countdown until={new Date(start).toISOString()} label={t("sale.starts")} />
  ) : (
    <Countdown until={new Date(end).toISOString()} label={t("sale.ends")} />
  );
}

interface DraftPictureProps {
  picture: PictureChange;
  productId: string | undefined;
  isFaded: boolean;
}

/** The chosen file, else the product's picture, else the place where a generated one will be. */
function DraftPicture({ picture, productId, isFaded }: DraftPictureProps) {
  const { t } = useTranslator();
  const url = useObjectUrl(picture.is === "chosen" ? picture.file : null);
  if (url) {
    return (
      <div className="aspect-square overflow-hidden rounded-card bg-sunken">
        <img src={url} alt="" className={`size-full object-cover ${isFaded ? "opacity-60 saturate-50" : ""}`} />
      </div>
    );
  }
  if (productId && picture.is === "kept") {
    return <Picture productId={productId} isFaded={isFaded} />;
  }
  return (
    <div className="flex aspect-square items-center justify-center rounded-card bg-sunken p-8 text-center text-muted">
      {t("admin.preview.generated")}
    </div>
  );
}

function useObjectUrl(file: File | null): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (!file) {
      return;
    }
    const made = URL.createObjectURL(file);
    setUrl(made);
    return () => {
      URL.revokeObjectURL(made);
      setUrl(null);
    };
  }, [file]);
  return url;
}
