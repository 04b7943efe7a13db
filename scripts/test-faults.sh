#!/usr/bin/env bash
# The short selection of the fault harness: a handful of faults with fixed seeds, about a minute on two cores. All of
# them, with seeds of your own: `make faults`. Ends with "N passed, N failed".
#
# usage: scripts/test-faults.sh [argument of `faults run`...]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

need_build_tools
need redis-server 'install Redis (Debian: apt-get install redis-server)'
cargo test --quiet --locked --test faults --no-run || die 'the build failed, see above.'
# SEED, FAULT and RUNS are for `make faults`: what is a test is the same every time.
exec env -u SEED -u FAULT -u RUNS cargo test --quiet --locked --test faults -- run --short "$@"
