#!/usr/bin/env bash
# Tests the SQL: starts a private, throw-away PostgreSQL, installs the database with `flashsale migrate`, runs every
# sql/tests/*.sql (pgTAP) in a copy of it, every block of SQL in docs/DBA.md in another, and plpgsql_check over all functions
# where that extension is installed.
# Works as root (the server then runs as uid 65534) and as an ordinary user. Ends with "N passed, N failed".
#
# usage: scripts/test-sql.sh [test...]     test: the name of a file in sql/tests, without .sql, or "recipes"
#   PG_BIN_DIR     where postgres, initdb and psql are, when not where the system keeps them
#   FLASHSALE_BIN  the binary that migrates, when not the one of this tree (which is built first: it carries the SQL)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly unprivileged=65534
passed=0
failed=0

main() {
  local bin_dir test
  bin_dir=$(system_postgres_bin_dir) ||
    die 'PostgreSQL 15 or newer is missing: install it (Debian: apt-get install postgresql) or set PG_BIN_DIR.'
  PATH=$bin_dir:$PATH
  need psql 'install the PostgreSQL client (Debian: apt-get install postgresql-client)'
  build_flashsale
  start_server
  install_database
  if (($#)); then
    for test in "$@"; do
      if [[ $test == recipes ]]; then run_recipes; else run_test "sql/tests/$test.sql"; fi
    done
  else
    for test in sql/tests/*.sql; do run_test "$test"; done
    run_recipes
    check_functions
  fi
  printf '%d passed, %d failed\n' "$passed" "$failed"
  exit $((failed > 0))
}

build_flashsale() {
  if [[ -z ${FLASHSALE_BIN:-} ]]; then
    need_build_tools
    cargo build --quiet --locked -p flashsale --bin flashsale || die 'the build failed, see above.'
    FLASHSALE_BIN=${CARGO_TARGET_DIR:-target}/debug/flashsale
  fi
}

# PostgreSQL refuses to run as root.
as_server_user() {
  if ((EUID == 0)); then
    setpriv --reuid=$unprivileged --regid=$unprivileged --clear-groups env HOME="$server_dir" "$@"
  else
    "$@"
  fi
}

start_server() {
  server_dir=$(mktemp -d "${TMPDIR:-/tmp}/flashsale-sql.XXXXXX")
  trap stop_server EXIT
  if ((EUID == 0)); then
    need setpriv 'install util-linux, or run this as an ordinary user'
    chown $unprivileged:$unprivileged "$server_dir"
  fi
  (
    cd "$server_dir"
    as_server_user initdb --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --no-locale --no-sync
    # Reached by its socket only. Nothing in it outlives the tests, so it need not reach the disk.
    as_server_user pg_ctl --pgdata=data --log=log --wait start --options="-c listen_addresses= -c fsync=off \
      -c unix_socket_directories=$server_dir -c autovacuum=off"
  ) >"$server_dir/setup.log" 2>&1 || {
    cat "$server_dir/setup.log" "$server_dir/log" >&2 || true
    die 'the throw-away PostgreSQL did not start, see above.'
  }
  export PGHOST=$server_dir PGUSER=postgres PGOPTIONS='-c client_min_messages=warning'
}

# shellcheck disable=SC2317
stop_server() {
  (cd "$server_dir" && as_server_user pg_ctl --pgdata=data --mode=immediate stop) >/dev/null 2>&1 || true
  rm -rf "$server_dir"
}

# The database every test is a copy of.
install_database() {
  local database=flashsale_tests
  psql -Xq -d postgres -c "create database $database"
  DATABASE_URL="postgresql:///$database?host=$server_dir&user=postgres" "$FLASHSALE_BIN" migrate ||
    die 'flashsale migrate failed, see above.'
  psql -Xq -v ON_ERROR_STOP=1 -d "$database" -f sql/tests/support/fixture.sql >/dev/null ||
    die 'the fixture of the SQL tests cannot be loaded: is pgTAP installed (Debian: postgresql-15-pgtap)?'
}

# run_test <file>: one file, one database. A file that stops early has failed, whatever it printed before.
run_test() {
  local name output status=0 good bad planned
  name=$(basename "$1" .sql)
  psql -Xq -d postgres -c "create database $name template flashsale_tests"
  output=$(psql -XAtq -v ON_ERROR_STOP=1 -d "$name" -f "$1" 2>&1) || status=$?
  good=$(grep -c '^ok ' <<<"$output") || true
  bad=$(grep -c '^not ok ' <<<"$output") || true
  planned=$(sed -nE 's/^1\.\.([0-9]+)$/\1/p' <<<"$output" | head -n 1)
  if ((status != 0 || good + bad != ${planned:-0} || good + bad == 0)); then
    bad=$((bad + 1))
    printf 'sql/tests/%s.sql ran %d of %s tests, psql ended with %d\n' "$name" $((good + bad - 1)) "${planned:-?}" $status
  fi
  if ((bad > 0)); then
    grep -E '^(not ok|#|psql:|DETAIL|HINT|CONTEXT|QUERY)' <<<"$output" || true
  fi
  printf '%s: %d passed, %d failed\n' "$name" "$good" "$bad"
  passed=$((passed + good))
  failed=$((failed + bad))
}

# Every block of SQL in docs/DBA.md, in its order, as whom its first line names: each must end without an error.
run_recipes() {
  local recipe who output letter good=0 bad=0
  psql -Xq -d postgres -c 'create database recipes template flashsale_tests'
  psql -Xq -v ON_ERROR_STOP=1 -d recipes -f sql/tests/support/recipes.sql >/dev/null || die 'the recipes have no data, see above.'
  mkdir "$server_dir/recipes"
  awk -v into="$server_dir/recipes" '
    /^```sql$/ { file = sprintf("%s/%03d.sql", into, FNR); next }
    /^```$/ && file { close(file); file = ""; next }
    file { print >file }
  ' docs/DBA.md
  for recipe in "$server_dir"/recipes/*.sql; do
    who=$(sed -nE '1s/^-- (dba|monitor|operator|owner)$/\1/p' "$recipe")
    # The dead letter of an order still in progress while there is one, which is what can be replayed.
    letter=$(psql -XAtq -d recipes -c "select msg_id from ops.dead_letters
      order by order_status is not distinct from 'in_progress' desc, msg_id limit 1")
    if [[ -n $who ]] && output=$(PGUSER=recipe_$who psql -XAtq -v ON_ERROR_STOP=1 -v "letter=$letter" -v pid=0 \
      -v "old_sale=$(psql -XAtq -d recipes -c 'select fixture.sale_id(2)')" -d recipes -f "$recipe" 2>&1); then
      good=$((good + 1))
    else
      bad=$((bad + 1))
      printf 'docs/DBA.md line %d, as "%s":\n%s\n' "$((10#$(basename "$recipe" .sql)))" "$who" "${output:-}"
    fi
  done
  ((good > 0)) || bad=$((bad + 1))
  printf 'docs/DBA.md: %d passed, %d failed\n' "$good" "$bad"
  passed=$((passed + good))
  failed=$((failed + bad))
}

# Static checks of the bodies of the PL/pgSQL functions: names, types, casts, unreachable code.
check_functions() {
  local problems checked
  if ! psql -Xq -d flashsale_tests -c 'create extension plpgsql_check' 2>/dev/null; then
    echo 'plpgsql_check is not installed (Debian: postgresql-15-plpgsql-check): functions not checked'
    return
  fi
  problems=$(psql -XAtq -v ON_ERROR_STOP=1 -d flashsale_tests -f sql/tests/support/check_functions.sql)
  checked=$(sed -nE 's/^checked ([0-9]+)$/\1/p' <<<"$problems")
  problems=$(grep -v '^checked ' <<<"$problems") || true
  if [[ -z $problems && ${checked:-0} -gt 0 ]]; then
    passed=$((passed + 1))
    printf 'plpgsql_check: %d functions without a finding\n' "$checked"
  else
    failed=$((failed + 1))
    printf 'plpgsql_check:\n%s\n' "$problems"
  fi
}

main "$@"
