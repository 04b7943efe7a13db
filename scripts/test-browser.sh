#!/usr/bin/env bash
# Tests the shop in a real browser: builds the page and the binary, then runs web/tests/browser/ in Chromium against the
# binary with its own PostgreSQL and Redis. Logs, and pictures of what failed, are in target/test-logs/browser/. Works as
# root and as an ordinary user. Ends with "N passed, N failed".
#
# usage: scripts/test-browser.sh [--screenshots] [file...]    file: part of the name of a file of tests
#   --screenshots  makes the pictures of every screen in docs/screenshots/ instead
#   CHROMIUM_BIN   the browser, when not the one the system has
#   FLASHSALE_BIN  the binary, when not the one of this tree (which is built first: it carries the page)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly logs=$PWD/target/test-logs
project=browser

main() {
  if [[ ${1:-} == --screenshots ]]; then
    project=screenshots
    shift
  fi
  need redis-server 'install Redis (Debian: apt-get install redis-server), or run scripts/test-packages.sh'
  find_chromium
  build
  rm -rf "$logs/browser"
  mkdir -p "$logs/browser"
  local status=0
  (cd web && node_modules/.bin/vitest run --project "$project" --reporter=default --reporter=json \
    --outputFile.json="$logs/browser/results.json" "$@") || status=$?
  print_counts "$status"
}

find_chromium() {
  local name
  [[ -z ${CHROMIUM_BIN:-} ]] || return 0
  for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null 2>&1 && return 0
  done
  die 'Chromium is missing: install it (Debian: apt-get install chromium) or set CHROMIUM_BIN.'
}

build() {
  if [[ -n ${FLASHSALE_BIN:-} ]]; then
    FLASHSALE_BIN=$(realpath -- "$FLASHSALE_BIN")
    export FLASHSALE_BIN
    install_page_packages
    return
  fi
  need_build_tools
  scripts/build-page.sh
  cargo build --quiet --locked -p flashsale --bin flashsale || die 'the build failed, see above.'
}

# A file of tests that could not begin counts as one that failed.
print_counts() {
  local status=$1 passed=0 failed=1
  if [[ -s $logs/browser/results.json ]]; then
    read -r passed failed < <(node -e '
      const { numPassedTests: passed, numFailedTests: failed, testResults: files } =
        JSON.parse(require("fs").readFileSync(process.argv[1], "utf8"));
      const broken = files.filter((f) => f.status === "failed" && f.assertionResults.every((t) => t.status !== "failed"));
      console.log(passed, failed + broken.length);' "$logs/browser/results.json")
  fi
  if ((status != 0 && failed == 0)); then
    failed=1
  fi
  printf '%d passed, %d failed\n' "$passed" "$failed"
  exit $((failed > 0))
}

main "$@"
