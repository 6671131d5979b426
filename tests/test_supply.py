"""What is installed is what was pinned: by version and hash, for all three environments."""

import re

import pytest

from tests.source import ROOT

PINNED = ("requirements", "requirements-dev", "requirements-audit")


def pins(name: str) -> list[str]:
    """Each requirement with its hashes, as one line."""
    text = (ROOT / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


@pytest.mark.parametrize("name", PINNED)
def test_every_requirement_has_one_version_and_its_hashes(name: str) -> None:
    assert len(pins(name)) > 10
    for line in pins(name):
        assert re.match(r"[a-z0-9._-]+(\[[a-z,]+\])?==\S+ ", line), line
        assert "--hash=sha256:" in line, line


@pytest.mark.parametrize("name", PINNED)
def test_what_is_asked_for_is_pinned(name: str) -> None:
    asked = [line.partition("#")[0].strip() for line in (ROOT / f"{name}.in").read_text(encoding="utf-8").splitlines()]
    wanted = {re.split(r"[\[<>=]", line)[0].lower() for line in asked if line and not line.startswith("-")}
    assert wanted <= {re.split(r"[\[=]", line)[0] for line in pins(name)}


def test_the_tests_run_on_what_the_site_runs_on() -> None:
    versions = {line.split()[0] for line in pins("requirements")}
    assert versions <= {line.split()[0] for line in pins("requirements-dev")}
