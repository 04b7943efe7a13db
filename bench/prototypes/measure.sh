# Sourced by the run.sh of each prototype: one short pgbench run a line of results, and their medians.
# shellcheck shell=bash
#
# Needs DATABASE_URL (a database installed with `flashsale migrate` that may be thrown away) and psql and pgbench on PATH.
# The variants of a comparison are run in turn, RUNS times (default 5), so that what else the machine does meets all of
# them; look at the ratios of the medians, and at min and max for how far to trust them.
: "${DATABASE_URL:?set DATABASE_URL to a database installed with flashsale migrate that may be thrown away}"
# shellcheck disable=SC2034 # for the scripts that source this
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

# CPU time (ms) of all sessions of the server that have ended, as the kernel counts it for their parent. It holds still on a
# busy machine, where rows/s do not. Linux and a superuser only; 0 elsewhere.
cpu_ms() {
  sleep 0.2 # a session ends after its client
  sql "select (f.fields[14]::bigint + f.fields[15]::bigint) * 10
       from (select split_part(pg_read_file('/proc/self/stat'), ' ', 4) as pid) parent
       cross join lateral (
           select string_to_array(split_part(pg_read_file('/proc/' || parent.pid || '/stat'), ') ', 2), ' ') as fields
       ) f" 2>/dev/null || echo 0
}

# measure <label> <script> <batch> <clients> <transactions a client>: records rows/s, CPU time and WAL a row
measure() {
  local label=$1 script=$2 batch=$3 clients=$4 transactions=$5 wal cpu tps rows
  rows=$((batch * clients * transactions))
  wal=$(wal_bytes) cpu=$(cpu_ms)
  tps=$(pgbench_tps "$script" "$clients" "$transactions" -D batch="$batch")
  cpu=$(($(cpu_ms) - cpu)) wal=$(($(wal_bytes) - wal))
  record "$label" 'rows/s' "$(awk -v t="$tps" -v b="$batch" 'BEGIN { printf "%d", t * b }')"
  record "$label" 'CPU µs/row' "$(awk -v c="$cpu" -v r="$rows" 'BEGIN { printf "%.1f", 1000 * c / r }')"
  record "$label" 'WAL bytes/row' $((wal / rows))
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
