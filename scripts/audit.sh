#!/bin/sh
# Look at what is pinned: `scripts/audit.sh audit` for known weaknesses, `scripts/audit.sh sbom` for the list of parts in
# sbom.json (CycloneDX). Both work on the pinned files alone, and install nothing of what they name.
set -eu
cd "$(dirname "$0")/.."
scripts/venv.sh requirements-audit.txt .venv-audit

case $1 in
audit)
    for file in requirements.txt requirements-dev.txt requirements-audit.txt; do
        # --strict: a list of weaknesses that cannot be asked must not pass for one that has no entry.
        if ! told=$(.venv-audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
            --requirement "$file" 2>&1); then
            echo "$told" | tail -n 25 >&2
            case $told in
            *"known vulnerabilit"*) echo "$file: there are known weaknesses, listed above" >&2 ;;
            *) echo "$file: the list of weaknesses could not be asked, so nothing is known" >&2 ;;
            esac
            exit 1
        fi
        echo "$file: no known weakness"
    done
    ;;
sbom)
    .venv-audit/bin/cyclonedx-py requirements --output-reproducible --output-file sbom.json requirements.txt
    echo "sbom.json: what the site runs on, with versions and hashes"
    ;;
esac
