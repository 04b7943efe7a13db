import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { followLive, type LiveEvent } from "./liveStream";

/** An event stream that the test opens, breaks and speaks through. */
class FakeEventSource extends EventTarget {
  static all: FakeEventSource[] = [];
  static get open(): FakeEventSource[] {
    return FakeEventSource.all.filter((source) => !source.isClosed);
  }
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  isClosed = false;
  constructor(readonly url: string) {
    super();
    FakeEventSource.all.push(this);
  }
  close(): void {
    this.isClosed = true;
  }
  send(name: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
  }
}

/** All tabs of a browser at once: delivered to the others, not to the sender. `isMuted` stands for a tab that hangs. */
class FakeChannel {
  static all = new Set<FakeChannel>();
  onmessage: ((event: { data: unknown }) => void) | null = null;
  isMuted = false;
  constructor(readonly name: string) {
    FakeChannel.all.add(this);
  }
  postMessage(data: unknown): void {
    for (const other of FakeChannel.all) {
      if (other !== this && other.name === this.name && !this.isMuted) {
        queueMicrotask(() => FakeChannel.all.has(other) && other.onmessage?.({ data: structuredClone(data) }));
      }
    }
  }
  close(): void {
    FakeChannel.all.delete(this);
  }
}

/** Web Locks as far as an exclusive lock with a signal goes. */
class FakeLocks {
  private readonly held = new Map<string, Promise<unknown>>();
  request(name: string, { signal }: { signal: AbortSignal }, callback: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      let isGranted = false;
      signal.addEventListener("abort", () => !isGranted && reject(signal.reason));
      const turn = (this.held.get(name) ?? Promise.resolve()).then(async () => {
        if (!signal.aborted) {
          isGranted = true;
          await callback().then(resolve, reject);
        }
      });
      this.held.set(name, turn);
    });
  }
}

const URL = "/sales/events";
const tabs: Tab[] = [];

/** One tab that follows. */
class Tab {
  readonly events: LiveEvent[] = [];
  readonly lives: boolean[] = [];
  readonly channel: FakeChannel | undefined;
  private readonly following = new AbortController();
  constructor(url = URL) {
    const before = new Set(FakeChannel.all);
    followLive(
      url,
      { onEvent: (event) => this.events.push(event), onLive: (isLive) => this.lives.push(isLive) },
      this.following.signal,
    );
    this.channel = [...FakeChannel.all].find((channel) => !before.has(channel));
    tabs.push(this);
  }
  get isLive(): boolean {
    return this.lives.at(-1) ?? false;
  }
  close(): void {
    this.following.abort();
  }
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const source = (): FakeEventSource => {
  const [open] = FakeEventSource.open;
  if (!open) {
    throw new Error("no stream is open");
  }
  return open;
};

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", FakeEventSource);
  vi.stubGlobal("BroadcastChannel", FakeChannel);
  Object.defineProperty(navigator, "locks", { value: new FakeLocks(), configurable: true });
  FakeEventSource.all = [];
  FakeChannel.all.clear();
});

afterEach(async () => {
  for (const tab of tabs.splice(0)) {
    tab.close();
  }
  await pass(0);
  Reflect.deleteProperty(navigator, "locks");
});

describe("the live stream", () => {
  test("is one for all tabs, and its events reach each of them once", async () => {
    const all = [new Tab(), new Tab(), new Tab()];
    await pass(0);
    expect(FakeEventSource.all).toHaveLength(1);
    source().onopen?.();
    source().send("sales", { sales: [1] });
    source().send("order", { order_id: "a" });
    await pass(0);
    for (const tab of all) {
      expect(tab.isLive).toBe(true);
      expect(tab.events).toEqual([
        { name: "sales", data: { sales: [1] } },
        { name: "order", data: { order_id: "a" } },
      ]);
    }
  });

  test("tells a tab that comes later that it is live, without waiting for news", async () => {
    new Tab();
    await pass(0);
    source().onopen?.();
    const later = new Tab();
    await pass(0);
    expect(later.isLive).toBe(true);
    expect(FakeEventSource.all).toHaveLength(1);
  });

  test("is not shared by two people: each address has its own", async () => {
    const ada = new Tab(`${URL}?orders=true#ada`);
    const bob = new Tab(`${URL}?orders=true#bob`);
    await pass(0);
    expect(FakeEventSource.open).toHaveLength(2);
    FakeEventSource.open[0]?.send("order", { order_id: "of ada" });
    await pass(0);
    expect(ada.events).toHaveLength(1);
    expect(bob.events).toHaveLength(0);
  });

  test("goes to the next tab when the leader's closes, and says that it was away", async () => {
    const leader = new Tab();
    const next = new Tab();
    const third = new Tab();
    await pass(0);
    source().onopen?.();
    await pass(0);
    leader.close();
    await pass(0);
    expect(FakeEventSource.all[0]?.isClosed).toBe(true);
    expect(FakeEventSource.open).toHaveLength(1);
    source().onopen?.();
    await pass(0);
    // Whoever listens looks for what it missed when the stream comes back.
    expect(next.lives).toEqual([true, false, true]);
    expect(third.lives).toEqual([true, false, true]);
    source().send("sales", {});
    await pass(0);
    expect(third.events).toHaveLength(1);
    expect(leader.events).toHaveLength(0);
  });

  test("passes over a tab that was closed while it waited for its turn", async () => {
    const leader = new Tab();
    const waiting = new Tab();
    const last = new Tab();
    await pass(0);
    waiting.close();
    leader.close();
    await pass(0);
    expect(FakeEventSource.open).toHaveLength(1);
    source().onopen?.();
    expect(last.isLive).toBe(true);
    expect(waiting.lives).toEqual([]);
  });

  test("leaves nothing behind: no stream, no timer, no channel", async () => {
    const all = [new Tab(), new Tab()];
    await pass(0);
    source().onopen?.();
    await pass(100);
    for (const tab of all) {
      tab.close();
    }
    await pass(0);
    expect(FakeEventSource.open).toHaveLength(0);
    expect(FakeChannel.all.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is not opened by a tab that was closed in the moment of its turn", async () => {
    Object.defineProperty(navigator, "locks", {
      value: { request: (_: string, __: unknown, lead: () => Promise<void>) => Promise.resolve().then(lead) },
      configurable: true,
    });
    new Tab().close();
    await pass(0);
    expect(FakeEventSource.all).toHaveLength(0);
  });

  test("a follower says that it is not live when its leader hangs", async () => {
    const leader = new Tab();
    const follower = new Tab();
    await pass(0);
    source().onopen?.();
    await pass(7_000);
    expect(follower.lives).toEqual([true]);
    (leader.channel as FakeChannel).isMuted = true;
    await pass(8_100);
    expect(follower.lives).toEqual([true, false]);
    (leader.channel as FakeChannel).isMuted = false;
    await pass(3_100);
    expect(follower.lives).toEqual([true, false, true]);
  });

  test("a follower asks a leader whose timers a hidden tab slows down, and believes its answer", async () => {
    const setInterval = vi.spyOn(globalThis, "setInterval").mockReturnValue(0 as never);
    new Tab();
    const follower = new Tab();
    await pass(0);
    expect(setInterval).toHaveBeenCalled();
    source().onopen?.();
    await pass(60_000);
    expect(follower.lives).toEqual([true]);
  });

  test("comes back after a loss with a growing pause, and starts over once it has worked", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.5);
    const tab = new Tab();
    await pass(0);
    source().onopen?.();
    for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
      source().onerror?.();
      expect(tab.isLive).toBe(false);
      expect(FakeEventSource.open).toHaveLength(0);
      await pass(pauseMs - 1);
      expect(FakeEventSource.open).toHaveLength(0);
      await pass(1);
      expect(FakeEventSource.open).toHaveLength(1);
    }
    source().onopen?.();
    expect(tab.isLive).toBe(true);
    source().onerror?.();
    await pass(1_000);
    expect(FakeEventSource.open).toHaveLength(1);
  });

  test("comes back once, however often an error is told", async () => {
    new Tab();
    await pass(0);
    const broken = source();
    broken.onerror?.();
    broken.onerror?.();
    await pass(60_000);
    expect(FakeEventSource.open).toHaveLength(1);
  });

  test("tells the followers that it is lost and back", async () => {
    new Tab();
    const follower = new Tab();
    await pass(0);
    source().onopen?.();
    await pass(0);
    source().onerror?.();
    await pass(0);
    expect(follower.isLive).toBe(false);
    await pass(1_500);
    source().onopen?.();
    await pass(0);
    expect(follower.isLive).toBe(true);
  });

  test("is each tab's own where there are no locks", async () => {
    Reflect.deleteProperty(navigator, "locks");
    const all = [new Tab(), new Tab()];
    await pass(0);
    expect(FakeEventSource.open).toHaveLength(2);
    for (const open of FakeEventSource.open) {
      open.onopen?.();
      open.send("sales", {});
    }
    await pass(0);
    // Each hears its own stream, not the other's again.
    expect(all.map((tab) => tab.events.length)).toEqual([1, 1]);
  });
});
