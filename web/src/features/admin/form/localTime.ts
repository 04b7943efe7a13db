/** Moments as `datetime-local` inputs hold them: the reader's wall clock, without a zone. */

/** The text of an input for a moment; seconds only when there are any, as browsers write it. */
export function toLocalInput(time: number): string {
  const date = new Date(time);
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return `${day}T${clock}${date.getSeconds() > 0 ? `:${two(date.getSeconds())}` : ""}`;
}

/**
 * The moment of an input's text, in milliseconds since the epoch; null when it is empty or incomplete. A wall time that
 * a change of summer time skips is the one an hour later; of one that comes twice it is the first.
 */
export function fromLocalInput(text: string): number | null {
  if (!/^\d{4,6}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?$/.test(text)) {
    return null;
  }
  const time = new Date(text).getTime();
  return Number.isNaN(time) ? null : time;
}

/** The reader's time zone, as "Europe/Berlin". */
export function timeZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
