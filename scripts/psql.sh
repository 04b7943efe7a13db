#!/usr/bin/env bash
# `make psql`: opens the database of a running `flashsale dev`, whose URL is in the data folder.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

need psql 'install the PostgreSQL client (Debian: apt-get install postgresql-client)'
url_file=${DATA_DIR:-.data}/database.url
[[ -r $url_file ]] || die "there is no readable $url_file: start \`make run\` first."
exec psql "$(cat "$url_file")" "$@"
