-- One message by pgmq.send, as long as a purchase's, into the queue `bench`, which nobody reads: what accepting would cost
-- if every request sent its own. To be read against pgmq_send_batch.sql, which sends many for the price of one commit.
--
--     psql "$DATABASE_URL" -f bench/pgbench/setup.sql
--     pgbench "$DATABASE_URL" -n -M prepared -f bench/pgbench/pgmq_send.sql -c 8 -j 2 -t 500
--
-- Messages per second = tps; with more clients several share one flush. Leaves the books alone, and its messages in
-- pgmq.q_bench until the next setup.sql.
select pgmq.send('bench', jsonb_build_object(
    'order_id', gen_random_uuid(), 'user_id', gen_random_uuid(),
    'product_id', b.product_id, 'flash_sale_id', b.flash_sale_id
))
from bench.sale b;
