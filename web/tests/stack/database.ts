/** What the database says, and ways to hold it up. */
import type { TransactionSql } from "postgres";
import { expect, onTestFinished } from "vitest";
import type { Caller, Sale } from "./caller";
import type { Shop } from "./shop";

interface OrderRow {
  order_id: string;
  status: string;
}

/** The orders of a shopper for a product that did not fail. */
export function liveOrders(shop: Shop, shopper: Caller, sale: Sale): Promise<OrderRow[]> {
  return shop.sql<OrderRow[]>`
    select order_id, status from flashsale.orders
    where user_id = ${shopper.userId} and product_id = ${sale.product_id} and failure_reason is null`;
}

/** One unit, once, and books that balance: what every way of buying comes down to. */
export async function expectOneUnit(shop: Shop, shopper: Caller, sale: Sale, orderId: string): Promise<void> {
  expect(await liveOrders(shop, shopper, sale)).toEqual([{ order_id: orderId, status: "success" }]);
  await expectBalanced(shop, sale);
}

export async function expectBalanced(shop: Shop, sale: Sale): Promise<void> {
  const books = await shop.sql`select balanced from ops.sale_books where flash_sale_id = ${sale.flash_sale_id}`;
  expect(books).toEqual([{ balanced: true }]);
}

/** Keeps the workers from settling this sale; purchases are still accepted. Released at the end of the test at the latest. */
export function holdSettling(shop: Shop, sale: Sale): Promise<() => Promise<void>> {
  return hold(
    shop,
    (session) =>
      session`select from flashsale.flash_sales where flash_sale_id = ${sale.flash_sale_id} for no key update`,
  );
}

/** Keeps every purchase from being accepted, until the API answers 503. */
export function holdPurchases(shop: Shop): Promise<() => Promise<void>> {
  return hold(shop, (session) => session`lock table flashsale.sale_intakes in access exclusive mode`);
}

/** Runs a statement in a session of its own and keeps its locks until released. */
function hold(shop: Shop, lock: (session: TransactionSql) => PromiseLike<unknown>): Promise<() => Promise<void>> {
  let letGo = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  return new Promise((held, failed) => {
    const transaction = shop.sql.begin(async (session) => {
      await lock(session);
      held(release);
      await released;
    });
    const release = async (): Promise<void> => {
      letGo();
      await transaction;
    };
    onTestFinished(release);
    transaction.catch(failed);
  });
}

/** Makes every order of this sale fail in the worker, which sets its message aside. */
export async function poisonOrders(shop: Shop, sale: Sale): Promise<void> {
  await shop.sql.unsafe(`
    create function public.poison() returns trigger language plpgsql as $$
    begin
      if new.status = 'success' then raise exception 'a poisonous order'; end if;
      return new;
    end $$;
    create trigger poison before update on flashsale.orders for each row
    when (new.flash_sale_id = '${sale.flash_sale_id}') execute function public.poison()`);
  onTestFinished(async () => {
    await shop.sql`drop function public.poison() cascade`;
  });
}
