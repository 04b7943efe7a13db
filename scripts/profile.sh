#!/usr/bin/env bash
# Draws where a running process spends its processor time, as a flame graph. Needs perf (Debian: linux-perf) and inferno
# (cargo install inferno --locked), and the right to look: root, or kernel.perf_event_paranoid at 1 or less.
#
# usage: scripts/profile.sh <process id> <seconds> <picture.svg> [title]
#        scripts/profile.sh "$(pgrep -f 'flashsale api' | head -1)" 10 api.svg
set -euo pipefail
# shellcheck source=scripts/prerequisites.sh
source "$(dirname "$0")/prerequisites.sh"

main() {
  (($# >= 3)) || die "usage: scripts/profile.sh <process id> <seconds> <picture.svg> [title]"
  local pid=$1 seconds=$2 picture=$3 title=${4:-}
  need perf 'install the perf of your kernel (Debian: linux-perf)'
  need inferno-flamegraph 'install it with cargo install inferno --locked'
  local samples
  samples=$(mktemp)
  # shellcheck disable=SC2064
  trap "rm -f '$samples'" EXIT
  # The stacks are copied and unwound afterwards: the binary keeps no frame pointers.
  perf record --quiet --freq 499 --call-graph dwarf,16384 --pid "$pid" --output "$samples" -- sleep "$seconds" ||
    die "perf could not look at process $pid: is it running, and is kernel.perf_event_paranoid 1 or less?"
  perf script --input "$samples" 2>/dev/null | inferno-collapse-perf |
    inferno-flamegraph --title "${title:-process $pid}" --minwidth 1 --colors rust >"$picture"
  echo "$picture"
}

main "$@"
