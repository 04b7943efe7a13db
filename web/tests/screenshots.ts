/** Pictures of every screen, in the hand and on a desk, by day and by night, for docs/screenshots/. */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, test } from "vitest";
import { SCREENS } from "./stack/screens";
import { openShop } from "./stack/shop";

const FOLDER = resolve(import.meta.dirname, "../../docs/screenshots");
const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1280, height: 800 } };

const shop = await openShop("screenshots");
afterAll(() => shop.close());

beforeAll(() => {
  mkdirSync(FOLDER, { recursive: true });
});

test.each(SCREENS)("$name", async ({ name, show }) => {
  const page = await show(shop, { viewport: SIZES.desktop, reducedMotion: "reduce" });
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      await page.evaluate(() => {
        window.scrollTo({ top: 0 });
        return document.fonts.ready;
      });
      await page.waitForLoadState("networkidle", { timeout: 1000 }).catch(() => undefined);
      await page.screenshot({
        path: join(FOLDER, `${name}-${size}-${colorScheme}.jpg`),
        // A third of the size of PNG: they are kept in the repository.
        type: "jpeg",
        quality: 80,
        // In the hand the outcome is below the picture, the owner's charts are below the fold; a question darkens what is seen, no more.
        fullPage: (size === "phone" || name.startsWith("owner-")) && !name.endsWith("-question"),
        animations: "disabled",
        caret: "hide",
        timeout: 30_000,
      });
    }
  }
});
