# Sourced by the run.sh of each prototype: one short pgbench run a line of results, and their medians.
# shellcheck shell=bash
#
# Needs DATABASE_URL (a database installed with `flashsale migrate` that may be thrown away) and psql and pgbench on PATH.
# The variants of a comparison are run in turn, RUNS times (default 5), so that what else the machine does meets all of
# them; look at the ratios of the medians, and at min and max for how far to trust them.
: "${DATABASE_URL:?set DATABASE_URL to a database installed with flashsale migrate that may be thrown away}"
runs=${RUNS:-5}
results=$(mktemp)
trap 'rm -f "$results"' EXIT

sql() { psql "$DATABASE_URL" -XAtq -v ON_ERROR_STOP=1 -c "$1"; }
run_file() { psql "$DATABASE_URL" -Xq -v ON_ERROR_STOP=1 "${@:2}" -f "$1" >/dev/null; }
wal_bytes() { sql "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"; }

# A new round of the bench sale with at least that many users.
new_round() { run_file ../../pgbench/setup.sql -v users="$1"; }

# pgbench_tps <script> <clients> <transactions a client> [pgbench option...]
pgbench_tps() {
  pgbench "$DATABASE_URL" -n -M prepared -f "$1" -c "$2" -j 2 -t "$3" "${@:4}" 2>&1 |
    awk '/aborted|ERROR|error:/ { print > "/dev/stderr" } /^tps = / { print $3 }'
}

# measure <label> <script> <batch> <clients> <transactions a client>: adds "label rows/s" and "label WAL bytes/row"
measure() {
  local label=$1 script=$2 batch=$3 clients=$4 transactions=$5 before tps
  before=$(wal_bytes)
  tps=$(pgbench_tps "$script" "$clients" "$transactions" -D batch="$batch")
  record "$label" 'rows/s' "$(awk -v t="$tps" -v b="$batch" 'BEGIN { printf "%d", t * b }')"
  record "$label" 'WAL bytes/row' $((($(wal_bytes) - before) / (batch * clients * transactions)))
}

# record <label> <unit> <value>
record() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" | tee -a "$results" >&2; }

# Median, min and max of what was recorded, by label and unit, in the order of the labels.
summary() {
  printf '| what | unit | median | min | max |\n|---|---|--:|--:|--:|\n'
  sort -t$'\t' -k1,1 -k2,2 -k3,3n "$results" | awk -F'\t' '
    function flush() { if (n) printf "| %s | %s | %s | %s | %s |\n", label, unit, v[int((n + 1) / 2)], v[1], v[n] }
    $1 != label || $2 != unit { flush(); n = 0; label = $1; unit = $2 }
    { v[++n] = $3 }
    END { flush() }'
}
