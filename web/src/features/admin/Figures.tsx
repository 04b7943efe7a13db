/** Figures to be read at a glance. */
import type { ReactNode } from "react";

export interface Figure {
  label: string;
  value: string;
  hint?: ReactNode;
  /** Needs somebody to look. */
  isAlarming?: boolean;
}

export function Figures({ figures }: { figures: readonly Figure[] }) {
  return (
    <dl className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-6">
      {figures.map(({ label, value, hint, isAlarming }) => (
        <div
          key={label}
          className={`flex min-w-0 flex-col rounded-2xl border p-4 ${isAlarming ? "border-danger bg-danger-soft" : "border-line bg-card"}`}
        >
          <dt className="text-muted text-sm">{label}</dt>
          <dd className={`tabular font-semibold text-2xl ${isAlarming ? "text-danger" : ""}`}>{value}</dd>
          {hint && <dd className={`text-sm ${isAlarming ? "text-danger" : "text-muted"}`}>{hint}</dd>}
        </div>
      ))}
    </dl>
  );
}
