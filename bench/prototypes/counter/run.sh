#!/usr/bin/env bash
# What to take a unit from: one counter a sale, or one row a unit? Shows units/s at 1, 8 and 64 clients of
#   update_each   a purchase a transaction, one UPDATE of the counter each
#   token_each    a purchase a transaction, one token row each with SKIP LOCKED
#   update_batch  200 purchases a transaction, one UPDATE of the counter (what settle_orders does)
#   token_batch   200 purchases a transaction, 200 token rows with SKIP LOCKED
# Units are counted in the table afterwards, not derived from tps. Everything is in the schema `counter`, dropped at the end.
#
# usage: DATABASE_URL=… bench/prototypes/counter/run.sh      (RUNS=5 SECONDS_EACH=1; about 2 minutes)
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=bench/prototypes/measure.sh
source ../measure.sh

for ((run = 0; run < runs; run++)); do
  for clients in 1 8 64; do
    for variant in update_each token_each update_batch token_batch; do
      run_file setup.sql -v tokens="$([[ $variant == token_* ]] && echo 200000 || echo 1)"
      wal=$(wal_bytes)
      pgbench "$DATABASE_URL" -n -M prepared -f "$variant.sql" -D batch=200 -c "$clients" -j 2 \
        -T "${SECONDS_EACH:-1}" >/dev/null
      units=$(sql 'select count(*) from counter.orders')
      record "$(printf "%s, %2d clients" "$variant" "$clients")" 'units/s' $((units / ${SECONDS_EACH:-1}))
      record "$(printf "%s, %2d clients" "$variant" "$clients")" 'WAL bytes/unit' $((($(wal_bytes) - wal) / (units + 1)))
    done
  done
done
summary
PGOPTIONS='-c client_min_messages=warning' sql 'drop schema counter cascade'
