#!/usr/bin/env bash
# Sales on two PostgreSQL servers behind a router (deploy/sharding): starts a trial of its own, lets herds buy on both, kills one
# server and starts it again, and checks the books of each and over all. Under a minute and a half. Needs PL/Proxy; what it
# starts it stops. Ends with "N passed, N failed".
#
# usage: scripts/test-sharding.sh [buyers [connections]]
#   FLASHSALE_BIN  the binary, when not the one of this tree (which is built first)
#   PG_BIN_DIR     where postgres, initdb and psql are, when not where the system keeps them
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

need python3 'install Python 3.9 or newer (Debian: apt-get install python3)'
bin_dir=$(system_postgres_bin_dir) ||
  die 'PostgreSQL 15 or newer is missing: install it (Debian: apt-get install postgresql) or set PG_BIN_DIR.'
PATH=$bin_dir:$PATH
need psql 'install the PostgreSQL client (Debian: apt-get install postgresql-client)'
if [[ -z ${FLASHSALE_BIN:-} ]]; then
  need_build_tools
  cargo build --quiet --locked -p flashsale --bin flashsale || die 'the build failed, see above.'
  FLASHSALE_BIN=${CARGO_TARGET_DIR:-target}/debug/flashsale
fi
export FLASHSALE_BIN

scratch=$(mktemp -d "${TMPDIR:-/tmp}/flashsale-sharding.XXXXXX")
chmod 711 "$scratch"  # PostgreSQL runs as somebody else when we are root
export SHARDING_DIR=$scratch/trial JWT_SECRET=sharding-tests-sign-with-this-0123456789 RATE_LIMITS=off
stop() {
  status=$?
  if ((status != 0)); then
    tail -n 15 "$SHARDING_DIR"/{api,worker}-*.log "$SHARDING_DIR"/*/log >&2 || true
  fi
  deploy/sharding/trial.sh down || true
  rm -rf "$scratch"
  exit $status
}
trap stop EXIT
trap 'exit 130' INT TERM
deploy/sharding/trial.sh up
python3 -B deploy/sharding/test.py "$SHARDING_DIR/env" "$JWT_SECRET" "$@"
