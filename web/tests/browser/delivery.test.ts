/** How the page arrives: small, from one place, kept by the browser, still once it is there. */
import { request } from "node:http";
import type { Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import type { Sale } from "../stack/caller";
import { openShop } from "../stack/shop";
import { buyButton, openSale, purchase, SOON, visit } from "../stack/visit";

const shop = await openShop("delivery");
afterAll(() => shop.close());

/** Of JavaScript, compressed, until a shopper sees the first screen. */
const FIRST_LOAD_MAX_BYTES = 110_000;
/** Ten pixels of a price or a button moving are 0.002. */
const SHIFT_MAX = 0.001;
/** A smaller file is sent as it is (web/precompress.ts). */
const COMPRESSED_MIN_BYTES = 512;

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
  bytes: number;
}

/** Asks as no fetch would: what is accepted is up to the test, and nothing is decompressed. */
function ask(path: string, headers: Record<string, string>): Promise<Answer> {
  return new Promise((answered, failed) => {
    const asking = request(shop.origin + path, { headers }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => {
        const body = Buffer.concat(chunks);
        const { statusCode: status = 0, headers } = answer;
        answered({ status, headers, body: body.toString(), bytes: body.length });
      });
    });
    asking.on("error", failed);
    asking.end();
  });
}

test("the document forbids everything that is not the shop's own, and is asked for again", async () => {
  const document = await ask("/", { accept: "text/html" });
  expect(document.status).toBe(200);
  const policy = String(document.headers["content-security-policy"]);
  for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) {
    expect(policy).toContain(rule);
  }
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(document.headers["cache-control"]).toBe("no-cache");
  expect(document.headers["x-content-type-options"]).toBe("nosniff");
  const again = await ask("/", { accept: "text/html", "if-none-match": String(document.headers.etag) });
  expect([again.status, again.body]).toEqual([304, ""]);
});

test("the API's documentation is drawn under a policy of its own, in nobody's frame", async () => {
  const { headers } = await ask("/docs/", { accept: "text/html" });
  expect(headers["content-security-policy"]).toContain("default-src 'none'");
  expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
  expect(headers["x-frame-options"]).toBe("DENY");
  const { page } = await visit(shop);
  await page.goto("/docs/");
  await page.locator("#operations-orders-place_order, .opblock").first().waitFor();
});

test("assets are kept for ever and come compressed", async () => {
  const { body } = await ask("/", { accept: "text/html" });
  const assets = [...body.matchAll(/(?:src|href)="(\/assets\/[^"]+\.(?:js|css))"/g)].map(([, path]) => String(path));
  expect(assets.length).toBeGreaterThanOrEqual(2);
  for (const asset of assets) {
    const known = await ask(asset, {});
    for (const encoding of ["br", "gzip"]) {
      const answer = await ask(asset, { "accept-encoding": encoding });
      expect(answer.status, asset).toBe(200);
      expect(answer.headers["cache-control"]).toBe("public, max-age=31536000, immutable");
      expect(answer.headers["content-encoding"]).toBe(known.bytes < COMPRESSED_MIN_BYTES ? undefined : encoding);
      expect(answer.headers.vary).toMatch(/accept-encoding/i);
    }
    expect((await ask(asset, { "if-none-match": String(known.headers.etag) })).status).toBe(304);
  }
});

test("an address that is nowhere: a screen for people, a problem for programs", async () => {
  const { page } = await visit(shop, { expects: [/status of 404/] });
  const answer = await page.goto("/no/such/place");
  expect(answer?.status()).toBe(404);
  await page.getByRole("heading", { name: "Nothing here" }).waitFor();
  await page.getByRole("main").getByRole("link", { name: "To the drops" }).click();
  await page.waitForURL(`${shop.origin}/`);

  const program = await ask("/no/such/place", { accept: "application/json" });
  expect(program.status).toBe(404);
  expect(program.headers["content-type"]).toContain("application/problem+json");
  expect(JSON.parse(program.body)).toMatchObject({ status: 404 });
});

test("a sale that does not exist is said so", async () => {
  const { page } = await visit(shop, { expects: [/status of 404/] });
  await page.goto("/sale/00000000-0000-7000-8000-000000000000");
  await page.getByRole("heading", { name: "Nothing here" }).waitFor();
});

test.each([["/"], ["a sale"]])("the first load of %s is small and has nothing of the owner's", async (where) => {
  const sale = await shop.owner.createSale();
  const { page } = await visit(shop);
  const scripts = scriptsOf(page);
  await page.goto(where === "/" ? "/" : `/sale/${sale.flash_sale_id}`);
  await page.getByRole("main").getByTestId("countdown").first().waitFor();
  await page.getByText("Stock and times are live").waitFor();
  const sizes = await Promise.all(scripts().map(async (path) => [path, await gzippedBytes(path)] as const));
  const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  process.stdout.write(`first load of ${where}: ${total} bytes of gzipped JavaScript in ${sizes.length} files\n`);
  expect(total, JSON.stringify(sizes)).toBeLessThanOrEqual(FIRST_LOAD_MAX_BYTES);
  expect(sizes.length).toBeGreaterThanOrEqual(1);
  for (const [path] of sizes) {
    expect(path).not.toMatch(/Admin|Dashboard|Report|Chart/);
    expect((await ask(path, {})).body).not.toMatch(/recharts/);
  }
});

function scriptsOf(page: Page): () => string[] {
  const scripts = new Set<string>();
  page.on("request", (asked) => {
    if (asked.resourceType() === "script" || /\.js$/.test(new URL(asked.url()).pathname)) {
      scripts.add(new URL(asked.url()).pathname);
    }
  });
  return () => [...scripts];
}

/** As the shop sends it to a browser that takes gzip. */
async function gzippedBytes(path: string): Promise<number> {
  return (await ask(path, { "accept-encoding": "gzip" })).bytes;
}

test("a whole journey without a complaint or a failed request", async () => {
  const sale = await shop.owner.createSale();
  const { page } = await visit(shop, { as: await shop.newShopper() });
  const failed: string[] = [];
  page.on("requestfailed", (asked) => {
    // Ended by the page itself when it leaves or knows better.
    if (asked.failure()?.errorText !== "net::ERR_ABORTED") {
      failed.push(`${asked.method()} ${asked.url()}: ${asked.failure()?.errorText}`);
    }
  });
  page.on("response", (answer) => {
    if (answer.status() >= 400) {
      failed.push(`${answer.url()}: ${answer.status()}`);
    }
  });
  await page.goto("/");
  await page.getByRole("main").getByRole("heading").first().waitFor();
  await openSale(page, sale);
  await buyButton(page).click();
  await purchase(page, "success").waitFor();
  await page.getByRole("main").getByRole("link", { name: "My orders" }).click();
  await page.getByRole("main").getByText("Yours", { exact: true }).waitFor();
  await page.getByRole("link", { name: "Flash sale" }).click();
  await page.waitForURL(`${shop.origin}/`);
  expect(failed).toEqual([]);
});

test.each([["/"], ["a sale"]])("nothing on %s moves while the stock falls and the countdown ticks", async (where) => {
  const sale = await shop.owner.createSale({ quantity: 100, endsIn: 300 });
  const { page } = await visit(shop);
  await page.goto(where === "/" ? "/" : `/sale/${sale.flash_sale_id}`);
  await page.getByText("100 of 100 left").first().waitFor();
  await page.getByText("Stock and times are live").waitFor();
  await page.evaluate(() => document.fonts.ready);
  await watchShifts(page);
  await fallThroughTen(page, sale);
  const countdown = page.getByTestId("countdown").first();
  for (let tick = 0; tick < 2; tick++) {
    const before = await countdown.innerText();
    await expect.poll(() => countdown.innerText(), SOON).not.toBe(before);
  }
  expect(await page.evaluate(() => (globalThis as unknown as { shifted: number }).shifted)).toBeLessThan(SHIFT_MAX);
});

function watchShifts(page: Page): Promise<void> {
  return page.evaluate(() => {
    const world = globalThis as unknown as { shifted: number };
    world.shifted = 0;
    new PerformanceObserver((list) => {
      for (const shift of list.getEntries() as (PerformanceEntry & { value: number })[]) {
        world.shifted += shift.value;
      }
    }).observe({ type: "layout-shift" });
  });
}

/** From three digits to two. */
async function fallThroughTen(page: Page, sale: Sale): Promise<void> {
  for (const left of [99, 98]) {
    await (await shop.newShopper()).buy(sale);
    await page.getByText(`${left} of 100 left`).first().waitFor();
  }
}
