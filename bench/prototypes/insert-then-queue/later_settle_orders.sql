-- bench/pgbench/settle_orders.sql for the variant queue-then-insert: one call = :batch messages become orders.
select messages, succeeded, failed, duplicates from later.settle_orders(:batch);
