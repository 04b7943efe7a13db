#!/usr/bin/env bash
# Builds the page (web/ into web/dist/, which the binary embeds), unless it is built from these very sources. Installs
# its packages where they are missing, which needs the network once.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

main() {
  need_node
  install_page_packages
  local sources
  sources=$(page_sources)
  if [[ -f web/dist/index.html && -f web/.built && $(cat web/.built) == "$sources" ]]; then
    return
  fi
  say 'Building the page'
  rm -f web/.built
  (cd web && npm run --silent build -- --logLevel warn) || die 'the page could not be built, see above.'
  printf '%s\n' "$sources" >web/.built
}

# One hash over everything the page is built from, names and contents: a checkout changes times, not these.
page_sources() {
  (
    cd web
    find src public ./*.json ./*.ts .npmrc index.html -type f ! -name '*.test.*' -print0 |
      LC_ALL=C sort -z | xargs -0 cksum
    node --version
  ) | cksum
}

main
