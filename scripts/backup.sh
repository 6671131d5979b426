#!/bin/sh
# A copy of the database while the site runs: scripts/backup.sh FILE. DATABASE_URL says of which; default: instance/app.db.
# For SQLite a database file, for PostgreSQL an archive of pg_dump. What Redis holds needs none: people sign in anew.
set -eu
umask 077
file=${1:?"say where to: scripts/backup.sh FILE"}
url=${DATABASE_URL:-sqlite:///instance/app.db}
here=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$here/.venv/bin/python}
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$here" # a relative DATABASE_URL is meant from here, as the site means it
[ ! -e "$file" ] || { echo "$file is there already" >&2; exit 1; }
case $url in
sqlite:///*)
    "$python" - "${url#sqlite:///}" "$file" <<'PYTHON'
import sqlite3
import sys

source, target = (sqlite3.connect(f"file:{name}?mode={mode}", uri=True) for name, mode in zip(sys.argv[1:], ("rw", "rwc")))
with target:
    source.backup(target)
if target.execute("PRAGMA integrity_check").fetchone() != ("ok",):
    sys.exit("the copy is damaged")
PYTHON
    ;;
postgres*)
    lines=$("$python" scripts/libpq.py)
    eval "$lines"
    pg_dump --format=custom --no-owner --file="$file" "$address"
    ;;
*) echo "DATABASE_URL is neither SQLite nor PostgreSQL" >&2; exit 1 ;;
esac
echo "written: $file"
