#!/usr/bin/env bash
# `make test`: installs what the tests need where it is missing, runs every layer even after one failed, and ends with
# the line "N passed, N failed" and a status to match. Each layer's full output is kept in target/test-logs/.
# Without the network it works once everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly logs=target/test-logs
passed=0
failed=0
failed_layers=()

main() {
  trap 'exit 130' INT
  rm -rf "$logs"
  mkdir -p "$logs"
  (need_build_tools && scripts/test-packages.sh && scripts/build-page.sh) || { failed=1 && finish; }

  use_containers
  run_layer format one_check cargo fmt --all --check
  run_layer lint one_check cargo clippy --workspace --all-targets --locked -- -D warnings
  if cargo nextest --version >/dev/null 2>&1; then
    run_layer rust nextest_counts cargo nextest run --workspace --locked --no-fail-fast
  else
    run_layer rust cargo_test_counts cargo test --workspace --locked --no-fail-fast
  fi
  # Scripts of further layers print "N passed, N failed" as their last line.
  local layer
  for layer in sql sqllint openapi page browser deploy faults upgrade; do
    if [[ -x scripts/test-$layer.sh ]]; then
      run_layer "$layer" script_counts "scripts/test-$layer.sh"
    fi
  done
  finish
}

# Where there is Docker the integration tests' PostgreSQL is the image that users pull; otherwise, and where the image cannot
# be had, a copy of what is embedded.
use_containers() {
  local program=$PWD/target/containers/debug/flashsale-containers
  [[ -n ${DOCKER_HOST:-} || -S /var/run/docker.sock ]] || return 0
  say 'Docker is here: trying a PostgreSQL in a container'
  if cargo build --quiet --locked --manifest-path tests/containers/Cargo.toml --target-dir target/containers &&
    "$program" "$((30000 + RANDOM % 2000))" </dev/null >/dev/null; then
    export TEST_CONTAINERS=$program
  else
    say 'It cannot be had: the tests go on with the embedded PostgreSQL.'
  fi
}

# run_layer <name> <function that reads the counts from a log> <command...>
run_layer() {
  local name=$1 read_counts=$2 log=$logs/$1.log status=0 began=$SECONDS layer_passed layer_failed
  shift 2
  printf '\n== %s: %s\n' "$name" "$*"
  "$@" 2>&1 | tee "$log" || status=$?
  read -r layer_passed layer_failed < <("$read_counts" "$log") || true
  # No count, or one that hides the failure (a build that broke half-way): the layer itself is the check.
  if ((status != 0 && layer_failed == 0)); then
    layer_failed=1
  elif ((status == 0)) && [[ -z $layer_passed ]]; then
    layer_passed=1
  fi
  ((layer_failed == 0)) || failed_layers+=("$name ($log)")
  passed=$((passed + layer_passed))
  failed=$((failed + layer_failed))
  printf -- '-- %s: %d passed, %d failed, %d s\n' "$name" "$layer_passed" "$layer_failed" $((SECONDS - began))
}

finish() {
  local layer
  echo
  for layer in ${failed_layers[@]+"${failed_layers[@]}"}; do
    echo "failed: $layer"
  done
  echo "$passed passed, $failed failed"
  exit $((failed > 0))
}

# The functions below print "<passed> <failed>" from a log, or nothing where nobody counted; run_layer calls them by name.
# shellcheck disable=SC2317
one_check() { :; }

# "Summary [ 3.894s] 7 tests run: 6 passed (1 slow), 1 failed, 2 skipped"; what ran and did not pass has failed.
# shellcheck disable=SC2317
nextest_counts() {
  sed -nE 's/^ *Summary \[[^]]*\] +([0-9]+)(\/[0-9]+)? tests? run: ([0-9]+) passed.*/\1 \3/p' "$1" |
    awk '{ ran += $1; passed += $2 } END { print passed + 0, ran - passed }'
}

# "test result: ok. 7 passed; 0 failed; ...", one line a test binary.
# shellcheck disable=SC2317
cargo_test_counts() {
  sed -nE 's/^test result: [a-zA-Z]+\. ([0-9]+) passed; ([0-9]+) failed;.*/\1 \2/p' "$1" |
    awk '{ passed += $1; failed += $2 } END { print passed + 0, failed + 0 }'
}

# shellcheck disable=SC2317
script_counts() {
  sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$1" | tail -n 1
}

main
