/** Everything that can come of a press of "Buy Now", each reached for real. */
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { expectBalanced, expectOneUnit, holdSettling, liveOrders, poisonOrders } from "../stack/database";
import { openShop } from "../stack/shop";
import {
  buyButton,
  CUT,
  openSale,
  openStaleSale,
  orderNumber,
  purchase,
  REFUSED,
  SOON,
  thaw,
  visit,
} from "../stack/visit";

const shop = await openShop("outcomes");
afterAll(() => shop.close());

/** A page that no longer gets news, and is then refused. */
const STALE = [CUT, REFUSED];

const outcome = (page: Page, title: string) => page.getByTestId("purchase").getByRole("heading", { name: title });

test("in progress, while the worker is held up, becomes success by itself", async () => {
  const sale = await shop.owner.createSale();
  const shopper = await shop.newShopper();
  const { page } = await visit(shop, { as: shopper });
  await openSale(page, sale);
  const release = await holdSettling(shop, sale);
  await buyButton(page).click();
  await purchase(page, "in_progress").waitFor();
  await outcome(page, "In progress").waitFor();
  expect(await liveOrders(shop, shopper, sale)).toMatchObject([{ status: "in_progress" }]);
  await release();
  await outcome(page, "It's yours").waitFor();
  await expect.poll(() => page.getByTestId("announcer").innerText(), SOON).toContain("It's yours.");
  await expectOneUnit(shop, shopper, sale, await orderNumber(page));
});

test("sold out: the last unit went to somebody a moment earlier", async () => {
  const sale = await shop.owner.createSale({ quantity: 1 });
  const shopper = await shop.newShopper();
  const { page } = await visit(shop, { as: shopper, expects: STALE });
  await openStaleSale(page, sale);
  await (await shop.newShopper()).buy(sale);
  await buyButton(page).click();
  await purchase(page, "refused").waitFor();
  await outcome(page, "Sold out").waitFor();
  await thaw(page);
  await expectNothingToRetry(page);
  expect(await liveOrders(shop, shopper, sale)).toEqual([]);
  await expectBalanced(shop, sale);
});

/** Once the news are back. */
async function expectNothingToRetry(page: Page): Promise<void> {
  await page.getByTestId("purchase").getByRole("link", { name: "See other drops" }).waitFor();
  expect(await page.getByRole("button", { name: "Try again" }).count()).toBe(0);
}

test("sold out, then stock comes back: try again, and it is theirs", async () => {
  const sale = await shop.owner.createSale({ quantity: 1 });
  const shopper = await shop.newShopper();
  const { page } = await visit(shop, { as: shopper, expects: STALE });
  await openStaleSale(page, sale);
  await (await shop.newShopper()).buy(sale);
  await buyButton(page).click();
  await outcome(page, "Sold out").waitFor();
  await thaw(page);
  await shop.owner.setQuantity(sale, 2);
  await page.getByRole("button", { name: "Try again" }).click();
  await purchase(page, "idle").waitFor();
  expect(await buyButton(page).evaluate((button) => button === document.activeElement)).toBe(true);
  await buyButton(page).click();
  await purchase(page, "success").waitFor();
  await expectOneUnit(shop, shopper, sale, await orderNumber(page));
});

test("sold out is seen before pressing too, live", async () => {
  const sale = await shop.owner.createSale({ quantity: 1 });
  const { page } = await visit(shop, { as: await shop.newShopper() });
  await openSale(page, sale);
  await (await shop.newShopper()).buy(sale);
  await page.getByRole("button", { name: "Sold out" }).waitFor();
  expect(await page.getByRole("button", { name: "Sold out" }).getAttribute("aria-disabled")).toBe("true");
  await expect.poll(() => page.getByTestId("announcer").innerText(), SOON).toBe("Aurora desk lamp is sold out.");
});

test("sale ended while the page did not hear of it", async () => {
  const sale = await shop.owner.createSale();
  const shopper = await shop.newShopper();
  const { page } = await visit(shop, { as: shopper, expects: STALE });
  await openStaleSale(page, sale);
  await shop.owner.endSale(sale);
  await buyButton(page).click();
  await outcome(page, "The sale has ended").waitFor();
  await thaw(page);
  await expectNothingToRetry(page);
  expect(await liveOrders(shop, shopper, sale)).toEqual([]);
});

test("already purchased, elsewhere, with the number of that order", async () => {
  const sale = await shop.owner.createSale();
  const shopper = await shop.newShopper();
  const { page } = await visit(shop, { as: shopper, expects: STALE });
  await openStaleSale(page, sale);
  const { order_id } = await shopper.buy(sale);
  await buyButton(page).click();
  await outcome(page, "You already have one").waitFor();
  expect(await orderNumber(page)).toBe(order_id);
  await expectOneUnit(shop, shopper, sale, order_id);
});

test("an order that the worker cannot settle is told as a failure, and may be tried again", async () => {
  const sale = await shop.owner.createSale();
  const shopper = await shop.newShopper();
  const { page } = await visit(shop, { as: shopper });
  await openSale(page, sale);
  await poisonOrders(shop, sale);
  await buyButton(page).click();
  await outcome(page, "Your order could not be completed").waitFor();
  await page.goto("/my-orders");
  await page.getByRole("main").getByText("Could not be completed, not charged").waitFor();
  await page.goto(`/sale/${sale.flash_sale_id}`);
  await outcome(page, "Your order could not be completed").waitFor();
  expect(await liveOrders(shop, shopper, sale)).toEqual([]);

  await shop.sql`drop trigger poison on flashsale.orders`;
  await page.getByRole("button", { name: "Try again" }).click();
  await buyButton(page).click();
  await purchase(page, "success").waitFor();
  await expectOneUnit(shop, shopper, sale, await orderNumber(page));
});

test("a session that ended elsewhere: signed out, and nothing was bought", async () => {
  const sale = await shop.owner.createSale();
  const shopper = await shop.newShopper();
  const { page } = await visit(shop, { as: shopper, expects: [/status of 401/, CUT] });
  await openSale(page, sale);
  const ended = await page.request.delete("/users/session", { headers: { origin: shop.origin } });
  expect(ended.status()).toBe(204);
  await buyButton(page).click();
  await outcome(page, "You are signed out").waitFor();
  expect(await liveOrders(shop, shopper, sale)).toEqual([]);
});
