/** A sale's state in one word. */
import { useTranslator } from "@/i18n";
import type { SaleStatus } from "./sales";

export type ShownStatus = SaleStatus | "sold_out";

const LOOKS: Record<ShownStatus, string> = {
  active: "bg-accent text-on-accent",
  upcoming: "bg-warm-soft text-warm",
  sold_out: "bg-sunken text-muted",
  ended: "bg-sunken text-muted",
};

export function StatusBadge({ status }: { status: ShownStatus }) {
  const { t } = useTranslator();
  return (
    <span
      data-testid="sale-status"
      className={`inline-flex w-fit items-center gap-1.5 rounded-full px-3 py-1 font-semibold text-sm ${LOOKS[status]}`}
    >
      {t(`status.${status}`)}
    </span>
  );
}

/** While it runs, a sale without stock is sold out. */
export function shownStatus(status: SaleStatus, remainingStock: number): ShownStatus {
  return status === "active" && remainingStock <= 0 ? "sold_out" : status;
}
