# Sourced by the other scripts: messages, and what they need to find. Not to be run.
# shellcheck shell=bash

say() { printf '%s\n' "$*"; }

# die <sentence>: says what is missing and ends the script.
die() {
  printf '%s\n' "$*" >&2
  exit 1
}

# need <program> <what to do>: ends the script with one sentence when the program is missing.
need() {
  command -v "$1" >/dev/null 2>&1 || die "$1 is missing: $2."
}

# rustup puts cargo where a non-login shell does not look.
if ! command -v cargo >/dev/null 2>&1 && [[ -x ${CARGO_HOME:-$HOME/.cargo}/bin/cargo ]]; then
  PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
fi

# Prints the folder of the newest PostgreSQL server (15 or newer) the system has; fails when there is none. The same
# places as src/embedded/binaries.rs.
system_postgres_bin_dir() {
  local dir major best='' best_major=14
  if [[ -n ${PG_BIN_DIR:-} ]]; then
    printf '%s\n' "$PG_BIN_DIR"
    return
  fi
  for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
    /usr/local/opt/postgresql@*/bin; do
    [[ -x $dir/postgres && -x $dir/initdb ]] || continue
    major=$(sed -E 's/.*[^0-9]([0-9]+)(\.[0-9]+)?\/bin$/\1/' <<<"$dir")
    if [[ $major =~ ^[0-9]+$ ]] && ((major > best_major)); then
      best=$dir best_major=$major
    fi
  done
  [[ -n $best ]] && printf '%s\n' "$best"
}

# Ends the script with one sentence when the Rust code cannot be built here.
need_build_tools() {
  need cargo 'install Rust with rustup, see https://rustup.rs'
  need cc 'install a C compiler (Debian: apt-get install build-essential)'
}

# Ends the script with one sentence when the page cannot be built here. Debian 12's own Node.js is 18.
need_node() {
  local advice='install Node.js 20.19 or newer, see https://nodejs.org/en/download' version major minor
  need node "$advice"
  need npm "$advice"
  version=$(node --version)
  IFS=. read -r major minor _ <<<"${version#v}"
  ((major > 20 || (major == 20 && minor >= 19))) || die "Node.js $version is too old to build the page: $advice."
}

# Installs the page's packages as web/package-lock.json names them, unless they are there.
install_page_packages() {
  local installed=web/node_modules/.flashsale-lock
  if [[ -f $installed ]] && cmp -s web/package-lock.json "$installed"; then
    return
  fi
  say "Installing the page's packages"
  # Their install scripts are not needed; nothing of ours runs as root on their behalf.
  (cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel error) ||
    die "the page's packages could not be installed: the first time needs the network for npm."
  cp web/package-lock.json "$installed"
}

# copy_tree <folder>: replaces what is there by the sources as they are now, committed or not, and the built page; for
# what changes them to see a test go red. All are new to cargo, so that a change that was undone is built again.
copy_tree() {
  local to=$1
  mkdir -p "$to"
  find "$to" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
  git ls-files --cached --others --exclude-standard -z |
    { while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done; } |
    tar --null --files-from=- --create --file=- | tar --extract --touch --file=- --directory "$to"
  cp -R web/dist web/.built "$to/web/"
}
