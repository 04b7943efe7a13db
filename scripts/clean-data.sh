#!/usr/bin/env bash
# `make clean-data`: deletes the data folder of `flashsale dev`, and the folder elsewhere where the database is when the
# account PostgreSQL runs as cannot reach the data folder (see src/embedded/place.rs).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/prerequisites.sh
source scripts/prerequisites.sh

data_dir=${DATA_DIR:-.data}
[[ -d $data_dir ]] || { say "There is no $data_dir."; exit 0; }
[[ -e $data_dir/postgres.port || -e $data_dir/database.url || -d $data_dir/postgres ]] ||
  die "$data_dir does not look like a data folder of \`make run\`: delete it by hand if you mean it."

database_dir=$data_dir/postgres
note=$data_dir/postgres-is-elsewhere.txt
if [[ -r $note ]]; then
  database_dir=$(head -n 1 "$note")
  [[ $database_dir =~ ^/var/lib/flashsale/[0-9a-f]{16}$ ]] ||
    die "$note names $database_dir, which no \`make run\` made: delete both by hand if you mean it."
fi

pid_file=$database_dir/data/postmaster.pid
if [[ -e $pid_file ]] && pid=$(head -n 1 "$pid_file") && kill -0 "$pid" 2>/dev/null; then
  die "the database in $database_dir is running (process $pid): stop \`make run\` with ctrl-c first."
fi
rm -rf -- "$database_dir" "$data_dir"
say "Deleted $data_dir."
