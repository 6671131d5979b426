"""Where somebody is signed in: one list for browsers and apps, limits that hold on the server, one way to end any."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.conftest import NewBrowser
from tests.journeys.pages import says, words
from tests.people import PASSWORD, Browser
from tests.rows import Rows, on_sqlite, statements
from webapp import clock
from webapp.errors import AccountDisabled, InvalidCredentials
from webapp.http.words import sentence, wrong_current_password
from webapp.ids import new_id
from webapp.models import LoginSession, User
from webapp.policy.login_sessions import FRESH_FOR, MOST_A_USER, EndReason
from webapp.services import users

SAFARI_ON_IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.mark.asvs("7.3.1")
def test_a_sign_in_that_nobody_uses_ends_and_use_keeps_it(
    alice: str, new_browser: NewBrowser, at: time_machine.Traveller
) -> None:
    ordinary, kept = new_browser(), new_browser()
    ordinary.sign_in(alice)
    kept.sign_in(alice, remember="y")
    for _ in range(3):
        at.shift(timedelta(minutes=50))
        assert ordinary.is_signed_in
    at.shift(timedelta(minutes=61))
    assert not ordinary.is_signed_in
    at.shift(timedelta(days=13))
    assert kept.is_signed_in
    at.shift(timedelta(days=14, minutes=6))
    assert not kept.is_signed_in


@on_sqlite
@pytest.mark.asvs("7.3.2")
def test_neither_use_nor_a_new_proof_lengthens_a_sign_in_past_its_end(
    alice: str, browser: Browser, at: time_machine.Traveller
) -> None:
    browser.sign_in(alice, remember="y")
    for _ in range(3):
        at.shift(timedelta(days=9, hours=23))
        assert browser.submit("/reauthenticate", password=PASSWORD).status_code == 303
        assert browser.is_signed_in
    at.shift(timedelta(hours=4))
    assert not browser.is_signed_in


def test_a_visit_is_recorded_at_most_every_five_minutes(
    alice: str, browser: Browser, rows: Rows, at: time_machine.Traveller
) -> None:
    browser.sign_in(alice)
    updates = []
    for _ in range(12):
        at.shift(timedelta(minutes=1))
        with statements(rows.engine) as sent:
            assert browser.is_signed_in
        updates.append(len([statement for statement in sent if not statement.startswith("SELECT")]))
    assert sum(updates) == 2
    (row,) = rows.live()
    assert row.last_seen_at > row.created_at


def test_the_list_names_devices_marks_this_one_and_holds_apps_too(
    alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    here, phone = new_browser(ip="203.0.113.1"), new_browser(ip="203.0.113.2", user_agent=SAFARI_ON_IPHONE)
    here.sign_in(alice)
    phone.sign_in(alice)
    rows.api_session(device_name="Alice's tablet", ip="203.0.113.3")
    page = here.get("/account/sessions")
    told = words(page)
    for expected in ("Chrome on Windows", "Safari on", "Alice's tablet", "203.0.113.1", "203.0.113.2", "203.0.113.3"):
        assert expected in told
    assert page.text.count('/revoke"') == 2, "the app and the phone; this one has the sign-out button"
    assert told.index("Chrome on Windows") < told.index("This device") < told.index("Safari on")


@pytest.mark.asvs("7.5.2")
def test_ending_one_session_ends_exactly_that(alice: str, new_browser: NewBrowser, rows: Rows) -> None:
    here, there, elsewhere = new_browser(ip="203.0.113.1"), new_browser(ip="203.0.113.2"), new_browser()
    for browser in (here, there, elsewhere):
        browser.sign_in(alice)
    app_session = rows.api_session()
    for row in [*(r for r in rows.live() if r.ip == "203.0.113.2"), app_session]:
        answer = here.submit("/account/sessions", f"/account/sessions/{row.id}/revoke")
        assert answer.status_code == 303
    assert not there.is_signed_in
    assert here.is_signed_in
    assert elsewhere.is_signed_in
    (ended,) = rows.all(LoginSession, id=app_session.id)
    assert ended.end_reason == EndReason.ENDED_BY_USER


@pytest.mark.asvs("7.5.2", "8.2.2")
def test_somebody_elses_session_cannot_be_ended_or_told_from_none(
    alice: str, new_user: Callable[..., str], new_browser: NewBrowser, rows: Rows
) -> None:
    bob = new_user("bob@example.com", name="Bob")
    theirs, mine = new_browser(), new_browser()
    theirs.sign_in(bob)
    mine.sign_in(alice)
    rows.api_session()  # so that there is a form on the page
    page = mine.get("/account/sessions").text
    form = {"csrf_token": page.split('name="csrf_token" value="')[1].split('"')[0]}
    (victim,) = rows.live(bob)
    answers = [mine.post(f"/account/sessions/{row_id}/revoke", form) for row_id in (victim.id, new_id())]
    assert [answer.status_code for answer in answers] == [404, 404]
    blank = re.compile(r"[0-9a-f-]{36}")
    assert blank.sub("", answers[0].text) == blank.sub("", answers[1].text)
    assert theirs.is_signed_in
    assert str(victim.id) not in page


@pytest.mark.asvs("7.5.2", "7.5.1", "8.2.4")
def test_ending_a_session_asks_for_the_password_when_the_sign_in_is_not_fresh(
    alice: str, new_browser: NewBrowser, at: time_machine.Traveller, rows: Rows
) -> None:
    here, there = new_browser(ip="203.0.113.1"), new_browser(ip="203.0.113.2")
    here.sign_in(alice)
    there.sign_in(alice)
    at.shift(FRESH_FOR)
    for action in ("revoke-others", f"{next(r.id for r in rows.live() if r.ip == '203.0.113.2')}/revoke"):
        asked = here.submit("/account/sessions", f"/account/sessions/{action}")
        assert asked.location == "/reauthenticate?next=/account/sessions"
    assert there.is_signed_in
    wrong = here.submit(asked.location, password="not what was chosen here")
    assert wrong.status_code == 422
    assert says(wrong, wrong_current_password(InvalidCredentials()))
    right = here.submit(asked.location, password=PASSWORD)
    assert (right.status_code, right.location) == (303, "/account/sessions")
    done = here.submit("/account/sessions", "/account/sessions/revoke-others")
    assert done.location == "/account/sessions"
    assert "1 device " in words(here.get("/account/sessions"))
    assert not there.is_signed_in


@on_sqlite
def test_sessions_that_were_over_already_are_not_counted(
    alice: str, new_browser: NewBrowser, at: time_machine.Traveller, rows: Rows
) -> None:
    forgotten, here = new_browser(), new_browser()
    forgotten.sign_in(alice)
    at.shift(timedelta(hours=2))
    here.sign_in(alice)
    rows.api_session()
    here.submit("/account/sessions", "/account/sessions/revoke-others")
    assert "1 device " in words(here.get("/account/sessions"))


@on_sqlite
@pytest.mark.asvs("7.1.2", "2.3.2")
def test_one_sign_in_too_many_ends_the_one_unused_for_longest(
    alice: str, browser: Browser, rows: Rows, at: time_machine.Traveller
) -> None:
    oldest = rows.api_session()
    at.shift(timedelta(minutes=1))
    rows.api_sessions(MOST_A_USER - 1)
    at.shift(timedelta(minutes=1))
    browser.sign_in(alice)
    assert len(rows.live()) == MOST_A_USER
    (gone,) = rows.all(LoginSession, end_reason=EndReason.TOO_MANY)
    assert gone.id == oldest.id


@pytest.mark.asvs("7.4.2", "8.3.2")
def test_a_closed_account_is_out_everywhere_at_its_next_request(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    browsers = [new_browser() for _ in range(3)]
    for browser in browsers:
        browser.sign_in(alice)
    rows.api_session()
    with app.app_context():
        users.disable_user(alice)
    assert [browser.is_signed_in for browser in browsers] == [False] * 3
    assert rows.live() == []
    refused = browsers[0].sign_in(alice)
    assert refused.status_code == 422
    assert says(refused, sentence(AccountDisabled()))
    with app.app_context():
        users.enable_user(alice)
    assert not browsers[1].is_signed_in, "opened again, but signed in nowhere"
    assert browsers[1].sign_in(alice).status_code == 303


@pytest.mark.asvs("7.4.2")
def test_what_the_row_of_the_user_says_holds_at_the_next_request(
    alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    here, there = new_browser(), new_browser()
    here.sign_in(alice)
    there.sign_in(alice)
    rows.set(User, {"email": alice}, disabled_at=clock.now())
    assert not here.is_signed_in
    rows.delete(User, email=alice)
    assert not there.is_signed_in
    assert there.sign_in(alice).status_code == 422
