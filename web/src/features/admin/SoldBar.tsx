/** How much of a sale is sold, as a sentence and as a bar. */
import { useTranslator } from "@/i18n";

export function SoldBar({ sold, quantity }: { sold: number; quantity: number }) {
  const { t } = useTranslator();
  const share = quantity > 0 ? Math.min(1, sold / quantity) : 0;
  return (
    <div>
      <p className="tabular text-sm">{t("sale.soldOf", { sold, quantity })}</p>
      <div aria-hidden="true" className="mt-1.5 h-2 overflow-hidden rounded-full bg-sunken">
        <div className="h-full origin-left rounded-full bg-accent" style={{ transform: `scaleX(${share})` }} />
      </div>
    </div>
  );
}
