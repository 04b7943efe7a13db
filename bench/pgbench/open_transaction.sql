-- A DBA's forgotten transaction: takes a snapshot and does nothing with it for :seconds (2,147 at most), as a psql does
-- that was left open over lunch. While it lasts nobody may remove a dead row version that it could still see, so the queue
-- keeps every message that was settled since and each claim walks over them. Run it beside settle_orders.sql and look at
-- its latency grow:
--
--     pgbench "$DATABASE_URL" -n -f bench/pgbench/open_transaction.sql -t 1 -D seconds=600
--
-- Ctrl-c ends it early; vacuum pgmq.q_purchases then clears what it held. ops.queue_health shows the age of its snapshot.
-- The server's limit on idle transactions (10 minutes in the embedded one) is lifted for this session; that limit is the
-- defence. Writes nothing.
begin isolation level repeatable read;
set local idle_in_transaction_session_timeout = 0;
select count(*) from flashsale.flash_sales;
\sleep :seconds s
rollback;
