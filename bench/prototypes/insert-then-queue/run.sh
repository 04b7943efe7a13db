#!/usr/bin/env bash
# Insert-then-queue (what sql/ has: the order is inserted with its message and settled by an update on its page) against
# queue-then-insert (only the message; the worker inserts the order; an index on the queue says who is in progress).
# Shows: orders/s, CPU and WAL of accepting (2 clients, batches of 200) and of settling (1 worker, batches of 500).
# Everything of the variant is in the schema `later` and the queue `later`, dropped at the end.
#
# usage: DATABASE_URL=… bench/prototypes/insert-then-queue/run.sh      (RUNS=5 ORDERS=60000; about 2 minutes)
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=bench/prototypes/measure.sh
source ../measure.sh
orders=${ORDERS:-60000}

run_file setup.sql
for ((run = 0; run < runs; run++)); do
  for variant in insert-then-queue queue-then-insert; do
    new_round "$orders"
    if [[ $variant == insert-then-queue ]]; then
      place=../../pgbench/place_orders.sql settle=../../pgbench/settle_orders.sql
    else
      place=later_place_orders.sql settle=later_settle_orders.sql
    fi
    measure "$variant, accept" "$place" 200 2 $((orders / 400))
    measure "$variant, settle" "$settle" 500 1 $((orders / 500))
    sold=$(sql 'select sold from flashsale.flash_sales join bench.sale using (flash_sale_id)')
    ((sold == orders / 400 * 400)) || echo "$variant sold $sold of $((orders / 400 * 400))" >&2
  done
done
summary
sql "select pgmq.drop_queue('later')" >/dev/null
PGOPTIONS='-c client_min_messages=warning' sql 'drop schema later cascade'
