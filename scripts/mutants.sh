#!/usr/bin/env bash
# Mutation testing of the core: the settle call, the gate, the batcher, the reconciler. cargo-mutants changes one thing at
# a time in a copy of the tree and runs the tests, which must notice: the unit tests first, then the integration tests on
# real servers. Takes hours on two cores; what was caught before is not tried again (--fresh: it is), so that it may be
# broken off and gone on with later.
# Ends with the score, and with the mutants nobody noticed; writes bench/results/mutants.json.
#
# usage: scripts/mutants.sh [--fresh] [argument of cargo mutants...]      e.g. --file src/batcher.rs, --shard 0/4
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly work=$PWD/target/mutants core=(src/batcher.rs src/app/settle_orders.rs src/app/reconcile_gate.rs
  src/app/place_order.rs src/gate/mod.rs src/gate/process.rs src/gate/redis.rs src/gate/connection.rs src/gate/script.rs
  src/gate/suspects.rs src/db/orders.rs)
readonly tests='(kind(lib) - test(/^embedded::/)) + (binary(it) & test(/^((gate|books|worker|kill|db|failover|read_cache)::|http::(order|activity))/))'
# What a mutant is compiled for is to be run once, and one red test is enough: a build of some 16 s instead of 27.
readonly targets=(--lib --test it)
readonly fast=(--config=profile.dev.package.flashsale.opt-level=0 --config=profile.dev.package.flashsale.debug=false)
export NEXTEST_PROFILE=mutants CARGO_INCREMENTAL=1

main() {
  need_build_tools
  need cargo-mutants 'install it with cargo install cargo-mutants --locked'
  need cargo-nextest 'install it with cargo install cargo-nextest --locked'
  scripts/test-packages.sh
  scripts/build-page.sh
  if [[ ${1:-} == --fresh ]]; then
    shift
    rm -rf "$work/mutants.out" "$work/unviable.txt"
  fi
  local files=()
  if [[ " $* " != *' --file '* ]]; then
    files=("${core[@]/#/--file=}")
  fi
  copy_tree "$work/tree"
  export CARGO_TARGET_DIR=$work/target
  say 'Without a mutant every test is green'
  try_without_mutant
  # All of it takes a quarter of that time on two idle cores.
  mutate --timeout 600 "$@" "${files[@]}" -- -E "$tests"
  report
}

try_without_mutant() {
  (cd "$work/tree" && cargo nextest run --locked "${fast[@]}" "${targets[@]}" -E "$tests") >"$work/without.log" 2>&1 ||
    die "the tests are red without a mutant, so that they can tell nothing: see $work/without.log."
}

# mutate <argument of cargo mutants...> -- <what is tested>
mutate() {
  local status=0
  remember_unviable
  cargo mutants --in-place --dir "$work/tree" --output "$work" --iterate --test-tool nextest --colors never --no-times \
    --baseline skip --build-timeout 600 --cargo-arg=--locked "${fast[@]/#/--cargo-arg=}" \
    "${targets[@]/#/--cargo-arg=}" "$@" || status=$?
  # 2: mutants were missed, 3: tests ran out of time.
  ((status == 0 || status == 2 || status == 3)) || die "cargo mutants ended with $status, see above."
}

# cargo-mutants does not try again what did not compile, either, and lists it with what was caught before.
remember_unviable() {
  local unviable=$work/mutants.out/unviable.txt
  touch "$work/unviable.txt"
  [[ ! -e $unviable ]] || sort -u -o "$work/unviable.txt" "$work/unviable.txt" "$unviable"
}

report() {
  remember_unviable
  # What was caught in sources that have changed since is no mutant any more.
  cargo mutants --list --dir "$work/tree" --colors never >"$work/listed.txt"
  python3 - "$work/mutants.out" <<'PYTHON'
import json, pathlib, sys

folder = pathlib.Path(sys.argv[1])
lines = lambda name: [line for line in (folder / name).read_text().splitlines() if line] if (folder / name).exists() else []
counted = set(lines("../listed.txt")) - set(lines("../unviable.txt"))
caught = counted & (set(lines("previously_caught.txt")) | set(lines("caught.txt")))
timed_out = [line for line in lines("timeout.txt") if line in counted - caught]
missed = [line for line in lines("missed.txt") if line in counted - caught]
all_mutants = max(1, len(caught) + len(timed_out) + len(missed))
score = round(100 * len(caught) / all_mutants, 1)
for line in missed:
    print("missed:", line)
for line in timed_out:
    print("ran out of time:", line)
print(f"{len(caught)} of {all_mutants} mutants were noticed: {score} %; {len(timed_out)} more never came to an end")
result = {"caught": len(caught), "timed_out": timed_out, "missed": missed, "score_percent": score}
pathlib.Path("bench/results/mutants.json").write_text(json.dumps(result, indent=2) + "\n")
PYTHON
}

main "$@"
