"""What an operator installs and starts: only what is named, by its hash, and an empty house."""

import re
from importlib import metadata

import pytest
from flask import Flask
from packaging.requirements import Requirement

from tests.conftest import NewApp
from tests.people import Browser
from tests.rows import Rows
from tests.source import ROOT
from webapp.models import Base, User

LOCKS = ("requirements.txt", "requirements-dev.txt")
_PINNED = re.compile(
    r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)[^\n]*((?:\\\n\s+--hash=sha256:[0-9a-f]{64}[ ]*)+)", re.M
)
_WANTED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", re.M)
TOOLS = {"pip", "setuptools", "wheel"}  # the virtual environment's own


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.asvs("6.3.2")
def test_a_new_site_has_no_accounts(app: Flask) -> None:
    rows = Rows(app)
    assert rows.count(User) == 0
    filled = {table.name for table in Base.metadata.sorted_tables for name, _ in rows.texts() if name == table.name}
    assert filled == set()
    for email in ("admin@example.com", "admin", "root@localhost", "test@example.com", "no-reply@localhost"):
        assert Browser(app).sign_in(email, "password").status_code == 422


@pytest.mark.asvs("6.3.2")
def test_no_command_and_no_route_makes_accounts_by_the_dozen(app: Flask, new_app: NewApp) -> None:
    names = set(app.cli.list_commands(None))  # type: ignore[arg-type]
    for group in ("users", "sessions", "mail"):
        names |= set(app.cli.get_command(None, group).list_commands(None))  # type: ignore[arg-type, union-attr]
    words = {"seed", "demo", "fixtures", "sample", "populate", "default", "bootstrap", "init-admin"}
    assert {name for name in names if words & set(name.split("-"))} == set()
    migrations = "".join(file.read_text() for file in (ROOT / "migrations" / "versions").glob("*.py"))
    assert not re.search(r"bulk_insert|INSERT INTO|\.insert\(", migrations, re.IGNORECASE)


@pytest.mark.asvs("15.1.2")
@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_its_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pinned = {normal(found[1]) for found in _PINNED.finditer(text)}
    wanted = {normal(found[1]) for found in _WANTED.finditer(text)}
    assert len(pinned) > 20
    assert wanted == pinned, "a pin without a hash"
    assert not re.search(r"^\s*(-i|-f|-e|--(?!hash)\S+)|@ (git|https?):|^https?:", text, re.M), "another source"
    roots = re.findall(r"^([A-Za-z][A-Za-z0-9._-]*)", (ROOT / lock.replace(".txt", ".in")).read_text(), re.M)
    assert {normal(root) for root in roots} <= pinned


@pytest.mark.asvs("15.1.2")
def test_whatever_a_pinned_library_needs_here_is_pinned_and_installed_as_pinned() -> None:
    text = (ROOT / "requirements-dev.txt").read_text()
    pinned = {(normal(found[1]), found[2]) for found in _PINNED.finditer(text)}  # some differ by Python's version
    names = {name for name, _ in pinned}
    installed = {normal(found.metadata["Name"]): found for found in metadata.distributions()}
    assert len(names & set(installed)) > 50
    for name in names & set(installed):
        assert (name, installed[name].version) in pinned
        needed = [Requirement(text) for text in installed[name].requires or ()]
        plain = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
        assert {normal(one.name) for one in plain} <= names | TOOLS, name


@pytest.mark.asvs("15.2.4")
def test_every_installation_demands_hashes_and_asks_one_index() -> None:
    files = [ROOT / "Makefile", ROOT / ".ci" / "run", *(ROOT / "scripts").glob("*.sh")]
    lines = [(file.name, line.strip()) for file in files for line in file.read_text().splitlines()]
    installing = {(file, line) for file, line in lines if "pip install" in line}
    assert len(installing) >= 1
    unhashed = {file for file, line in installing if "--require-hashes" not in line}
    assert unhashed <= {"lock.sh"}, "the tool that writes the pins cannot be among them"
    asking = [
        line for _, line in lines if re.search(r"--(extra-)?index-url|--find-links|--trusted-host|PIP_INDEX", line)
    ]
    assert asking == []
