/** A framed message: what happened and what to do next. */
import type { ReactNode } from "react";

export type Tone = "good" | "busy" | "warn" | "bad" | "plain";

const TONES: Record<Tone, string> = {
  good: "border-accent bg-accent-soft",
  busy: "border-line bg-sunken",
  warn: "border-warm bg-warm-soft",
  bad: "border-danger bg-danger-soft",
  plain: "border-line bg-card",
};

interface NoticeProps {
  tone?: Tone;
  title?: string;
  children?: ReactNode;
  /** Buttons and links. */
  actions?: ReactNode;
  className?: string;
}

export function Notice({ tone = "plain", title, children, actions, className = "" }: NoticeProps) {
  return (
    <div className={`flex flex-col gap-3 rounded-card border p-5 ${TONES[tone]} ${className}`}>
      {title && <h2 className="font-display font-semibold text-xl">{title}</h2>}
      {children && <div className="flex flex-col gap-2 text-base leading-relaxed">{children}</div>}
      {actions && <div className="flex flex-wrap gap-3 pt-1">{actions}</div>}
    </div>
  );
}

/** Something is under way. */
export function Spinner({ className = "size-5" }: { className?: string }) {
  return (
    <span
      aria-hidden="true"
      className={`inline-block shrink-0 animate-spin rounded-full border-2 border-current border-r-transparent motion-reduce:animate-none ${className}`}
    />
  );
}

/** The place of what is being loaded, of the same size as what will come. */
export function Placeholder({ label, className = "" }: { label: string; className?: string }) {
  return (
    <div role="status" className={`animate-pulse rounded-card bg-sunken motion-reduce:animate-none ${className}`}>
      <span className="sr-only">{label}</span>
    </div>
  );
}
