/**
 * A person with a browser of their own at the shop. Whatever the browser complains about and the test did not announce
 * fails the test; so does a request to any other host. A test that fails leaves a picture and says what was on the page.
 */
import { join } from "node:path";
import type { BrowserContext, BrowserContextOptions, Locator, Page } from "playwright-core";
import { onTestFinished, type TestContext } from "vitest";
import type { Caller, Sale } from "./caller";
import { LOGS, type Shop } from "./shop";

/** What a browser says of a purchase that was refused. */
export const REFUSED = /status of 400/;
/** What a browser says of requests that cannot get through. */
export const CUT = /net::ERR_/;

/** For conditions that come true by themselves. */
export const SOON = { timeout: 10_000, interval: 40 };

export interface VisitOptions extends BrowserContextOptions {
  /** Who is signed in already. */
  as?: Caller;
  /** Complaints of the browser that belong to this test. */
  expects?: readonly RegExp[];
}

/** A POST /orders as the browser sent it. */
export interface Press {
  key: string | undefined;
}

export interface Visit {
  context: BrowserContext;
  page: Page;
  /** Every purchase request, in all tabs. */
  presses: Press[];
}

export async function visit(shop: Shop, { as, expects = [], ...options }: VisitOptions = {}): Promise<Visit> {
  const context = await shop.browser.newContext({ baseURL: shop.origin, locale: "en-GB", ...options });
  context.setDefaultTimeout(10_000);
  const complaints: string[] = [];
  const presses: Press[] = [];
  context.on("console", (message) => {
    if (message.type() === "error" && !expects.some((expected) => expected.test(message.text()))) {
      complaints.push(`${message.text()} (${message.location().url})`);
    }
  });
  context.on("weberror", (error) => complaints.push(error.error().stack ?? error.error().message));
  context.on("request", (request) => {
    if (!request.url().startsWith(`${shop.origin}/`) && !/^(blob|data):/.test(request.url())) {
      complaints.push(`a request left the shop: ${request.url()}`);
    }
    if (request.method() === "POST" && request.url() === `${shop.origin}/orders`) {
      presses.push({ key: request.headers()["idempotency-key"] });
    }
  });
  onTestFinished(async ({ task }) => {
    const hasFailed = task.result?.state === "fail";
    if (hasFailed) {
      await tell(shop, context, task.name);
    }
    await context.close();
    if (complaints.length > 0 && !hasFailed) {
      throw new Error(`the browser complained:\n${complaints.join("\n")}`);
    }
  });
  if (as) {
    await signIn(context, as);
  }
  return { context, page: await context.newPage(), presses };
}

/** Gives the browser a session as the sign-in page would. */
async function signIn(context: BrowserContext, { email, password }: Caller): Promise<void> {
  const answer = await context.request.post("/users/authenticate", { data: { email, password } });
  if (!answer.ok()) {
    throw new Error(`signing in answered ${answer.status()}`);
  }
}

/** What a person needs to understand a failure. */
async function tell(shop: Shop, context: BrowserContext, test: TestContext["task"]["name"]): Promise<void> {
  for (const [tab, page] of context.pages().entries()) {
    const picture = join(LOGS, `${shop.name}-${test.replace(/\W+/g, "-").slice(0, 80)}-${tab}.png`);
    await page.screenshot({ path: picture }).catch(() => undefined);
    const text = await page
      .locator("body")
      .innerText({ timeout: 1000 })
      .catch(() => "(no text)");
    process.stdout.write(`\n--- "${test}" failed at ${page.url()}, see ${picture}\n${text}\n---\n`);
  }
}

/** The panel where one buys, in one of its states (PurchaseView). */
export const purchase = (page: Page, state: string): Locator =>
  page.locator(`[data-testid="purchase"][data-state="${state}"]`);

export const buyButton = (page: Page): Locator => page.getByRole("button", { name: "Buy Now" });

/** Opens a sale whose button can be pressed. */
export async function openSale(page: Page, sale: Sale): Promise<void> {
  await page.goto(`/sale/${sale.flash_sale_id}`);
  await purchase(page, "idle").waitFor();
  await buyButton(page).and(page.locator(":not([aria-disabled])")).waitFor();
}

export async function orderNumber(page: Page): Promise<string> {
  return (await page.getByTestId("order-number").innerText()).trim();
}

/** From now on nothing new about the sales arrives: the page shows what it knew. */
export async function freezeNews(page: Page): Promise<void> {
  await page.route(/\/sales(\/events.*)?$/, (route) => route.abort());
}

/** Opens a sale without the event stream, and keeps it as it was then. */
export async function openStaleSale(page: Page, sale: Sale): Promise<void> {
  await page.route("**/sales/events*", (route) => route.abort());
  await openSale(page, sale);
  await freezeNews(page);
}

export async function thaw(page: Page): Promise<void> {
  await page.unrouteAll({ behavior: "ignoreErrors" });
}
