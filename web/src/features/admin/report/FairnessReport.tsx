/** Whether first come was first served, each figure with what it means. */
import { useTranslator } from "@/i18n";
import type { Report } from "./report";
import { useDurationText } from "./useDurationText";

export function FairnessReport({ fairness }: { fairness: Report["fairness"] }) {
  const { t, number } = useTranslator();
  const duration = useDurationText();
  const waited = (ms: number | null): string => (ms === null ? "–" : duration(ms));
  const rows: readonly [label: string, value: string, text: string][] = [
    [t("admin.fairness.p50"), waited(fairness.waited_p50_ms), t("admin.fairness.p50Text")],
    [t("admin.fairness.p99"), waited(fairness.waited_p99_ms), t("admin.fairness.p99Text")],
    [t("admin.fairness.max"), waited(fairness.waited_max_ms), t("admin.fairness.maxText")],
    [t("admin.fairness.overtaken"), number(fairness.overtaken), t("admin.fairness.overtakenText")],
    [
      t("admin.fairness.unfair"),
      number(fairness.failed_before_later_success),
      t(fairness.failed_before_later_success > 0 ? "admin.fairness.unfairText" : "admin.fairness.fairText"),
    ],
  ];
  return (
    <section aria-labelledby="fairness" className="rounded-card border border-line bg-card p-5 shadow-card">
      <h2 id="fairness" className="font-display font-semibold text-xl">
        {t("admin.fairness.title")}
      </h2>
      <p className="text-muted text-sm">{t("admin.fairness.over", { count: fairness.orders })}</p>
      <dl className="-mb-4 mt-1 flex flex-col divide-y divide-line">
        {rows.map(([label, value, text]) => (
          <div key={label} className="grid grid-cols-[1fr_auto] gap-x-4 gap-y-1 py-4">
            <dt className="font-medium">{label}</dt>
            <dd className="tabular font-semibold">{value}</dd>
            <dd className="col-span-2 text-muted text-sm leading-relaxed">{text}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
