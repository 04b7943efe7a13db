#!/usr/bin/env bash
# How large a batch, how many at once? Shows orders/s and the mean time of a call (ms) of place_orders and settle_orders
# at seven batch sizes with 1, 2 and 4 clients.
#
# usage: DATABASE_URL=… bench/prototypes/batch-sizes/run.sh      (RUNS=5 SECONDS_EACH=1; about 6 minutes)
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=bench/prototypes/measure.sh
source ../measure.sh
seconds=${SECONDS_EACH:-1}

# timed <label> <script> <batch> <clients> <pgbench option...>
timed() {
  local label=$1 script=$2 batch=$3 clients=$4 tps
  tps=$(pgbench "$DATABASE_URL" -n -M prepared -f "$script" -c "$clients" -j 2 -D batch="$batch" "${@:5}" |
    awk '/^tps = / { print $3 }')
  record "$label" 'orders/s' "$(awk -v t="$tps" -v b="$batch" 'BEGIN { printf "%d", t * b }')"
  record "$label" 'ms a call' "$(awk -v t="$tps" -v c="$clients" 'BEGIN { printf "%.2f", 1000 * c / t }')"
}

new_round 100000
for ((run = 0; run < runs; run++)); do
  for clients in 1 2 4; do
    for batch in 1 10 50 200 500 1000 2000; do
      new_round $((60000 * seconds + 2 * clients * 2000))
      case_label=$(printf '%d clients, batch %4d' "$clients" "$batch")
      # A new round each: enough fresh users for the time, or pgbench stops with nextval's error.
      timed "place, $case_label" ../../pgbench/place_orders.sql "$batch" "$clients" -T "$seconds"
      calls=$(($(sql 'select count(*) from pgmq.q_purchases') / (batch * clients)))
      ((calls > 0)) || calls=1
      timed "settle, $case_label" ../../pgbench/settle_orders.sql "$batch" "$clients" -t "$calls"
      sql "select count(flashsale.settle_orders(2000)::text) from generate_series(1, 9)" >/dev/null
    done
  done
done
summary
