"""One's own account through the API: what it says, what may be changed, and what a new password ends."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.apps import App, problem, refusal
from tests.conftest import NewBrowser
from tests.people import NEW_PASSWORD, PASSWORD, Mailbox
from tests.rows import Rows, on_sqlite
from webapp.policy.login_sessions import FRESH_FOR

ME = {"id", "email", "email_verified", "name", "locale", "created_at", "password_changed_at"}
WRONG = "not what was chosen here"
BREACHED = "iloveyouforever"


def test_name_and_language_change_and_what_is_left_out_stays(app: Flask, alice: str, new_browser: NewBrowser) -> None:
    phone, browser = App(app), new_browser()
    phone.sign_in(alice)
    before = phone.get("/me").json
    assert before.keys() == ME
    changed = phone.call("PATCH", "/me", {"name": "  Ada  \u202eLovelace "})
    assert (changed.status_code, changed.json) == (200, before | {"name": "Ada Lovelace"})
    assert phone.call("PATCH", "/me", {"locale": "ko"}).json == before | {"name": "Ada Lovelace", "locale": "ko"}
    assert phone.call("PATCH", "/me", {}).json == phone.get("/me").json
    browser.sign_in(alice)
    assert "Ada Lovelace" in browser.get("/account").text
    assert '<html lang="ko"' in browser.get("/account").text


@on_sqlite
@pytest.mark.asvs("8.2.3")
@pytest.mark.parametrize("field", ["id", "email", "email_verified", "email_verified_at", "is_admin", "password_hash"])
def test_nothing_else_of_an_account_can_be_written(app: Flask, alice: str, rows: Rows, field: str) -> None:
    phone = App(app)
    phone.sign_in(alice)
    before = dict(vars(rows.user()))
    refused = phone.call("PATCH", "/me", {"name": "Mallory", field: "mallory@example.com"})
    assert refusal(refused) == (422, "validation_failed")
    assert [misfit["pointer"] for misfit in problem(refused)["errors"]] == [f"/{field}"]
    after = dict(vars(rows.user()))
    assert {name: after[name] for name in after if not name.startswith("_")} == {
        name: before[name] for name in before if not name.startswith("_")
    }


@pytest.mark.asvs("7.4.3")
def test_a_new_password_ends_every_session_but_the_one_that_set_it(
    app: Flask, alice: str, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    phone, tablet, browser = App(app), App(app), new_browser()
    for somebody in (phone, tablet, browser):
        somebody.sign_in(alice)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.post("/me/password", body).status_code == 204
    assert "password" in mailbox.newest(alice)["Subject"]
    assert refusal(tablet.get("/me")) == (401, "session_revoked")
    assert not browser.is_signed_in
    assert phone.is_signed_in
    assert phone.refresh().status_code == 200
    assert [str(row.id) for row in rows.live()] == [phone.session_id]
    assert refusal(tablet.sign_in(alice)) == (401, "invalid_credentials")
    assert tablet.sign_in(alice, NEW_PASSWORD).status_code == 200
    assert rows.events().count("password_changed") == 1


REFUSED: dict[str, tuple[dict[str, str], int, str, str, str | None]] = {
    "the current one is wrong": (
        {"current_password": WRONG, "new_password": NEW_PASSWORD},
        *(403, "invalid_credentials", "/current_password", None),
    ),
    "too short": (
        {"current_password": PASSWORD, "new_password": "short"},
        *(422, "password_refused", "/new_password", "too_short"),
    ),
    "unchanged": (
        {"current_password": PASSWORD, "new_password": PASSWORD},
        *(422, "password_refused", "/new_password", "unchanged"),
    ),
    "on the lists of attackers": (
        {"current_password": PASSWORD, "new_password": BREACHED},
        *(422, "password_refused", "/new_password", "breached"),
    ),
    "their own address": (
        {"current_password": PASSWORD, "new_password": "alice@example.com"},
        *(422, "password_refused", "/new_password", "about_you"),
    ),
}


@on_sqlite
@pytest.mark.parametrize("case", REFUSED)
def test_a_password_that_is_refused_changes_nothing_and_says_what_is_wrong(
    app: Flask, alice: str, rows: Rows, case: str
) -> None:
    body, status, code, pointer, rule = REFUSED[case]
    phone, tablet = App(app), App(app)
    phone.sign_in(alice)
    tablet.sign_in(alice)
    before = rows.user().password_hash
    refused = phone.post("/me/password", body)
    assert refusal(refused) == (status, code)
    document = problem(refused)
    assert document.get("rule") == rule
    assert [misfit["pointer"] for misfit in document["errors"]] == [pointer]
    assert "WWW-Authenticate" not in refused.headers, "a slip of one's own is no reason to sign in anew"
    assert rows.user().password_hash == before
    assert tablet.is_signed_in


@pytest.mark.asvs("7.5.1")
def test_the_password_is_the_proof_where_the_sign_in_is_old_and_makes_it_fresh(
    app: Flask, alice: str, at: time_machine.Traveller
) -> None:
    phone = App(app)
    phone.sign_in(alice)
    signed_in_at = phone.get("/auth/session").json["auth_time"]
    at.shift(FRESH_FOR + timedelta(minutes=1))
    phone.refresh()
    assert phone.get("/auth/session").json["auth_time"] == signed_in_at, "a refresh is no proof"
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert phone.post("/me/password", body).status_code == 204
    phone.refresh()
    assert phone.get("/auth/session").json["auth_time"] > signed_in_at
    assert phone.call("DELETE", "/me").status_code == 202


@pytest.mark.asvs("8.2.2")
def test_the_activity_is_ones_own_newest_first_a_page_at_a_time(
    app: Flask, alice: str, new_user: Callable[..., str], rows: Rows
) -> None:
    phone, bob = App(app), App(app)
    new_user("bob@example.com", name="Bob")
    bob.sign_in("bob@example.com")
    for _ in range(4):
        phone.sign_in(alice)
    seen, path = [], "/events?limit=3"
    while path:
        answer = phone.get(path)
        assert answer.json.keys() == {"events", "next"}
        seen += answer.json["events"]
        link = answer.headers.get("Link", "")
        assert bool(link) == bool(answer.json["next"])
        path = link.partition(">")[0].removeprefix("</api/v1")
    assert [event["kind"] for event in reversed(seen)] == rows.events()
    assert [event["id"] for event in seen] == sorted({event["id"] for event in seen}, reverse=True)
    theirs = bob.get("/events").json["events"]
    ids = {event["id"] for event in seen}
    assert not ids & {event["id"] for event in theirs}
    newest = bob.get(f"/events?before={seen[0]['id']}").json["events"]
    assert not ids & {event["id"] for event in newest}, "the id of another's event opens nothing of theirs"
    for wrong in ("limit=0", "limit=101", "limit=many", "before=1"):
        assert refusal(phone.get(f"/events?{wrong}")) == (422, "validation_failed")
