#!/usr/bin/env bash
# Asks the API everything that its OpenAPI document allows, and much that it forbids. First every answer that the document
# names is provoked by name (tests/openapi/answers.py); then schemathesis asks with every check on, anonymously, as a user, as
# an administrator, and as an administrator at addresses that exist. No answer may be a 5xx, have a status, a code or a body
# that the document does not name, or take what it forbids. Ends with "N passed, N failed".
#
# usage: scripts/test-openapi.sh
#   EXAMPLES       made-up requests of an operation and phase (default 25; 1000 takes some twenty minutes)
#   SEED           of what is made up (default 1, so that a test is the same every time)
#   FLASHSALE_BIN  the binary that is asked, when not the one of this tree (which is built first)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly venv=target/openapi-venv reports=target/openapi requirements=tests/openapi/requirements.txt
readonly password='correct horse battery staple'
passed=0
failed=0

main() {
  install_schemathesis
  build_flashsale
  start_flashsale
  SPARE_TOKEN=$(token_of spare@example.org)
  export SPARE_TOKEN
  # By themselves: a sign-in that fails in an argument would not end the script.
  user_token=$(token_of user@example.org)
  admin_token=$(token_of admin@example.org)
  provoke_answers
  ask anonymous
  ask user "$user_token"
  ask administrator "$admin_token"
  know_a_sale
  ask administrator-of-a-sale "$admin_token"
  check_log
  printf '%d passed, %d failed\n' "$passed" "$failed"
  exit $((failed > 0))
}

# A folder of its own in target/, made once for each list of versions.
install_schemathesis() {
  if cmp -s "$requirements" "$venv/requirements.txt"; then
    return
  fi
  need python3 'install Python 3.10 or newer (Debian: apt-get install python3-venv)'
  say 'Installing schemathesis'
  rm -rf "$venv"
  mkdir -p target
  python3 -m venv "$venv" || die 'python3 has no venv: install it (Debian: apt-get install python3-venv).'
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" ||
    die 'schemathesis could not be installed: the first time needs the network for pip.'
  cp "$requirements" "$venv/requirements.txt"
}

build_flashsale() {
  if [[ -z ${FLASHSALE_BIN:-} ]]; then
    need_build_tools
    cargo build --quiet --locked -p flashsale --bin flashsale || die 'the build failed, see above.'
    FLASHSALE_BIN=${CARGO_TARGET_DIR:-target}/debug/flashsale
  fi
}

# `flashsale dev` is API, worker and a PostgreSQL of its own, and takes it with it.
start_flashsale() {
  local tries=0
  work_dir=$(mktemp -d "${TMPDIR:-/tmp}/flashsale-openapi.XXXXXX")
  trap stop_flashsale EXIT
  # As root the server runs as somebody else, who has to reach its data.
  chmod 755 "$work_dir"
  port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  base=http://127.0.0.1:$port
  env -u DATABASE_URL -u REDIS_URL -u JWT_SECRET -u JWT_SECRET_FILE DATA_DIR="$work_dir/data" BIND_ADDR="127.0.0.1:$port" \
    RATE_LIMITS=off ADMIN_EMAIL=admin@example.org ADMIN_PASSWORD="$password" "$FLASHSALE_BIN" dev >"$work_dir/log" 2>&1 &
  flashsale_pid=$!
  until request GET /readyz >/dev/null 2>&1; do
    if ((++tries > 120)) || ! kill -0 $flashsale_pid 2>/dev/null; then
      cat "$work_dir/log" >&2
      die 'flashsale dev did not get ready, see above.'
    fi
    sleep 0.5
  done
  for email in user@example.org spare@example.org; do
    request POST /users "{\"email\":\"$email\",\"password\":\"$password\"}" >/dev/null
  done
}

# shellcheck disable=SC2317
stop_flashsale() {
  if [[ -n ${flashsale_pid:-} ]]; then
    kill "$flashsale_pid" 2>/dev/null || true
    wait "$flashsale_pid" 2>/dev/null || true
  fi
  rm -rf "$work_dir"
}

# request <method> <path> [body [token]]: prints the answer's body. Python is there already, curl may not be.
request() {
  "$venv/bin/python" -c '
import sys, urllib.request
method, url, body, token = sys.argv[1:5]
headers = {"Content-Type": "application/json"} if body else {}
if token:
    headers["Authorization"] = "Bearer " + token
asked = urllib.request.Request(url, body.encode() or None, headers, method=method)
print(urllib.request.urlopen(asked, timeout=10).read().decode())
' "$1" "$base$2" "${3:-}" "${4:-}"
}

# member <name>: prints a member of the JSON object that is read.
member() { "$venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

token_of() {
  request POST /users/authenticate "{\"email\":\"$1\",\"password\":\"$password\"}" | member token
}

# A sale for every path parameter from here on; whoever asked before may have ended the others.
know_a_sale() {
  local sale
  sale=$(request POST /sales '{"name":"lamp","price_in_cents":100,"quantity":1000,"start_date":"2020-01-01T00:00:00Z",
    "end_date":"2199-01-01T00:00:00Z"}' "$(token_of admin@example.org)")
  cp tests/openapi/schemathesis.toml "$work_dir/known.toml"
  printf '\n[parameters]\n"path.flash_sale_id" = "%s"\n"path.product_id" = "%s"\n' \
    "$(member flash_sale_id <<<"$sale")" "$(member product_id <<<"$sale")" >>"$work_dir/known.toml"
  config=$work_dir/known.toml
}

provoke_answers() {
  local began=$SECONDS counts good bad
  counts=$("$venv/bin/python" tests/openapi/answers.py "$base" "$user_token" "$admin_token") ||
    die 'tests/openapi/answers.py did not get to its end, see above.'
  printf 'answers: %s, %d s\n' "$counts" $((SECONDS - began))
  read -r good _ bad _ <<<"$counts"
  passed=$((passed + good))
  failed=$((failed + bad))
}

# ask <who> [token]: one run of schemathesis; each operation of the document is a test.
ask() {
  local who=$1 headers=() began=$SECONDS counts good bad
  [[ -z ${2:-} ]] || headers=(--header "Authorization: Bearer $2")
  rm -rf "${reports:?}/$who"
  mkdir -p "$reports"
  "$venv/bin/schemathesis" --config-file "${config:-tests/openapi/schemathesis.toml}" run "$base/openapi.json" \
    --max-examples "${EXAMPLES:-25}" --seed "${SEED:-1}" --generation-database none --no-shrink --no-color --warnings off \
    --suppress-health-check all --request-timeout 20 --report junit --report-dir "$reports/$who" \
    ${headers[@]+"${headers[@]}"} >"$reports/$who.log" 2>&1 || true
  # <testsuites errors="0" failures="5" skipped="0" tests="23" …>
  counts=$(sed -nE 's/.*<testsuites errors="([0-9]+)" failures="([0-9]+)" skipped="([0-9]+)" tests="([0-9]+)".*/\1 \2 \3 \4/p' \
    "$reports/$who"/junit-*.xml 2>/dev/null) || true
  read -r errors failures skipped tests <<<"${counts:-1 0 0 1}"
  bad=$((errors + failures)) good=$((tests - errors - failures - skipped))
  if ((bad > 0)); then
    sed -n '/= FAILURES =\|= ERRORS =\|^❌/,$p' "$reports/$who.log"
  fi
  printf '%s: %d passed, %d failed, %s, %d s (%s)\n' "$who" "$good" "$bad" \
    "$(grep -oE '[0-9]+ generated' "$reports/$who.log" || echo 'nothing generated')" $((SECONDS - began)) "$reports/$who.log"
  passed=$((passed + good))
  failed=$((failed + bad))
}

# A panic is answered by a connection that breaks, which a client may take for the network.
check_log() {
  if grep -E 'panicked at|answered 500' "$work_dir/log"; then
    failed=$((failed + 1))
  else
    passed=$((passed + 1))
  fi
}

main "$@"
