/** The sale minute by minute. */
import { useTranslator } from "@/i18n";
import { ChartFrame } from "../charts/ChartFrame";
import { type ChartPoint, figuresOf, toPoints, withEmptyMinutes } from "../charts/chartData";
import type { Report } from "./report";

type Minute = Report["minutes"][number];

const ACCENT = "var(--color-accent)";
const WARM = "var(--color-warm)";

export function MinuteCharts({ minutes }: { minutes: readonly Minute[] }) {
  const { t } = useTranslator();
  const frame = useMinuteFrame();
  const points = (...columns: readonly ((minute: Minute) => number)[]): ChartPoint[] =>
    withEmptyMinutes(toPoints(minutes, (minute) => minute.minute, ...columns));
  return (
    <>
      <ChartFrame
        {...frame(
          points(
            (minute) => minute.succeeded,
            (minute) => minute.failed,
          ),
        )}
        title={t("admin.report.settledByMinute")}
        unit={t("admin.report.ordersPerMinute")}
        series={[
          { label: t("admin.chart.confirmedSeries"), color: ACCENT },
          { label: t("admin.figures.failed"), color: WARM, isHatched: true },
        ]}
        emptyText={t("admin.report.noneSettled")}
      />
      <ChartFrame
        {...frame(
          points(
            (minute) => minute.accepted,
            (minute) => minute.refused,
          ),
        )}
        title={t("admin.report.attemptsByMinute")}
        unit={t("admin.report.attemptsPerMinute")}
        series={[
          { label: t("admin.chart.accepted"), color: ACCENT },
          { label: t("admin.chart.refused"), color: WARM, isHatched: true },
        ]}
        emptyText={t("admin.report.noneAttempted")}
      />
    </>
  );
}

function useMinuteFrame() {
  const { t, number, dateTime } = useTranslator();
  return (points: readonly ChartPoint[]) => {
    const { highest, sum } = figuresOf(points);
    const first = points[0]?.at ?? 0;
    const last = points.at(-1)?.at ?? 0;
    const isOneDay = last - first < 86_400_000;
    return {
      points,
      lastsMs: 60_000,
      tickText: (at: number) => dateTime(at, isOneDay ? { timeStyle: "short" } : { day: "numeric", month: "short" }),
      timeFormat: { dateStyle: "short", timeStyle: "short" } as const,
      timeUnit: t("admin.report.timeOfDay"),
      summary: t("admin.report.summary", { sum: number(sum), highest: number(highest) }),
    };
  };
}
