-- One call of place_orders with :batch orders, each of the next fresh user of bench.user_number: what one batch of the
-- API costs the database, without network and HTTP. Needs setup.sql, and as many users as orders:
--
--     pgbench "$DATABASE_URL" -n -M prepared -f bench/pgbench/place_orders.sql -D batch=200 -c 2 -t 250
--
-- clients x transactions x batch = 2 x 250 x 200 = 100,000 orders; orders per second = tps x batch.
-- Order ids are made as the API makes them (UUID version 7: milliseconds first). A client stops with a division by zero
-- when an order of its batch is not accepted, and with nextval's error when there is no fresh user left.
select 1 / (count(*) filter (where placed.outcome = 'in_progress') = :batch)::int as accepted
from (
    select
        array_agg((
            lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
            || '7' || lpad(to_hex(n.i & 4095), 3, '0') || '8' || substr(md5(n.i::text), 1, 15)
        )::uuid) as order_ids,
        array_agg(md5(n.i::text)::uuid) as user_ids
    from (select nextval('bench.user_number')::integer as i from generate_series(1, :batch)) n
) batch
cross join bench.sale
cross join lateral flashsale.place_orders(
    sale.product_id, batch.order_ids, batch.user_ids,
    array_fill('none'::text, array[cardinality(batch.order_ids)]),
    array_fill(null::text, array[cardinality(batch.order_ids)])
) placed;
