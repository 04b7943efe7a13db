/** Many people at once: sales that look as if a town had been there. */
import type { Sale } from "./caller";
import type { Shop } from "./shop";

/** So many people buy one each, through the queue, and the worker settles it. */
export async function crowdBuys(shop: Shop, sale: Sale, count: number): Promise<void> {
  await shop.sql`
    with people as (
      insert into flashsale.users (user_id, email, password)
      select gen_random_uuid(), 'crowd-' || gen_random_uuid() || '@example.org', '$argon2id$never signs in'
      from generate_series(1, ${count})
      returning user_id
    ),
    orders as (
      select array_agg(p.user_id) as users, array_agg(gen_random_uuid()) as orders from people p
    )
    select from orders o
    cross join lateral flashsale.place_orders(
      ${sale.product_id}, o.orders, o.users, array_fill(null::text, array[${count}::int]),
      array_fill(null::text, array[${count}::int])
    )`;
  await untilSettled(shop, sale);
}

async function untilSettled(shop: Shop, sale: Sale): Promise<void> {
  for (;;) {
    const [books] = await shop.sql`
      select queued + in_progress_rows as waiting from ops.sale_books where flash_sale_id = ${sale.flash_sale_id}`;
    if (Number(books?.waiting) === 0) {
      return;
    }
    await new Promise((again) => setTimeout(again, 50));
  }
}
