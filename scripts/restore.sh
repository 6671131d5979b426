#!/bin/sh
# Put a copy back: scripts/restore.sh FILE, with the site stopped. DATABASE_URL says where to; that must be empty.
# Sessions that were ended and signing keys that were taken back since the copy would be good again: all of them are
# ended, and everybody signs in anew.
# On PostgreSQL by the owner's role; roles that had rights get them again, and have to be there.
set -eu
umask 077
file=${1:?"say which: scripts/restore.sh FILE"}
url=${DATABASE_URL:-sqlite:///instance/app.db}
here=$(cd "$(dirname "$0")/.." && pwd)
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$here" # a relative DATABASE_URL is meant from here, as the site means it
python=${PYTHON:-$here/.venv/bin/python}
case $url in
sqlite:///*)
    target=${url#sqlite:///}
    [ ! -e "$target" ] || { echo "$target is there already: move it away first" >&2; exit 1; }
    cp "$file" "$target"
    rm -f "$target-wal" "$target-shm"
    ;;
postgres*)
    lines=$("$python" scripts/libpq.py)
    eval "$lines"
    pg_restore --exit-on-error --no-owner --single-transaction --dbname="$address" "$file"
    ;;
*) echo "DATABASE_URL is neither SQLite nor PostgreSQL" >&2; exit 1 ;;
esac
"$python" -m flask --app wsgi db upgrade
"$python" -m flask --app wsgi sessions revoke-all
"$python" -m flask --app wsgi keys retire-all
