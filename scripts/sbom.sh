#!/usr/bin/env bash
# Writes what the shipped binary is made of, as CycloneDX 1.5, into target/sbom/: flashsale.cdx.json (its crates, those that
# only build it too) and page.cdx.json (the packages of the page that it carries). From the lock files: nothing is built.
#
# usage: scripts/sbom.sh [target]      target: the system the binary is for (default: this one)
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

readonly sboms=target/sbom name=flashsale-sbom

main() {
  need cargo 'install Rust with rustup, see https://rustup.rs'
  cargo cyclonedx --version >/dev/null 2>&1 ||
    die 'cargo-cyclonedx is missing: install it with "cargo install --locked cargo-cyclonedx" (three minutes, once).'
  need_node
  mkdir -p "$sboms"
  write_crates "${1:-$(rustc -vV | sed -n 's/^host: //p')}"
  write_packages
  local file
  for file in "$sboms"/*.cdx.json; do
    say "$file: $(node -p 'JSON.parse(require("node:fs").readFileSync(process.argv[1])).components.length' "$file") components"
  done
}

# The tool writes beside every Cargo.toml of the workspace; only the binary's is of interest.
write_crates() {
  trap 'git ls-files --others --exclude-standard -z "*/$name.json" "$name.json" | xargs -0 rm -f' EXIT
  cargo cyclonedx --quiet --format json --spec-version 1.5 --target "$1" --override-filename "$name" ||
    die 'cargo cyclonedx failed, see above.'
  # Where it was made is nobody's business, and would make two of them differ.
  sed "s#file://$PWD#file://.#g" "$name.json" >"$sboms/flashsale.cdx.json"
}

write_packages() {
  (cd web && npm sbom --package-lock-only --omit dev --sbom-format cyclonedx --sbom-type application) >"$sboms/page.cdx.json" ||
    die 'npm sbom failed, see above.'
}

main "$@"
