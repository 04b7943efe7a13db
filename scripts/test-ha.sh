#!/usr/bin/env bash
# `make ha`: PostgreSQL fails over while a herd buys (deploy/ha/failover.py says how). Patroni comes from PyPI into target/, the
# rest must be installed. Takes 5 to 6 minutes, and needs root for the network namespaces of "cut".
#
# usage: scripts/test-ha.sh [arguments of deploy/ha/failover.py, such as --faults=kill]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly venv=$PWD/target/ha-venv requirements=deploy/ha/requirements.txt

main() {
  need python3 'install Python 3.10 or newer (Debian: apt-get install python3-venv)'
  need etcd 'install etcd (Debian: apt-get install etcd-server)'
  need redis-server 'install Redis (Debian: apt-get install redis-server)'
  need psql 'install the client of PostgreSQL (Debian: apt-get install postgresql-client)'
  [[ -n ${PATRONI:-} ]] || install_patroni
  export PATRONI=${PATRONI:-$venv/bin/patroni}
  exec python3 -B deploy/ha/failover.py --binary "${CARGO_TARGET_DIR:-target}/debug/flashsale" --result bench/results/ha.json "$@"
}

# A folder of its own, made once for each list of versions. With the system's Python: PostgreSQL's account must be able to run it.
install_patroni() {
  if cmp -s "$requirements" "$venv/requirements.txt"; then
    return
  fi
  local python=/usr/bin/python3
  [[ -x $python ]] || python=python3
  say 'Installing Patroni'
  rm -rf "$venv"
  mkdir -p target
  "$python" -m venv "$venv" || die 'python3 has no venv: install it (Debian: apt-get install python3-venv).'
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" ||
    die 'Patroni could not be installed: the first time needs the network for pip.'
  cp "$requirements" "$venv/requirements.txt"
}

main "$@"
