/** A shopper's way from the front page to an order, with mouse and with keyboard alone. */
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { expectOneUnit, liveOrders } from "../stack/database";
import { openShop } from "../stack/shop";
import { buyButton, openSale, orderNumber, purchase, SOON, visit } from "../stack/visit";

const shop = await openShop("journey");
afterAll(() => shop.close());

const PASSWORD = "correct horse";

test("from the front page through signing up to an order that stays", async () => {
  const sale = await shop.owner.createSale({ name: "Walnut bookend", price_in_cents: 12_950, quantity: 7 });
  const { page, context } = await visit(shop);

  await page.goto("/");
  await page.getByRole("heading", { name: "Walnut bookend" }).waitFor();
  const main = page.getByRole("main");
  await main.getByText("€129.50").waitFor();
  await main.getByText("7 of 7 left").waitFor();
  expect(await main.getByTestId("countdown").innerText()).toMatch(/\d\d\s*min\s*\d\d\s*s/);
  await expectPictureShown(page);

  await buyButton(page).click();
  await page.waitForURL("**/sign-in?next=*");
  await main.getByText("Afterwards you are back where you came from.").waitFor();
  await main.getByRole("link", { name: "Create account" }).click();
  await page.waitForURL("**/sign-up?next=*");
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  await signUpSlowly(page, "ada@example.org");

  await page.waitForURL(`**/sale/${sale.flash_sale_id}`);
  await purchase(page, "idle").waitFor();
  await buyButton(page).click();
  await purchase(page, "success").waitFor();
  const shown = await orderNumber(page);
  const [order] = await shop.sql`
    select o.order_id from flashsale.orders o join flashsale.users u using (user_id)
    where u.email = 'ada@example.org' and o.product_id = ${sale.product_id} and o.status = 'success'`;
  expect(shown).toBe(order?.order_id);
  await main.getByText("6 of 7 left").waitFor();

  await page.reload();
  await purchase(page, "success").waitFor();
  expect(await orderNumber(page)).toBe(shown);

  await main.getByRole("link", { name: "My orders" }).click();
  await page.waitForURL("**/my-orders");
  await main.getByText(shown).waitFor();
  await main.getByText("Yours", { exact: true }).waitFor();
  await page.goBack();
  await purchase(page, "success").waitFor();
  expect(await orderNumber(page)).toBe(shown);

  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in" }).waitFor();
  await page.goto("/my-orders");
  await main.getByText("Sign in to see your orders.").waitFor();
  const session = await page.request.get("/users/session");
  expect(await session.json()).toEqual({ user: null });
});

/** A product without a picture of its own has a drawn one. */
async function expectPictureShown(page: Page): Promise<void> {
  const picture = page.getByRole("main").locator("img").first();
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth), SOON).toBeGreaterThan(0);
}

/** Makes every mistake first. */
async function signUpSlowly(page: Page, email: string): Promise<void> {
  const main = page.getByRole("main");
  const [mail, password] = [main.getByLabel("E-mail"), main.getByLabel("Password", { exact: true })];
  const submit = main.getByRole("button", { name: "Create account" });

  await mail.fill("ada at example");
  await password.pressSequentially("corr");
  await main.getByText("8 to 128 characters, of any kind").waitFor();
  expect(await describedBy(password)).toContain("(not met yet)");
  await submit.click();
  expect(await describedBy(mail)).toContain("does not look like an e-mail address");
  expect(await describedBy(password)).toContain("must be 8 to 128 characters long");
  expect(await mail.getAttribute("aria-invalid")).toBe("true");
  expect(await mail.evaluate((input) => input === document.activeElement), "the first wrong field is focused").toBe(
    true,
  );

  await mail.fill(email);
  await password.fill("");
  await page.evaluate((text) => navigator.clipboard.writeText(text), PASSWORD);
  await password.focus();
  await page.keyboard.press("Control+V");
  expect(await password.inputValue(), "a password can be pasted").toBe(PASSWORD);
  expect(await describedBy(password)).toContain("(met)");
  expect(await password.getAttribute("autocomplete")).toBe("new-password");
  await main.getByLabel("Show password").check();
  expect(await password.getAttribute("type")).toBe("text");
  await submit.click();
}

/** What a screen reader says after the name of a field. */
function describedBy(field: ReturnType<Page["locator"]>): Promise<string> {
  return field.evaluate((input) =>
    (input.getAttribute("aria-describedby") ?? "")
      .split(" ")
      .map((id) => document.getElementById(id)?.textContent ?? "")
      .join(" "),
  );
}

test("an address that is taken, and a wrong password, are said where they belong", async () => {
  const known = await shop.newShopper();
  const { page } = await visit(shop, { expects: [/status of 40[19]/] });
  await page.goto("/sign-up");
  const main = page.getByRole("main");
  await main.getByLabel("E-mail").fill(known.email);
  await main.getByLabel("Password", { exact: true }).fill("another password");
  await main.getByRole("button", { name: "Create account" }).click();
  await main.getByText("This e-mail address is registered already.").waitFor();
  expect(await describedBy(main.getByLabel("E-mail"))).toContain("registered already");

  await main.getByRole("link", { name: "Sign in" }).click();
  await main.getByLabel("E-mail").fill(known.email);
  await main.getByLabel("Password", { exact: true }).fill("not this one");
  await main.getByRole("button", { name: "Sign in" }).click();
  await main.getByRole("alert").getByText("The e-mail address or the password is wrong.").waitFor();
});

test("with the keyboard alone, the outcome said aloud", async () => {
  const sale = await shop.owner.createSale({ name: "Brass page marker", endsIn: 1800 });
  const shopper = await shop.newShopper();
  const { page } = await visit(shop);
  await page.goto(`/sale/${sale.flash_sale_id}`);
  await page.getByRole("link", { name: "Sign in" }).waitFor();

  await page.keyboard.press("Tab");
  expect(await focused(page)).toBe("Skip to the content");
  await tabTo(page, "Buy Now");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/sign-in?next=*");
  await expect.poll(() => page.getByRole("main").evaluate((main) => main === document.activeElement), SOON).toBe(true);
  await tabTo(page, "E-mail");
  await page.keyboard.type(shopper.email);
  await tabTo(page, "Password");
  await page.keyboard.type(shopper.password);
  await page.keyboard.press("Enter");

  await page.waitForURL(`**/sale/${sale.flash_sale_id}`);
  await purchase(page, "idle").waitFor();
  await tabTo(page, "Buy Now");
  await page.keyboard.press("Space");
  await purchase(page, "success").waitFor();
  expect(await page.getByTestId("purchase").evaluate((panel) => panel.contains(document.activeElement))).toBe(true);
  await expect.poll(() => page.getByTestId("announcer").innerText(), SOON).toContain("It's yours.");
  await tabTo(page, "My orders");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/my-orders");
  const [order] = await liveOrders(shop, shopper, sale);
  await page
    .getByRole("main")
    .getByText(order?.order_id ?? "no order")
    .waitFor();
  await expectOneUnit(shop, shopper, sale, order?.order_id ?? "no order");
});

test("the countdown ticks for the eyes only", async () => {
  const sale = await shop.owner.createSale({ name: "Slow hourglass", endsIn: 1200 });
  const { page } = await visit(shop, { as: await shop.newShopper() });
  await openSale(page, sale);
  const countdown = page.getByTestId("countdown");
  const before = await countdown.innerText();
  await expect.poll(() => countdown.innerText(), SOON).not.toBe(before);
  expect(
    await countdown.evaluate((it) => it.closest("[aria-live], [role=status], [role=timer], [role=alert]")),
  ).toBeNull();
  expect(await countdown.getAttribute("aria-hidden")).toBe("true");
  expect(await page.getByTestId("announcer").innerText()).toBe("");
});

/** The name of what has the focus. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const it = document.activeElement;
    const label = it instanceof HTMLInputElement ? it.labels?.[0]?.textContent : it?.textContent;
    return (label ?? "").trim();
  });
}

/** Presses Tab until something has the focus; wherever it comes by, it has to be seen. */
async function tabTo(page: Page, name: string): Promise<void> {
  const passed: string[] = [];
  while (passed.at(-1) !== name) {
    expect(passed.length, `Tab does not reach "${name}", only ${passed.join(" → ")}`).toBeLessThan(30);
    await page.keyboard.press("Tab");
    passed.push(await focused(page));
    expect(await isFocusVisible(page), `the focus on "${passed.at(-1)}" can be seen`).toBe(true);
  }
}

/** An outline around what has the focus, or around the card it is the link of. */
function isFocusVisible(page: Page): Promise<boolean> {
  return page.evaluate(() => {
    const outlined = (it: Element | null | undefined): boolean =>
      it
        ? getComputedStyle(it).outlineStyle !== "none" && Number.parseFloat(getComputedStyle(it).outlineWidth) >= 2
        : false;
    const it = document.activeElement;
    return it === document.body || outlined(it) || outlined(it?.closest("article"));
  });
}
