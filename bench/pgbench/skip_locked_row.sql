-- A queue worked off the way it is usually written: take one message with FOR UPDATE SKIP LOCKED, settle its order, count
-- the unit, delete the message, commit; the next one. What it shows: workers do not wait for each other at the queue, but
-- they do at the row of the sale, and every order pays for five round trips and a flush of its own. Fill the queue first:
--
--     psql "$DATABASE_URL" -f bench/pgbench/setup.sql
--     pgbench "$DATABASE_URL" -n -M prepared -f bench/pgbench/place_orders.sql -D batch=200 -c 1 -t 10
--     pgbench "$DATABASE_URL" -n -M prepared -f bench/pgbench/skip_locked_row.sql -c 4 -j 2 -t 500
--
-- clients x transactions = 4 x 500 = 2,000 = the orders that were queued; with more a client stops with "expected one row,
-- got 0". Orders per second = tps, to be read against settle_orders.sql. Leaves balanced books; statistics
-- (settled_batches, sale_settlements) and notifications are left out, which flatters it.
begin;
select q.msg_id, q.message ->> 'order_id' as order_id, q.message ->> 'flash_sale_id' as flash_sale_id
from pgmq.q_purchases q
order by q.msg_id
limit 1
for update skip locked \gset
update flashsale.orders set status = 'success', settled_at = clock_timestamp()
where order_id = :order_id::uuid and status = 'in_progress';
update flashsale.flash_sales set sold = sold + 1 where flash_sale_id = :flash_sale_id::uuid and sold < quantity;
delete from pgmq.q_purchases where msg_id = :msg_id::bigint;
commit;
