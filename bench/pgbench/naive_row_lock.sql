-- One purchase the way it is usually written first: a transaction that takes a unit with UPDATE … WHERE sold < quantity
-- and inserts the order. What it shows: the row of the sale is held from the UPDATE until the COMMIT is on the disk, so
-- orders per second are commits per second of one session, and more clients only wait longer.
--
--     psql "$DATABASE_URL" -v intake=off -f bench/pgbench/setup.sql
--     pgbench "$DATABASE_URL" -n -M prepared -f bench/pgbench/naive_row_lock.sql -c 16 -j 2 -t 200
--
-- clients x transactions = 16 x 200 = 3,200 orders; orders per second = tps, to be read against place_orders.sql and
-- settle_orders.sql. A client stops with "expected one row, got 0" when the sale is sold out. Leaves balanced books
-- (ops.sale_books says so), and no statistics of the sale.
begin;
update flashsale.flash_sales s
set sold = s.sold + 1
from bench.sale b
where s.flash_sale_id = b.flash_sale_id and s.start_date <= clock_timestamp() and clock_timestamp() < s.end_date
    and s.sold < s.quantity
returning s.product_id, s.flash_sale_id \gset
insert into flashsale.orders (order_id, product_id, user_id, flash_sale_id, accepted_at, settled_at, status)
select
    bench.order_id(n.i), :product_id::uuid, md5(n.i::text)::uuid, :flash_sale_id::uuid,
    clock_timestamp(), clock_timestamp(), 'success'
from (select nextval('bench.user_number')::integer as i) n;
commit;
