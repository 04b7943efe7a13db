/** The server's time as React state, once a second, on the second. */
import { useSyncExternalStore } from "react";
import { serverClock } from "./serverClock";

const listeners = new Set<() => void>();
let timer: ReturnType<typeof setTimeout> | undefined;

function tick(): void {
  for (const listener of listeners) {
    listener();
  }
  schedule();
}

/** All countdowns of the page change at the same moment: just after the server's next whole second. */
function schedule(): void {
  clearTimeout(timer);
  timer = listeners.size > 0 ? setTimeout(tick, 1000 - ((serverClock.now() ?? 0) % 1000) + 2) : undefined;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  schedule();
  return () => {
    listeners.delete(listener);
    schedule();
  };
}

/** Whole seconds, so that a snapshot taken twice in one render is the same. */
function snapshot(): number | null {
  const now = serverClock.now();
  return now === null ? null : Math.floor(now / 1000) * 1000;
}

/** Milliseconds since the epoch by the server's clock, whole seconds; null before the first answer. */
export function useServerNow(): number | null {
  return useSyncExternalStore(subscribe, snapshot);
}

/** Something has told the clock the time: who shows it looks again at once. */
export function clockWasRead(): void {
  tick();
}
