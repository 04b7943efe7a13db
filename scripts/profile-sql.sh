#!/usr/bin/env bash
# Shows where the database spends its time on a purchase: places and settles orders by pgbench, then lists what
# pg_stat_statements counted, statements inside of functions too.
#
# usage: DATABASE_URL=postgres://… scripts/profile-sql.sh [<orders a call>, 1 to 500; default 500]
# The database is migrated and may be thrown away, no worker is at work on it, and its server has
#     shared_preload_libraries = 'pg_stat_statements'
#     pg_stat_statements.track = all
#     pg_stat_statements.track_planning = on
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
source "$(dirname "$0")/prerequisites.sh"

pgbench_dir=$(dirname "$0")/../bench/pgbench
readonly pgbench_dir BATCH=${1:-500}

main() {
  [[ $BATCH =~ ^[1-9][0-9]{0,2}$ && $BATCH -le 500 ]] || die "\"$BATCH\" is not a number of orders from 1 to 500."
  # As many calls as show something.
  local calls=$((BATCH > 10 ? 40000 / BATCH : 4000))
  local orders=$((calls * BATCH))
  need psql 'install the PostgreSQL client (Debian: apt-get install postgresql-client)'
  need pgbench 'install it (Debian: apt-get install postgresql-contrib)'
  [[ -n ${DATABASE_URL:-} ]] || die 'DATABASE_URL is not set: name a migrated database that may be thrown away.'
  sql -c 'set client_min_messages = warning; create extension if not exists pg_stat_statements' ||
    die 'pg_stat_statements is missing: see the top of this script for what the server must load.'
  [[ $(sql -c 'show pg_stat_statements.track') == all ]] ||
    die 'pg_stat_statements.track is not "all": what functions do inside would not be seen.'
  sql -v "users=$orders" -f "$pgbench_dir/setup.sql" >/dev/null
  # Once without counting, so that plans and caches are those of a server at work.
  place_and_settle "$calls"
  sql -v "users=$orders" -f "$pgbench_dir/setup.sql" >/dev/null
  sql -c checkpoint -c 'select pg_stat_statements_reset()' >/dev/null
  place_and_settle "$calls"
  psql -X "$DATABASE_URL" -P pager=off -P footer=off -v "orders=$orders" <<'SQL'
select calls,
       round((total_exec_time * 1000 / :orders)::numeric, 2) as us_an_order,
       round((total_plan_time * 1000 / :orders)::numeric, 2) as planning,
       round(shared_blks_hit::numeric / :orders, 1) as blocks_an_order,
       round(wal_bytes / :orders) as wal_bytes_an_order,
       left(regexp_replace(query, '\s+', ' ', 'g'), 90) as statement
from pg_stat_statements
where dbid = (select oid from pg_database where datname = current_database())
order by total_exec_time desc
limit 16
SQL
}

place_and_settle() {
  run place_orders.sql "$1"
  run settle_orders.sql "$1"
}

run() {
  pgbench "$DATABASE_URL" -n -M prepared -f "$pgbench_dir/$1" -D "batch=$BATCH" -c 1 -t "$2" >/dev/null 2>&1 ||
    die "pgbench could not run bench/pgbench/$1: run it by hand, as the top of that file says, to see why."
}

sql() { psql -XqAt -v ON_ERROR_STOP=1 "$DATABASE_URL" "$@"; }

main
