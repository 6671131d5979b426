#!/bin/sh
# Bring the database up to date and serve the site until Ctrl-C. Where nobody has set up Google, a stand-in takes its
# place; never in production, where anybody could come in by it.
set -eu
cd "$(dirname "$0")/.."
LOG_LEVEL="${LOG_LEVEL:-WARNING}" .venv/bin/python -m flask --app wsgi db upgrade
export ANNOUNCE=1
set -- .venv/bin/python -m gunicorn --config gunicorn.conf.py wsgi:app
if [ -z "${GOOGLE_CLIENT_ID:-}" ] && [ "${APP_ENV:-development}" = development ]; then
    set -- .venv/bin/python -m stand_in -- "$@"
fi
exec "$@"
