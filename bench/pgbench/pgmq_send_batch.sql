-- :batch messages by one pgmq.send_batch, each as long as a purchase's, into the queue `bench`, which nobody reads: how
-- far a batch spreads the price of a commit, and from which size on it no longer does.
--
--     psql "$DATABASE_URL" -f bench/pgbench/setup.sql
--     pgbench "$DATABASE_URL" -n -M prepared -f bench/pgbench/pgmq_send_batch.sql -D batch=200 -c 1 -t 100
--
-- Messages per second = tps x batch. Leaves the books alone, and its messages in pgmq.q_bench until the next setup.sql.
select count(*) as sent
from (
    select array_agg(jsonb_build_object(
        'order_id', gen_random_uuid(), 'user_id', gen_random_uuid(),
        'product_id', b.product_id, 'flash_sale_id', b.flash_sale_id
    )) as messages
    from bench.sale b
    cross join generate_series(1, :batch)
) batch
cross join lateral pgmq.send_batch('bench', batch.messages);
