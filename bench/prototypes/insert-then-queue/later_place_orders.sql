-- bench/pgbench/place_orders.sql for the variant queue-then-insert: one call = :batch messages of fresh users.
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
cross join lateral later.place_orders(
    sale.product_id, batch.order_ids, batch.user_ids,
    array_fill('none'::text, array[cardinality(batch.order_ids)]),
    array_fill(null::text, array[cardinality(batch.order_ids)])
) placed;
