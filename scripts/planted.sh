#!/usr/bin/env bash
# Tests the tests: plants the bugs of tests/planted/ one at a time in a copy of the tree, runs the checks that each names,
# and shows which check noticed which bug. Every check is first run without a bug, when it must be green. About two
# minutes a bug. Ends with "N passed, N failed" (a bug that no check noticed has failed); writes bench/results/planted.json.
#
# usage: scripts/planted.sh [bug...]     bug: the name of a file in tests/planted, without .patch
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly work=$PWD/target/planted results=$PWD/bench/results/planted.json
# What the log of a failed test says, and that of one which could not be run does not.
readonly went_red='^not ok|^[0-9]+ passed, [1-9][0-9]* failed|^test result: FAILED|VIOLATED'
# What is built here is run for a moment only: our own crate need not be fast.
readonly fast=(--quiet --locked --config profile.dev.package.flashsale.opt-level=0)

main() {
  need_build_tools
  need patch 'install it (Debian: apt-get install patch)'
  scripts/test-packages.sh
  scripts/build-page.sh
  local bugs=("$@") bug passed=0 failed=0
  ((${#bugs[@]})) || mapfile -t bugs < <(cd tests/planted && printf '%s\n' *.patch | sed 's/\.patch$//')
  export CARGO_TARGET_DIR=$work/target
  rm -rf "$work/logs" "$work/rows"
  mkdir -p "$work/logs"
  for bug in "${bugs[@]}"; do
    [[ -f tests/planted/$bug.patch ]] || die "no bug is called $bug: see tests/planted/."
  done
  try_checks_without_bug "${bugs[@]}"
  for bug in "${bugs[@]}"; do
    if try_bug "$bug"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  done
  printf '{"planted": %d, "caught": %d, "bugs": [\n%s\n]}\n' $((passed + failed)) "$passed" \
    "$(paste -sd, "$work/rows")" >"$results"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  exit $((failed > 0))
}

try_checks_without_bug() {
  local check
  copy_tree "$work/tree"
  build none
  while IFS= read -r check; do
    if ! run_check none "$check" || grep -q '^test result: ok. 0 passed' "$(log_of none "$check")"; then
      die "the check '$check' is red without a bug, or runs nothing, so that it can tell nothing: see $(log_of none "$check")."
    fi
  done < <(for bug in "$@"; do checks_of "$bug"; done | sort -u)
  say "Without a bug every check is green."
}

# try_bug <bug>: succeeds when some check goes red.
try_bug() {
  local bug=$1 check found noticed=() missed=()
  copy_tree "$work/tree" || die "the tree could not be copied to $work/tree."
  (cd "$work/tree" && patch --quiet --strip=1 --fuzz=0 --forward <"tests/planted/$bug.patch") ||
    die "the bug $bug cannot be planted: its lines have changed, write tests/planted/$bug.patch again."
  build "$bug"
  while IFS= read -r check; do
    if run_check "$bug" "$check"; then
      missed+=("$check")
    elif grep -qE "$went_red" "$(log_of "$bug" "$check")"; then
      noticed+=("$check")
    else
      die "the check '$check' broke off with the bug $bug: see $(log_of "$bug" "$check")."
    fi
  done < <(checks_of "$bug")
  found=$(join_by ', ' ${noticed[@]+"${noticed[@]}"})
  printf '%-7s %-26s %s\n' "$([[ $found ]] && echo caught || echo MISSED)" "$bug" "${found:-by none of: $(join_by ', ' "${missed[@]}")}"
  printf '  {"bug": "%s", "what": "%s", "noticed_by": [%s], "not_noticed_by": [%s]}\n' "$bug" "$(what_of "$bug")" \
    "$(quoted ${noticed[@]+"${noticed[@]}"})" "$(quoted ${missed[@]+"${missed[@]}"})" >>"$work/rows"
  [[ $found ]]
}

# As it stands in a JSON string.
what_of() { sed -n 's/^What: //p' "tests/planted/$1.patch" | sed 's/["\\]/\\&/g'; }
checks_of() { sed -n 's/^Check: //p' "tests/planted/$1.patch"; }
log_of() { printf '%s/%s.%s.log' "$work/logs" "$1" "${2//[^a-z0-9]/-}"; }

build() {
  (cd "$work/tree" && cargo test "${fast[@]}" -p flashsale --lib --test it --test faults --no-run) \
    >"$work/logs/$1.build.log" 2>&1 || die "with the bug $1 the tree cannot be built: see $work/logs/$1.build.log."
}

# run_check <bug> <layer> <argument>: unit and it take a part of a test's name, sql a file of sql/tests, faults a fault
# and its seed.
run_check() {
  local layer argument seed log
  log=$(log_of "$1" "$2")
  read -r layer argument seed <<<"$2"
  (
    cd "$work/tree"
    case $layer in
      unit) cargo test "${fast[@]}" --lib -- "$argument" ;;
      it) cargo test "${fast[@]}" --test it -- --test-threads 2 "$argument" ;;
      sql) FLASHSALE_BIN=$CARGO_TARGET_DIR/debug/flashsale scripts/test-sql.sh "$argument" ;;
      faults) cargo test "${fast[@]}" --test faults -- run --fault "$argument" --seed "$seed" ;;
      *) die "there is no layer $layer: unit, it, sql or faults." ;;
    esac
  ) >"$log" 2>&1
}

# join_by <separator> <text...>
join_by() {
  local separator=$1 joined=${2:-}
  shift $(($# < 2 ? $# : 2))
  printf '%s' "$joined" "${@/#/$separator}"
}

quoted() {
  (($#)) || return 0
  local each=("${@/#/\"}")
  join_by ', ' "${each[@]/%/\"}"
}

main "$@"
