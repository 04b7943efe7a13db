/** Never a second order and never a lost outcome: impatience, reloads, tabs, lost connections, limits, outages. */
import type { Page } from "playwright-core";
import { afterAll, expect, onTestFinished, test } from "vitest";
import type { Caller, Sale } from "../stack/caller";
import { expectOneUnit, holdPurchases, holdSettling } from "../stack/database";
import { openShop } from "../stack/shop";
import {
  buyButton,
  CUT,
  openSale,
  orderNumber,
  purchase,
  REFUSED,
  SOON,
  type Visit,
  type VisitOptions,
  visit,
} from "../stack/visit";

const shop = await openShop("once", { rateLimits: "on" });
afterAll(async () => {
  shop.proxy.restore();
  await shop.close();
});

const THE_PURCHASE = "POST /orders";

interface AtSale extends Visit {
  sale: Sale;
  shopper: Caller;
}

async function atSale(options: VisitOptions = {}): Promise<AtSale> {
  // A test that failed may have left it broken.
  onTestFinished(() => shop.proxy.restore());
  const sale = await shop.owner.createSale();
  const shopper = await shop.newShopper();
  const visited = await visit(shop, { as: shopper, ...options });
  await openSale(visited.page, sale);
  return { ...visited, sale, shopper };
}

const shows = (page: Page, title: string) => page.getByTestId("purchase").getByRole("heading", { name: title });

async function expectSuccessOnce({ page, shopper, sale }: AtSale): Promise<void> {
  await purchase(page, "success").waitFor({ timeout: 20_000 });
  await expectOneUnit(shop, shopper, sale, await orderNumber(page));
}

/** Every request of a press has the key of its first. */
function expectOneKey(presses: Visit["presses"]): void {
  expect(presses[0]?.key).toMatch(/^[0-9a-f]{32}$/);
  expect(new Set(presses.map(({ key }) => key)).size, "all with one key").toBe(1);
}

test("a double click is one purchase", async () => {
  const at = await atSale();
  await buyButton(at.page).dblclick();
  await expectSuccessOnce(at);
  expect(at.presses).toHaveLength(1);
});

test("so are two fast presses of Enter", async () => {
  const at = await atSale();
  await buyButton(at.page).focus();
  await Promise.all([at.page.keyboard.press("Enter"), at.page.keyboard.press("Enter")]);
  await expectSuccessOnce(at);
  expect(at.presses).toHaveLength(1);
});

test("a reload while it is in progress shows it in progress, then the success", async () => {
  const at = await atSale();
  const release = await holdSettling(shop, at.sale);
  await buyButton(at.page).click();
  await purchase(at.page, "in_progress").waitFor();
  await at.page.reload();
  await purchase(at.page, "in_progress").waitFor();
  await release();
  await expectSuccessOnce(at);
});

test("a reload before the answer has come goes on with the same key", async () => {
  const at = await atSale({ expects: [CUT] });
  const answered = shop.proxy.holdAnswerTo(THE_PURCHASE);
  // Or the event of its success might come before its answer.
  const release = await holdSettling(shop, at.sale);
  await buyButton(at.page).click();
  await answered;
  await purchase(at.page, "placing").waitFor();
  await at.page.reload();
  await release();
  await expectSuccessOnce(at);
  await expect.poll(() => at.presses.length, SOON).toBeGreaterThanOrEqual(2);
  expectOneKey(at.presses);
});

test("away and back, and forward, while it is in progress", async () => {
  const at = await atSale();
  const release = await holdSettling(shop, at.sale);
  await buyButton(at.page).click();
  await purchase(at.page, "in_progress").waitFor();
  await at.page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "My orders" }).click();
  await at.page.getByRole("main").getByText("In progress").waitFor();
  await at.page.goBack();
  await purchase(at.page, "in_progress").waitFor();
  await at.page.goForward();
  await at.page.getByRole("main").getByText("In progress").waitFor();
  await release();
  await at.page.getByRole("main").getByText("Yours", { exact: true }).waitFor();
  await at.page.goBack();
  await expectSuccessOnce(at);
});

test("away and back before the answer has come", async () => {
  const at = await atSale({ expects: [CUT] });
  const answered = shop.proxy.holdAnswerTo(THE_PURCHASE);
  await buyButton(at.page).click();
  await answered;
  // By the menu: the page may have heard of the order by its stream, and then shows a link of its own.
  await at.page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "My orders" }).click();
  await at.page.waitForURL("**/my-orders");
  await at.page.goBack();
  await expectSuccessOnce(at);
  expectOneKey(at.presses);
});

test("two tabs pressed in the same moment end with the same order", async () => {
  // Whichever comes second is told the order, that its key is in use (409), or that it has one already (400).
  const at = await atSale({ expects: [REFUSED, /status of 409/] });
  const other = await at.context.newPage();
  await openSale(other, at.sale);
  // Not by the mouse: each tab may hear of the other's press before its own would be done.
  await Promise.all([at.page, other].map((tab) => buyButton(tab).evaluate((button: HTMLElement) => button.click())));
  for (const tab of [at.page, other]) {
    await tab.getByTestId("order-number").waitFor();
    await expectOneUnit(shop, at.shopper, at.sale, await orderNumber(tab));
  }
});

test("a press in one tab is seen in the other", async () => {
  const at = await atSale();
  const other = await at.context.newPage();
  await openSale(other, at.sale);
  await buyButton(at.page).click();
  await expectSuccessOnce({ ...at, page: other });
});

test("the connection breaks after the order was taken and before the answer", async () => {
  const at = await atSale({ expects: [CUT] });
  const lost = shop.proxy.loseAnswerTo(THE_PURCHASE);
  await buyButton(at.page).click();
  await lost;
  await shows(at.page, "Connection lost").waitFor();
  shop.proxy.restore();
  await expectSuccessOnce(at);
  // The order is seen among the orders, perhaps before the next try; that one still goes out, with the same key.
  await expect.poll(() => at.presses.length, SOON).toBeGreaterThanOrEqual(2);
  expectOneKey(at.presses);
});

test("the shop cannot be reached for a while", async () => {
  const at = await atSale({ expects: [CUT] });
  shop.proxy.goDown();
  await buyButton(at.page).click();
  await shows(at.page, "Connection lost").waitFor();
  await expect.poll(() => at.presses.length, SOON).toBeGreaterThanOrEqual(2);
  shop.proxy.restore();
  await expectSuccessOnce(at);
  expectOneKey(at.presses);
});

test("a connection lost, and the page reloaded after it is back", async () => {
  const at = await atSale({ expects: [CUT] });
  const lost = shop.proxy.loseAnswerTo(THE_PURCHASE);
  await buyButton(at.page).click();
  await lost;
  await shows(at.page, "Connection lost").waitFor();
  shop.proxy.restore();
  await at.page.reload();
  await expectSuccessOnce(at);
  expectOneKey(at.presses);
});

test("too many requests: the page waits as long as it is asked to, and has it", async () => {
  const at = await atSale({ expects: [/status of 429/] });
  const flood = floodOf(at.shopper);
  await expect.poll(flood.isRefused, SOON).toBe(true);
  await buyButton(at.page).click();
  await shows(at.page, "A little too fast").waitFor();
  await flood.stop();
  await expectSuccessOnce(at);
  expectOneKey(at.presses);
});

/** A script that uses up what a person may ask (src/http/limits.rs), with a product that does not exist, and goes on. */
function floodOf(shopper: Caller): { isRefused: () => boolean; stop: () => Promise<void> } {
  const state = { isOn: true, refused: 0 };
  const nothing = { product_id: "00000000-0000-7000-8000-000000000000" };
  const flood = Array.from({ length: 3 }, async () => {
    while (state.isOn) {
      state.refused += (await shopper.post("/orders", nothing)).status === 429 ? 1 : 0;
    }
  });
  const stop = async (): Promise<void> => {
    state.isOn = false;
    await Promise.all(flood);
  };
  onTestFinished(stop);
  return { isRefused: () => state.refused > 20, stop };
}

test("the database is held up until the shop says 503: the page asks again, and has it", async () => {
  const at = await atSale({ expects: [/status of 50[34]/] });
  const release = await holdPurchases(shop);
  await buyButton(at.page).click();
  await shows(at.page, "Very busy right now").waitFor();
  await release();
  await expectSuccessOnce(at);
  expectOneKey(at.presses);
});
