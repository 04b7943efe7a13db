/** Time is the database's: whatever the reader's own clock says, and whether news arrive or have to be asked for. */
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import type { Sale } from "../stack/caller";
import { openShop } from "../stack/shop";
import { buyButton, CUT, openSale, SOON, visit } from "../stack/visit";

const shop = await openShop("clock");
afterAll(() => shop.close());

const HOUR_MS = 3_600_000;

/** Runs in the page before its scripts: a machine whose clock is wrong, in every way a script can ask. */
function skewClock(byMs: number): void {
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, given: [number]) => (given.length > 0 ? new target(...given) : new target(target.now() + byMs)),
    apply: (target) => new target(target.now() + byMs).toString(),
    get: (target, name) => (name === "now" ? () => target.now() + byMs : Reflect.get(target, name, target)),
  });
}

/** Seconds that the countdown shows. */
async function shownSeconds(page: Page): Promise<number> {
  const text = (await page.getByRole("main").getByTestId("countdown").first().innerText()).replace(/\s/g, "");
  const [, days = 0, hours, minutes, seconds] = /^(?:(\d+)d)?(\d+)h(\d+)min(\d+)s$/.exec(text) ?? [];
  return Number(days) * 86_400 + Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

async function secondsLeft(sale: Sale): Promise<number> {
  const [row] = await shop.sql<{ left: number }[]>`
    select extract(epoch from end_date - clock_timestamp())::float8 as left
    from flashsale.flash_sales where flash_sale_id = ${sale.flash_sale_id}`;
  return row?.left ?? Number.NaN;
}

test.each([
  ["right", 0],
  ["an hour ahead", HOUR_MS],
  ["an hour behind", -HOUR_MS],
])("the countdown is the database's, on a machine whose clock is %s", async (_, skewMs) => {
  const sale = await shop.owner.createSale({ endsIn: 2 * 3600 + 120 });
  const { page } = await visit(shop, { as: await shop.newShopper() });
  await page.addInitScript(skewClock, skewMs);
  await openSale(page, sale);
  expect(
    Math.abs((await page.evaluate(() => Date.now())) - Date.now() - skewMs),
    "the page's clock is wrong",
  ).toBeLessThan(1000);
  for (let reading = 0; reading < 3; reading++) {
    const before = await shownSeconds(page);
    await expect.poll(() => shownSeconds(page), SOON).not.toBe(before);
    const leftBefore = await secondsLeft(sale);
    const shown = await shownSeconds(page);
    // Whole seconds, rounded up, and the way here: never early, a little late.
    expect(shown).toBeLessThanOrEqual(leftBefore + 2);
    expect(shown).toBeGreaterThanOrEqual((await secondsLeft(sale)) - 1);
  }
});

test.each([
  ["by the event stream", false, 0],
  ["by polling, the stream being cut off, on a clock that is wrong", true, HOUR_MS],
])("a sale begins and ends by itself %s", async (_, isCut, skewMs) => {
  const { page } = await visit(shop, { as: await shop.newShopper(), expects: isCut ? [CUT] : [] });
  await page.addInitScript(skewClock, skewMs);
  if (isCut) {
    await page.route("**/sales/events*", (route) => route.abort());
  }
  const sale = await shop.owner.createSale({ name: "Ten-second vase", startsIn: 4, endsIn: 8 });
  await page.goto(`/sale/${sale.flash_sale_id}`);
  const load = await page.evaluate(() => performance.timeOrigin);
  const state = page.getByRole("main").getByTestId("sale-status");
  const sees = (text: string) => expect.poll(() => state.innerText(), { ...SOON, message: text }).toBe(text);

  await page.getByRole("button", { name: "Not yet on sale" }).waitFor();
  await sees("Coming soon");
  await sees("On sale now");
  expect(Math.abs((await secondsLeft(sale)) - 4), "on the second").toBeLessThan(1);
  await buyButton(page).waitFor();
  await sees("Ended");
  expect(Math.abs(await secondsLeft(sale)), "on the second").toBeLessThan(1);
  await page.getByRole("button", { name: "Sale ended" }).waitFor();
  expect(await page.evaluate(() => performance.timeOrigin), "without a reload").toBe(load);
});
