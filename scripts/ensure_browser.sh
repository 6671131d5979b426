#!/bin/sh
# The browser tests need a Chromium or Chrome. With CI=true one is installed where that is possible, and a missing one
# fails; elsewhere the tests skip themselves and say so.
set -eu
cd "$(dirname "$0")/.."
[ "${CI:-}" = true ] || exit 0
.venv/bin/python -m tests.browser.chromium >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    apt-get install --quiet=2 --yes --no-install-recommends chromium fonts-noto-cjk >/dev/null
fi
.venv/bin/python -m tests.browser.chromium >/dev/null
