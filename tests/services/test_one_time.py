"""Mailed links: long secrets of which only the hash is kept; each for one purpose, once, the newest only."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.journeys.crowds import CROWD, all_at_once
from tests.people import Mailbox
from tests.rows import Rows, on_sqlite
from webapp.errors import LinkExpired, LinkInvalid, LinkReplaced, LinkUsed
from webapp.models import OneTimeToken
from webapp.policy.one_time import LIFE, SEVERAL_AT_ONCE, Purpose
from webapp.services import passwords, users
from webapp.services.client import Client
from webapp.services.one_time import digest, end_tokens, get_token, issue_token, spend_token
from webapp.services.transaction import transaction


@pytest.fixture(autouse=True)
def in_the_app(app: Flask, alice: str) -> Iterator[None]:
    with app.app_context():
        yield


def issue(rows: Rows, purpose: Purpose) -> str:
    with transaction() as tx:
        return issue_token(tx, rows.user().id, purpose, data={"email": "x@example.com"})


def spend(raw: str, purpose: Purpose) -> None:
    with transaction() as tx:
        spend_token(tx, raw, purpose)


def look_at(raw: str, purpose: Purpose) -> None:
    with transaction() as tx:
        get_token(tx, raw, purpose)


@on_sqlite
@pytest.mark.asvs("6.4.1", "11.5.1")
def test_a_link_is_a_long_secret_of_which_only_the_hash_is_kept(rows: Rows) -> None:
    made = {issue(rows, purpose) for purpose in Purpose for _ in range(20)}
    assert len(made) == 20 * len(Purpose)
    assert min(map(len, made)) >= 43, "256 bits in base64"
    kept = {value for _, value in rows.texts()}
    assert not made & kept
    assert {digest(raw) for raw in made} <= kept


@on_sqlite
@pytest.mark.asvs("9.2.2", "6.4.1")
def test_a_link_opens_the_one_door_it_was_made_for(rows: Rows) -> None:
    for purpose in Purpose:
        raw = issue(rows, purpose)
        for door in set(Purpose) - {purpose}:
            for use in (look_at, spend):
                with pytest.raises(LinkInvalid) as refusal:
                    use(raw, door)
                assert type(refusal.value) is LinkInvalid, "and not a word about what it is for"
        spend(raw, purpose)


@on_sqlite
def test_nonsense_is_no_link() -> None:
    for raw in ("", "x", "x" * 5000, "\udcff", "’", "\x00"):
        with pytest.raises(LinkInvalid):
            look_at(raw, Purpose.RESET_PASSWORD)


@pytest.mark.asvs("2.3.4", "15.4.2", "15.4.3")
def test_of_twenty_who_spend_a_link_at_once_one_wins(app: Flask, rows: Rows) -> None:
    raw = issue(rows, Purpose.RESET_PASSWORD)

    def try_it() -> bool:
        with app.app_context():
            try:
                spend(raw, Purpose.RESET_PASSWORD)
            except LinkUsed:
                return False
            return True

    assert sorted(all_at_once([try_it] * CROWD)) == [False] * (CROWD - 1) + [True]


@pytest.mark.asvs("15.4.3")
def test_links_that_are_made_at_once_leave_one_that_is_open(app: Flask, rows: Rows) -> None:
    def ask() -> None:
        with app.app_context():
            passwords.forgot_password("alice@example.com", Client(ip="", user_agent=""))

    all_at_once([ask] * 4)
    assert rows.count(OneTimeToken, purpose=Purpose.RESET_PASSWORD, ended_at=None) == 1


@on_sqlite
def test_the_newest_replaces_the_older_ones_where_it_should(rows: Rows) -> None:
    for purpose in Purpose:
        older = issue(rows, purpose)
        issue(rows, purpose)
        if purpose in SEVERAL_AT_ONCE:
            look_at(older, purpose)
        else:
            with pytest.raises(LinkReplaced):
                spend(older, purpose)


@on_sqlite
def test_a_link_lives_as_long_as_its_purpose_allows(rows: Rows, at: time_machine.Traveller) -> None:
    for purpose in Purpose:
        raw = issue(rows, purpose)
        at.shift(LIFE[purpose] - timedelta(seconds=30))
        look_at(raw, purpose)
        at.shift(timedelta(seconds=30))
        for use in (look_at, spend):
            with pytest.raises(LinkExpired):
                use(raw, purpose)


@on_sqlite
def test_ending_the_links_since_a_moment_leaves_those_before(rows: Rows, at: time_machine.Traveller) -> None:
    before = issue(rows, Purpose.UNDO_EMAIL_CHANGE)
    at.shift(timedelta(minutes=1))
    after = issue(rows, Purpose.UNDO_EMAIL_CHANGE)
    with transaction() as tx:
        since = get_token(tx, before, Purpose.UNDO_EMAIL_CHANGE).created_at
        end_tokens(tx, rows.user().id, Purpose.UNDO_EMAIL_CHANGE, since=since)
    look_at(before, Purpose.UNDO_EMAIL_CHANGE)
    with pytest.raises(LinkReplaced):
        look_at(after, Purpose.UNDO_EMAIL_CHANGE)


@on_sqlite
@pytest.mark.asvs("6.4.1", "6.4.6")
def test_an_account_made_by_an_operator_has_no_password_until_its_owner_chooses_one(
    app: Flask, rows: Rows, mailbox: Mailbox
) -> None:
    users.create_user("bob@example.com", name="Bob", locale="en")
    assert rows.user("bob@example.com").password_hash is None
    assert mailbox.link("bob@example.com", "/password/reset/")
