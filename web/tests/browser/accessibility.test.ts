/** Everybody can use every screen: axe in light and dark and on a narrow phone, nothing to scroll sideways, German. */
import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, describe, expect, test } from "vitest";
import { SCREENS } from "../stack/screens";
import { openShop } from "../stack/shop";
import { buyButton, openSale, visit } from "../stack/visit";

const shop = await openShop("accessibility");
afterAll(() => shop.close());

const DESK = { width: 1280, height: 800 };
const PHONE = { width: 320, height: 640 };

describe("every screen", () => {
  test.each(SCREENS)("$name", async ({ show }) => {
    const page = await show(shop, { viewport: DESK, reducedMotion: "reduce" });
    await expectNoViolation(page, "light, desktop");
    await page.emulateMedia({ colorScheme: "dark" });
    await expectNoViolation(page, "dark, desktop");
    await page.setViewportSize(PHONE);
    await expectNoViolation(page, "dark, 320 px");
    await expectNothingSideways(page, 320);
    // A desktop of 1280 px at 200 %.
    await page.setViewportSize({ width: 640, height: 400 });
    await expectNothingSideways(page, 640);
    expect(await page.title()).toMatch(/ · Flash sale$/);
    expect(await page.locator("h1").count(), "one h1").toBe(1);
  });
});

async function expectNoViolation(page: Page, how: string): Promise<void> {
  await untilStill(page);
  if (await page.evaluate(() => !("axe" in globalThis))) {
    await page.evaluate(axe.source);
  }
  const violations = await page.evaluate(async () => {
    const { axe: here } = globalThis as unknown as { axe: typeof axe };
    const { violations } = await here.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, help, nodes }) => ({
      rule: `${id}: ${help}`,
      where: nodes.map(({ target, failureSummary }) => `${target.join(" ")}: ${failureSummary}`),
    }));
  });
  expect(violations, `${page.url()} (${how})`).toEqual([]);
}

/** Colours that change run through the page level by level, a frame each. */
function untilStill(page: Page): Promise<void> {
  return page.evaluate(async () => {
    for (let still = 0; still < 5; ) {
      await new Promise(requestAnimationFrame);
      still = document.getAnimations().some(({ playState }) => playState === "running") ? 0 : still + 1;
    }
  });
}

async function expectNothingSideways(page: Page, width: number): Promise<void> {
  const wide = await page.evaluate(() => ({
    page: document.documentElement.scrollWidth,
    // What sticks out, to be named in the failure.
    culprits: [...document.querySelectorAll("main *, header *, footer *")]
      .filter((it) => it.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
      .map((it) => `${it.tagName} ${it.className}`)
      .slice(0, 5),
  }));
  expect(wide.page, `${page.url()} at ${width} px: ${wide.culprits.join(", ")}`).toBeLessThanOrEqual(width);
}

test("German is German, and prices are as they are written there", async () => {
  const sale = await shop.owner.createSale({ name: "Lampe", price_in_cents: 123_450, quantity: 2000 });
  const { page } = await visit(shop, { locale: "de-DE", as: await shop.newShopper() });
  await page.goto(`/sale/${sale.flash_sale_id}`);
  await page.getByRole("button", { name: "Jetzt kaufen" }).waitFor();
  expect(await page.locator("html").getAttribute("lang")).toBe("de");
  const text = await page.getByRole("main").innerText();
  expect(text).toContain("1.234,50\u00a0€");
  expect(text).toContain("2.000");
  expect(await page.locator("body").innerText()).not.toMatch(/\b(Sign out|My orders|left|Ends)\b/);

  await page.getByLabel("Sprache").selectOption("en");
  await buyButton(page).waitFor();
  expect(await page.locator("html").getAttribute("lang")).toBe("en");
  expect(await page.getByRole("main").innerText()).toContain("€1,234.50");
  await page.reload();
  await buyButton(page).waitFor();
});

test("who wants no motion gets none", async () => {
  const sale = await shop.owner.createSale({ name: "Still water" });
  const { page } = await visit(shop, { as: await shop.newShopper(), reducedMotion: "reduce" });
  await openSale(page, sale);
  const moving = await page.evaluate(() => {
    const seconds = (text: string): number => Math.max(...text.split(",").map((each) => Number.parseFloat(each)));
    return [...document.querySelectorAll("*")]
      .map((it) => getComputedStyle(it))
      .filter((style) => seconds(style.transitionDuration) > 0.001 || seconds(style.animationDuration) > 0.001).length;
  });
  expect(moving).toBe(0);
});
