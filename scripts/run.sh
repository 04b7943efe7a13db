#!/usr/bin/env bash
# `make run`: brings what is missing, builds the page and the binary and becomes `flashsale dev`, so that ctrl-c reaches it.
# Needs the network only for what is not there yet.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

need_build_tools

if [[ -z ${DATABASE_URL:-} ]]; then
  scripts/embedded-postgres.sh
fi

scripts/build-page.sh
say 'Building (the first time takes some minutes)'
cargo build --locked -p flashsale --bin flashsale ||
  die 'the build failed, see above; the first one needs the network for the crates'

exec "${CARGO_TARGET_DIR:-target}/debug/flashsale" dev
