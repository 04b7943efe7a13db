/** The time left, by the server's clock. It ticks for the eyes only: a screen reader is told the moment itself. */
import { type MessageId, useTranslator } from "@/i18n";
import { useServerNow } from "@/lib/clock/useServerNow";

const DAY = 86_400;
const HOUR = 3_600;
const MINUTE = 60;

/** Whole days, hours, minutes and seconds of a duration, never negative. */
export function partsOf(ms: number): { days: number; hours: number; minutes: number; seconds: number } {
  // Up, so that the last second is shown as 1 and 0 means now.
  const all = Math.max(0, Math.ceil(ms / 1000));
  return {
    days: Math.floor(all / DAY),
    hours: Math.floor((all % DAY) / HOUR),
    minutes: Math.floor((all % HOUR) / MINUTE),
    seconds: all % MINUTE,
  };
}

interface CountdownProps {
  /** RFC 3339. */
  until: string;
  label: string;
  isSmall?: boolean;
}

export function Countdown({ until, label, isSmall = false }: CountdownProps) {
  const { t, dateTime } = useTranslator();
  const now = useServerNow();
  const parts = now === null ? null : partsOf(Date.parse(until) - now);
  const units: [MessageId, number | undefined][] = [
    ["countdown.days", parts?.days],
    ["countdown.hours", parts?.hours],
    ["countdown.minutes", parts?.minutes],
    ["countdown.seconds", parts?.seconds],
  ];
  const shown = units.filter(([unit, value]) => unit !== "countdown.days" || (value ?? 0) > 0);
  return (
    <div>
      <p className={`text-muted ${isSmall ? "text-sm" : ""}`}>
        {label} <time dateTime={until}>{dateTime(until)}</time>
      </p>
      <div
        aria-hidden="true"
        data-testid="countdown"
        className={`tabular mt-1 flex gap-2 font-semibold ${isSmall ? "text-lg" : "text-3xl sm:text-4xl"}`}
      >
        {shown.map(([unit, value]) => (
          <span key={unit} className="flex items-baseline gap-0.5">
            <span className="inline-block min-w-[2ch] text-right">
              {value === undefined ? "––" : String(value).padStart(2, "0")}
            </span>
            <span className={`font-medium text-muted ${isSmall ? "text-xs" : "text-base"}`}>{t(unit)}</span>
          </span>
        ))}
      </div>
    </div>
  );
}
