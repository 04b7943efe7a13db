#!/usr/bin/env bash
# Tests what the system is shipped with: Dockerfile, docker-compose.yml, the workflow and everything in deploy/, by the tools that
# will read them (hadolint, the schemas of compose, GitHub and Kubernetes, haproxy, systemd-analyze, promtool, psql), and by
# deploy/checks/ for what those do not know. Nothing is installed: the tools are unpacked into target/, where they are missing.
# Ends with "N passed, N failed".
#
# usage: scripts/test-deploy.sh
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh
# shellcheck source=scripts/debian-tools.sh
source scripts/debian-tools.sh

readonly venv=target/deploy-venv requirements=deploy/checks/requirements.txt
# More than this of what systemd-analyze calls exposure (0 is nothing, 100 is all) is too much.
readonly exposure_max=20
passed=0
failed=0

main() {
  install_python_tools
  unpack_debian_tools haproxy:haproxy promtool:prometheus systemd-analyze:systemd
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/flashsale-deploy.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT

  check 'image: hadolint' "$venv/bin/hadolint" --failure-threshold style Dockerfile
  check 'image: user, health check, versions' ours manifests.py image
  check 'compose: schema' "$venv/bin/check-jsonschema" --builtin-schema vendor.compose-spec docker-compose.yml
  check 'compose: rights, ports, limits, files' ours manifests.py compose
  check 'workflow: schema' "$venv/bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
  check 'workflow: zizmor' "$venv/bin/zizmor" --offline --no-progress --quiet .github/workflows
  check 'proxy: syntax' haproxy -dW -c -f deploy/haproxy/haproxy.cfg
  check 'proxy: a real one in front of two servers' ours proxy.py "$(command -v haproxy)"
  check 'systemd: units' units_are_valid
  check 'systemd: hardening' units_are_hardened
  check 'postgres: logins' logins_work
  check 'sharding: every function has a route' ours routes.py
  check 'kubernetes: schema' kubernetes_schemas_fit
  check 'kubernetes: selectors, references, rights' ours manifests.py kubernetes
  check 'every variable is one the binary reads' ours manifests.py settings
  check 'time to stop' ours manifests.py deadlines
  check 'prometheus: configuration and rules' promtool check config deploy/prometheus/prometheus.yml
  check 'prometheus: alerts fire when they should' promtool test rules deploy/prometheus/alerts.test.yml
  check 'grafana: queries' dashboard_queries_are_valid
  check 'metrics, alerts and panels are described' ours metrics.py check
  check_dependencies
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

# shellcheck disable=SC2317
ours() {
  local program=$1
  shift
  "$venv/bin/python" -B "deploy/checks/$program" "$@"
}

# A folder of its own in target/, made once for each list of versions.
install_python_tools() {
  if cmp -s "$requirements" "$venv/requirements.txt"; then
    return
  fi
  need python3 'install Python 3.10 or newer (Debian: apt-get install python3-venv)'
  say 'Installing the checkers of schemas'
  rm -rf "$venv"
  mkdir -p target
  python3 -m venv "$venv" || die 'python3 has no venv: install it (Debian: apt-get install python3-venv).'
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" ||
    die 'the checkers of schemas could not be installed: the first time needs the network for pip.'
  cp "$requirements" "$venv/requirements.txt"
}

# kustomization.yaml is no object of Kubernetes, so it has no schema there.
# shellcheck disable=SC2317
kubernetes_schemas_fit() {
  local file manifests=()
  for file in deploy/kubernetes/*.yaml; do
    [[ $file == */kustomization.yaml ]] || manifests+=("$file")
  done
  "$venv/bin/kubernetes-validate" --strict --quiet "${manifests[@]}"
}

# A root with our units, as they are installed, the binary they start, and the targets that every system has.
# shellcheck disable=SC2317
make_units_root() {
  local target
  root=$scratch/root
  [[ ! -d $root ]] || return 0
  mkdir -p "$root/etc/systemd/system" "$root/usr/lib/systemd/system" "$root/usr/local/bin"
  cp -R deploy/systemd/. "$root/etc/systemd/system/"
  mv "$root/etc/systemd/system/flashsale-api@.service" "$root/etc/systemd/system/flashsale-api@8081.service"
  mv "$root/etc/systemd/system/flashsale-worker@.service" "$root/etc/systemd/system/flashsale-worker@9091.service"
  cp "$(type -P true)" "$root/usr/local/bin/flashsale"
  for target in sysinit basic shutdown network-online multi-user; do
    printf '[Unit]\nDescription=%s\nDefaultDependencies=no\n' "$target" >"$root/usr/lib/systemd/system/$target.target"
  done
}

# What is misspelt is only a warning to systemd, and ignored.
# shellcheck disable=SC2317
units_are_valid() {
  local unit said
  make_units_root
  for unit in "$root"/etc/systemd/system/*.service; do
    unit=$(basename "$unit")
    if ! said=$(systemd-analyze verify --man=no --root="$root" "$unit" 2>&1) || [[ -n $said ]]; then
      printf '%s:\n%s\n' "$unit" "$said"
      return 1
    fi
  done
}

# shellcheck disable=SC2317
units_are_hardened() {
  local unit
  make_units_root
  for unit in "$root"/etc/systemd/system/*.service; do
    systemd-analyze security --no-pager --offline=true --threshold="$exposure_max" --root="$root" "$(basename "$unit")" ||
      return 1
  done
}

# shellcheck disable=SC2317
logins_work() {
  local bin_dir
  bin_dir=$(system_postgres_bin_dir) || {
    say 'PostgreSQL 15 or newer is missing: install it (Debian: apt-get install postgresql) or set PG_BIN_DIR.'
    return 1
  }
  ours logins.py "$bin_dir"
}

# shellcheck disable=SC2317
dashboard_queries_are_valid() {
  ours metrics.py queries >"$scratch/dashboard.yml" && promtool check rules "$scratch/dashboard.yml"
}

# It takes five minutes to build, so it is used where it is, and in the workflow.
check_dependencies() {
  if cargo deny --version >/dev/null 2>&1; then
    check 'licences, bans, sources' cargo deny --offline --locked check licenses bans sources
  else
    say 'cargo-deny is not installed (cargo install --locked cargo-deny): licences, bans and sources not checked'
  fi
}

main "$@"
