#!/usr/bin/env bash
# Reads the SQL without running it: sqlfluff for how it is written (.sqlfluff), over migrations/, sql/ and the bodies of
# functions in plain SQL, each file a check; squawk for what a migration must not do to a database at work (.squawk.toml), one
# check for all of them. Ends with "N passed, N failed".
#
# usage: scripts/test-sqllint.sh
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly venv=target/sqllint-venv bodies=target/sqllint-bodies requirements=sql/tests/support/lint-requirements.txt
passed=0
failed=0

main() {
  install_linters
  extract_bodies
  lint_style
  lint_migrations
  printf '%d passed, %d failed\n' "$passed" "$failed"
  exit $((failed > 0))
}

# A folder of its own in target/, made once for each list of versions.
install_linters() {
  if cmp -s "$requirements" "$venv/requirements.txt"; then
    return
  fi
  need python3 'install Python 3.10 or newer (Debian: apt-get install python3-venv)'
  say 'Installing sqlfluff and squawk'
  rm -rf "$venv"
  mkdir -p target
  python3 -m venv "$venv" || die 'python3 has no venv: install it (Debian: apt-get install python3-venv).'
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" ||
    die 'sqlfluff and squawk could not be installed: the first time needs the network for pip.'
  cp "$requirements" "$venv/requirements.txt"
}

# The body of a function is a string to sqlfluff. Those in plain SQL become files of the same name; PL/pgSQL it cannot read.
extract_bodies() {
  local function
  rm -rf "$bodies"
  mkdir -p "$bodies"
  for function in sql/functions/*.sql; do
    if grep -q '^language sql' "$function" && grep -q '^as \$\$$' "$function"; then
      awk '/^as \$\$$/ { body = 1; next } /^\$\$;$/ { exit } body' "$function" | sed 's/^    //' >"$bodies/${function##*/}"
    fi
  done
}

# Findings one a line; then "N passed, N failed" for the files.
lint_style() {
  local report=target/sqllint.json counts status=0
  "$venv/bin/sqlfluff" lint --processes 2 --disable-progress-bar --format json --write-output "$report" \
    --config .sqlfluff migrations sql "$bodies" >"$report.log" 2>&1 || status=$?
  # 1: there are findings. Anything else is sqlfluff's own failure.
  ((status <= 1)) || { cat "$report.log" >&2 && die 'sqlfluff could not read the SQL, see above.'; }
  counts=$("$venv/bin/python" - "$report" <<'PYTHON'
import json, sys

files = json.load(open(sys.argv[1]))
broken = [file for file in files if file["violations"]]
for file in broken:
    for found in file["violations"]:
        print(f"{file['filepath']}:{found['start_line_no']}: {found['code']} {found['description']}", file=sys.stderr)
print(len(files) - len(broken), len(broken))
PYTHON
  )
  passed=$((passed + ${counts% *}))
  failed=$((failed + ${counts#* }))
  printf 'sqlfluff: %d files without a finding, %d with\n' "${counts% *}" "${counts#* }"
}

# Those that .squawk.toml leaves out were applied long ago; it says why.
lint_migrations() {
  if "$venv/bin/squawk" --config .squawk.toml --reporter gcc migrations/*.sql; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
  fi
}

main "$@"
