#!/usr/bin/env bash
# `make fuzz`: makes up what strangers can send, guided by the coverage it reaches (libFuzzer, without a sanitizer): bodies,
# heads, idempotency keys, tokens, pictures, names in exported files, queue messages. Builds into target/fuzz, keeps what it
# found worth trying again in target/fuzz-corpus, and writes bench/results/fuzz.json.
#
# usage: scripts/fuzz.sh [--help] [seconds per target=30] [target...]
#   PG_BIN_DIR  where PostgreSQL 15 or newer is, for queue_messages, when not where the system keeps it
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

# What cargo-fuzz gives rustc for `--sanitizer none`. Code of one unit is inlined across functions, which instrumented
# units are not.
readonly instrumented="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
-Cllvm-args=-sanitizer-coverage-stack-depth --cfg fuzzing -Ccodegen-units=1"
readonly logs=target/fuzz-logs artifacts=target/fuzz-artifacts
rows=()
crashes=0

main() {
  local seconds=30 targets=() target
  if [[ ${1:-} == --help || ${1:-} == -h ]]; then
    sed -nE '2,/^set /s/^# ?//p' "$0"
    exit
  fi
  if [[ ${1:-} =~ ^[0-9]+$ ]]; then
    seconds=$1
    shift
  fi
  ((seconds > 0)) || die 'seconds per target must be at least 1.'
  for target in tests/fuzz/targets/*.rs; do targets+=("$(basename "$target" .rs)"); done
  for target in "$@"; do
    [[ -f tests/fuzz/targets/$target.rs ]] || die "there is no target $target; there are: ${targets[*]}."
  done
  (($# == 0)) || targets=("$@")
  build
  for target in "${targets[@]}"; do run_target "$target" "$seconds"; done
  report
  exit $((crashes > 0))
}

# With --target, build scripts and macros are built without the flags.
build() {
  local triple
  need_build_tools
  need c++ 'install a C++ compiler (Debian: apt-get install build-essential)'
  triple=$(rustc -vV | sed -n 's/^host: //p')
  say 'Building with instrumentation (the first time takes some minutes)'
  CARGO_TARGET_DIR=target/fuzz RUSTFLAGS=$instrumented nice -n 10 \
    cargo build --quiet --locked --release --manifest-path tests/fuzz/Cargo.toml --target "$triple" ||
    die 'the build failed, see above; the first one needs the network for the crates.'
  binaries=target/fuzz/$triple/release
}

# run_target <name> <seconds>: libFuzzer's own lines are in the log; a crash leaves its input in $artifacts.
run_target() {
  local name=$1 log=$logs/$1.log status=0 corpus=target/fuzz-corpus/$1 arguments=()
  mkdir -p "$corpus" "$logs" "$artifacts/$name"
  arguments=(-max_total_time="$2" -max_len=8192 -timeout=20 -print_final_stats=1 -artifact_prefix="$artifacts/$name/")
  if [[ -f tests/fuzz/dictionaries/$name.dict ]]; then
    arguments+=(-dict="tests/fuzz/dictionaries/$name.dict")
  fi
  say "$name for $2 s"
  nice -n 10 "$binaries/$name" "${arguments[@]}" "$corpus" "tests/fuzz/corpus/$name" >"$log" 2>&1 || status=$?
  note "$name" "$log" "$status"
  if ((status != 0)); then
    crashes=$((crashes + 1))
    grep -m 1 -A 3 -E 'panicked at|ERROR: libFuzzer' "$log" | cut -c 1-1000 >&2 || tail -n 5 "$log" >&2
    say "$name crashed (see $log); again: $(sed -nE "s|.*Test unit written to (.*)|$binaries/$name \1|p" "$log" | tail -n 1)"
  fi
}

# note <name> <log> <status>: keeps the figures of a run. Tried are all inputs of libFuzzer, accepted those that a target
# could make something of and sent; a run that ended with a crash does not say how many (null).
note() {
  local tried accepted per_second edges
  tried=$(sed -nE 's/^stat::number_of_executed_units: +([0-9]+)/\1/p' "$2" | tail -n 1)
  accepted=$(sed -nE 's/^stat::accepted_inputs: +([0-9]+)/\1/p' "$2" | tail -n 1)
  per_second=$(sed -nE 's/^stat::average_exec_per_sec: +([0-9]+)/\1/p' "$2" | tail -n 1)
  edges=$(grep -oE 'cov: [0-9]+' "$2" | tail -n 1 | tr -dc 0-9) || true
  rows+=("$1 ${tried:-0} ${accepted:-null} ${per_second:-0} ${edges:-0} $(($3 != 0))")
}

report() {
  local row name tried accepted per_second edges crashed total=0 sent=0 separator=''
  mkdir -p bench/results
  printf '\n%-16s %12s %12s %10s %10s %8s\n' target tried accepted tried/s edges crashes
  for row in "${rows[@]}"; do
    # shellcheck disable=SC2086
    printf '%-16s %12d %12s %10d %10d %8d\n' $row
    read -r _ tried accepted _ <<<"$row"
    total=$((total + tried))
    [[ $accepted == null ]] || sent=$((sent + accepted))
  done
  {
    printf '{\n  "tried": %d,\n  "accepted": %d,\n  "crashes": %d,\n  "targets": [' "$total" "$sent" "$crashes"
    for row in "${rows[@]}"; do
      read -r name tried accepted per_second edges crashed <<<"$row"
      printf '%s\n    {"name": "%s", "tried": %d, "accepted": %s, "tried_per_s": %d, "edges": %d, "crashes": %d}' \
        "$separator" "$name" "$tried" "$accepted" "$per_second" "$edges" "$crashed"
      separator=,
    done
    printf '\n  ]\n}\n'
  } >bench/results/fuzz.json
  say "$total inputs tried, $sent accepted, $crashes crashes; written to bench/results/fuzz.json"
}

main "$@"
