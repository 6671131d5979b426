"""What is installed and what an installation begins with."""

import re
from importlib.metadata import distributions

import pytest
from flask import Flask
from flask.cli import FlaskGroup
from sqlalchemy import func, select

from tests.rows import on_sqlite
from tests.source import ROOT
from webapp.extensions import db
from webapp.models import Base

PINNED = ("requirements.txt", "requirements-dev.txt")
OF_THE_ENVIRONMENT = {"pip", "setuptools", "wheel"}  # Python brings them along
OTHER_INDEX = re.compile(r"--(?:extra-)?index-url|--find-links|--trusted-host|PIP_(?:EXTRA_)?INDEX|UV_(?:EXTRA_)?INDEX")


def plain(name: str) -> str:
    """The one spelling of a project's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> set[tuple[str, str, int]]:
    """What a requirements file pins: name, version (there may be one for each Python) and number of hashes."""
    text = (ROOT / file).read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"(?m)^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)(.*)$", text)
    return {(plain(name), version, rest.count("--hash=sha256:")) for name, version, rest in found}


@pytest.mark.asvs("15.1.2")
def test_everything_that_is_installed_is_pinned_with_its_hashes() -> None:
    pinned = {(name, version) for name, version, _ in pins("requirements-dev.txt")}
    installed = {(plain(found.name), found.version) for found in distributions()}
    loose = {(name, version) for name, version in installed - pinned if name not in OF_THE_ENVIRONMENT}
    assert loose == set(), "installed and not pinned: make lock"
    for file in PINNED:
        assert [name for name, _, hashes in pins(file) if not hashes] == [], file
    assert pins("requirements.txt") <= pins("requirements-dev.txt"), "both files pin the same versions"


@pytest.mark.asvs("15.1.2")
@pytest.mark.parametrize("file", ["requirements", "requirements-dev"])
def test_everything_that_is_asked_for_is_pinned(file: str) -> None:
    lines = (ROOT / f"{file}.in").read_text(encoding="utf-8").splitlines()
    asked = {plain(re.split(r"[\[<>=~;# ]", line)[0]) for line in lines if re.match(r"[A-Za-z]", line)}
    assert asked <= {name for name, _, _ in pins(f"{file}.txt")}, "make lock"


@pytest.mark.asvs("15.2.4")
def test_an_installation_takes_only_what_has_the_right_hash_from_one_index() -> None:
    scripts = [*(ROOT / "scripts").glob("*.sh"), *(ROOT / ".ci").iterdir(), ROOT / "Makefile"]
    files = [*scripts, *(ROOT / file for file in PINNED), ROOT / "requirements.in", ROOT / "requirements-dev.in"]
    for file in files:
        assert OTHER_INDEX.search(file.read_text(encoding="utf-8")) is None, file.name
    installing = {
        (file.name, line.strip())
        for file in scripts
        for line in file.read_text(encoding="utf-8").splitlines()
        if re.search(r"\bpip (?:install|download)\b", line)
    }
    unchecked = {(file, line) for file, line in installing if "--require-hashes" not in line}
    # The tool that writes the hashes, on a maintainer's machine: one version, in an environment of its own.
    assert {file for file, _ in unchecked} == {"lock.sh"}
    assert all('"uv==$uv_version"' in line for _, line in unchecked)
    assert len(installing) == len(unchecked) + 1
    assert "--require-hashes" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.asvs("6.3.2")
def test_a_new_installation_has_nobody_in_it(app: Flask) -> None:
    with app.app_context(), db.engine.connect() as connection:
        for found in Base.metadata.sorted_tables:
            assert connection.execute(select(func.count()).select_from(found)).scalar() == 0, found.name


@pytest.mark.asvs("6.3.2")
@on_sqlite
def test_no_command_makes_an_account_by_itself(app: Flask) -> None:
    ours = {name: command for name, command in app.cli.commands.items() if name not in FlaskGroup().commands}
    assert set(ours) == {"users", "sessions", "mail", "doctor", "db"}
    making = [
        name
        for name, group in ours.items()
        for command in getattr(group, "commands", {})
        if re.search(r"create|seed|init|default|demo|admin|fixture", command) and name != "db"
    ]
    assert making == ["users"]
    refused = app.test_cli_runner().invoke(args=["users", "create"])
    assert refused.exit_code == 2
    assert "EMAIL" in refused.output
