import { useQuery } from "@tanstack/react-query";
import { act, screen, waitFor } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import { useSession } from "@/features/account/session";
import { ordersQuery } from "@/features/orders/orders";
import { salesQuery } from "@/features/sales/sales";
import { serverClock } from "@/lib/clock/serverClock";
import { useIsLive } from "@/lib/live/isLive";
import { ADA, at, BOB, json, newOrder, newSale, Shop, show } from "../../tests/unit.shop";
import { LiveProvider } from "./Live";

class FakeEventSource extends EventTarget {
  static open: FakeEventSource[] = [];
  onopen: (() => void) | null = null;
  onerror: (() => void) | null = null;
  constructor(readonly url: string) {
    super();
    FakeEventSource.open.push(this);
  }
  close(): void {
    FakeEventSource.open = FakeEventSource.open.filter((source) => source !== this);
  }
  send(name: string, data: unknown): void {
    act(() => void this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) })));
  }
}

function Reader() {
  const { data: orders } = useQuery({ ...ordersQuery, enabled: Boolean(useSession()) });
  return (
    <p>
      {useIsLive() ? "live" : "polling"}, {orders ? orders.length : "no"} orders
    </p>
  );
}

let shop: Shop;
beforeEach(() => {
  FakeEventSource.open = [];
  vi.stubGlobal("EventSource", FakeEventSource);
  shop = new Shop();
});

async function showLive() {
  const shown = show(
    <LiveProvider>
      <Reader />
    </LiveProvider>,
  );
  await waitFor(() => expect(FakeEventSource.open).toHaveLength(1));
  await screen.findByText("polling, 0 orders");
  const [stream] = FakeEventSource.open;
  return { ...shown, stream: stream as FakeEventSource };
}

test("sales come into the page as they are told, and set its clock", async () => {
  const { stream, client } = await showLive();
  act(() => stream.onopen?.());
  await screen.findByText("live, 0 orders");
  const news = { server_time: at(60_000), sales: [newSale({ remaining_stock: 3 })] };
  stream.send("sales", news);
  expect(client.getQueryData(salesQuery.queryKey)).toEqual(news);
  expect(Math.abs((serverClock.now() ?? 0) - Date.parse(at(60_000)))).toBeLessThan(1_000);
  expect(shop.of("GET /sales")).toHaveLength(0);
});

test("the outcome of an order makes the page look at the orders", async () => {
  const { stream } = await showLive();
  shop.on("GET /orders/history", () => json({ orders: [newOrder()] }));
  stream.send("order", { order_id: newOrder().order_id, outcome: "success" });
  expect(await screen.findByText("polling, 1 orders")).toBeVisible();
});

test("a stream that comes back makes the page look for what it missed", async () => {
  const { stream } = await showLive();
  shop.on("GET /orders/history", () => json({ orders: [newOrder()] }));
  act(() => stream.onopen?.());
  expect(await screen.findByText("live, 1 orders")).toBeVisible();
  act(() => stream.onerror?.());
  expect(await screen.findByText("polling, 1 orders")).toBeVisible();
});

test("an order placed in another tab makes the page look at the orders", async () => {
  await showLive();
  shop.on("GET /orders/history", () => json({ orders: [newOrder()] }));
  const otherTab = new BroadcastChannel("flashsale orders");
  otherTab.postMessage("changed");
  expect(await screen.findByText("polling, 1 orders")).toBeVisible();
  otherTab.close();
});

test("each person has a stream of their own, and who is signed out the one of the sales", async () => {
  const { client, unmount } = await showLive();
  const url = () => FakeEventSource.open.map((source) => source.url);
  expect(url()).toEqual([`/sales/events?orders=true#${ADA.user_id}`]);
  act(() => void client.setQueryData(["session"], BOB));
  await waitFor(() => expect(url()).toEqual([`/sales/events?orders=true#${BOB.user_id}`]));
  act(() => void client.setQueryData(["session"], null));
  await waitFor(() => expect(url()).toEqual(["/sales/events"]));
  unmount();
  expect(url()).toEqual([]);
});
