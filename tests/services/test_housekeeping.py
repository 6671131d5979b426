"""What is over goes, in slices, by any number of workers; what still means something stays."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.journeys.crowds import all_at_once
from tests.people import PASSWORD, Browser
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import KnownDevice, LoginSession, OneTimeToken, SecurityEvent, SignInInProgress, User
from webapp.policy.security_events import KEEP_FOR
from webapp.services import housekeeping

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def in_the_app(app: Flask, alice: str) -> Iterator[None]:
    with app.app_context():
        yield


@on_sqlite
@pytest.mark.asvs("14.2.7")
def test_each_kind_of_row_goes_when_it_means_nothing_any_more(
    alice: str, browser: Browser, rows: Rows, at: time_machine.Traveller
) -> None:
    browser.sign_in(alice, remember="y")
    browser.submit("/password/forgot", email=alice)
    rows.set(User, {"email": alice}, deletion_due_at=clock.now() + timedelta(days=900))
    browser.sign_out()
    browser.sign_in(alice)
    tables = (SignInInProgress, OneTimeToken, LoginSession, KnownDevice, SecurityEvent)
    assert all(rows.count(table) for table in tables)
    life_of = {
        SignInInProgress: timedelta(minutes=11),
        OneTimeToken: 9 * DAY,
        LoginSession: 33 * DAY,
        SecurityEvent: KEEP_FOR + DAY,
        KnownDevice: 401 * DAY,
    }
    passed = timedelta(0)
    for table, life in life_of.items():
        left = [other for other in life_of if life_of[other] > life]
        at.shift(life - passed)
        passed = life
        housekeeping.purge()
        assert rows.count(table) == 0, table
        assert all(rows.count(other) for other in left), table
    assert rows.count(User) == 1


@on_sqlite
def test_nothing_of_what_is_in_use_goes(alice: str, browser: Browser, rows: Rows) -> None:
    browser.sign_in(alice)
    browser.submit("/account/email", email="new@example.com")
    before = sorted(rows.texts())
    assert set(housekeeping.purge().values()) == {0}
    assert sorted(rows.texts()) == before
    assert browser.is_signed_in


@on_sqlite
def test_much_goes_in_slices_and_no_more_of_them_than_was_said(rows: Rows, at: time_machine.Traveller) -> None:
    rows.api_sessions(housekeeping.SLICE * 2 + 1)
    at.shift(40 * DAY)
    assert housekeeping.purge(slices=1)["login_sessions"] == housekeeping.SLICE
    assert rows.count(LoginSession) > housekeeping.SLICE
    housekeeping.purge()
    assert rows.count(LoginSession) == 0


@pytest.mark.asvs("15.4.2")
def test_workers_that_clean_up_at_once_do_each_thing_once(app: Flask, browser: Browser, rows: Rows) -> None:
    for number in range(6):
        browser.submit("/register", email=f"user{number}@example.com", password=PASSWORD, name="")
    long_ago = clock.now() - 30 * DAY
    rows.set(OneTimeToken, {}, expires_at=long_ago)
    rows.set(User, {"email_verified_at": None}, created_at=long_ago)

    def clean() -> int:
        with app.app_context():
            return housekeeping.purge()["unconfirmed_accounts"]

    assert sum(all_at_once([clean] * 4)) == 6
    assert rows.count(User) == 1
