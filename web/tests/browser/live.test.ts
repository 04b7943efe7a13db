/** Live news: one stream a browser, handed on between its tabs, and polling when it is cut off. */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import type { Sale } from "../stack/caller";
import { openShop } from "../stack/shop";
import { CUT, openSale, SOON, visit } from "../stack/visit";

const shop = await openShop("live");
afterAll(() => shop.close());

const STREAM = "GET /sales/events";

const seesStock = (page: Page, text: string) => page.getByRole("main").getByText(text).waitFor();
const isLive = (page: Page) => page.getByText("Stock and times are live").waitFor();

async function somebodyBuys(sale: Sale): Promise<void> {
  await (await shop.newShopper()).buy(sale);
}

async function openTabs(context: BrowserContext, count: number, sale: Sale): Promise<Page[]> {
  const tabs: Page[] = [];
  for (let n = 0; n < count; n++) {
    const tab = await context.newPage();
    await openSale(tab, sale);
    await isLive(tab);
    tabs.push(tab);
  }
  return tabs;
}

test("the stock falls on the page while others buy", async () => {
  const sale = await shop.owner.createSale({ quantity: 5 });
  const { page } = await visit(shop);
  await openSale(page, sale);
  await isLive(page);
  for (const left of [4, 3, 2]) {
    await somebodyBuys(sale);
    await seesStock(page, `${left} of 5 left`);
  }
});

test.each([["nobody"], ["a shopper"]])(
  "three tabs of %s share one stream, which moves on when its tab closes",
  async (who) => {
    const sale = await shop.owner.createSale({ quantity: 9 });
    const { page, context } = await visit(shop, who === "nobody" ? {} : { as: await shop.newShopper() });
    await page.close();
    const [leading, second, third] = (await openTabs(context, 3, sale)) as [Page, Page, Page];
    expect(shop.proxy.open(STREAM), "streams of three tabs").toBe(1);
    await somebodyBuys(sale);
    for (const tab of [leading, second, third]) {
      await seesStock(tab, "8 of 9 left");
    }

    await leading.close();
    await expect.poll(() => shop.proxy.open(STREAM), SOON).toBe(1);
    await somebodyBuys(sale);
    for (const tab of [second, third]) {
      await seesStock(tab, "7 of 9 left");
    }
    await second.close();
    await somebodyBuys(sale);
    await seesStock(third, "6 of 9 left");
    expect(shop.proxy.open(STREAM)).toBe(1);
    await third.close();
    await expect.poll(() => shop.proxy.open(STREAM), SOON).toBe(0);
  },
);

test("without the stream the page says so, polls, and still sees the stock fall", async () => {
  const sale = await shop.owner.createSale({ quantity: 5 });
  const { page } = await visit(shop, { expects: [CUT] });
  await page.route("**/sales/events*", (route) => route.abort());
  await openSale(page, sale);
  await page.getByText("Connecting … stock and times are a few seconds old").waitFor();
  await somebodyBuys(sale);
  await seesStock(page, "4 of 5 left");
});

test("a stream that broke comes back by itself", async () => {
  const sale = await shop.owner.createSale({ quantity: 5 });
  const { page } = await visit(shop, { expects: [CUT] });
  await openSale(page, sale);
  await isLive(page);
  shop.proxy.goDown();
  await page.getByText("Connecting …").waitFor();
  shop.proxy.restore();
  await isLive(page);
  await somebodyBuys(sale);
  await seesStock(page, "4 of 5 left");
});
