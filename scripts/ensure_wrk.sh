#!/bin/sh
# The measurements need wrk (https://github.com/wg/wrk): installed where that is possible, else it says what to do.
set -eu
command -v wrk >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update --quiet=2
    apt-get install --quiet=2 --yes --no-install-recommends wrk >/dev/null
fi
command -v wrk >/dev/null || { echo "wrk is needed (Debian: apt install wrk; macOS: brew install wrk)" >&2; exit 1; }
