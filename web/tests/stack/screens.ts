/**
 * Every screen of the page in every state worth seeing, each with how to get there. In this order: the shop begins empty
 * and fills up. The accessibility tests look at all of them, and the screenshots show them.
 */
import type { Page } from "playwright-core";
import { onTestFinished } from "vitest";
import type { Caller, Sale } from "./caller";
import { crowdBuys } from "./crowd";
import { holdSettling, poisonOrders } from "./database";
import type { Shop } from "./shop";
import { buyButton, CUT, openSale, openStaleSale, REFUSED, thaw, type VisitOptions, visit } from "./visit";

export interface Screen {
  name: string;
  show: (shop: Shop, options: VisitOptions) => Promise<Page>;
}

const HOUR = 3600;
const main = (page: Page) => page.getByRole("main");

/** A visit of somebody at an address, once something is to be seen there. */
async function at(shop: Shop, options: VisitOptions, address: string, sees: string | RegExp): Promise<Page> {
  const { page } = await visit(shop, options);
  await page.goto(address);
  await main(page).getByText(sees).first().waitFor();
  return page;
}

/** A shopper at a sale that can be bought. */
async function atSale(
  shop: Shop,
  options: VisitOptions,
  quantity = 40,
): Promise<{ page: Page; sale: Sale; shopper: Caller }> {
  const sale = await newDrop(shop, quantity);
  const shopper = await shop.newShopper();
  const { page } = await visit(shop, { ...options, as: shopper, expects: [CUT, REFUSED, /status of (429|503)/] });
  return { page, sale, shopper };
}

/** Drops that come and go with the test that shows them, so that the front page stays as it was set up. */
async function newDrop(shop: Shop, quantity: number): Promise<Sale> {
  const sale = await shop.owner.createSale({
    name: "Kanso oak stool",
    description: "Solid oak, joined without a screw. Signed by the two people who made it.",
    price_in_cents: 18_900,
    quantity,
    endsIn: 26 * HOUR,
  });
  onTestFinished(() => hide(shop, sale));
  return sale;
}

/** Long over, so that no list shows it. */
async function hide(shop: Shop, sale: Sale): Promise<void> {
  await shop.sql`
    update flashsale.flash_sales set start_date = now() - interval '400 days', end_date = now() - interval '399 days'
    where flash_sale_id = ${sale.flash_sale_id}`;
}

const HOME: Screen[] = [
  { name: "home-empty", show: (shop, options) => at(shop, options, "/", "No drop is planned") },
  {
    name: "home-ended",
    show: async (shop, options) => {
      const sale = await shop.owner.createSale({
        name: "Nordlys wool blanket",
        description: "Undyed wool of one flock, woven on a loom of 1931.",
        price_in_cents: 13_900,
        quantity: 60,
      });
      await crowdBuys(shop, sale, 60);
      await shop.owner.endSale(sale);
      return at(shop, options, "/", "Ended");
    },
  },
  {
    name: "home-upcoming",
    show: async (shop, options) => {
      await shop.owner.createSale({
        name: "Basalt pour-over set",
        description: "Dripper, server and two cups, cast from one stone.",
        price_in_cents: 7_500,
        quantity: 120,
        startsIn: 5 * HOUR + 754,
        endsIn: 9 * HOUR,
      });
      return at(shop, options, "/", "Coming soon");
    },
  },
  {
    name: "home-sold-out",
    show: async (shop, options) => {
      const sale = await shop.owner.createSale({
        name: "Letterpress field notebook",
        description: "Ninety-six pages that lie flat. Printed by hand, numbered.",
        price_in_cents: 1_850,
        quantity: 25,
        endsIn: 3 * HOUR,
      });
      await crowdBuys(shop, sale, 25);
      return at(shop, options, "/", "None of 25 left");
    },
  },
  {
    name: "home",
    show: async (shop, options) => {
      const lamp = await shop.owner.createSale({
        name: "Aurora desk lamp",
        description: "Hand-blown glass, warm light, one hundred made.\nDims with a turn of the foot.",
        quantity: 100,
        endsIn: 1.5 * HOUR,
      });
      await crowdBuys(shop, lamp, 63);
      const vase = await shop.owner.createSale({
        name: "Tide ceramic vase",
        description: "Ash glaze, no two alike.",
        price_in_cents: 6_400,
        quantity: 30,
        endsIn: 4 * HOUR,
      });
      await crowdBuys(shop, vase, 26);
      return at(shop, options, "/", "37 of 100 left");
    },
  },
];

const SALE: Screen[] = [
  {
    name: "sale",
    show: async (shop, options) => {
      const { page, sale } = await atSale(shop, options);
      await crowdBuys(shop, sale, 9);
      await openSale(page, sale);
      return page;
    },
  },
  {
    name: "sale-signed-out",
    show: async (shop, options) => {
      const sale = await newDrop(shop, 40);
      return at(shop, options, `/sale/${sale.flash_sale_id}`, "You need an account.");
    },
  },
  {
    name: "sale-upcoming",
    show: async (shop, options) => {
      const { page, sale } = await atSale(shop, options);
      const start = new Date(Date.now() + 49 * HOUR * 1000).toISOString();
      const end = new Date(Date.now() + 51 * HOUR * 1000).toISOString();
      await shop.owner.must("/sales/update", { flash_sale_id: sale.flash_sale_id, start_date: start, end_date: end });
      await page.goto(`/sale/${sale.flash_sale_id}`);
      await page.getByRole("button", { name: "Not yet on sale" }).waitFor();
      return page;
    },
  },
  {
    name: "sale-sold-out",
    show: async (shop, options) => {
      const { page, sale } = await atSale(shop, options, 12);
      await crowdBuys(shop, sale, 12);
      await page.goto(`/sale/${sale.flash_sale_id}`);
      await page.getByRole("button", { name: "Sold out" }).waitFor();
      return page;
    },
  },
  {
    name: "sale-ended",
    show: async (shop, options) => {
      const { page, sale } = await atSale(shop, options);
      await shop.owner.endSale(sale);
      await page.goto(`/sale/${sale.flash_sale_id}`);
      await page.getByRole("button", { name: "Sale ended" }).waitFor();
      return page;
    },
  },
];

/** An outcome: what happens to the sale before the press, and what is to be seen after it. */
function outcome(name: string, sees: string, before: (shop: Shop, at: AtOutcome) => Promise<unknown>): Screen {
  return {
    name: `outcome-${name}`,
    show: async (shop, options) => {
      const { page, sale, shopper } = await atSale(shop, options, 5);
      await openStaleSale(page, sale);
      await before(shop, { page, sale, shopper });
      await buyButton(page).click();
      await main(page).getByRole("heading", { name: sees }).waitFor();
      await thaw(page);
      await page.getByText("Stock and times are live").waitFor({ timeout: 20_000 });
      return page;
    },
  };
}

interface AtOutcome {
  page: Page;
  sale: Sale;
  shopper: Caller;
}

/** An answer that stays: the real ones (once.test.ts) pass too soon to be looked at. */
function standing(name: string, sees: string, status: number | null): Screen {
  return {
    name: `outcome-${name}`,
    show: async (shop, options) => {
      const { page, sale } = await atSale(shop, options);
      await openSale(page, sale);
      await page.route("**/orders", (route) =>
        status ? route.fulfill({ status, headers: { "retry-after": "60" }, json: {} }) : route.abort(),
      );
      await buyButton(page).click();
      await main(page).getByRole("heading", { name: sees }).waitFor();
      return page;
    },
  };
}

const OUTCOMES: Screen[] = [
  outcome("in-progress", "In progress", (shop, { sale }) => holdSettling(shop, sale)),
  outcome("success", "It's yours", async () => undefined),
  outcome("sold-out", "Sold out", (shop, { sale }) => crowdBuys(shop, sale, 5)),
  outcome("sale-ended", "The sale has ended", (shop, { sale }) => shop.owner.endSale(sale)),
  outcome("already-purchased", "You already have one", (_, { shopper, sale }) => shopper.buy(sale)),
  outcome("failed", "Your order could not be completed", (shop, { sale }) => poisonOrders(shop, sale)),
  standing("connection-lost", "Connection lost", null),
  standing("busy", "Very busy right now", 503),
  standing("too-fast", "A little too fast", 429),
];

const ACCOUNT: Screen[] = [
  { name: "sign-in", show: (shop, options) => at(shop, options, "/sign-in", "New here?") },
  {
    name: "sign-in-errors",
    show: async (shop, options) => {
      const page = await at(shop, options, "/sign-in?next=/my-orders", "New here?");
      await main(page).getByLabel("E-mail").fill("ada at example");
      await main(page).getByRole("button", { name: "Sign in" }).click();
      await main(page).getByText("Enter your password.").waitFor();
      return page;
    },
  },
  {
    name: "sign-up",
    show: async (shop, options) => {
      const page = await at(shop, options, "/sign-up", "Registered already?");
      await main(page).getByLabel("E-mail").fill("ada@example.org");
      await main(page).getByLabel("Password", { exact: true }).fill("correct horse");
      return page;
    },
  },
  {
    name: "my-orders-empty",
    show: async (shop, options) => at(shop, { ...options, as: await shop.newShopper() }, "/my-orders", "No orders yet"),
  },
  {
    name: "my-orders",
    show: async (shop, options) => {
      const shopper = await shop.newShopper();
      await buyAround(shop, shopper);
      return at(shop, { ...options, as: shopper }, "/my-orders", "In progress");
    },
  },
  { name: "my-orders-signed-out", show: (shop, options) => at(shop, options, "/my-orders", "Sign in to see") },
  {
    name: "not-found",
    show: (shop, options) => at(shop, { ...options, expects: [/status of 404/] }, "/nowhere", "There is nothing at"),
  },
];

/** One order of each kind. */
async function buyAround(shop: Shop, shopper: Caller): Promise<void> {
  const { sales } = (await shop.owner.get<{ sales: Sale[] }>("/sales")).body;
  for (const name of ["Aurora desk lamp", "Tide ceramic vase"]) {
    const sale = sales.find((each) => each.name === name);
    if (sale) {
      await shopper.buy(sale);
    }
  }
  const failing = await newDrop(shop, 5);
  await poisonOrders(shop, failing);
  await shopper.post("/orders", { product_id: failing.product_id }, { prefer: "wait=5" });
  const held = await newDrop(shop, 5);
  await holdSettling(shop, held);
  await shopper.must("/orders", { product_id: held.product_id });
}

const asOwner = (shop: Shop, options: VisitOptions): VisitOptions => ({ ...options, as: shop.owner });

/** A sale that people are at: some buy, some twice, some too late. */
/** People a second who come new, for a picture of a sale that ran for a while. */
const ARRIVALS = [7, 5, 4, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1];

/** Twelve people want eight; with `isLively`, thirty want twenty-five over a quarter of a minute, and press again and again. */
async function busySale(shop: Shop, isLively = false): Promise<Sale> {
  const sale = await newDrop(shop, isLively ? 25 : 8);
  const people = await Promise.all(Array.from({ length: isLively ? 30 : 12 }, () => shop.newShopper()));
  const press = (person: (typeof people)[number]) =>
    person.post("/orders", { product_id: sale.product_id }, { prefer: "wait=5" });
  if (!isLively) {
    for (const person of people) {
      await press(person);
      await press(person);
    }
    return sale;
  }
  let arrived = 0;
  for (const arrivals of ARRIVALS) {
    const nextSecond = new Promise((resolve) => setTimeout(resolve, 1000));
    const isBack = (place: number): boolean => place < arrived && (place + arrived) % 3 === 0;
    arrived += arrivals;
    const present = people.slice(0, arrived);
    await Promise.all(present.filter((_, place) => place >= arrived - arrivals || isBack(place)).map(press));
    await nextSecond;
  }
  return sale;
}

const OWNER: Screen[] = [
  { name: "owner-sales", show: (shop, options) => at(shop, asOwner(shop, options), "/admin", "Basalt pour-over set") },
  {
    name: "owner-new",
    show: async (shop, options) => {
      const page = await at(shop, asOwner(shop, options), "/admin/sales/new", "What shoppers see");
      await main(page).getByLabel("Name").fill("Meridian wall clock");
      await main(page).getByLabel("Description (optional)").fill("Spun brass, a movement that cannot be heard.");
      await main(page).getByLabel("Price in euros").fill("219.00");
      await main(page).getByLabel("Units").fill("50");
      return page;
    },
  },
  {
    name: "owner-new-errors",
    show: async (shop, options) => {
      const page = await at(shop, asOwner(shop, options), "/admin/sales/new", "What shoppers see");
      await main(page).getByLabel("Units").fill("many");
      await main(page).getByRole("button", { name: "Create sale" }).click();
      await main(page).getByText("Enter a name.").waitFor();
      return page;
    },
  },
  {
    name: "owner-edit",
    show: async (shop, options) => {
      const sale = await newDrop(shop, 40);
      return at(shop, asOwner(shop, options), `/admin/sales/${sale.flash_sale_id}/edit`, "Save changes");
    },
  },
  {
    name: "owner-dashboard",
    show: async (shop, options) => {
      const sale = await busySale(shop, shop.name === "screenshots");
      const page = await at(shop, asOwner(shop, options), `/admin/sales/${sale.flash_sale_id}`, "Change the stock");
      await main(page).getByText("The last three minutes").waitFor();
      return page;
    },
  },
  {
    name: "owner-end-question",
    show: async (shop, options) => {
      const sale = await newDrop(shop, 40);
      const page = await at(shop, asOwner(shop, options), `/admin/sales/${sale.flash_sale_id}`, "Change the stock");
      await main(page).getByRole("button", { name: "End sale now" }).click();
      await page.getByRole("dialog").waitFor();
      return page;
    },
  },
  {
    name: "owner-report",
    show: async (shop, options) => {
      const sale = await busySale(shop, shop.name === "screenshots");
      await shop.owner.endSale(sale);
      return at(shop, asOwner(shop, options), `/admin/sales/${sale.flash_sale_id}/report`, "The books balance");
    },
  },
  {
    name: "owner-only",
    show: async (shop, options) =>
      at(shop, { ...options, as: await shop.newShopper() }, "/admin", "Only for administrators"),
  },
];

/** The owner's before those that set orders aside, of which the dashboard would tell. */
export const SCREENS: readonly Screen[] = [...HOME, ...SALE, ...OWNER, ...OUTCOMES, ...ACCOUNT];
