#!/bin/sh
# Make .venv hold exactly what a pinned requirements file names: scripts/venv.sh requirements.txt
# Another folder may be named: scripts/venv.sh requirements-audit.txt .venv-audit
# A copy of the file inside it says what was installed, so a second call does nothing and needs no network.
set -eu
cd "$(dirname "$0")/.."
requirements=$1
venv=${2:-.venv}
python=$venv/bin/python
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() {
    for candidate in ${PYTHON:-python3.14 python3.13 python3.12 python3.11 python3}; do
        # Debian splits ensurepip off, and a version manager leaves names behind that do not run: try, do not look.
        if "$candidate" -c "import ensurepip, sqlite3, venv; $new_enough" >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 or newer with venv and sqlite3 is needed (Debian: apt install python3 python3-venv). Set PYTHON to choose one." >&2
    return 1
}

if ! "$python" -c "import pip; $new_enough" >/dev/null 2>&1; then
    found=$(find_python)
    echo "Making $venv with $("$found" --version)"
    rm -rf "$venv"
    "$found" -m venv "$venv"
fi

if ! cmp -s "$requirements" "$venv/installed-$requirements"; then
    echo "Installing $requirements (only when it changed)"
    # The file names everything: with --no-deps a newer release of an extra cannot make an older pip look past the pins.
    "$python" -m pip install --quiet --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$requirements"
    # The development file holds every pin of the other one.
    if [ "$requirements" = requirements-dev.txt ]; then cp requirements.txt .venv/installed-requirements.txt; fi
    cp "$requirements" "$venv/installed-$requirements"
fi
