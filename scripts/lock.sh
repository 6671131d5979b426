#!/bin/sh
# Pin requirements*.in with hashes, for every platform and Python from 3.11. Pass uv options such as --upgrade along.
# With --check nothing is written: it fails where the pinned files are not what the .in files and the same versions give.
set -eu
cd "$(dirname "$0")/.."
uv_version=0.13.9
uv=.venv-uv/bin/uv
if [ "$("$uv" --version 2>/dev/null | cut -d' ' -f2)" != "$uv_version" ]; then
    .venv/bin/python -m venv --clear .venv-uv
    .venv-uv/bin/python -m pip install --quiet --quiet --disable-pip-version-check "uv==$uv_version"
fi

into=.
if [ "${1:-}" = --check ]; then
    shift
    into=$(mktemp -d)
    trap 'rm -rf "$into"' EXIT
    cp requirements*.in requirements*.txt "$into"
fi
cd "$into"
for name in requirements requirements-dev requirements-audit; do
    "$OLDPWD/$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --custom-compile-command "make lock" "$@" --output-file "$name.txt" "$name.in"
done
[ "$into" = . ] || for name in requirements requirements-dev requirements-audit; do
    diff -u "$OLDPWD/$name.txt" "$name.txt" || { echo "$name.txt is not what \`make lock\` writes: run it" >&2; exit 1; }
done
