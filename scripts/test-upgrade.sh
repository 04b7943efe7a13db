#!/usr/bin/env bash
# A rolling upgrade under load: builds the version before this one, and lets both buy from one database
# (tests/it/upgrade.rs). Ends with "N passed, N failed". The older binary is kept in target/upgrade/.
#
# usage: scripts/test-upgrade.sh [version: a commit or tag; without it the one below]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

# The version whose processes may still run while this one is installed. To be raised with each release.
readonly released=21472d6e8ad20d645744b63879bde16ffa172eb7

main() {
  need_build_tools
  need git 'install git'
  need redis-server 'install Redis (Debian: apt-get install redis-server)'
  local version
  if ! version=$(git rev-parse --verify --quiet "${1:-$released}^{commit}"); then
    # A download without history has nothing to upgrade from; who names a version wants it tried.
    (($# == 0)) || die "version $1 is not in this checkout: fetch the whole history (git fetch --unshallow)."
    say "Not tried: version $released is not in this checkout (git fetch --unshallow brings the whole history)."
    say '0 passed, 0 failed'
    return
  fi
  readonly older=$PWD/target/upgrade/flashsale-$version
  [[ -x $older ]] || build "$version"
  local log=target/upgrade/test.log
  OLDER_FLASHSALE=$older cargo test --locked --test it -- upgrade:: --ignored --nocapture 2>&1 | tee "$log" || true
  sed -nE 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed.*/\1 passed, \2 failed/p' "$log" | tail -n 1
  grep -q '^test result: ok' "$log"
}

# With the libraries that are built already; cargo puts the binary of either version in the same place.
build() {
  local sources=target/upgrade/sources target=${CARGO_TARGET_DIR:-target}
  say "Building version $1, to upgrade from"
  mkdir -p target/upgrade
  rm -rf "$sources"
  mkdir "$sources"
  git archive "$1" | tar --extract --directory "$sources"
  cp -R web/dist web/.built "$sources/web/"
  cargo build --locked --manifest-path "$sources/Cargo.toml" --target-dir "$target" -p flashsale --bin flashsale ||
    die "version $1 could not be built, see above."
  cp "$target/debug/flashsale" "$older"
  rm -rf "$sources"
  cargo build --locked --quiet --bin flashsale
}

main "$@"
