/** Areas over time, stacked: the only file that knows the chart library, loaded when a chart is to be seen. */
import { useId } from "react";
import { Area, AreaChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { type ChartPoint, type ChartSeries, figuresOf, valueTicks } from "./chartData";

/** Of a chart; the place is kept before it is loaded. */
export const CHART_HEIGHT_PX = 176;
const HATCH_PX = 6;

const AXIS = { stroke: "var(--color-edge)", tick: { fill: "var(--color-muted)", fontSize: 12 }, tickMargin: 6 };

export interface TimeChartProps {
  points: readonly ChartPoint[];
  series: readonly ChartSeries[];
  /** Where the time axis is labelled; undefined: where there is room. */
  ticks?: readonly number[] | undefined;
  tickText: (at: number) => string;
  /** A moment in full. */
  timeText: (at: number) => string;
  valueText: (value: number) => string;
  /** A value in few characters. */
  shortValueText: (value: number) => string;
  /** Whether a value can only be whole. */
  isCount: boolean;
}

export default function TimeChart({
  points,
  series,
  ticks,
  tickText,
  shortValueText,
  isCount,
  ...texts
}: TimeChartProps) {
  const id = useId();
  const values = valueTicks(figuresOf(points).highest, isCount);
  return (
    <ResponsiveContainer width="100%" height={CHART_HEIGHT_PX}>
      {/* Read out by the frame around it, so it takes no focus. */}
      <AreaChart data={[...points]} margin={{ top: 8, right: 16, bottom: 0, left: 0 }} accessibilityLayer={false}>
        <Hatches id={id} series={series} />
        <CartesianGrid vertical={false} stroke="var(--color-line)" />
        <XAxis
          {...AXIS}
          dataKey="at"
          type="number"
          scale="time"
          domain={["dataMin", "dataMax"]}
          tickFormatter={tickText}
          minTickGap={24}
          interval="preserveStartEnd"
          {...(ticks ? { ticks } : {})}
        />
        <YAxis
          {...AXIS}
          width="auto"
          axisLine={false}
          tickLine={false}
          ticks={values}
          interval={0}
          domain={[0, values.at(-1) ?? 1]}
          tickFormatter={shortValueText}
        />
        <Tooltip
          isAnimationActive={false}
          cursor={{ stroke: "var(--color-edge)" }}
          content={({ active, payload }) => (
            <Hint point={active ? payload?.[0]?.payload : null} series={series} {...texts} />
          )}
        />
        {series.map(({ label, color, isHatched }, index) => (
          <Area
            key={label}
            dataKey={(point: ChartPoint) => point.values[index]}
            name={label}
            stackId="all"
            type="stepAfter"
            // Of nothing there is no outline: it would hide that of what lies below.
            stroke={isHatched ? "none" : color}
            strokeWidth={1.5}
            fill={isHatched ? `url(#${id}-${index})` : color}
            fillOpacity={isHatched ? 1 : 0.3}
            isAnimationActive={false}
            activeDot={false}
          />
        ))}
      </AreaChart>
    </ResponsiveContainer>
  );
}

function Hatches({ id, series }: { id: string; series: readonly ChartSeries[] }) {
  const size = { width: HATCH_PX, height: HATCH_PX };
  return (
    <defs>
      {series.map(({ label, color }, index) => (
        <pattern
          key={label}
          id={`${id}-${index}`}
          {...size}
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect {...size} fill={color} fillOpacity={0.25} />
          <rect {...size} width={HATCH_PX / 3} fill={color} />
        </pattern>
      ))}
    </defs>
  );
}

type HintProps = Pick<TimeChartProps, "series" | "timeText" | "valueText"> & { point: ChartPoint | null | undefined };

/** The figures under the pointer. */
function Hint({ point, series, timeText, valueText }: HintProps) {
  if (!point) {
    return null;
  }
  return (
    <div className="tabular rounded-xl border border-line bg-card px-3 py-2 text-sm shadow-card">
      <p className="text-muted">{timeText(point.at)}</p>
      {series.map(({ label }, index) => {
        const value = point.values[index];
        return (
          <p key={label}>
            {label}: <span className="font-semibold">{value == null ? "–" : valueText(value)}</span>
          </p>
        );
      })}
    </div>
  );
}
