/** Around a chart: what it shows in a word and in figures, its axes' units, its legend, and the same as a table. */
import { lazy, type ReactNode, Suspense, useId, useState } from "react";
import { useTranslator } from "@/i18n";
import type { ChartPoint, ChartSeries } from "./chartData";
import { figuresOf } from "./chartData";

const TimeChart = lazy(() => import("./TimeChart"));

export interface ChartFrameProps {
  title: string;
  /** What the upward axis counts. */
  unit: string;
  /** What the time axis shows. */
  timeUnit: string;
  /** The figures in words. */
  summary: string;
  points: readonly ChartPoint[];
  series: readonly ChartSeries[];
  /** Said in the empty chart when every value is 0 or none is known. */
  emptyText: string;
  ticks?: readonly number[] | undefined;
  tickText: (at: number) => string;
  /** How a moment is written in full. */
  timeFormat: Intl.DateTimeFormatOptions;
  isCount?: boolean;
  /** How long the newest point lasts, to be drawn to its end. */
  lastsMs?: number;
}

export function ChartFrame({ title, unit, timeUnit, summary, emptyText, timeFormat, ...chart }: ChartFrameProps) {
  const { number, dateTime } = useTranslator();
  const id = useId();
  const { points, series, ticks, tickText, isCount = true, lastsMs = 0 } = chart;
  const valueText = (value: number): string => number(value, { maximumFractionDigits: isCount ? 0 : 2 });
  const timeText = (at: number): string => dateTime(at, timeFormat);
  const newest = points.at(-1);
  const drawn = newest && lastsMs > 0 ? [...points, { ...newest, at: newest.at + lastsMs }] : points;
  const isEmpty = figuresOf(points).highest === 0;
  return (
    <figure
      aria-labelledby={id}
      className="min-w-0 break-inside-avoid rounded-card border border-line bg-card p-4 shadow-card sm:p-5"
    >
      <figcaption className="mb-3">
        <h3 id={id} className="font-display font-semibold text-lg">
          {title}
        </h3>
        <p className="tabular text-muted text-sm">{summary}</p>
        {series.length > 1 && <Legend series={series} />}
      </figcaption>
      <p className="mb-1 text-muted text-xs">{unit}</p>
      <div role="img" aria-label={`${title}. ${summary}`} className="relative h-44">
        <Suspense fallback={null}>
          <TimeChart
            points={drawn}
            series={series}
            ticks={ticks}
            tickText={tickText}
            timeText={timeText}
            valueText={valueText}
            shortValueText={(value) => number(value, { notation: "compact", maximumFractionDigits: 1 })}
            isCount={isCount}
          />
        </Suspense>
        {isEmpty && (
          <p className="pointer-events-none absolute inset-x-12 top-12 text-center">
            <span className="rounded-full bg-card px-3 py-1 text-muted text-sm">{emptyText}</span>
          </p>
        )}
      </div>
      <p className="mt-1 text-right text-muted text-xs">{timeUnit}</p>
      <ChartTable title={title} points={points} series={series} timeText={timeText} valueText={valueText} />
    </figure>
  );
}

function Legend({ series }: { series: readonly ChartSeries[] }) {
  return (
    <ul className="mt-1 flex flex-wrap gap-x-4 text-sm">
      {series.map(({ label, color, isHatched }) => (
        <li key={label} className="flex items-center gap-1.5">
          <svg aria-hidden="true" width="16" height="16" viewBox="0 0 16 16">
            <rect
              x="1"
              y="1"
              width="14"
              height="14"
              rx="3"
              fill={color}
              fillOpacity={isHatched ? 0 : 0.3}
              stroke={color}
            />
            {isHatched && <path d="M2 12 12 2M5 15 15 5" stroke={color} strokeWidth="2" />}
          </svg>
          {label}
        </li>
      ))}
    </ul>
  );
}

interface ChartTableProps {
  title: string;
  points: readonly ChartPoint[];
  series: readonly ChartSeries[];
  timeText: (at: number) => string;
  valueText: (value: number) => string;
}

/** Made only while it is open: it has a row a second. */
function ChartTable({ title, points, series, timeText, valueText }: ChartTableProps) {
  const { t } = useTranslator();
  const [isOpen, setIsOpen] = useState(false);
  return (
    <details className="mt-2 text-sm print:hidden" onToggle={(event) => setIsOpen(event.currentTarget.open)}>
      <summary className="w-fit py-1 text-muted underline decoration-1 underline-offset-4">
        {t("admin.chart.table")}
        <span className="sr-only">: {title}</span>
      </summary>
      {isOpen && (
        <TableScroll label={title}>
          <thead>
            <tr>
              {[t("admin.chart.time"), ...series.map(({ label }) => label)].map((head, index) => (
                <th
                  key={head}
                  scope="col"
                  className={`sticky top-0 bg-card py-1 ${index > 0 ? "pl-4 text-right" : ""}`}
                >
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {points.toReversed().map(({ at, values }) => (
              <tr key={at} className="border-line border-t">
                <th scope="row" className="py-1 font-normal">
                  {timeText(at)}
                </th>
                {series.map(({ label }, index) => {
                  const value = values[index];
                  return (
                    <td key={label} className="py-1 pl-4 text-right">
                      {value == null ? "–" : valueText(value)}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </TableScroll>
      )}
    </details>
  );
}

function TableScroll({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section aria-label={label} tabIndex={0} className="mt-2 max-h-64 overflow-auto">
      <table className="tabular w-full text-left">{children}</table>
    </section>
  );
}
