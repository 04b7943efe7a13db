/** A sale in the list: what it is, how much is sold, when, and the ways on. A row on a desk, a card in the hand. */
import { Link } from "wouter";
import { Picture } from "@/components/Picture";
import { StatusBadge, shownStatus } from "@/features/sales/StatusBadge";
import type { SaleStatus } from "@/features/sales/sales";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { SoldBar } from "./SoldBar";

export function SaleRow({ sale, status }: { sale: Sale; status: SaleStatus }) {
  const { t, price } = useTranslator();
  return (
    <li className="grid grid-cols-[4rem_minmax(0,1fr)] gap-x-4 gap-y-3 rounded-card border border-line bg-card p-4 shadow-card lg:grid-cols-[4.5rem_minmax(0,1.2fr)_minmax(0,1fr)_25rem] lg:items-center lg:gap-x-6">
      <Picture productId={sale.product_id} isFaded={status === "ended"} />
      <div className="flex min-w-0 flex-col gap-1.5">
        <h3 className="font-display font-semibold text-xl leading-snug">
          <Link href={`/sales/${sale.flash_sale_id}`} className="underline-offset-4 hover:underline">
            {sale.name}
          </Link>
        </h3>
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <StatusBadge status={shownStatus(status, sale.remaining_stock)} />
          <span className="tabular font-medium">{price(sale.price_in_cents)}</span>
        </div>
      </div>
      <div className="col-span-2 flex flex-col gap-2 lg:col-span-1">
        <SoldBar sold={sale.quantity - sale.remaining_stock} quantity={sale.quantity} />
        <SaleWindow sale={sale} />
      </div>
      <fieldset className="col-span-2 flex flex-wrap gap-x-4 lg:col-span-1 lg:justify-end">
        <legend className="sr-only">{t("admin.list.actions", { name: sale.name })}</legend>
        <RowLink href={`/sales/${sale.flash_sale_id}`}>{t("admin.dashboard")}</RowLink>
        <RowLink href={`/sales/${sale.flash_sale_id}/edit`}>{t("admin.edit")}</RowLink>
        {status !== "upcoming" && <RowLink href={`/sales/${sale.flash_sale_id}/report`}>{t("admin.report")}</RowLink>}
        {status === "ended" && (
          <RowLink href={`/sales/new?product=${sale.product_id}`}>{t("admin.list.again")}</RowLink>
        )}
      </fieldset>
    </li>
  );
}

function RowLink({ href, children }: { href: string; children: string }) {
  return (
    <Link
      href={href}
      className="inline-flex min-h-11 items-center font-medium text-accent underline decoration-1 underline-offset-4 hover:decoration-2"
    >
      {children}
    </Link>
  );
}

/** From when to when, without saying a day twice. */
export function SaleWindow({ sale }: { sale: Pick<Sale, "start_date" | "end_date"> }) {
  const { language } = useTranslator();
  const format = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  return <p className="text-muted text-sm">{format.formatRange(new Date(sale.start_date), new Date(sale.end_date))}</p>;
}
