"""The API's doors that tell nothing to strangers, and what stands in the way of who proved who they are."""

from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps import App, problem, refusal
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of, text_of
from tests.rows import Rows, on_sqlite
from webapp.models import OutboxMessage, SignInInProgress, User
from webapp.services import users

KNOWN, UNCONFIRMED, UNKNOWN = "alice@example.com", "ulrich@example.com", "nobody@example.com"
WRONG = "not what was chosen here"
ITS_OWN = ("X-Request-ID", "X-RateLimit-Reset")  # an id, and a time

DOORS: dict[str, Callable[[App, str], TestResponse]] = {
    "register": lambda phone, email: phone.register(email, NEW_PASSWORD, "Somebody"),
    "sign in": lambda phone, email: phone.sign_in(email, WRONG),
    "forgot": lambda phone, email: phone.post("/auth/password/forgot", {"email": email}),
}


@pytest.mark.asvs("6.3.8")
@pytest.mark.parametrize("door", DOORS)
def test_known_and_unknown_addresses_cannot_be_told_apart(
    app: Flask, alice: str, rows: Rows, mailbox: Mailbox, door: str
) -> None:
    App(app).register(UNCONFIRMED, NEW_PASSWORD, "Ulrich")
    hashing, seen = runtime_of(app).hashing, {}
    for number, email in enumerate((KNOWN, UNCONFIRMED, UNKNOWN)):
        mailbox.deliver()
        hashes, mails = hashing.hashes_made, rows.count(OutboxMessage)
        answer = DOORS[door](App(app, ip=f"203.0.113.{number}", cookies=True), email)
        headers = {name: value for name, value in answer.headers if name not in ITS_OWN}
        body = {name: value for name, value in answer.json.items() if name != "request_id"}
        work = hashing.hashes_made - hashes, rows.count(OutboxMessage) - mails
        seen[email] = (answer.status_code, body, headers, len(answer.data), work)
    assert seen[KNOWN] == seen[UNCONFIRMED] == seen[UNKNOWN]
    work = {"register": (1, 1), "sign in": (1, 0), "forgot": (0, 1)}
    assert seen[KNOWN][-1] == work[door], "hashes made and mails written"


def unconfirmed(app: Flask, browser: Browser) -> None:
    Rows(app).set(User, {"email": KNOWN}, email_verified_at=None)


def not_me(app: Flask, browser: Browser) -> None:
    browser.sign_in(KNOWN)
    browser.submit("/account/activity", "/account/activity/not-me")


def disabled(app: Flask, browser: Browser) -> None:
    with app.app_context():
        users.disable_user(KNOWN)


IN_THE_WAY: list[tuple[Callable[[Flask, Browser], None], str, str]] = [
    (unconfirmed, "email_unverified", "/verify-email/"),
    (not_me, "password_blocked", "/password/reset/"),
    (disabled, "account_disabled", ""),
]


@pytest.mark.asvs("8.2.1", "8.3.2")
@pytest.mark.parametrize(("happen", "code", "link"), IN_THE_WAY, ids=[code for _, code, _ in IN_THE_WAY])
def test_the_right_password_alone_gets_no_tokens_where(
    app: Flask,
    alice: str,
    browser: Browser,
    rows: Rows,
    mailbox: Mailbox,
    happen: Callable[[Flask, Browser], None],
    code: str,
    link: str,
) -> None:
    happen(app, browser)
    phone, mails = App(app, cookies=True), len(mailbox.mails(alice))
    assert refusal(phone.sign_in(alice, WRONG)) == (401, "invalid_credentials"), "nobody learns it without the password"
    refused = phone.sign_in(alice, refresh_transport="cookie")
    assert refusal(refused) == (403, code)
    assert "Set-Cookie" not in refused.headers
    assert rows.live() == []
    assert rows.count(SignInInProgress) == 0
    assert len(mailbox.mails(alice)) == mails + bool(link)
    if link:
        assert link in text_of(mailbox.newest(alice)), "the way on is mailed"


def test_with_the_mailed_link_the_way_is_free(app: Flask, alice: str, browser: Browser, mailbox: Mailbox) -> None:
    phone = App(app)
    not_me(app, browser)
    phone.sign_in(alice)
    token = mailbox.link(alice, "/password/reset/").rsplit("/", 1)[-1]
    phone.post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD})
    assert refusal(phone.sign_in(alice)) == (401, "invalid_credentials")
    assert phone.sign_in(alice, NEW_PASSWORD).status_code == 200


def test_a_sign_in_on_a_new_phone_is_told_to_the_owner(app: Flask, alice: str, mailbox: Mailbox) -> None:
    known = App(app, cookies=True)
    known.sign_in(alice)
    before = len(mailbox.mails(alice))
    known.sign_in(alice)
    assert len(mailbox.mails(alice)) == before, "an app that keeps its cookie is known"
    App(app, ip="203.0.113.9").sign_in(alice)
    assert "203.0.113.9" in text_of(mailbox.newest(alice))
    assert len(mailbox.mails(alice)) == before + 1


@on_sqlite
@pytest.mark.asvs("10.4.11", "8.2.3")
@pytest.mark.parametrize("asked", [{"scope": "admin"}, {"kind": "web"}, {"amr": ["mfa"]}, {"expires_in": 10**9}])
def test_asking_for_more_gets_nothing(app: Flask, alice: str, rows: Rows, asked: dict[str, object]) -> None:
    phone, (name,) = App(app), asked
    phone.sign_in(alice)
    refused = phone.post("/auth/login", {"email": alice, "password": PASSWORD, **asked})
    assert refusal(refused) == (422, "validation_failed")
    assert problem(refused)["errors"][0]["pointer"] == f"/{name}"
    assert refusal(phone.post("/auth/refresh", {"refresh_token": phone.refresh_token, **asked}))[0] == 422
    assert len(rows.live()) == 1
    assert "scope" not in phone.get("/auth/session").json


# What is sent there is not looked at, and what they give opens nothing.
TAKE_NOTHING = {"api.passkey_options", "api.issue_nonce"}


@on_sqlite
@pytest.mark.asvs("10.4.4")
@pytest.mark.parametrize("body", [{"grant_type": "password"}, {"response_type": "token"}])
def test_no_door_is_an_oauth_door(app: Flask, alice: str, rows: Rows, body: dict[str, str]) -> None:
    phone = App(app)
    proof = {"username": alice, "email": alice, "password": PASSWORD, **body}
    doors = [
        rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/auth/") and "POST" in rule.methods
    ]
    doors = [rule for rule in doors if rule.endpoint not in TAKE_NOTHING]
    assert len(doors) >= 12
    for rule in doors:
        path = rule.rule.removeprefix("/api/v1").replace("<provider>", "google")
        assert 400 <= phone.post(path, proof).status_code < 500, path
        assert 400 <= phone.post(path, data=proof).status_code < 500, path
        assert 400 <= phone.get(f"{path}?response_type=token").status_code < 500, path
    assert rows.live() == []
