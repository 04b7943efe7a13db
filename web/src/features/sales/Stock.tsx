/** How much is left, as a sentence and as a bar. */
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";

interface StockProps {
  sale: Pick<Sale, "remaining_stock" | "quantity">;
  isSmall?: boolean;
}

export function Stock({ sale, isSmall = false }: StockProps) {
  const { t, number } = useTranslator();
  const left = Math.max(0, sale.remaining_stock);
  const share = sale.quantity > 0 ? left / sale.quantity : 0;
  return (
    <div data-testid="stock">
      <p className={`tabular ${isSmall ? "text-sm" : "text-base"}`}>
        {left > 0
          ? t("sale.left", { left: number(left), quantity: number(sale.quantity) })
          : t("sale.noneLeft", { quantity: number(sale.quantity) })}
      </p>
      <div aria-hidden="true" className="mt-2 h-2 overflow-hidden rounded-full bg-sunken">
        <div
          className={`h-full origin-left rounded-full transition-transform duration-300 ${share <= 0.2 ? "bg-warm" : "bg-accent"}`}
          style={{ transform: `scaleX(${share})` }}
        />
      </div>
    </div>
  );
}
