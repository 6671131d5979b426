"""All or nothing: where one part fails, nothing of the use case has happened; and a refusal keeps its trace."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.rows import Rows, breaking, on_sqlite
from webapp.models import LoginSession, OutboxMessage, SecurityEvent, User
from webapp.services.transaction import after_commit, transaction

ALICE = "alice@example.com"
# What is counted outside of any transaction, and what a visit may touch by itself.
NOT_LOOKED_AT = {"rate_limits", "cookie_sessions"}


@dataclass
class Story:
    """Alice, signed in, with links to a new password and to another address in her mailbox."""

    browser: Browser
    reset_link: str
    confirm_link: str


USE_CASES: dict[str, Callable[[Story], TestResponse]] = {
    "register": lambda her: Browser(her.browser.app).submit(
        "/register", email="bob@example.com", password=PASSWORD, name="Bob"
    ),
    "forgot": lambda her: her.browser.submit("/password/forgot", email=ALICE),
    "reset": lambda her: her.browser.submit(her.reset_link, password=NEW_PASSWORD),
    "change the password": lambda her: her.browser.submit(
        "/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD
    ),
    "ask for an address": lambda her: her.browser.submit("/account/email", email="other@example.com"),
    "confirm an address": lambda her: her.browser.submit(her.confirm_link),
    "this was not me": lambda her: her.browser.submit("/account/activity", "/account/activity/not-me"),
    "delete": lambda her: her.browser.submit("/account/data", "/account/data/delete"),
}


@pytest.mark.asvs("2.3.3")
def test_nothing_is_half_done_when_the_last_write_fails(
    alice: str, browser: Browser, mailbox: Mailbox, rows: Rows
) -> None:
    browser.sign_in(alice)
    browser.submit("/account/email", email="new@example.com")
    browser.submit("/password/forgot", email=alice)
    links = mailbox.link(alice, "/password/reset/"), mailbox.link("new@example.com", "/email/confirm/")
    story = Story(browser, *links)

    def state() -> list[tuple[str, str]]:
        return sorted(pair for pair in rows.texts() if pair[0] not in NOT_LOOKED_AT)

    before = state()
    for table in ("outbox_messages", "security_events"):
        for name, use_case in USE_CASES.items():
            with breaking(rows.engine, lambda statement, table=table: f"INSERT INTO {table}" in statement):
                assert use_case(story).status_code == 500, (name, table)
            assert state() == before, (name, table)
    assert browser.is_signed_in
    assert browser.submit(story.confirm_link).status_code == 303, "the links are still good"


@on_sqlite
def test_a_sign_in_that_cannot_be_recorded_does_not_happen(alice: str, browser: Browser, rows: Rows) -> None:
    with breaking(rows.engine, lambda statement: "INSERT INTO security_events" in statement):
        assert browser.sign_in(alice).status_code == 500
    assert rows.live() == []
    assert not browser.is_signed_in


def test_a_refusal_keeps_what_it_leaves_behind(alice: str, browser: Browser, mailbox: Mailbox, rows: Rows) -> None:
    rows.set(User, {"email": alice}, email_verified_at=None)
    mails = rows.count(OutboxMessage)
    assert browser.sign_in(alice).status_code == 422
    assert rows.count(OutboxMessage) == mails + 1
    assert rows.count(LoginSession, ended_at=None) == 0


@pytest.fixture
def in_the_app(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def test_what_is_to_happen_after_the_commit_happens_only_after_one(in_the_app: None) -> None:
    calls: list[str] = []

    def call() -> None:
        calls.append("called")

    def fail() -> None:
        with transaction() as tx:
            after_commit(tx, call)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert calls == []
    with transaction() as tx:
        after_commit(tx, call)
        after_commit(tx, call)
        assert calls == []
    assert calls == ["called"]
    with transaction():
        pass
    assert calls == ["called"]


@pytest.mark.asvs("15.4.2")
def test_each_transaction_decides_on_what_is_true_now(alice: str, in_the_app: None, rows: Rows) -> None:
    user_id = rows.user().id
    with transaction() as tx:
        seen = tx.get_one(User, user_id)
    with rows.engine.begin() as elsewhere:
        elsewhere.execute(update(User).values(name="Changed meanwhile"))
    assert seen.name == "Alice", "what was read stays readable"
    with transaction() as tx:
        assert tx.get_one(User, user_id, with_for_update=True).name == "Changed meanwhile"


@on_sqlite
@pytest.mark.asvs("15.4.3")
def test_what_is_read_to_be_changed_is_locked_on_sqlite_too(alice: str, in_the_app: None, rows: Rows) -> None:
    with transaction() as tx:
        tx.get_one(User, rows.user().id, with_for_update=True)
        assert tx.connection().connection.dbapi_connection.in_transaction  # type: ignore[union-attr]
        tx.rollback()
    assert rows.count(SecurityEvent) > 0
