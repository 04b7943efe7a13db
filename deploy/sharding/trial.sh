#!/usr/bin/env bash
# Sales on two PostgreSQL servers, on one machine, for trying it out: a router (with the home of the users beside it), two
# shards with a worker each, a worker at the router, two API processes. Everything is in one folder and listens on 127.0.0.1 only,
# on ports that were free. Works as root (PostgreSQL then runs as uid 65534) and as an ordinary user.
#
# usage: deploy/sharding/trial.sh up          starts everything, and says where it is
#        deploy/sharding/trial.sh status      says where it is, and whether it runs
#        deploy/sharding/trial.sh env         the same for programs: NAME=value
#        deploy/sharding/trial.sh kill N      kill -9 for the PostgreSQL of shard N, and all of its processes
#        deploy/sharding/trial.sh start N     starts it again
#        deploy/sharding/trial.sh down        stops everything and deletes the folder
#   SHARDING_DIR   the folder, when not flashsale-sharding-<uid> below TMPDIR
#   FLASHSALE_BIN  the binary, when not target/debug/flashsale of this tree
#   PG_BIN_DIR     where postgres, initdb and psql are; there must be PL/Proxy too (Debian: postgresql-15-plproxy)
#   REDIS_URL, JWT_SECRET, RATE_LIMITS, RUST_LOG, ADMIN_EMAIL, ADMIN_PASSWORD   as in the README
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly unprivileged=65534
readonly folder=${SHARDING_DIR:-${TMPDIR:-/tmp}/flashsale-sharding-$EUID}
readonly servers=(router shard0 shard1)
readonly processes=(worker-router worker-shard0 worker-shard1 api-0 api-1)

main() {
  case ${1:-} in
    up) up ;;
    status) status ;;
    env) need_trial && cat "$folder/env" ;;
    kill) need_trial && kill_server "$(shard "${2:-}")" ;;
    start) need_trial && find_postgres && start_server "$(shard "${2:-}")" ;;
    down) down ;;
    -h | --help | help) sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p}' "$0" ;;
    *) die "usage: $0 up | status | env | kill N | start N | down    ($0 --help says more)" ;;
  esac
}

shard() {
  [[ ${1:-} =~ ^[01]$ ]] || die "which shard? 0 or 1."
  printf 'shard%s\n' "$1"
}

need_trial() {
  [[ -f $folder/env ]] || die "nothing was started in $folder: $0 up"
}

find_postgres() {
  local bin_dir
  bin_dir=$(system_postgres_bin_dir) ||
    die 'PostgreSQL 15 or newer is missing: install it (Debian: apt-get install postgresql) or set PG_BIN_DIR.'
  PATH=$bin_dir:$PATH
  [[ -f $("$bin_dir/pg_config" --sharedir)/extension/plproxy.control ]] ||
    die "PL/Proxy is missing for the PostgreSQL in $bin_dir: install it (Debian: apt-get install postgresql-15-plproxy)."
}

up() {
  local server
  [[ ! -e $folder ]] || die "$folder exists already: $0 status, or $0 down"
  find_postgres
  need perl 'install perl: it finds free ports'
  binary=${FLASHSALE_BIN:-${CARGO_TARGET_DIR:-target}/debug/flashsale}
  [[ -x $binary ]] || die "$binary is missing: make build, or set FLASHSALE_BIN."
  (umask 077 && mkdir -p "$folder")
  trap 'say "Something failed: the logs are in $folder, and $0 down stops what runs." >&2' ERR
  if ((EUID == 0)); then
    need setpriv 'install util-linux, or run this as an ordinary user'
    chmod 711 "$folder"
  fi
  (umask 077 && secret >"$folder/owner.password")
  for server in "${servers[@]}"; do
    make_server "$server"
    start_server "$server"
    psql_as_owner "$server" postgres -c "alter role postgres password '$(cat "$folder/owner.password")'"
  done
  install_databases
  start_processes
  trap - ERR
  status
}

as_server_user() {
  if ((EUID == 0)); then
    setpriv --reuid=$unprivileged --regid=$unprivileged --clear-groups env HOME="$folder" "$@"
  else
    "$@"
  fi
}

free_port() {
  perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'
}

# make_server <name>: a cluster of its own. Its owner comes in by the socket, everybody else by a password.
make_server() {
  local at=$folder/$1
  mkdir -m 700 "$at"
  if ((EUID == 0)); then chown $unprivileged:$unprivileged "$at"; fi
  free_port >"$folder/$1.port"
  (cd "$folder" && as_server_user initdb --pgdata="$at/data" --username=postgres --auth-local=trust --auth-host=scram-sha-256 \
    --encoding=UTF8 --no-locale --no-sync) >"$folder/$1.initdb.log" 2>&1 || { cat "$folder/$1.initdb.log" >&2 && false; }
}

start_server() {
  local at=$folder/$1
  (cd "$folder" && as_server_user pg_ctl --pgdata="$at/data" --log="$at/log" --wait --silent start --options="-p $(port "$1") \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories=$at -c max_connections=300 -c jit=off") ||
    { tail -n 20 "$at/log" >&2 && die "the PostgreSQL of $1 did not start, see above."; }
}

port() { cat "$folder/$1.port"; }

# kill_server <name>: as if the machine had lost its power, but for what the kernel has to write.
kill_server() {
  local postmaster children
  postmaster=$(head -n 1 "$folder/$1/data/postmaster.pid")
  children=$(ps -o pid= --ppid "$postmaster" || true)
  [[ $(ps -o comm= -p "$postmaster") == *postgres* ]] || die "the PostgreSQL of $1 does not run."
  # shellcheck disable=SC2086
  kill -9 "$postmaster" $children
  while kill -0 "$postmaster" 2>/dev/null; do sleep 0.02; done
}

# owner_url <server> <database>, login_url <login> <password> <server> <database>
owner_url() { login_url postgres "$(cat "$folder/owner.password")" "$1" "$2"; }
login_url() { printf 'postgresql://%s:%s@127.0.0.1:%s/%s' "$1" "$2" "$(port "$3")" "$4"; }

psql_as_owner() {
  local server=$1 database=$2
  shift 2
  PGOPTIONS='-c client_min_messages=warning' psql -Xq -v ON_ERROR_STOP=1 \
    -h "$folder/$server" -p "$(port "$server")" -U postgres -d "$database" "$@" >/dev/null
}

# install_databases: flashsale on each shard and at home, then the router, which is told where they are.
install_databases() {
  local server number password
  API_PASSWORD=$(secret) WORKER_PASSWORD=$(secret) ROUTER_PASSWORD=$(secret) LISTENER_PASSWORD=$(secret)
  export API_PASSWORD WORKER_PASSWORD ROUTER_PASSWORD LISTENER_PASSWORD
  psql_as_owner router postgres -c 'create database home' -c 'create database router'
  for server in home shard0 shard1; do
    if [[ $server != home ]]; then psql_as_owner $server postgres -c "create database $server"; fi
    # The administrator is a user, and users live at home.
    if [[ $server != home ]]; then unset ADMIN_EMAIL ADMIN_PASSWORD; fi
    DATABASE_URL=$(owner_url "${server/home/router}" $server) "$binary" migrate >"$folder/$server.migrate.log"
    psql_as_owner "${server/home/router}" $server -f deploy/sharding/server.sql
    psql_as_owner "${server/home/router}" $server -f deploy/postgres/logins.sql
  done
  psql_as_owner router router -f deploy/sharding/router.sql
  password=$ROUTER_PASSWORD
  {
    printf "select sharding.set_home('%s', '%s');\n" "$(connection router home)" "$password"
    for number in 0 1; do
      printf "select sharding.set_shard(%d, '%s', '%s');\n" $number "$(connection shard$number shard$number)" "$password"
    done
  } | psql_as_owner router router -f -
}

connection() { printf 'host=127.0.0.1 port=%s dbname=%s' "$(port "$1")" "$2"; }
secret() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }

start_processes() {
  local number address url
  {
    printf 'SHARDING_DIR=%s\n' "$folder"
    printf 'ROUTER_URL=%s\nHOME_URL=%s\n' "$(owner_url router router)" "$(owner_url router home)"
    printf 'SHARD0_URL=%s\nSHARD1_URL=%s\n' "$(owner_url shard0 shard0)" "$(owner_url shard1 shard1)"
  } >"$folder/env"
  chmod 600 "$folder/env"
  url=$(login_url flashsale_listener "$LISTENER_PASSWORD" router home)
  for number in 0 1; do
    url+=,$(login_url flashsale_listener "$LISTENER_PASSWORD" shard$number shard$number)
    # Redis is the same for all shards, so it is kept by the worker that knows all of them.
    DATABASE_URL=$(login_url worker "$WORKER_PASSWORD" shard$number shard$number) REDIS_URL='' \
      start_process worker-shard$number worker
  done
  DATABASE_URL=$(login_url worker "$WORKER_PASSWORD" router router) start_process worker-router worker
  JWT_SECRET=${JWT_SECRET:-$(secret)}
  export JWT_SECRET
  for number in 0 1; do
    address=127.0.0.1:$(free_port)
    printf 'API%d=%s\n' $number "$address" >>"$folder/env"
    DATABASE_URL=$(login_url api "$API_PASSWORD" router router) DATABASE_LISTEN_URLS=$url BIND_ADDR=$address \
      start_process api-$number api
    wait_until_ready api-$number "$address"
  done
}

# start_process <name> <command>
start_process() {
  setsid "$binary" "$2" >"$folder/$1.log" 2>&1 </dev/null &
  printf '%d\n' $! >"$folder/$1.pid"
}

wait_until_ready() {
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    if BIND_ADDR=$2 "$binary" healthcheck >/dev/null 2>&1; then return; fi
    runs "$1" || break
    sleep 0.1
  done
  tail -n 20 "$folder/$1.log" >&2
  die "$1 is not ready, see above."
}

runs() {
  local pid
  pid=$(cat "$folder/$1.pid" 2>/dev/null) && kill -0 "$pid" 2>/dev/null
}

status() {
  local name at
  need_trial
  # shellcheck disable=SC1091
  source "$folder/env"
  for name in "${servers[@]}"; do
    at='does not run'
    if kill -0 "$(head -n 1 "$folder/$name/data/postmaster.pid" 2>/dev/null)" 2>/dev/null; then at=runs; fi
    say "$(printf '%-14s %-12s psql -h %s -p %s -U postgres %s' "$name" "$at" "$folder/$name" "$(port "$name")" "$name")"
  done
  for name in "${processes[@]}"; do
    at='does not run'
    if runs "$name"; then at=runs; fi
    case $name in
      api-0) at+="         http://$API0" ;;
      api-1) at+="         http://$API1" ;;
    esac
    say "$(printf '%-14s %s' "$name" "$at")"
  done
  say "logs: $folder/*.log, $folder/*/log"
}

down() {
  local name pid
  [[ -e $folder ]] || return 0
  for name in "${processes[@]}"; do
    if runs "$name"; then kill -TERM "$(cat "$folder/$name.pid")"; fi
  done
  for name in "${processes[@]}"; do
    for ((pid = 0; pid < 200; pid++)); do
      runs "$name" || break
      sleep 0.1
    done
    if runs "$name"; then kill -9 "$(cat "$folder/$name.pid")"; fi
  done
  find_postgres
  for name in "${servers[@]}"; do
    (cd "$folder" && as_server_user pg_ctl --pgdata="$folder/$name/data" --mode=immediate --silent stop) >/dev/null 2>&1 || true
  done
  rm -rf "$folder"
}

main "$@"
