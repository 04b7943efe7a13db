/** What is left and how long, and the levers beside it. */
import { Countdown } from "@/features/sales/Countdown";
import { Stock } from "@/features/sales/Stock";
import type { SaleStatus } from "@/features/sales/sales";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { SaleWindow } from "../SaleRow";
import { EndSale } from "./EndSale";
import { StockControl } from "./StockControl";

export function SaleNow({ sale, status }: { sale: Sale; status: SaleStatus }) {
  const { t, number, price } = useTranslator();
  const isOver = status === "ended";
  return (
    <div className={`grid gap-4 *:min-w-0 ${isOver ? "" : "lg:grid-cols-2"}`}>
      <section
        aria-labelledby="now"
        className="flex flex-col gap-5 rounded-card border border-line bg-card p-5 shadow-card sm:p-6"
      >
        <h2 id="now" className="font-display font-semibold text-xl">
          {t(`admin.live.${status}`)}
        </h2>
        <div>
          <p>
            <span data-testid="remaining-stock" className="tabular font-display font-semibold text-6xl">
              {number(Math.max(0, sale.remaining_stock))}
            </span>{" "}
            <span className="text-lg text-muted">{t(`admin.live.left.${status}`)}</span>
          </p>
          <div className="mt-3">
            <Stock sale={sale} />
          </div>
        </div>
        {status === "upcoming" && <Countdown until={sale.start_date} label={t("sale.starts")} />}
        {status === "active" && <Countdown until={sale.end_date} label={t("sale.ends")} />}
        <div className="mt-auto flex flex-wrap items-baseline justify-between gap-x-4 gap-y-1">
          <SaleWindow sale={sale} />
          <p className="tabular text-muted text-sm">{price(sale.price_in_cents)}</p>
        </div>
      </section>
      {!isOver && (
        <section
          aria-labelledby="levers"
          className="flex flex-col gap-6 rounded-card border border-line bg-card p-5 shadow-card sm:p-6"
        >
          <StockControl sale={sale} headingId="levers" />
          {status === "active" && <EndSale sale={sale} />}
        </section>
      )}
    </div>
  );
}
