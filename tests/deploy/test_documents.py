"""What docs/operations.md and docs/reliability.md name is there."""

import re

import pytest
from flask import Flask

from tests.asvs.documents import table
from tests.rows import on_sqlite
from tests.source import ROOT
from webapp.settings import Settings

OPERATIONS = ROOT / "docs" / "operations.md"
RELIABILITY = ROOT / "docs" / "reliability.md"
NOT_COMMITTED = {
    "deploy/site.env",
    "deploy/migrate.env",
    "deploy/postgres.env",
    "deploy/caddy.env",
    "deploy/valkey.env",
}
OF_OTHERS = {
    "POSTGRES_PASSWORD",
    "SITE_OWNER_PASSWORD",
    "SITE_PASSWORD",
    "SITE_HOST",
    "UPSTREAMS",
    "VALKEY_PASSWORD",
    "KID",
    "EMAIL",
}
OF_GUNICORN = {"SIGTERM", "SIGHUP", "SQLITE_FULL"}
FAULTS = (
    *("PostgreSQL restarted", "Redis", "both away", "worker killed", "outbox", "SQLite locked", "disk full"),
    *("mail server refuses", "mail server slow", "mail server drops", "provider slow", "clock", "thread limit"),
)


def code_in(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def test_files_that_are_named_are_there() -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:deploy|scripts|tests)/[\w./-]+\w", text)) | set(
        re.findall(r"\]\(([\w.]+\.md)\)", text)
    )
    assert len(named) > 8
    missing = {path for path in named if not (ROOT / path).exists() and not (ROOT / "docs" / path).exists()}
    assert missing == NOT_COMMITTED


@on_sqlite
def test_commands_that_are_named_are_there(app: Flask) -> None:
    text = OPERATIONS.read_text(encoding="utf-8")
    named = set(re.findall(r"flask --app wsgi ([a-z]+)(?: ([a-z-]+))?", text))
    assert len(named) > 6
    for group, command in named:
        found = app.cli.get_command(None, group)  # type: ignore[arg-type]
        assert found is not None, group
        if command:
            assert command in found.list_commands(None), (group, command)


def test_settings_that_are_named_are_there() -> None:
    known = {field.alias or name for name, field in Settings.model_fields.items()} | OF_OTHERS | OF_GUNICORN
    words = {
        word for code in code_in(OPERATIONS.read_text(encoding="utf-8")) for word in re.findall(r"\b[A-Z_]{5,}\b", code)
    }
    assert words - {"SETUSER"} <= known


def test_every_fault_has_its_row_and_every_row_its_tests() -> None:
    rows = table(RELIABILITY, "Faults")
    told = " ".join(row["fault"] for row in rows)
    assert [fault for fault in FAULTS if fault not in told] == []
    for row in rows:
        assert all(row[column] for column in ("what the user sees", "what is lost", "how it recovers")), row
        tests = code_in(row["test"])
        assert tests, row
        for test in tests:
            file, _, name = test.partition("::")
            assert re.search(rf"^def {name}\b", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.M), test


@pytest.mark.parametrize("name", ["SECURITY.md", "docs/operations.md", "docs/observability.md", "docs/performance.md"])
def test_no_document_is_empty(name: str) -> None:
    assert len((ROOT / name).read_text(encoding="utf-8")) > 1000
