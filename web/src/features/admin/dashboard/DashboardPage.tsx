/** A sale as it sells: what is left, who asked, how the queue is doing, and the two levers: stock and the end. */
import { useQuery } from "@tanstack/react-query";
import { useAnnounceChange } from "@/components/Announcer";
import { ButtonLink } from "@/components/Button";
import { Notice } from "@/components/Notice";
import { Page } from "@/components/Page";
import { useProblemText } from "@/components/Problems";
import { StatusBadge, shownStatus } from "@/features/sales/StatusBadge";
import { type SaleStatus, useSaleStatus } from "@/features/sales/sales";
import { useTranslator } from "@/i18n";
import { Problem, type Sale } from "@/lib/api/client";
import { type Activity, activityQuery } from "../activity";
import { Refusals } from "../Refusals";
import { SaleFrame } from "../SaleFrame";
import { ActivityCharts } from "./ActivityCharts";
import { ActivityFigures } from "./ActivityFigures";
import { SaleNow } from "./SaleNow";

export default function DashboardPage({ flashSaleId }: { flashSaleId: string }) {
  const { t } = useTranslator();
  const { data, error, refetch } = useQuery(activityQuery(flashSaleId));
  if (!data) {
    const isMissing = error instanceof Problem && error.status === 404;
    return <SaleFrame title={t("admin.dashboard")} search={{ isMissing, error, retry: () => void refetch() }} />;
  }
  return (
    <Page title={t("admin.dashboardOf", { name: data.sale.name })} hasOwnHeading>
      <Dashboard activity={data} error={error} />
    </Page>
  );
}

function Dashboard({ activity, error }: { activity: Activity; error: unknown }) {
  const { t } = useTranslator();
  const { sale } = activity;
  const status = useSaleStatus(sale);
  useAnnounceChange(t(`announce.${shownStatus(status, sale.remaining_stock)}`, { name: sale.name }));
  const isSelling = status === "active" || activity.in_progress > 0;
  const hasFigures = status !== "upcoming" || activity.attempts > 0;
  return (
    <div className="flex flex-col gap-8">
      <Heading sale={sale} status={status} />
      {error !== null && <Stale since={activity.server_time} error={error} />}
      {status === "ended" && <Ended sale={sale} inProgress={activity.in_progress} />}
      <SaleNow sale={sale} status={status} />
      {hasFigures ? <ActivityFigures activity={activity} /> : <p className="text-muted">{t("admin.live.atStart")}</p>}
      {isSelling ? (
        <ActivityCharts activity={activity} />
      ) : (
        activity.attempts > 0 && <Refusals refusals={activity.refusals} />
      )}
    </div>
  );
}

function Heading({ sale, status }: { sale: Sale; status: SaleStatus }) {
  const { t } = useTranslator();
  const place = `/sales/${sale.flash_sale_id}`;
  return (
    <div className="flex flex-wrap items-end justify-between gap-x-8 gap-y-4">
      <div className="flex min-w-0 flex-col gap-3">
        <StatusBadge status={shownStatus(status, sale.remaining_stock)} />
        <h1 className="font-display font-semibold text-3xl sm:text-4xl">{sale.name}</h1>
      </div>
      <div className="flex flex-wrap gap-3">
        <ButtonLink href={`${place}/edit`}>{t("admin.edit")}</ButtonLink>
        {status !== "upcoming" && <ButtonLink href={`${place}/report`}>{t("admin.report")}</ButtonLink>}
        <ButtonLink href={`~/sale/${sale.flash_sale_id}`}>{t("admin.inShop")}</ButtonLink>
      </div>
    </div>
  );
}

/** The figures below are not from now. */
function Stale({ since, error }: { since: string; error: unknown }) {
  const { t, dateTime } = useTranslator();
  const problemText = useProblemText();
  return (
    <div role="alert">
      <Notice tone="warn" title={t("admin.live.stale")}>
        <p>{problemText(error)}</p>
        <p>{t("admin.live.staleSince", { time: dateTime(since, { timeStyle: "medium" }) })}</p>
      </Notice>
    </div>
  );
}

function Ended({ sale, inProgress }: { sale: Sale; inProgress: number }) {
  const { t, dateTime } = useTranslator();
  return (
    <Notice
      tone="good"
      title={t("sale.ended", { date: dateTime(sale.end_date) })}
      actions={
        <ButtonLink kind="primary" href={`/sales/${sale.flash_sale_id}/report`}>
          {t("admin.live.toReport")}
        </ButtonLink>
      }
    >
      <p>{inProgress > 0 ? t("admin.live.stillSettling", { count: inProgress }) : t("admin.live.settled")}</p>
    </Notice>
  );
}
