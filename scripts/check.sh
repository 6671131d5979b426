#!/bin/sh
# Everything that can be said about the code without running it. All checks run, then the failed ones are named.
set -u
cd "$(dirname "$0")/.."
python=.venv/bin/python
failed=

check() {
    name=$1
    shift
    if output=$("$@" 2>&1); then
        echo "ok      $name"
    else
        echo "FAILED  $name"
        echo "$output" | sed 's/^/        /'
        failed="$failed $name"
    fi
}

check ruff "$python" -m ruff check --quiet .
check format "$python" -m ruff format --quiet --check --diff .
check mypy "$python" -m mypy
check bandit .venv/bin/bandit --quiet --configfile pyproject.toml --recursive webapp stand_in scripts gunicorn.conf.py wsgi.py
check imports .venv/bin/lint-imports --no-cache
check djlint "$python" -m djlint --quiet --lint webapp/templates stand_in/templates
check translations "$python" scripts/translations.py check

[ -z "$failed" ] || { echo "Failed:$failed" >&2; exit 1; }
