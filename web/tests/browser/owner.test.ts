/** The owner's side: a sale from its creation to its books, and the door that keeps shoppers out. */
import { readFile } from "node:fs/promises";
import type { Locator, Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import type { Sale } from "../stack/caller";
import { expectBalanced } from "../stack/database";
import { openShop } from "../stack/shop";
import { buyButton, SOON, visit } from "../stack/visit";

const shop = await openShop("owner");
afterAll(() => shop.close());

const main = (page: Page): Locator => page.getByRole("main");

test("the life of a sale: created, seen, restocked, watched, ended, accounted for", async () => {
  const { page } = await visit(shop, { as: shop.owner });
  const shopper = await visit(shop, { as: await shop.newShopper() });
  await shopper.page.goto("/");
  await shopper.page.getByText("No drop is planned").waitFor();

  await page.goto("/admin");
  await main(page).getByRole("link", { name: "New sale" }).click();
  await fillForm(page);
  await main(page).getByRole("button", { name: "Create sale" }).click();
  await page.waitForURL("**/admin/sales/*-*");
  const sale = await onlySale();
  expect(sale).toMatchObject({ name: "Meridian wall clock", price_in_cents: 21_950, quantity: 2 });

  // The shopper's page hears of it, opens by itself and sells.
  await shopper.page.getByRole("heading", { name: "Meridian wall clock" }).waitFor();
  await shop.owner.must("/sales/update", { flash_sale_id: sale.flash_sale_id, start_date: new Date().toISOString() });
  await buyButton(shopper.page).click();
  await main(shopper.page).getByRole("heading", { name: "It's yours" }).waitFor();
  await (await shop.newShopper()).buy(sale);
  await (await shop.newShopper()).post("/orders", { product_id: sale.product_id });
  await main(shopper.page).getByText("None of 2 left").waitFor();

  await raiseStock(page);
  await main(shopper.page).getByText("1 of 3 left").waitFor();
  await (await shop.newShopper()).buy(sale);
  await expectFigures(page, { Attempts: 4, Accepted: 3, Refused: 1, Sold: 3 });

  await endSale(page);
  await main(shopper.page).getByTestId("sale-status").first().getByText("Ended").waitFor();
  await main(page).getByRole("link", { name: "See the report" }).click();
  await main(page).getByRole("heading", { name: "The books balance" }).waitFor();
  await expectFigures(page, { Attempts: 4, Accepted: 3, Refused: 1, Sold: 3 });
  await expectBalanced(shop, sale);
  await expectCsv(page, sale);
});

/** Makes mistakes first: they are said while typing, and the preview follows. */
async function fillForm(page: Page): Promise<void> {
  const form = main(page);
  const preview = page.getByRole("region", { name: "What shoppers see" });
  await preview.waitFor();
  await form.getByLabel("Name").fill("Meridian wall clock");
  await preview.getByText("Meridian wall clock").waitFor();
  await form.getByLabel("Description (optional)").fill("Spun brass.");
  await form.getByLabel("Price in euros").fill("cheap");
  await form.getByLabel("Units").fill("two");
  await form.getByText(/^Enter an amount of 0 or more/).waitFor();
  await form.getByLabel("Price in euros").fill("219.50");
  await form.getByText("Enter a whole number, 0 or more.").waitFor();
  await form.getByLabel("Units").fill("2");
  await preview.getByText("€219.50").waitFor();
  await form.getByRole("button", { name: "In 1 minute" }).click();
  await form.getByRole("button", { name: /^2 h(ours)?$/ }).click();
  await form.getByText(/^Lasts 2 h/).waitFor();
  expect(await form.locator('[aria-invalid="true"]').count(), "nothing is wrong any more").toBe(0);
}

async function onlySale(): Promise<Sale> {
  const { sales } = (await shop.owner.get<{ sales: Sale[] }>("/sales")).body;
  expect(sales).toHaveLength(1);
  return sales[0] as Sale;
}

async function raiseStock(page: Page): Promise<void> {
  await main(page).getByRole("button", { name: "Raise by 1", exact: true }).click();
  await main(page).getByRole("button", { name: "Set stock to 3" }).click();
  await main(page)
    .getByText(/^3 offered, 2 sold/)
    .waitFor();
}

/** Asked once; who thinks better of it keeps selling. */
async function endSale(page: Page): Promise<void> {
  const open = main(page).getByRole("button", { name: "End sale now" }).first();
  const question = page.getByRole("dialog");
  await open.click();
  await question.getByRole("button", { name: "Keep selling" }).click();
  await question.waitFor({ state: "hidden" });
  expect((await onlySale()).status).toBe("active");
  await open.click();
  await question.getByRole("button", { name: "End sale now" }).click();
  await question.waitFor({ state: "hidden" });
  expect((await onlySale()).status).toBe("ended");
}

/** A figure is a term and its description. */
async function expectFigures(page: Page, figures: Record<string, number>): Promise<void> {
  for (const [label, value] of Object.entries(figures)) {
    const figure = main(page)
      .locator("dl > *")
      .filter({ has: page.locator("dt", { hasText: new RegExp(`^${label}$`) }) });
    const shown = async (): Promise<string | undefined> =>
      (await figure.locator("dd").first().innerText()).match(/\d+/)?.[0];
    await expect.poll(shown, { ...SOON, message: label }).toBe(String(value));
  }
}

async function expectCsv(page: Page, sale: Sale): Promise<void> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    main(page).getByRole("link", { name: "Download CSV" }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/\.csv$/);
  const [header, ...lines] = (await readFile(await download.path(), "utf8")).trim().split(/\r?\n/);
  expect(header).toBe("measure,minute,value");
  const summary = new Map(
    lines.map((line) => line.split(",")).map(([measure, minute, value]) => [`${measure}/${minute}`, value]),
  );
  expect(summary.get("flash_sale_id/")).toBe(sale.flash_sale_id);
  expect(summary.get("balanced/")).toBe("true");
  expect(summary.get("sold/")).toBe("3");
  expect(
    lines.every((line) => line.split(",").length === 3),
    "three columns everywhere",
  ).toBe(true);
}

test("a shopper, and nobody, are shown the door", async () => {
  const shopper = await visit(shop, { as: await shop.newShopper() });
  await shopper.page.goto("/admin/sales/new");
  await main(shopper.page).getByText("Only for administrators").waitFor();
  expect(await shopper.page.getByRole("link", { name: "Manage sales" }).count()).toBe(0);
  const stranger = await visit(shop);
  await stranger.page.goto("/admin");
  await main(stranger.page).getByRole("link", { name: "Sign in" }).click();
  await main(stranger.page).getByLabel("E-mail").fill(shop.owner.email);
  await main(stranger.page).getByLabel("Password", { exact: true }).fill(shop.owner.password);
  await main(stranger.page).getByRole("button", { name: "Sign in" }).click();
  await main(stranger.page).getByRole("link", { name: "New sale" }).waitFor();
});
