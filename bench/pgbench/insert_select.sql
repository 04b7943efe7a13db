-- One plain INSERT … SELECT of :batch orders, born settled, into the orders table with its indexes, constraints and fill
-- factor: the least that PostgreSQL can do for so many rows, to be read against settle_orders.sql.
--
--     psql "$DATABASE_URL" -v intake=off -f bench/pgbench/setup.sql
--     pgbench "$DATABASE_URL" -n -M prepared -f bench/pgbench/insert_select.sql -D batch=500 -c 1 -t 200
--     psql "$DATABASE_URL" -f bench/pgbench/count_units.sql
--
-- Orders per second = tps x batch. It counts no units, so the books do NOT balance until count_units.sql counts them.
insert into flashsale.orders
    (order_id, product_id, user_id, flash_sale_id, accepted_at, settled_at, status, reserved_token)
select
    bench.order_id(n.i), b.product_id, md5(n.i::text)::uuid, b.flash_sale_id,
    clock_timestamp(), clock_timestamp(), 'success', 'none'
from bench.sale b
cross join (select nextval('bench.user_number')::integer as i from generate_series(1, :batch)) n;
