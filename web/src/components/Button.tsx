/** Buttons, and links that look like them. */
import type { ButtonHTMLAttributes, ComponentProps } from "react";
import { Link } from "wouter";

export type ButtonKind = "primary" | "secondary" | "quiet" | "danger";

const KINDS: Record<ButtonKind, string> = {
  primary: "px-5 bg-accent text-on-accent hover:bg-accent-strong aria-disabled:bg-sunken aria-disabled:text-muted",
  secondary: "px-5 border border-edge bg-card text-ink hover:bg-sunken aria-disabled:text-muted",
  quiet: "px-1 text-ink underline-offset-4 hover:underline",
  danger: "px-5 border border-danger bg-card text-danger hover:bg-danger-soft aria-disabled:text-muted",
};

const SHAPE =
  "inline-flex min-h-11 items-center justify-center gap-2 rounded-full py-2 text-base font-semibold " +
  "transition-colors aria-disabled:cursor-not-allowed";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  /** Cannot be pressed now. It keeps the focus and is announced, which a `disabled` one is not. */
  isOff?: boolean;
}

export function Button({ kind = "primary", isOff = false, onClick, className = "", ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      {...(isOff ? { "aria-disabled": true } : {})}
      onClick={(event) => (isOff ? event.preventDefault() : onClick?.(event))}
      className={`${SHAPE} ${KINDS[kind]} ${className}`}
    />
  );
}

type ButtonLinkProps = ComponentProps<"a"> & { href: string; kind?: ButtonKind; isExternal?: boolean };

/** @param isExternal a file or another site: loaded by the browser, not by the router */
export function ButtonLink({ kind = "secondary", className = "", isExternal = false, ...rest }: ButtonLinkProps) {
  const look = `${SHAPE} ${KINDS[kind]} ${className}`;
  return isExternal ? <a {...rest} className={look} /> : <Link {...rest} className={look} />;
}
