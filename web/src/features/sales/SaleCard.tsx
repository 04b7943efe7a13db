/** A sale among others: what, how much, when, and the way to it. */
import { Link } from "wouter";
import { Picture } from "@/components/Picture";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { Countdown } from "./Countdown";
import { StatusBadge, shownStatus } from "./StatusBadge";
import { Stock } from "./Stock";
import { useSaleStatus } from "./sales";

export function SaleCard({ sale }: { sale: Sale }) {
  const { t, price, dateTime } = useTranslator();
  const status = useSaleStatus(sale);
  return (
    <article className="relative flex flex-col gap-4 rounded-card border border-line bg-card p-4 shadow-card transition-transform hover:-translate-y-0.5 has-[a:focus-visible]:outline-3 has-[a:focus-visible]:outline-accent">
      <Picture productId={sale.product_id} isFaded={status === "ended"} />
      <div className="flex flex-1 flex-col gap-3">
        <StatusBadge status={shownStatus(status, sale.remaining_stock)} />
        <div className="flex items-baseline justify-between gap-3">
          <h3 className="font-display font-semibold text-xl">
            <Link
              href={`/sale/${sale.flash_sale_id}`}
              className="outline-none after:absolute after:inset-0 after:rounded-card"
            >
              {sale.name}
            </Link>
          </h3>
          <p className="tabular shrink-0 font-semibold">{price(sale.price_in_cents)}</p>
        </div>
        <div className="mt-auto flex flex-col gap-3">
          {status !== "ended" && <Stock sale={sale} isSmall />}
          {status === "upcoming" && <Countdown until={sale.start_date} label={t("sale.starts")} isSmall />}
          {status === "active" && <Countdown until={sale.end_date} label={t("sale.ends")} isSmall />}
          {status === "ended" && (
            <p className="text-muted text-sm">
              {t("sale.ended", { date: dateTime(sale.end_date) })} ·{" "}
              {t("sale.soldOf", { sold: sale.quantity - sale.remaining_stock, quantity: sale.quantity })}
            </p>
          )}
        </div>
      </div>
    </article>
  );
}
