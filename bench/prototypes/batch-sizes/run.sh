#!/usr/bin/env bash
# How large a batch, how many at once? Shows orders/s, the mean time of a call and CPU of place_orders and settle_orders
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
  local label=$1 script=$2 batch=$3 clients=$4 cpu out
  cpu=$(cpu_ms)
  out=$(pgbench "$DATABASE_URL" -n -M prepared -f "$script" -c "$clients" -j 2 -D batch="$batch" "${@:5}")
  cpu=$(($(cpu_ms) - cpu))
  awk -v batch="$batch" -v clients="$clients" -v cpu="$cpu" '
    /actually processed/ { split($6, n, "/"); calls = n[1] }
    /^tps = / { printf "%d %.2f %.1f\n", $3 * batch, 1000 * clients / $3, 1000 * cpu / calls / batch }' <<<"$out" |
    while read -r orders_per_s ms cpu_us; do
      record "$label" 'orders/s' "$orders_per_s"
      record "$label" 'ms a call' "$ms"
      record "$label" 'CPU µs/order' "$cpu_us"
    done
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
      sql "select count(*) from generate_series(1, 9) n, flashsale.settle_orders(2000 * n / n)" >/dev/null
    done
  done
done
summary
