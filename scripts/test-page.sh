#!/usr/bin/env bash
# Tests the page without a browser: format and lint, types, the lock file, that the types of the API are those of this
# binary, and the unit and component tests (web/src/**/*.test.ts, .tsx). Ends with "N passed, N failed".
#
# usage: scripts/test-page.sh [part of a test file's path...]
#   FLASHSALE_BIN  the binary whose API the page's types must match, when not the one of this tree (which is built first)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly schema=web/src/lib/api/schema.ts
passed=0
failed=0

main() {
  scripts/build-page.sh
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/flashsale-page.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  check 'format, lint and types' in_page npm run --silent check
  check 'lock file' lock_file_is_sound
  check 'types of the API' api_types_are_current
  run_unit_tests "$@"
  printf '%d passed, %d failed\n' "$passed" "$failed"
  exit $((failed > 0))
}

# check <name> <command...>: one check; what it prints is shown only when it fails.
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
    say "$name: good"
  else
    failed=$((failed + 1))
    printf '%s: failed\n%s\n' "$name" "$output"
  fi
}

in_page() { (cd web && "$@"); }

# Every package comes from whatever registry npm is set up with, in the form whose hash is written down.
# shellcheck disable=SC2317
lock_file_is_sound() {
  if grep -n '"resolved"' web/package-lock.json; then
    say 'web/package-lock.json names where packages were loaded from: npm elsewhere would go there.'
    say 'Run npm install in web/ (its .npmrc says omit-lockfile-registry-resolved).'
    return 1
  fi
  node --input-type=module - <<'JS'
import { readFileSync } from "node:fs";
const read = (file) => JSON.parse(readFileSync(`web/${file}`, "utf8"));
const { packages } = read("package-lock.json");
const { dependencies, devDependencies } = read("package.json");
const wanted = { ...dependencies, ...devDependencies };
const bad = [
  ...Object.entries(packages)
    .filter(([path, entry]) => path && !entry.link && !entry.inBundle && !entry.integrity)
    .map(([path]) => `${path} has no hash in package-lock.json`),
  ...Object.entries(wanted)
    .filter(([name, version]) => packages[`node_modules/${name}`]?.version !== version)
    .map(([name, version]) => `package.json wants ${name} ${version}, exactly; package-lock.json does not have it`),
];
if (bad.length > 0) {
  console.log(`${bad.join("\n")}\nRun npm install in web/ and commit both files.`);
  process.exit(1);
}
JS
}

# The types are generated from the OpenAPI document, which is generated from the handlers: three that cannot drift apart.
# shellcheck disable=SC2317
api_types_are_current() {
  build_flashsale || return 1
  mkdir -p target
  "$flashsale" openapi >"$scratch/openapi.json" || {
    say "$flashsale openapi failed."
    return 1
  }
  in_page npx --no-install openapi-typescript "$scratch/openapi.json" --output "$scratch/schema.ts" || return 1
  cp "$scratch/openapi.json" target/openapi.json
  diff -u "$schema" "$scratch/schema.ts" | head -n 60 || true
  cmp -s "$schema" "$scratch/schema.ts" || {
    say "The API has changed and $schema has not: run \`npm run api\` in web/ (target/openapi.json is the new document),"
    say "then see with \`npm run check\` what of the page no longer fits."
    return 1
  }
}

# shellcheck disable=SC2317
build_flashsale() {
  flashsale=${FLASHSALE_BIN:-${CARGO_TARGET_DIR:-target}/debug/flashsale}
  if [[ -z ${FLASHSALE_BIN:-} ]]; then
    need_build_tools
    cargo build --quiet --locked -p flashsale --bin flashsale || {
      say 'the build failed, see above.'
      return 1
    }
  fi
}

# The reporter for people prints, the one for programs is counted. A file that could not be loaded is no test that failed,
# so what vitest itself says about the run counts too.
run_unit_tests() {
  local status=0 counts good=0 bad=0
  in_page npx --no-install vitest run --project unit --reporter=default --reporter=json \
    --outputFile.json="$scratch/unit.json" "$@" || status=$?
  if counts=$(node -p 'const run = JSON.parse(require("node:fs").readFileSync(process.argv[1]));
    [run.numPassedTests, run.numFailedTests].join(" ")' "$scratch/unit.json"); then
    read -r good bad <<<"$counts"
  fi
  if ((status != 0 && bad == 0)) || ((good + bad == 0)); then
    bad=$((bad + 1))
    say "vitest ended with $status and told of no test that failed: see above."
  fi
  passed=$((passed + good))
  failed=$((failed + bad))
}

main "$@"
