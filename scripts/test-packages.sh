#!/usr/bin/env bash
# Installs the system packages the tests need and this machine lacks: Redis, openssl, a PostgreSQL server with pgTAP, Python
# with venv, and Chromium with a font. With apt as root or through sudo; nothing is started. HAProxy and PgBouncer are unpacked
# into target/. Ends with one sentence when it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh
# shellcheck source=scripts/debian-tools.sh
source scripts/debian-tools.sh

readonly policy=/usr/sbin/policy-rc.d

main() {
  install_missing
  unpack_debian_tools haproxy:haproxy pgbouncer:pgbouncer
}

install_missing() {
  local packages=() major
  command -v redis-server >/dev/null 2>&1 || packages+=(redis-server)
  command -v openssl >/dev/null 2>&1 || packages+=(openssl)
  if ! has_pgtap; then
    major=$(postgres_major) || major=15
    packages+=("postgresql-$major" "postgresql-$major-pgtap")
  fi
  python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
  # Without any font a browser shows boxes.
  has_chromium || packages+=(chromium fonts-dejavu-core)
  if ((${#packages[@]} == 0)); then
    return
  fi
  command -v apt-get >/dev/null 2>&1 ||
    die "the tests need what Debian calls ${packages[*]}: install it with this system's package manager."
  as_root true 2>/dev/null ||
    die "the tests need the packages ${packages[*]}: install them, or run this once as root or with sudo."
  say "Installing ${packages[*]}"
  mkdir -p target/test-logs
  install_packages "${packages[@]}" >target/test-logs/packages.log 2>&1 ||
    die "could not install ${packages[*]} (see target/test-logs/packages.log): the first time needs the network."
}

has_pgtap() {
  local bin_dir
  bin_dir=$(system_postgres_bin_dir) && [[ -x $bin_dir/pg_config ]] &&
    [[ -e $("$bin_dir/pg_config" --sharedir)/extension/pgtap.control ]]
}

# The same browsers as web/tests/stack/shop.ts finds.
has_chromium() {
  [[ -n ${CHROMIUM_BIN:-} ]] || command -v chromium chromium-browser google-chrome >/dev/null 2>&1
}

# The major version that is here already, else the one this release of the system brings.
postgres_major() {
  local bin_dir
  if bin_dir=$(system_postgres_bin_dir) && [[ $bin_dir =~ /([0-9]+)/bin$ ]]; then
    echo "${BASH_REMATCH[1]}"
    return
  fi
  apt-cache depends postgresql 2>/dev/null | sed -nE 's/.*Depends: postgresql-([0-9]+)$/\1/p' | grep -m 1 .
}

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif [[ -t 0 ]]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}

install_packages() {
  # Debian starts services on installation unless this file says no; one that is there already is left alone.
  if [[ ! -e $policy ]]; then
    trap 'as_root rm -f "$policy"' EXIT
    as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy"
  fi
  local apt=(as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300)
  "${apt[@]}" install --no-install-recommends "$@" || {
    "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "$@"
  }
}

main
