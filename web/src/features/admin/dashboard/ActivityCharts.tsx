/** The last three minutes of a sale, second by second. */
import { memo } from "react";
import { useTranslator } from "@/i18n";
import type { Activity, ActivitySecond } from "../activity";
import { ChartFrame } from "../charts/ChartFrame";
import { type ChartPoint, figuresOf, minuteTicks, secondPoints } from "../charts/chartData";
import { Refusals } from "../Refusals";

const ACCENT = "var(--color-accent)";
const WARM = "var(--color-warm)";
const TIME: Intl.DateTimeFormatOptions = { timeStyle: "medium" };

/** Drawn again when there are new seconds, not whenever the countdown ticks. */
export const ActivityCharts = memo(function ActivityCharts({
  activity: { seconds, refusals },
}: {
  activity: Activity;
}) {
  const { t } = useTranslator();
  const frame = useLiveFrame();
  return (
    <section aria-labelledby="charts">
      <h2 id="charts" className="mb-4 font-display font-semibold text-2xl">
        {t("admin.chart.title")}
      </h2>
      <div className="grid gap-4 lg:grid-cols-2">
        <ChartFrame
          {...frame(
            secondPoints(seconds, (second) => second.succeeded),
            "sum",
          )}
          title={t("admin.chart.confirmed")}
          unit={t("admin.chart.ordersPerSecond")}
          series={[{ label: t("admin.chart.confirmedSeries"), color: ACCENT }]}
          emptyText={t("admin.chart.noConfirmed")}
        />
        <ChartFrame
          {...frame(
            secondPoints(seconds, (second) => second.remaining_stock),
            "last",
          )}
          title={t("admin.chart.stock")}
          unit={t("admin.chart.units")}
          series={[{ label: t("admin.chart.stockSeries"), color: ACCENT }]}
          emptyText={t("admin.chart.noStock")}
        />
        <ChartFrame
          {...frame(
            secondPoints(
              seconds,
              (second) => second.accepted,
              (second) => second.refused,
            ),
            "sum",
          )}
          title={t("admin.chart.attempts")}
          unit={t("admin.chart.attemptsPerSecond")}
          series={[
            { label: t("admin.chart.accepted"), color: ACCENT },
            { label: t("admin.chart.refused"), color: WARM, isHatched: true },
          ]}
          emptyText={t("admin.chart.noAttempts")}
        />
        <Refusals refusals={refusals} />
        <QueueCharts seconds={seconds} />
      </div>
    </section>
  );
});

function QueueCharts({ seconds }: { seconds: readonly ActivitySecond[] }) {
  const { t } = useTranslator();
  const frame = useLiveFrame();
  return (
    <>
      <ChartFrame
        {...frame(
          secondPoints(seconds, (second) => second.queue_depth),
          "last",
        )}
        title={t("admin.chart.depth")}
        unit={t("admin.chart.orders")}
        series={[{ label: t("admin.chart.depthSeries"), color: WARM }]}
        emptyText={t("admin.chart.noQueue")}
      />
      <ChartFrame
        {...frame(
          secondPoints(seconds, (second) => second.queue_oldest_age_s),
          "last",
        )}
        title={t("admin.chart.age")}
        unit={t("admin.chart.secondsUnit")}
        series={[{ label: t("admin.chart.ageSeries"), color: WARM }]}
        emptyText={t("admin.chart.noQueue")}
        isCount={false}
      />
    </>
  );
}

/** What every chart of the last minutes has in common: its time axis, and its figures in words. */
function useLiveFrame() {
  const { t, number } = useTranslator();
  return (points: readonly ChartPoint[], kind: "sum" | "last") => {
    const { last, highest, sum } = figuresOf(points);
    const newest = points.at(-1)?.at ?? 0;
    const text = (value: number): string => number(value, { maximumFractionDigits: 2 });
    return {
      points,
      ticks: minuteTicks(points),
      tickText: (at: number): string => {
        const minutes = Math.round((newest - at) / 60_000);
        return minutes === 0 ? t("admin.chart.now") : t("admin.chart.minutesAgo", { minutes });
      },
      timeFormat: TIME,
      timeUnit: t("admin.chart.lastMinutes"),
      summary: t(kind === "sum" ? "admin.chart.summarySum" : "admin.chart.summary", {
        last: last === null ? "–" : text(last),
        highest: text(highest),
        sum: text(sum),
      }),
    };
  };
}
