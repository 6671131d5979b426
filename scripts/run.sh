#!/bin/sh
# Bring the database up to date and serve the site until Ctrl-C.
set -eu
cd "$(dirname "$0")/.."
LOG_LEVEL="${LOG_LEVEL:-WARNING}" .venv/bin/python -m flask --app wsgi db upgrade
export ANNOUNCE=1
exec .venv/bin/python -m gunicorn --config gunicorn.conf.py wsgi:app
