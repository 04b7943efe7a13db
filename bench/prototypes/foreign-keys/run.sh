#!/usr/bin/env bash
# What foreign keys on orders cost: none (place_orders joins users and the sale), to users, to flash_sales, to both. Shows
# orders/s, CPU and WAL of place_orders (2 clients, batches of 200) and settle_orders (1 worker, batches of 500), and the
# MultiXacts that a sale makes when both go on at once. The keys are dropped at the end.
#
# usage: DATABASE_URL=… bench/prototypes/foreign-keys/run.sh      (RUNS=5 ORDERS=40000; about 3 minutes; superuser)
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=bench/prototypes/measure.sh
source ../measure.sh
orders=${ORDERS:-40000}

drop_keys() {
  sql 'alter table flashsale.orders drop constraint if exists proto_user, drop constraint if exists proto_sale' 2>/dev/null
}
add_key() {
  case $1 in
    users) sql 'alter table flashsale.orders add constraint proto_user
      foreign key (user_id) references flashsale.users (user_id) not valid' ;;
    sales) sql 'alter table flashsale.orders add constraint proto_sale
      foreign key (flash_sale_id) references flashsale.flash_sales (flash_sale_id) not valid' ;;
  esac
}
multixacts() { sql 'checkpoint' && sql 'select next_multixact_id from pg_control_checkpoint()'; }

for ((run = 0; run < runs; run++)); do
  for variant in none users sales users+sales; do
    drop_keys
    for key in ${variant//+/ }; do add_key "$key"; done
    new_round $((2 * orders))
    measure "$variant, place" ../../pgbench/place_orders.sql 200 2 $((orders / 400))
    measure "$variant, settle" ../../pgbench/settle_orders.sql 500 1 $((orders / 500))

    before=$(multixacts)
    began=$(date +%s%N)
    pgbench_tps ../../pgbench/place_orders.sql 2 $((orders / 400)) -D batch=200 >/dev/null &
    placing=$!
    while kill -0 $placing 2>/dev/null || (($(sql 'select count(*) from pgmq.q_purchases') > 0)); do
      pgbench_tps ../../pgbench/settle_orders.sql 1 20 -D batch=500 >/dev/null
    done
    record "$variant, both at once" 'rows/s' $((orders * 1000000000 / ($(date +%s%N) - began)))
    record "$variant, both at once" 'MultiXacts' $(($(multixacts) - before))
  done
done
drop_keys
summary
