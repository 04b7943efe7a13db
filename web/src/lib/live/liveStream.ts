/**
 * Live news: one event stream a browser, however many tabs. The tabs elect a leader by a Web Lock; the leader holds the
 * EventSource and passes every event on over a BroadcastChannel. When its tab closes, the lock, and with it the stream,
 * goes to the next. Where there are no Web Locks (an insecure origin) each tab has a stream of its own.
 *
 * A follower believes in the stream as long as it hears the leader's heartbeat; without one it says so, and whoever
 * listens polls instead.
 */

/** What arrives: an event of the server with its parsed data. */
export interface LiveEvent {
  name: "sales" | "order";
  data: unknown;
}

type Message = { kind: "event"; event: LiveEvent } | { kind: "heartbeat"; isOpen: boolean } | { kind: "hello" };

const HEARTBEAT_MS = 3_000;
const ASK_AFTER_MS = 5_000;
const SILENCE_MAX_MS = 8_000;
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 15_000;

export interface LiveListener {
  onEvent(event: LiveEvent): void;
  /** The stream works or not, in whichever tab it is. A stream that has come back may have missed events. */
  onLive(isLive: boolean): void;
}

/**
 * Follows the stream at a URL until the signal is aborted.
 *
 * @param url the event stream; streams of different URLs are elected separately
 */
export function followLive(url: string, listener: LiveListener, signal: AbortSignal): void {
  const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel(`flashsale live ${url}`);
  const state = { isLive: false, isLeading: false, silence: undefined as ReturnType<typeof setTimeout> | undefined };

  const setLive = (isLive: boolean): void => {
    if (state.isLive !== isLive && !signal.aborted) {
      state.isLive = isLive;
      listener.onLive(isLive);
    }
  };
  const heard = (isOpen: boolean): void => {
    clearTimeout(state.silence);
    // A browser slows the timers of a hidden tab down to one a minute, the heartbeat among them; asked, its leader answers.
    state.silence = setTimeout(() => {
      say({ kind: "hello" });
      state.silence = setTimeout(() => setLive(false), SILENCE_MAX_MS - ASK_AFTER_MS);
    }, ASK_AFTER_MS);
    setLive(isOpen);
  };
  const say = (message: Message): void => {
    if (!signal.aborted) {
      channel?.postMessage(message);
    }
  };

  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<Message>) => {
      if (data.kind === "hello") {
        if (state.isLeading) {
          say({ kind: "heartbeat", isOpen: state.isLive });
        }
      } else if (!state.isLeading) {
        if (data.kind === "heartbeat") {
          heard(data.isOpen);
        } else {
          heard(true);
          listener.onEvent(data.event);
        }
      }
    };
    say({ kind: "hello" });
  }
  signal.addEventListener("abort", () => {
    clearTimeout(state.silence);
    channel?.close();
  });

  const lead = async (): Promise<void> => {
    if (signal.aborted) {
      return;
    }
    state.isLeading = true;
    clearTimeout(state.silence);
    // What came between the last leader's stream and this one is missed: everybody hears that it was away.
    setLive(false);
    say({ kind: "heartbeat", isOpen: false });
    const beat = setInterval(() => say({ kind: "heartbeat", isOpen: state.isLive }), HEARTBEAT_MS);
    await holdStream(
      url,
      (event) => {
        listener.onEvent(event);
        say({ kind: "event", event });
      },
      (isOpen) => {
        setLive(isOpen);
        say({ kind: "heartbeat", isOpen });
      },
      signal,
    );
    clearInterval(beat);
  };

  if (channel && navigator.locks) {
    // Rejected when the signal is aborted before this tab's turn: then nobody waits for it any more.
    navigator.locks.request(`flashsale live ${url}`, { signal }, lead).catch(() => undefined);
  } else {
    void lead();
  }
}

/** Keeps a stream open, trying again for as long as it takes, until the signal is aborted. */
function holdStream(
  url: string,
  onEvent: (event: LiveEvent) => void,
  onOpen: (isOpen: boolean) => void,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    let source: EventSource | undefined;
    let retry: ReturnType<typeof setTimeout> | undefined;
    let pauseMs = RETRY_MIN_MS;

    const open = (): void => {
      source = new EventSource(url);
      source.onopen = () => {
        pauseMs = RETRY_MIN_MS;
        onOpen(true);
      };
      source.onerror = () => {
        onOpen(false);
        // A browser tries again by itself after a lost connection, but not after an answer such as 503; a crowd whose
        // streams all ended at once must not come back at once either.
        source?.close();
        clearTimeout(retry);
        retry = setTimeout(open, pauseMs * (0.5 + Math.random()));
        pauseMs = Math.min(pauseMs * 2, RETRY_MAX_MS);
      };
      for (const name of ["sales", "order"] as const) {
        source.addEventListener(name, ({ data }: MessageEvent<string>) => onEvent({ name, data: JSON.parse(data) }));
      }
    };
    open();
    signal.addEventListener("abort", () => {
      clearTimeout(retry);
      source?.close();
      resolve();
    });
  });
}
