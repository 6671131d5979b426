"""One list of where somebody is signed in, for browsers and apps; each of them can end the others, nobody else can."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.apps import PHONE, App, refusal
from tests.conftest import NewBrowser
from tests.journeys.pages import words
from tests.people import CHROME
from tests.rows import Rows, on_sqlite
from webapp.ids import new_id
from webapp.models import SecurityEvent
from webapp.policy.login_sessions import FRESH_FOR

FIELDS = {"id", "kind", "current", "created_at", "last_seen_at", "ip", "user_agent", "device_name", "methods"}


@pytest.mark.asvs("7.5.2")
def test_browsers_and_apps_stand_in_one_list_and_each_marks_itself(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    browser, phone = new_browser(ip="203.0.113.1"), App(app, ip="203.0.113.2")
    browser.sign_in(alice)
    phone.sign_in(alice, device_name="Alice's phone")
    listed = phone.get("/sessions").json
    assert all(session.keys() == FIELDS for session in listed)
    told = {s["kind"]: (s["current"], s["ip"], s["user_agent"], s["device_name"], s["methods"]) for s in listed}
    assert told == {
        "web": (False, "203.0.113.1", CHROME, None, ["pwd"]),
        "api": (True, "203.0.113.2", PHONE, "Alice's phone", ["pwd"]),
    }
    assert {session["id"] for session in listed} == {str(row.id) for row in rows.live()}
    page = words(browser.get("/account/sessions"))
    for expected in ("Alice's phone", "203.0.113.2", "203.0.113.1", "This device"):
        assert expected in page


@pytest.mark.asvs("7.5.2", "10.4.9")
def test_each_can_end_exactly_one_other(app: Flask, alice: str, new_browser: NewBrowser, rows: Rows) -> None:
    browser, other_browser, phone, tablet = new_browser(), new_browser(ip="203.0.113.9"), App(app), App(app)
    for somebody in (browser, other_browser, phone, tablet):
        somebody.sign_in(alice)
    (target,) = [session for session in phone.get("/sessions").json if session["ip"] == "203.0.113.9"]
    assert phone.call("DELETE", f"/sessions/{target['id']}").status_code == 204
    assert not other_browser.is_signed_in
    browser.submit("/account/sessions", f"/account/sessions/{tablet.session_id}/revoke")
    assert refusal(tablet.get("/me")) == (401, "session_revoked")
    assert browser.is_signed_in
    assert phone.is_signed_in
    assert phone.refresh().status_code == 200
    assert len(phone.get("/sessions").json) == len(rows.live()) == 2
    assert rows.events().count("session_ended") == 2
    assert refusal(phone.call("DELETE", f"/sessions/{target['id']}")) == (404, "not_found"), "it is over already"


@pytest.mark.asvs("7.5.2", "8.2.2")
def test_somebody_elses_session_cannot_be_ended_or_told_from_none(
    app: Flask, alice: str, new_user: Callable[..., str], rows: Rows, new_browser: NewBrowser
) -> None:
    bob, browser, mallory = App(app), new_browser(), App(app)
    new_user("bob@example.com", name="Bob")
    bob.sign_in("bob@example.com")
    browser.sign_in("bob@example.com")
    mallory.sign_in(alice)
    events = rows.count(SecurityEvent)
    told = []
    for victim in (*(row.id for row in rows.live("bob@example.com")), new_id(), uuid.UUID(int=0)):
        answer = mallory.call("DELETE", f"/sessions/{victim}")
        told.append({name: value for name, value in answer.json.items() if name != "request_id"})
        assert refusal(answer) == (404, "not_found")
    assert all(document == told[0] for document in told)
    assert refusal(mallory.call("DELETE", "/sessions/1")) == (404, "not_found")
    assert bob.is_signed_in
    assert browser.is_signed_in
    assert bob.refresh().status_code == 200
    assert rows.count(SecurityEvent) == events
    assert [session["id"] for session in mallory.get("/sessions").json] == [mallory.session_id]


@pytest.mark.asvs("7.5.2", "7.5.1", "10.3.4", "8.2.4")
def test_ending_another_asks_for_a_fresh_sign_in_and_signing_out_does_not(
    app: Flask, alice: str, at: time_machine.Traveller, rows: Rows
) -> None:
    phone, tablet = App(app), App(app)
    phone.sign_in(alice)
    tablet.sign_in(alice)
    at.shift(FRESH_FOR)
    phone.refresh()
    for target in (tablet.session_id, new_id()):
        refused = phone.call("DELETE", f"/sessions/{target}")
        assert refusal(refused) == (401, "reauthentication_required")
        challenge = refused.headers["WWW-Authenticate"]
        assert 'error="insufficient_user_authentication"' in challenge
        assert 'max_age="600"' in challenge
    assert tablet.refresh().status_code == 200
    assert phone.call("DELETE", f"/sessions/{phone.session_id}").status_code == 204, "its own"
    again = App(app)
    again.sign_in(alice)
    assert again.call("DELETE", f"/sessions/{tablet.session_id}").status_code == 204
    assert [str(row.id) for row in rows.live()] == [again.session_id]


@pytest.mark.asvs("7.5.1")
def test_signing_out_everywhere_needs_no_fresh_proof_and_spares_nobody(
    app: Flask, alice: str, at: time_machine.Traveller, new_browser: NewBrowser, rows: Rows
) -> None:
    phone, browser = App(app), new_browser()
    phone.sign_in(alice)
    browser.sign_in(alice, remember="y")
    at.shift(FRESH_FOR)
    phone.refresh()
    assert phone.post("/auth/logout-all").status_code == 204
    assert not browser.is_signed_in
    assert rows.live() == []
    assert sorted(rows.events()[-2:]) == ["other_sessions_ended", "signed_out"]


NAMES = {
    "  Alice's   phone ": "Alice's phone",
    "\u202eenohp": "enohp",
    "앨리스의 전화": "앨리스의 전화",
    "<b>bold</b>": "<b>bold</b>",
    " ": None,
    "n" * 100: "n" * 100,
}


@on_sqlite
def test_what_an_app_calls_itself_is_kept_clean_and_shown_as_text(
    app: Flask, alice: str, new_browser: NewBrowser
) -> None:
    browser, phone = new_browser(), App(app)
    browser.sign_in(alice)
    for given, kept in NAMES.items():
        phone.sign_in(alice, device_name=given)
        (here,) = [session for session in phone.get("/sessions").json if session["current"]]
        assert here["device_name"] == kept
    page = browser.get("/account/sessions")
    assert "<b>bold" not in page.text
    assert "\u202e" not in page.text
    for kept in filter(None, NAMES.values()):
        assert kept in words(page).replace("&lt;", "<")
    for refused in ("n" * 101, "two\nlines", "\x00"):
        assert refusal(phone.sign_in(alice, device_name=refused)) == (422, "validation_failed")


def test_a_refresh_is_a_sign_of_life(app: Flask, alice: str, at: time_machine.Traveller, rows: Rows) -> None:
    phone = App(app, ip="203.0.113.1")
    phone.sign_in(alice)
    at.shift(timedelta(days=2))
    elsewhere = App(app, ip="198.51.100.2")
    elsewhere.refresh(phone.refresh_token)
    (row,) = rows.live()
    assert row.ip == "198.51.100.2"
    assert row.last_seen_at - row.created_at >= timedelta(days=2)
