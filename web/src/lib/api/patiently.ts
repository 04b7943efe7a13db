/** Asks again as long as the server says "busy, come back in n seconds", within reason. */
import { Problem } from "./client";

const PATIENCE_MS = 30_000;

/** @throws what the last try threw */
export async function patiently<T>(ask: () => Promise<T>, pause: (ms: number) => Promise<void> = wait): Promise<T> {
  let waitedMs = 0;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const isBusy = error instanceof Problem && (error.status === 429 || error.status === 503);
      // Spread out, so that a crowd does not come back in the same moment.
      const waitMs = isBusy ? (error.retryAfterMs ?? 1000) * (1 + Math.random() * 0.5) : 0;
      if (!isBusy || waitedMs + waitMs > PATIENCE_MS) {
        throw error;
      }
      waitedMs += waitMs;
      await pause(waitMs);
    }
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
