"""Leaving by an app, and changing one's mind: the step between the password and the tokens."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from flask import Flask

from tests.apps import App, mailed_token, problem, refusal
from tests.conftest import NewBrowser
from tests.journeys.pages import words
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import LoginSession, SignInInProgress, User
from webapp.policy.login_sessions import FRESH_FOR
from webapp.policy.sign_in import STEP_LIFE
from webapp.services import housekeeping, users
from webapp.services.account_deletion import WAITING_TIME

ALICE = "alice@example.com"
HANDLE = "webapp.http.cookie_delivery.step_handle"


def leave(app: Flask) -> App:
    """Alice's phone, right after she asked to have her account deleted."""
    phone = App(app, cookies=True)
    phone.sign_in(ALICE)
    assert phone.call("DELETE", "/me").status_code == 202
    return phone


def step_of(phone: App, **fields: str) -> str:
    """The token that a sign-in gets in place of tokens."""
    refused = phone.sign_in(ALICE, **fields)
    assert refusal(refused) == (403, "account_deletion_pending")
    token: str = problem(refused)["step_token"]
    return token


@pytest.mark.asvs("7.5.3", "7.5.1", "10.3.4")
def test_deletion_asks_for_a_fresh_sign_in_or_the_password(
    app: Flask, alice: str, at: time_machine.Traveller, rows: Rows, new_browser: NewBrowser
) -> None:
    phone, browser = App(app), new_browser()
    phone.sign_in(alice)
    browser.sign_in(alice, remember="y")
    at.shift(FRESH_FOR)
    phone.refresh()
    refused = phone.call("DELETE", "/me")
    assert refusal(refused) == (401, "reauthentication_required")
    challenge = refused.headers["WWW-Authenticate"]
    assert challenge == 'Bearer realm="api", error="insufficient_user_authentication", max_age="600"'
    wrong = phone.call("DELETE", "/me", {"password": "not what was chosen here"})
    assert refusal(wrong) == (403, "invalid_credentials")
    assert problem(wrong)["errors"][0]["pointer"] == "/password"
    assert rows.user().deletion_due_at is None
    assert len(rows.live()) == 2

    done = phone.call("DELETE", "/me", {"password": PASSWORD})
    assert done.status_code == 202
    due = datetime.fromisoformat(done.json["deletion_due_at"])
    assert due == rows.user().deletion_due_at
    assert abs(due - clock.now() - WAITING_TIME) < timedelta(minutes=1)
    assert not browser.is_signed_in
    assert refusal(phone.get("/me")) == (401, "session_revoked")
    assert rows.live() == []


def test_who_signs_in_within_the_waiting_time_can_keep_the_account(
    app: Flask, alice: str, rows: Rows, at: time_machine.Traveller, mailbox: Mailbox
) -> None:
    phone = leave(app)
    assert "/login" in mailbox.newest(alice).get_body(("plain",)).get_content()
    at.shift(WAITING_TIME - timedelta(hours=1))
    refused = problem(phone.sign_in(alice, device_name=" Alice's \u202e phone "))
    assert datetime.fromisoformat(refused["deletion_due_at"]) == rows.user().deletion_due_at
    assert rows.live() == [], "the step carries no rights"
    assert refusal(phone.get("/me", token=refused["step_token"])) == (401, "token_invalid")
    kept = phone.keep_account(refused["step_token"])
    assert kept.status_code == 200
    (here,) = phone.get("/sessions").json
    assert (here["device_name"], here["methods"]) == ("Alice's phone", ["pwd"])
    assert phone.refresh().status_code == 200
    assert rows.user().deletion_due_at is None
    assert sorted(rows.events()[-2:]) == ["deletion_cancelled", "signed_in"]
    at.shift(timedelta(days=8))
    with app.app_context():
        assert housekeeping.purge()["deleted_accounts"] == 0
    assert phone.sign_in(alice).status_code == 200


def test_the_step_works_once_and_only_the_newest_proof_of_it(app: Flask, alice: str, rows: Rows) -> None:
    phone = leave(app)
    token = step_of(phone)
    assert refusal(phone.keep_account(token[:-1] + "x")) == (401, "sign_in_expired")
    assert phone.keep_account(token).status_code == 200
    assert refusal(phone.keep_account(token)) == (401, "sign_in_expired")
    assert len(rows.live()) == 1


def ten_minutes_pass(app: Flask, at: time_machine.Traveller) -> None:
    at.shift(STEP_LIFE)


def a_new_password_is_set(app: Flask, at: time_machine.Traveller) -> None:
    phone = App(app)
    phone.post("/auth/password/forgot", {"email": ALICE})
    body = {"token": mailed_token(app, ALICE, "/password/reset/"), "password": NEW_PASSWORD}
    assert phone.post("/auth/password/reset", body).status_code == 204


def the_account_is_closed(app: Flask, at: time_machine.Traveller) -> None:
    with app.app_context():
        users.disable_user(ALICE)


def the_owner_says_it_was_not_them(app: Flask, at: time_machine.Traveller) -> None:
    browser = Browser(app)
    browser.sign_in(ALICE)
    browser.submit("/login/keep")
    browser.submit("/account/activity", "/account/activity/not-me")


@pytest.mark.asvs("8.3.2")
@pytest.mark.parametrize(
    "happens", [ten_minutes_pass, a_new_password_is_set, the_account_is_closed, the_owner_says_it_was_not_them]
)
def test_the_step_is_over_when(
    app: Flask,
    alice: str,
    at: time_machine.Traveller,
    rows: Rows,
    happens: Callable[[Flask, time_machine.Traveller], None],
) -> None:
    phone = leave(app)
    token = step_of(phone)
    happens(app, at)
    due, sessions = rows.user().deletion_due_at, rows.count(LoginSession)
    assert refusal(phone.keep_account(token)) == (401, "sign_in_expired")
    assert (rows.user().deletion_due_at, rows.count(LoginSession)) == (due, sessions)


@on_sqlite
@pytest.mark.asvs("9.2.2")
def test_a_step_goes_on_at_the_door_where_it_began(
    app: Flask, alice: str, browser: Browser, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof for a cookie gets no tokens, and the proof for tokens no cookie, whoever carries it over."""
    phone = leave(app)
    token = step_of(phone)
    browser.sign_in(alice)
    handles: list[str] = []
    with monkeypatch.context() as spying:
        spying.setattr("webapp.services.sign_in_steps.digest", lambda handle: handles.append(handle) or "")
        browser.get("/login/keep")
    assert handles
    assert handles[0] != token
    browser.sign_in(alice)
    with monkeypatch.context() as carrying:
        carrying.setattr(HANDLE, lambda: token)
        assert browser.get("/login/keep").location == "/login"
    assert refusal(phone.keep_account(handles[0])) == (401, "sign_in_expired")
    assert rows.count(SignInInProgress) >= 2, "nothing was spent"
    assert rows.live() == []
    assert phone.keep_account(token).status_code == 200


def test_the_refresh_token_travels_as_it_was_asked_for_before_the_step(
    app: Flask, alice: str, rows: Rows, new_browser: NewBrowser
) -> None:
    page = leave(app)
    token = step_of(page, refresh_transport="cookie", device_name="<i>Alice's</i> page")
    kept = page.keep_account(token)
    assert "refresh_token" not in kept.json
    assert page.cookie()
    assert page.refresh(token="").status_code == 200
    browser = new_browser()
    browser.sign_in(alice)
    assert "<i>Alice's</i> page" in words(browser.get("/account/sessions"))


@pytest.mark.asvs("3.5.1")
def test_another_site_cannot_finish_a_step_that_is_to_set_the_cookie(app: Flask, alice: str, rows: Rows) -> None:
    page, elsewhere = leave(app), App(app, origin="https://evil.example")
    token = step_of(page, refresh_transport="cookie")
    refused = elsewhere.keep_account(token)
    assert refusal(refused) == (403, "origin_refused")
    assert "Set-Cookie" not in refused.headers
    assert rows.live() == []
    assert rows.user().deletion_due_at is not None
    assert page.keep_account(token).status_code == 200


def test_after_the_waiting_time_there_is_nobody_to_sign_in(
    app: Flask, alice: str, rows: Rows, at: time_machine.Traveller
) -> None:
    phone = leave(app)
    token = step_of(phone)
    at.shift(WAITING_TIME + timedelta(minutes=1))
    with app.app_context():
        assert housekeeping.purge()["deleted_accounts"] == 1
    assert rows.all(User) == []
    assert refusal(phone.sign_in(alice)) == (401, "invalid_credentials")
    assert refusal(phone.keep_account(token)) == (401, "sign_in_expired")
    assert refusal(phone.refresh()) == (401, "session_revoked")
