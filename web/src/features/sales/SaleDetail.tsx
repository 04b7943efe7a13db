/** A sale in full: picture, price, stock, countdown, and the place to buy. */
import { useAnnounceChange } from "@/components/Announcer";
import { ButtonLink } from "@/components/Button";
import { Picture } from "@/components/Picture";
import { BuyPanel } from "@/features/orders/BuyPanel";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { Countdown } from "./Countdown";
import { StatusBadge, shownStatus } from "./StatusBadge";
import { Stock } from "./Stock";
import { useSaleStatus } from "./sales";

interface SaleDetailProps {
  sale: Sale;
  headingLevel: "h1" | "h2";
}

export function SaleDetail({ sale, headingLevel: Heading }: SaleDetailProps) {
  const { t, price } = useTranslator();
  const status = useSaleStatus(sale);
  const shown = shownStatus(status, sale.remaining_stock);
  useAnnounceChange(t(`announce.${shown}`, { name: sale.name }));
  return (
    <article className="grid items-start gap-8 md:grid-cols-2 md:gap-12">
      <Picture productId={sale.product_id} isFirst isWide isFaded={status === "ended"} />
      <div className="flex flex-col gap-6">
        <div className="flex flex-col gap-3">
          <StatusBadge status={shown} />
          <Heading className="font-display font-semibold text-4xl leading-tight sm:text-5xl">{sale.name}</Heading>
          <p className="tabular font-semibold text-2xl">{price(sale.price_in_cents)}</p>
          {sale.description && (
            <p className="max-w-prose whitespace-pre-line text-lg text-muted leading-relaxed">{sale.description}</p>
          )}
        </div>
        {status !== "ended" && <Stock sale={sale} />}
        <SaleTime sale={sale} status={status} />
        <BuyPanel sale={sale} status={status} />
      </div>
    </article>
  );
}

function SaleTime({ sale, status }: { sale: Sale; status: Sale["status"] }) {
  const { t, dateTime } = useTranslator();
  if (status === "ended") {
    return <p className="text-muted">{t("sale.ended", { date: dateTime(sale.end_date) })}</p>;
  }
  if (status === "active") {
    return <Countdown until={sale.end_date} label={t("sale.ends")} />;
  }
  return (
    <div className="flex flex-wrap items-end justify-between gap-4">
      <Countdown until={sale.start_date} label={t("sale.starts")} />
      <ButtonLink href={`/sales/${sale.flash_sale_id}/calendar.ics`} isExternal download>
        {t("sale.calendar")}
      </ButtonLink>
    </div>
  );
}
