/** A labelled input with its hint and its error, each said by a screen reader when the input has the focus. */
import { type InputHTMLAttributes, type ReactNode, type TextareaHTMLAttributes, useId } from "react";

interface Labelled {
  label: string;
  /** What is expected; stays visible while there is no error. */
  hint?: ReactNode;
  /** What is wrong, or nothing. */
  error?: string | undefined;
  /** A control that belongs to the field and is not part of its description. */
  below?: ReactNode;
}

const LOOK =
  "w-full rounded-xl border bg-card px-4 py-2.5 text-base text-ink placeholder:text-muted " +
  "aria-[invalid=true]:border-danger border-edge";

type FieldProps = Labelled & Omit<InputHTMLAttributes<HTMLInputElement>, "id">;

export function Field({ label, hint, error, below, className = "", ...input }: FieldProps) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error} below={below} className={className}>
      <input {...input} id={id} {...described(id, hint, error)} className={LOOK} />
    </Frame>
  );
}

type TextAreaProps = Labelled & Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, "id">;

export function TextArea({ label, hint, error, below, className = "", ...input }: TextAreaProps) {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error} below={below} className={className}>
      <textarea rows={3} {...input} id={id} {...described(id, hint, error)} className={LOOK} />
    </Frame>
  );
}

function described(id: string, hint: ReactNode, error: string | undefined) {
  const parts = [error && `${id}-error`, hint && `${id}-hint`].filter(Boolean).join(" ");
  return { ...(parts ? { "aria-describedby": parts } : {}), "aria-invalid": Boolean(error) };
}

function Frame({
  id,
  label,
  hint,
  error,
  below,
  className,
  children,
}: Labelled & { id: string; className: string; children: ReactNode }) {
  return (
    <div className={`flex flex-col gap-1.5 ${className}`}>
      <label htmlFor={id} className="font-medium">
        {label}
      </label>
      {children}
      {/* Always there, so that an error that appears while the field has the focus is said. */}
      <div aria-live="polite" id={`${id}-error`} className="text-danger text-sm empty:hidden">
        {error}
      </div>
      {hint && (
        <div id={`${id}-hint`} className="text-muted text-sm">
          {hint}
        </div>
      )}
      {below}
    </div>
  );
}
