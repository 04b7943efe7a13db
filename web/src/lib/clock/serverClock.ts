/**
 * The server's clock, as well as this page can know it. The wall clock of the reader's machine is never asked: it may be
 * an hour wrong, or be changed while the page is open. What runs between two answers is the monotonic clock.
 */

/** Readings older than this are forgotten, so that a server clock that was set back is followed. */
const READING_AGE_MAX_MS = 120_000;
const READINGS_MAX = 32;

interface Reading {
  at: number;
  /** Server time minus monotonic time. */
  offset: number;
}

export class ServerClock {
  private readings: Reading[] = [];
  private offset: number | null = null;

  constructor(private readonly monotonic: () => number = () => performance.now()) {}

  /**
   * Takes a server time that has just arrived. News can be late but never early, so the largest offset of the last
   * minutes is nearest to the truth. The way here is not added: a page that is a little late opens its button a little
   * late, one that is early sends its shopper to be refused.
   *
   * @param serverTime RFC 3339, as in `server_time`
   */
  read(serverTime: string): void {
    const time = Date.parse(serverTime);
    if (Number.isNaN(time)) {
      return;
    }
    const at = this.monotonic();
    this.readings = this.readings.filter((reading) => at - reading.at < READING_AGE_MAX_MS).slice(1 - READINGS_MAX);
    this.readings.push({ at, offset: time - at });
    this.offset = Math.max(...this.readings.map((reading) => reading.offset));
  }

  /** Milliseconds since the epoch by the server's clock; null before the first reading. */
  now(): number | null {
    return this.offset === null ? null : this.monotonic() + this.offset;
  }
}

export const serverClock = new ServerClock();
