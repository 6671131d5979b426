"""An app's first day and the days after: an account, a sign-in, calls, refreshes for a month, a sign-out."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import time_machine
from flask import Flask

from tests.apps import App, mailed_token, problem, refusal
from tests.conftest import NewApp, NewBrowser
from tests.people import NEW_PASSWORD, PASSWORD, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp.models import LoginSession, SigningKey

ALICE = "alice@example.com"
TOKENS = {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "session_id"}
WRONG_IN_KOREAN = "이메일 주소 또는 비밀번호가 올바르지 않습니다."


def test_an_app_registers_signs_in_calls_refreshes_and_signs_out(app: Flask, rows: Rows) -> None:
    phone = App(app, ip="203.0.113.7")
    assert phone.register(ALICE).status_code == 202
    assert phone.verify(ALICE).status_code == 204
    assert refusal(phone.verify(ALICE)) == (410, "link_used")

    signed_in = phone.sign_in(ALICE, device_name="Alice's phone")
    assert signed_in.status_code == 200
    assert signed_in.json.keys() == TOKENS
    assert signed_in.json["token_type"] == "Bearer"
    month = 30 * 24 * 3600
    assert signed_in.json["expires_in"] == 600
    assert month - 60 < signed_in.json["refresh_expires_in"] <= month

    claims, me, (here,) = (phone.get(path).json for path in ("/auth/session", "/me", "/sessions"))
    assert (claims["sid"], claims["sub"], claims["amr"]) == (phone.session_id, me["id"], ["pwd"])
    assert (me["email"], me["email_verified"], me["name"], me["locale"]) == (ALICE, True, "Alice", "en")
    assert datetime.fromisoformat(me["created_at"]).utcoffset() == timedelta(0)
    assert (here["id"], here["kind"], here["current"]) == (phone.session_id, "api", True)
    assert (here["ip"], here["device_name"], here["methods"]) == ("203.0.113.7", "Alice's phone", ["pwd"])
    events = phone.get("/events").json["events"]
    assert [event["kind"] for event in events] == ["signed_in", "email_confirmed", "registered"]
    assert events[0]["session_id"] == phone.session_id

    before = phone.access_token, phone.refresh_token, phone.session_id
    assert phone.refresh().json.keys() == TOKENS
    assert phone.session_id == before[2]
    assert not {phone.access_token, phone.refresh_token} & set(before)
    assert phone.is_signed_in
    assert phone.get("/me", token=before[0]).status_code == 200, "the one before is good for its ten minutes"

    assert phone.sign_out().status_code == 204
    assert refusal(phone.get("/auth/session")) == (401, "session_revoked")
    assert refusal(phone.refresh()) == (401, "session_revoked")
    assert rows.events()[-1] == "signed_out"
    assert rows.live() == []
    assert rows.count(SigningKey) == 1


def test_what_begins_at_one_door_can_go_on_at_the_other(app: Flask, mailbox: Mailbox, new_browser: NewBrowser) -> None:
    """The mails lead to pages; an app that takes the tokens out of their links comes to the same end."""
    phone = App(app)
    phone.register(ALICE)
    assert new_browser().submit(mailbox.link(ALICE, "/verify-email/")).status_code == 303
    assert phone.sign_in(ALICE).status_code == 200
    new_browser().submit("/register", email="bob@example.com", password=PASSWORD, name="Bob")
    assert phone.verify("bob@example.com").status_code == 204
    new_browser().submit("/password/forgot", email=ALICE)
    body = {"token": mailed_token(app, ALICE, "/password/reset/"), "password": NEW_PASSWORD}
    assert phone.post("/auth/password/reset", body, token="").status_code == 204
    assert new_browser().sign_in(ALICE, NEW_PASSWORD).status_code == 303
    assert phone.post("/auth/password/forgot", {"email": ALICE}, token="").status_code == 202
    assert new_browser().submit(mailbox.link(ALICE, "/password/reset/"), password=PASSWORD).status_code == 303
    assert phone.sign_in(ALICE).status_code == 200


@on_sqlite
def test_a_link_that_was_mailed_for_something_else_does_nothing(app: Flask, alice: str, rows: Rows) -> None:
    phone = App(app)
    phone.post("/auth/password/forgot", {"email": alice}, token="")
    token = mailed_token(app, alice, "/password/reset/")
    assert refusal(phone.post("/auth/email/verify", {"token": token}, token="")) == (400, "link_invalid")
    short = {"token": token, "password": "short"}
    refused = problem(phone.post("/auth/password/reset", short, token=""))
    assert (refused["code"], refused["rule"], refused["min_length"]) == ("password_refused", "too_short", 15)
    assert refused["errors"][0]["pointer"] == "/password"
    good = {"token": token, "password": NEW_PASSWORD}
    assert phone.post("/auth/password/reset", good, token="").status_code == 204, "a slip does not spend it"
    assert refusal(phone.post("/auth/password/reset", good, token="")) == (410, "link_used")


@pytest.mark.asvs("10.3.5")
def test_an_access_token_is_good_for_ten_minutes_and_the_refresh_token_gets_the_next(
    app: Flask, alice: str, at: time_machine.Traveller
) -> None:
    phone = App(app)
    phone.sign_in(alice)
    at.shift(timedelta(minutes=9))
    assert phone.is_signed_in
    at.shift(timedelta(minutes=1, seconds=1))
    refused = phone.get("/me")
    assert refusal(refused) == (401, "token_expired")
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert phone.refresh().status_code == 200
    assert phone.is_signed_in


@pytest.mark.asvs("10.4.8", "7.3.2")
def test_a_session_ends_a_month_after_it_began_however_busy_it_was(
    app: Flask, alice: str, at: time_machine.Traveller, rows: Rows
) -> None:
    phone, left = App(app), []
    phone.sign_in(alice)
    for _ in range(29):
        at.shift(timedelta(days=1))
        left.append(phone.refresh().json["refresh_expires_in"])
    assert left == sorted(left, reverse=True), "no refresh lengthens it"
    assert 0 < left[-1] <= timedelta(days=1).total_seconds()
    at.shift(timedelta(days=1, seconds=1))
    assert refusal(phone.refresh()) == (401, "token_expired")
    assert rows.count(LoginSession, kind="api") == 1, "one row, however often it was refreshed"
    assert phone.sign_in(alice).status_code == 200


@pytest.mark.asvs("10.3.3")
def test_a_token_stays_with_its_account_whatever_the_account_is_called(
    app: Flask, alice: str, mailbox: Mailbox, new_browser: NewBrowser, new_user: Callable[..., str]
) -> None:
    phone, browser = App(app), new_browser()
    phone.sign_in(alice)
    before = phone.get("/me").json["id"]
    browser.sign_in(alice)
    browser.submit("/account/email", email="moved@example.com")
    browser.submit(mailbox.link("moved@example.com", "/email/confirm/"))
    phone.call("PATCH", "/me", {"name": "Somebody else"})
    new_user(alice, name="The next Alice")
    me = phone.get("/me").json
    assert (me["id"], me["email"], me["name"]) == (before, "moved@example.com", "Somebody else")
    newcomer = App(app)
    newcomer.sign_in(alice)
    assert newcomer.get("/me").json["id"] != before


@on_sqlite
def test_an_app_reads_and_its_person_is_mailed_in_their_own_language(new_app: NewApp) -> None:
    app = new_app()
    phone, mailbox = App(app, language="ko-KR,ko;q=0.9,en;q=0.5"), Mailbox(app)
    phone.register(ALICE)
    assert "이메일" in text_of(mailbox.newest(ALICE))
    phone.verify(ALICE)
    assert problem(phone.sign_in(ALICE, "not what was chosen here"))["detail"] == WRONG_IN_KOREAN
    assert App(app, language="fr").sign_in(ALICE, "not what was chosen here").json["detail"].startswith("The email")
    phone.sign_in(ALICE)
    assert phone.get("/me").json["locale"] == "ko"
    App(app, language="en").post("/auth/password/forgot", {"email": ALICE})
    assert "비밀번호" in text_of(mailbox.newest(ALICE)), "mails are in the language of the account, whoever asks"
    phone.call("PATCH", "/me", {"locale": "en"})
    phone.post("/auth/password/forgot", {"email": ALICE})
    assert "password" in text_of(mailbox.newest(ALICE))
