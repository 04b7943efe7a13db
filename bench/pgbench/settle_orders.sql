-- One call of settle_orders(:batch): what one batch of a worker costs the database. Fill the queue first (place_orders.sql)
-- and ask for no more transactions than there are batches queued, or the rest are calls that find nothing:
--
--     pgbench "$DATABASE_URL" -n -M prepared -f bench/pgbench/settle_orders.sql -D batch=500 -c 1 -t 200
--
-- clients x transactions x batch = 1 x 200 x 500 = 100,000 orders; orders per second = tps x batch. What was really
-- settled: select sold from flashsale.flash_sales join bench.sale using (flash_sale_id).
select messages, succeeded, failed, duplicates, dead_lettered from flashsale.settle_orders(:batch);
