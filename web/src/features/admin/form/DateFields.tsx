/** When the sale starts and ends, in the reader's own time, with the usual choices one press away. */
import type { ReactNode } from "react";
import { Field } from "@/components/Field";
import { partsOf } from "@/features/sales/Countdown";
import { type MessageId, useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { useServerNow } from "@/lib/clock/useServerNow";
import { fromLocalInput, timeZone, toLocalInput } from "./localTime";
import { nextHour, type SaleDraft } from "./saleDraft";
import type { SaleForm } from "./useSaleForm";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const STARTS: readonly [MessageId, (now: number) => number][] = [
  ["admin.form.inAMinute", (now) => now + MINUTE_MS],
  ["admin.form.nextHour", nextHour],
  ["admin.form.tomorrowAtTen", (now) => tomorrowAtTen(now)],
];

const DURATIONS_MS = [15 * MINUTE_MS, HOUR_MS, 2 * HOUR_MS, DAY_MS];

export function DateFields({ form, sale }: { form: SaleForm; sale?: Sale | undefined }) {
  const { t } = useTranslator();
  // The server's clock decides when a sale starts; before its first answer ours is as good a guess as any.
  const now = useServerNow() ?? Date.now();
  const duration = useDurationText();
  const { draft } = form;
  const start = fromLocalInput(draft.start_date);
  const end = fromLocalInput(draft.end_date);
  const hints = useDateHints(draft, sale, now);
  const startAt = (time: number): void => {
    // The end moves along.
    const lasts = start !== null && end !== null && end > start ? end - start : HOUR_MS;
    form.change({ start_date: toLocalInput(time), end_date: toLocalInput(time + lasts) });
    form.leave("start_date");
  };
  const endAfter = (ms: number): void => {
    form.change({ end_date: toLocalInput((start ?? now) + ms) });
    form.leave("end_date");
  };
  return (
    <>
      <p className="text-muted text-sm">{t("admin.form.zone", { zone: timeZone() })}</p>
      <div className="flex flex-col gap-2.5">
        <DateField form={form} name="start_date" hint={hints.start} />
        <Presets label={t("admin.form.startPresets")}>
          {STARTS.map(([id, at]) => (
            <Preset key={id} onPress={() => startAt(at(now))}>
              {t(id)}
            </Preset>
          ))}
        </Presets>
      </div>
      <div className="flex flex-col gap-2.5">
        <DateField form={form} name="end_date" hint={hints.end} />
        <Presets label={t("admin.form.endPresets")}>
          {DURATIONS_MS.map((ms) => (
            <Preset key={ms} onPress={() => endAfter(ms)}>
              {duration(ms)}
            </Preset>
          ))}
        </Presets>
      </div>
    </>
  );
}

/** What a date that was chosen means. */
function useDateHints(draft: SaleDraft, sale: Sale | undefined, now: number) {
  const { t } = useTranslator();
  const duration = useDurationText();
  const start = fromLocalInput(draft.start_date);
  const end = fromLocalInput(draft.end_date);
  const isChosen = (name: "start_date" | "end_date"): boolean =>
    !sale || draft[name] !== toLocalInput(Date.parse(sale[name]));
  const isPast = (time: number | null): boolean => time !== null && time <= now;
  const lasts =
    start !== null && end !== null && end > start ? t("admin.form.lasts", { duration: duration(end - start) }) : null;
  const opensAgain = sale?.status === "ended" && end !== null && end > now ? ` ${t("admin.form.opensAgain")}` : "";
  return {
    start: isPast(start) && isChosen("start_date") ? t("admin.form.startPast") : null,
    end: isPast(end) && isChosen("end_date") ? t("admin.form.endPast") : lasts && lasts + opensAgain,
  };
}

function DateField({ form, name, hint }: { form: SaleForm; name: "start_date" | "end_date"; hint: string | null }) {
  const { t } = useTranslator();
  return (
    <Field
      label={t(`admin.form.${name}`)}
      name={name}
      type="datetime-local"
      step="1"
      required
      className="max-w-xs"
      value={form.draft[name]}
      onChange={(event) => form.change({ [name]: event.target.value })}
      onBlur={() => form.leave(name)}
      error={form.errorAt(name)}
      hint={hint}
    />
  );
}

function Presets({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset inside the field's own would repeat its legend
    <div role="group" aria-label={label} className="flex flex-wrap gap-2">
      {children}
    </div>
  );
}

function Preset({ onPress, children }: { onPress: () => void; children: string }) {
  return (
    <button
      type="button"
      onClick={onPress}
      className="min-h-9 rounded-full border border-edge bg-card px-3.5 py-1 font-medium text-sm hover:bg-sunken"
    >
      {children}
    </button>
  );
}

/** "1 hour 30 minutes". */
function useDurationText(): (ms: number) => string {
  const { number } = useTranslator();
  return (ms) => {
    const parts = partsOf(ms);
    const units = ["day", "hour", "minute", "second"] as const;
    return units
      .map((unit) => [unit, parts[`${unit}s`]] as const)
      .filter(([, value]) => value > 0)
      .map(([unit, value]) => number(value, { style: "unit", unit, unitDisplay: "long" }))
      .join(" ");
  };
}

function tomorrowAtTen(now: number): number {
  const date = new Date(now);
  date.setDate(date.getDate() + 1);
  return date.setHours(10, 0, 0, 0);
}
