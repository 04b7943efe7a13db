/** The totals of a sale, and the queue now. */
import { Notice } from "@/components/Notice";
import { useTranslator } from "@/i18n";
import { type Activity, refusedAttempts } from "../activity";
import { Figures } from "../Figures";

/** An order that waits longer than this says that the workers are behind, or that there are none. */
const AGE_ALARMING_S = 10;

export function ActivityFigures({ activity }: { activity: Activity }) {
  const { t, number } = useTranslator();
  const { queue, sale } = activity;
  const sold = sale.quantity - sale.remaining_stock;
  const isLate = queue.oldest_age_s >= AGE_ALARMING_S;
  const deadLetters = queue.dead_letters;
  return (
    <section aria-labelledby="figures" className="flex flex-col gap-4">
      <h2 id="figures" className="sr-only">
        {t("admin.figures.title")}
      </h2>
      <Figures
        figures={[
          { label: t("admin.figures.attempts"), value: number(activity.attempts) },
          { label: t("admin.figures.accepted"), value: number(activity.accepted) },
          {
            label: t("admin.figures.refused"),
            value: number(refusedAttempts(activity.refusals)),
          },
          {
            label: t("admin.figures.sold"),
            value: number(sold),
            hint: t("admin.figures.of", { quantity: number(sale.quantity) }),
          },
          {
            label: t("admin.figures.inProgress"),
            value: number(activity.in_progress),
            hint: t("admin.figures.rate", { rate: number(queue.drain_rate_per_s, { maximumFractionDigits: 1 }) }),
          },
          {
            label: t("admin.figures.oldest"),
            value: `${number(queue.oldest_age_s, { maximumFractionDigits: 1 })} s`,
            hint: t("admin.figures.depth", { depth: number(queue.depth) }),
            isAlarming: isLate,
          },
        ]}
      />
      {isLate && (
        <Notice tone="bad" title={t("admin.figures.late")}>
          <p>{t("admin.figures.lateText")}</p>
        </Notice>
      )}
      {deadLetters > 0 ? (
        <Notice tone="bad" title={t("admin.figures.deadLetters", { count: deadLetters })}>
          <p>{t("admin.figures.deadLettersText")}</p>
        </Notice>
      ) : (
        <p className="text-muted text-sm">{t("admin.figures.noDeadLetters")}</p>
      )}
    </section>
  );
}
