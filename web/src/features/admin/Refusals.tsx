/** Attempts that got no order, by reason, the most frequent first. */
import { useTranslator } from "@/i18n";
import { type RefusedAttempts, refusedAttempts } from "./activity";

interface RefusalsProps {
  /** Over the whole sale. */
  refusals: readonly RefusedAttempts[];
}

export function Refusals({ refusals }: RefusalsProps) {
  const { t } = useTranslator();
  return (
    <section aria-labelledby="refusals" className="rounded-card border border-line bg-card p-5 shadow-card">
      <h2 id="refusals" className="font-display font-semibold text-xl">
        {t("admin.refusals.title")}
      </h2>
      <p className="mb-4 text-muted text-sm">{t("admin.refusals.whole")}</p>
      <RefusalBars refusals={refusals} />
    </section>
  );
}

function RefusalBars({ refusals }: RefusalsProps) {
  const { t, number } = useTranslator();
  const shown = refusals.filter(({ attempts }) => attempts > 0).toSorted((a, b) => b.attempts - a.attempts);
  const all = refusedAttempts(shown);
  const most = shown[0]?.attempts ?? 1;
  if (shown.length === 0) {
    return <p className="text-muted">{t("admin.refusals.none")}</p>;
  }
  return (
    <ul className="flex flex-col gap-4">
      {shown.map(({ reason, attempts }) => (
        <li key={reason}>
          <div className="flex flex-wrap items-baseline justify-between gap-x-4">
            <span className="font-medium">{t(`admin.refusals.${reason}`)}</span>
            <span className="tabular">
              <span className="font-semibold">{number(attempts)}</span>{" "}
              <span className="text-muted text-sm">
                {number(attempts / all, { style: "percent", maximumFractionDigits: 1 })}
              </span>
            </span>
          </div>
          <div aria-hidden="true" className="mt-1.5 h-2.5 overflow-hidden rounded-full bg-sunken">
            <div
              className="h-full origin-left rounded-full bg-warm"
              style={{ transform: `scaleX(${attempts / most})` }}
            />
          </div>
          <p className="mt-1 text-muted text-sm">{t(`admin.refusals.${reason}Text`)}</p>
        </li>
      ))}
    </ul>
  );
}
