/** A shop for component tests: `fetch` answers as the contract says, and remembers what it was asked. */
import { i18n } from "@lingui/core";
import { I18nProvider } from "@lingui/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import { type ReactNode, StrictMode } from "react";
import { vi } from "vitest";
import { Router } from "wouter";
import { memoryLocation } from "wouter/memory-location";
import { AnnouncerProvider } from "@/components/Announcer";
import type { Order } from "@/features/orders/orders";
import type { Sale } from "@/lib/api/client";

/** The server's time in these tests: far from the wall clock's, which must not matter. */
export const NOW = Date.parse("2031-05-01T12:00:00.000Z");
export const at = (ms: number): string => new Date(NOW + ms).toISOString();

export const ADA = {
  user_id: "0197a000-0000-7000-8000-00000000ada0",
  email: "ada@example.org",
  is_administrator: false,
  expires_at: at(3_600_000),
};
export const BOB = { ...ADA, user_id: "0197a000-0000-7000-8000-00000000b0b0", email: "bob@example.org" };

export function newSale(changes: Partial<Sale> = {}): Sale {
  return {
    flash_sale_id: "0197a000-0000-7000-8000-0000000000f1",
    product_id: "0197a000-0000-7000-8000-0000000000a1",
    name: "Walnut Radio",
    description: "It plays.",
    price_in_cents: 12_900,
    quantity: 100,
    remaining_stock: 40,
    status: "active",
    start_date: at(-60_000),
    end_date: at(3_600_000),
    ...changes,
  };
}

export function newOrder(changes: Partial<Order> = {}): Order {
  return {
    order_id: "0197a000-0000-7000-8000-000000000001",
    product_id: newSale().product_id,
    flash_sale_id: newSale().flash_sale_id,
    name: "Walnut Radio",
    price_in_cents: 12_900,
    status: "success",
    reason: null,
    accepted_at: at(-5_000),
    settled_at: at(-4_000),
    ...changes,
  };
}

export function json(body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json" } });
}

export function problem(status: number, code: string, error = code, retryAfterS?: number): Response {
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (retryAfterS !== undefined) {
    headers["retry-after"] = String(retryAfterS);
  }
  const body = { type: `urn:flashsale:problem:${code}`, title: code, status, error, code, request_id: "test" };
  return new Response(JSON.stringify(body), { status, headers });
}

/** What was asked, as the server sees it. */
export interface Asked {
  route: string;
  key: string | null;
  body: unknown;
}

type Handler = (asked: Asked, request: Request) => Response | Promise<Response>;

export class Shop {
  readonly asked: Asked[] = [];
  private readonly handlers = new Map<string, Handler>();

  /** Signed in as Ada, without orders, one sale. */
  constructor() {
    this.on("GET /users/session", () => json({ user: ADA }));
    this.on("GET /orders/history", () => json({ orders: [] }));
    this.on("GET /sales", () => json({ server_time: at(0), sales: [newSale()] }));
    vi.stubGlobal("fetch", (request: Request) => this.fetch(request));
  }

  on(route: string, handler: Handler): void {
    this.handlers.set(route, handler);
  }

  /** What was asked of a route. */
  of(route: string): Asked[] {
    return this.asked.filter((asked) => asked.route === route);
  }

  private async fetch(request: Request): Promise<Response> {
    const route = `${request.method} ${new URL(request.url).pathname}`;
    const text = await request.clone().text();
    const asked = { route, key: request.headers.get("idempotency-key"), body: text ? JSON.parse(text) : null };
    this.asked.push(asked);
    const handler = this.handlers.get(route);
    const gone = new Promise<never>((_, reject) => {
      const abort = (): void => reject(request.signal.reason);
      request.signal.addEventListener("abort", abort);
      if (request.signal.aborted) {
        abort();
      }
    });
    gone.catch(() => undefined);
    return Promise.race([gone, Promise.resolve(handler ? handler(asked, request) : problem(404, "not_found"))]);
  }
}

/** A promise that a test resolves. */
export function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

export interface Shown {
  client: QueryClient;
  /** The addresses gone to, the newest last. */
  places: string[];
  unmount: () => void;
  show: (ui: ReactNode) => void;
}

/** Renders inside everything that a screen stands in. */
export function show(ui: ReactNode, place = "/", client = newClient()): Shown {
  const memory = memoryLocation({ path: place, record: true });
  const inPage = (content: ReactNode) => (
    <StrictMode>
      <I18nProvider i18n={i18n}>
        <QueryClientProvider client={client}>
          <AnnouncerProvider>
            <Router hook={memory.hook} searchHook={memory.searchHook}>
              {content}
            </Router>
          </AnnouncerProvider>
        </QueryClientProvider>
      </I18nProvider>
    </StrictMode>
  );
  const { unmount, rerender } = render(inPage(ui));
  return { client, places: memory.history, unmount, show: (next) => rerender(inPage(next)) };
}

export function newClient(): QueryClient {
  return new QueryClient({ defaultOptions: { queries: { retry: false } } });
}
