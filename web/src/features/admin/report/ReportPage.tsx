/** After the sale: what was sold, who was turned away and why, whether it was fair, and whether the books balance. */
import { useQuery } from "@tanstack/react-query";
import { Button, ButtonLink } from "@/components/Button";
import { Notice } from "@/components/Notice";
import { Page } from "@/components/Page";
import { useTranslator } from "@/i18n";
import { Problem } from "@/lib/api/client";
import { refusedAttempts } from "../activity";
import { Figures } from "../Figures";
import { Refusals } from "../Refusals";
import { SaleFrame } from "../SaleFrame";
import { SaleWindow } from "../SaleRow";
import { SoldBar } from "../SoldBar";
import { FairnessReport } from "./FairnessReport";
import { MinuteCharts } from "./MinuteCharts";
import { type Report, reportQuery } from "./report";
import { useDurationText } from "./useDurationText";

export default function ReportPage({ flashSaleId }: { flashSaleId: string }) {
  const { t } = useTranslator();
  const { data, error, refetch, isFetching } = useQuery(reportQuery(flashSaleId));
  if (!data) {
    const isMissing = error instanceof Problem && error.status === 404;
    return <SaleFrame title={t("admin.report")} search={{ isMissing, error, retry: () => void refetch() }} />;
  }
  return (
    <Page title={t("admin.report.titleOf", { name: data.sale.name })} hasOwnHeading>
      <div className="flex flex-col gap-10">
        <Heading report={data} isFetching={isFetching} onRefresh={() => void refetch()} />
        <Interim report={data} />
        <Totals report={data} />
        <Books isBalanced={data.balanced} />
        <div className="grid items-start gap-4 lg:grid-cols-2">
          <MinuteCharts minutes={data.minutes} />
        </div>
        <div className="grid items-start gap-4 lg:grid-cols-2">
          <Refusals refusals={data.refusals} />
          <FairnessReport fairness={data.fairness} />
        </div>
      </div>
    </Page>
  );
}

function Heading({ report, isFetching, onRefresh }: { report: Report; isFetching: boolean; onRefresh: () => void }) {
  const { t, dateTime } = useTranslator();
  const { sale } = report;
  return (
    <div className="flex flex-wrap items-end justify-between gap-x-8 gap-y-4">
      <div className="flex min-w-0 flex-col gap-2">
        <p className="font-medium text-muted">{t("admin.report")}</p>
        <h1 className="font-display font-semibold text-3xl sm:text-4xl">{sale.name}</h1>
        <SaleWindow sale={sale} />
        <p className="text-muted text-sm">
          {t("admin.report.asOf", { time: dateTime(report.server_time, { dateStyle: "medium", timeStyle: "medium" }) })}
        </p>
      </div>
      <div className="flex flex-wrap gap-3 print:hidden">
        <ButtonLink kind="primary" isExternal download href={`/sales/${sale.flash_sale_id}/report.csv`}>
          {t("admin.report.csv")}
        </ButtonLink>
        <Button kind="secondary" onClick={() => window.print()}>
          {t("admin.report.print")}
        </Button>
        <Button kind="secondary" isOff={isFetching} onClick={onRefresh}>
          {t("admin.report.refresh")}
        </Button>
        <ButtonLink href={`/sales/${sale.flash_sale_id}`}>{t("admin.dashboard")}</ButtonLink>
      </div>
    </div>
  );
}

/** These are not the last figures. */
function Interim({ report: { sale, in_progress } }: { report: Report }) {
  const { t } = useTranslator();
  if (sale.status === "ended" && in_progress === 0) {
    return null;
  }
  return (
    <Notice tone="warn" title={t("admin.report.interim")}>
      <p>
        {sale.status === "ended"
          ? t("admin.live.stillSettling", { count: in_progress })
          : t("admin.report.interimText")}
      </p>
    </Notice>
  );
}

function Totals({ report }: { report: Report }) {
  const { t, number } = useTranslator();
  const duration = useDurationText();
  const { sale, sold, sold_out_after_ms: soldOutAfterMs } = report;
  return (
    <section aria-labelledby="totals" className="flex flex-col gap-4">
      <h2 id="totals" className="sr-only">
        {t("admin.figures.title")}
      </h2>
      <div className="rounded-card border border-line bg-card p-5 shadow-card sm:p-6">
        <p className="mb-3 font-display font-semibold text-3xl">
          {soldOutAfterMs === null
            ? t("admin.report.notSoldOut", { left: sale.quantity - sold })
            : t("admin.report.soldOutAfter", { duration: duration(soldOutAfterMs) })}
        </p>
        <SoldBar sold={sold} quantity={sale.quantity} />
      </div>
      <Figures
        figures={[
          { label: t("admin.figures.attempts"), value: number(report.attempts) },
          { label: t("admin.figures.accepted"), value: number(report.accepted) },
          { label: t("admin.figures.refused"), value: number(refusedAttempts(report.refusals)) },
          { label: t("admin.figures.sold"), value: number(sold) },
          { label: t("admin.figures.inProgress"), value: number(report.in_progress) },
          { label: t("admin.figures.failed"), value: number(report.failed) },
        ]}
      />
    </section>
  );
}

function Books({ isBalanced }: { isBalanced: boolean }) {
  const { t } = useTranslator();
  return isBalanced ? (
    <Notice tone="good" title={`✓ ${t("admin.books.balanced")}`}>
      <p>{t("admin.books.balancedText")}</p>
    </Notice>
  ) : (
    <Notice tone="bad" title={`✗ ${t("admin.books.unbalanced")}`}>
      <p>{t("admin.books.unbalancedText")}</p>
      <p>{t("admin.books.doctor")}</p>
      <pre className="w-fit max-w-full overflow-x-auto rounded-xl bg-card px-4 py-3 text-sm">flashsale doctor</pre>
      <p>{t("admin.books.view")}</p>
      <pre className="w-fit max-w-full overflow-x-auto rounded-xl bg-card px-4 py-3 text-sm">
        select * from ops.sale_books where not balanced;
      </pre>
    </Notice>
  );
}
