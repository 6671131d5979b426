"""No statement that runs all day, and none that tidies up, reads a whole table, however many rows it may have one day.

SQLite plans without statistics, so that the size of a table changes nothing; PostgreSQL is told to read a whole table
only where it knows no other way.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine

from tests.apps import App
from tests.conftest import NewBrowser
from tests.people import Mailbox, runtime_of
from tests.rows import at_statements
from webapp.services import housekeeping, outbox
from webapp.services.operating_figures import outbox_figures

GROWING = (
    *(
        "users",
        "login_sessions",
        "security_events",
        "outbox_messages",
        "known_devices",
        "one_time_tokens",
        "identities",
    ),
    *("cookie_sessions", "rate_limits", "trusted_browsers", "sign_ins_in_progress", "authorization_requests"),
    *("spent_values", "recovery_codes", "passkeys"),
)
Statement = tuple[str, Any]


@contextmanager
def statements_of(engine: Engine) -> Iterator[list[Statement]]:
    """What is sent within the block, with its values."""
    sent: list[Statement] = []

    def keep(_connection: Any, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if statement.split()[0] in ("SELECT", "UPDATE", "DELETE", "WITH"):
            sent.append((statement, values))

    with at_statements(engine, keep):
        yield sent


def scans(engine: Engine, sent: list[Statement]) -> set[str]:
    """Which of them read a whole table that grows, and how the database tells it."""
    found = set()
    with engine.connect() as connection:
        on_sqlite = engine.dialect.name == "sqlite"
        if not on_sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")
        for statement, values in sent:
            plan = connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if on_sqlite else ''}{statement}", values)
            for row in plan:
                line = str(row[-1])
                whole = re.search(r"^SCAN (\w+)$" if on_sqlite else r"Seq Scan on (\w+)", line)
                if whole and whole[1] in GROWING:
                    found.add(f"{whole[1]}: {statement}")
        connection.rollback()
    return found


@pytest.fixture
def plans(app: Flask) -> Callable[[Callable[[], object]], set[str]]:
    def plans_of(work: Callable[[], object]) -> set[str]:
        with statements_of(runtime_of(app).engine) as sent:
            work()
        assert sent
        return scans(runtime_of(app).engine, sent)

    return plans_of


def test_what_people_do_all_day_reads_by_an_index(
    app: Flask, alice: str, new_browser: NewBrowser, mailbox: Mailbox, plans: Callable[[Callable[[], object]], set[str]]
) -> None:
    browser, visitor, phone = new_browser(), new_browser(), App(app)

    def a_day() -> None:
        browser.sign_in(alice, "not the one")
        browser.sign_in(alice)
        for page in ("/account", "/account/sessions", "/account/activity", "/account/security", "/account/connections"):
            assert browser.get(page).status_code == 200
        phone.sign_in(alice)
        for path in ("/me", "/sessions", "/events"):
            assert phone.get(path).status_code == 200
        phone.refresh()
        visitor.submit("/password/forgot", email=alice)
        visitor.submit("/register", email="new@example.com", password="seven quiet otters crossing", name="")
        mailbox.deliver()
        browser.sign_out()

    assert plans(a_day) == set()


def test_tidying_up_reads_by_an_index(
    app: Flask, alice: str, plans: Callable[[Callable[[], object]], set[str]]
) -> None:
    def tidy() -> None:
        with app.app_context():
            housekeeping.purge()
            outbox_figures()

    assert plans(tidy) == set()


@pytest.mark.parametrize("stores", ["postgres"], indirect=True)
def test_mails_that_wait_are_found_in_their_turn_without_sorting_them(app: Flask) -> None:
    engine = runtime_of(app).engine
    with app.app_context(), statements_of(engine) as sent:
        outbox._find_due(10)
        outbox_figures()
    assert len(sent) == 2
    with engine.connect() as connection:
        for switched_off in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
            connection.exec_driver_sql(f"SET {switched_off} = off")
        for statement, values in sent:
            plan = [str(row[0]) for row in connection.exec_driver_sql(f"EXPLAIN {statement}", values)]
            assert not any("Sort" in line for line in plan), plan
            assert any("ix_outbox_messages" in line for line in plan), plan
        connection.rollback()
