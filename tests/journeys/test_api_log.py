"""What is written down while apps call the API: enough to see what happened, and nothing to rob anybody with."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask, request

from tests.apps import App, refusal
from tests.asvs.documents import DATA, name, table
from tests.conftest import NewApp
from tests.people import NEW_PASSWORD, PASSWORD, Mailbox
from tests.rows import Rows, on_sqlite
from webapp.models import SigningKey
from webapp.services.client import Client

pytestmark = on_sqlite

PUBLIC, ALICE = "https://login.example.com", "alice@example.com"
WRONG = "not what was chosen here"
UNKNOWN_FIELD, UNKNOWN_NAME, BROKEN = (
    "my-first-school-1987",
    "grandmothers-name",
    "eyJicm9rZW4iOiJ0b2tlbiJ9.AbC123dEf456.GhI789jKl",
)
DEVICE = "The phone of Alice"
Line = dict[str, Any]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[Line]]:
    """What was written since the last look. One line that is no JSON object, and it fails."""

    def read() -> list[Line]:
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    return read


@pytest.fixture
def app(new_app: NewApp, lines: Callable[[], list[Line]]) -> Flask:
    """The site in production, at its most talkative."""
    return new_app(APP_ENV="production", PUBLIC_URL=PUBLIC, LOG_LEVEL="DEBUG")


def live_through_everything(app: Flask, secrets: set[str]) -> None:
    """An app's whole life, with every refusal on the way; what must stay secret is put into `secrets`."""
    mailbox, phone = Mailbox(app), App(app, cookies=True)

    def keep() -> None:
        secrets.update({phone.access_token, phone.refresh_token, *(c.value for c in phone.client._cookies.values())})

    phone.register(ALICE)
    secrets.add(mailbox.link(ALICE, "/verify-email/").rsplit("/", 1)[-1])
    phone.verify(ALICE)
    phone.verify(ALICE)
    phone.sign_in(ALICE, WRONG)
    phone.sign_in(ALICE, refresh_transport="cookie", device_name=DEVICE)
    keep()
    phone.sign_in(ALICE, device_name=DEVICE)
    keep()
    spent = phone.refresh_token
    for _ in range(2):
        phone.refresh()
        keep()
    phone.call("PATCH", "/me", {"name": "Alice", UNKNOWN_NAME: UNKNOWN_FIELD})
    phone.post("/auth/login", {"email": ALICE, "password": PASSWORD, UNKNOWN_NAME: UNKNOWN_FIELD})
    phone.post("/auth/login", data=f'{{"email": "{ALICE}", "password": "{PASSWORD}"', content_type="application/json")
    phone.post("/auth/login", data=f"{ALICE} {PASSWORD}", content_type="text/plain")
    for broken in (BROKEN, phone.access_token[:-5] + "xxxxx", phone.refresh_token):
        phone.get("/me", token=broken)
        phone.refresh(broken[:-3] + "zzz")
    phone.get(f"/me?access_token={phone.access_token}", token="")
    phone.get(f"/sessions/{phone.access_token}")
    phone.post("/me/password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    phone.refresh(spent)
    phone.sign_in(ALICE, NEW_PASSWORD)
    keep()
    phone.call("DELETE", "/me", {"password": NEW_PASSWORD})
    step = phone.sign_in(ALICE, NEW_PASSWORD).json["step_token"]
    secrets.add(step)
    phone.keep_account(step)
    keep()
    phone.post("/auth/password/forgot", {"email": ALICE})
    token = mailbox.link(ALICE, "/password/reset/").rsplit("/", 1)[-1]
    secrets.add(token)
    phone.post("/auth/password/reset", {"token": token, "password": PASSWORD})


@pytest.mark.asvs("16.2.4", "16.2.5", "14.2.1")
def test_an_apps_whole_life_leaves_lines_that_give_nobody_away(
    app: Flask, lines: Callable[[], list[Line]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def tell_all(email: str, password: str, client: Client, **_more: str) -> None:
        raise RuntimeError(f"{email} and {password} on {client.device_name}; {request.cookies} {request.headers}")

    secrets = {PASSWORD, NEW_PASSWORD, WRONG, ALICE, UNKNOWN_FIELD, BROKEN, DEVICE}
    live_through_everything(app, secrets)
    monkeypatch.setattr("webapp.services.tokens.sign_in_with_password", tell_all)
    assert refusal(App(app).sign_in(ALICE, device_name=DEVICE)) == (500, "internal_error")
    found = lines()
    told = {line["event"] for line in found}
    assert told >= {
        "signed_in",
        "sign_in_failed",
        "api_refused",
        "refresh_reused",
        "password_changed",
        "request_failed",
    }
    documented = {name(row["field"]) for row in table(DATA, "Log fields")}
    for line in found:
        assert set(line) <= documented, line
    written = json.dumps(found, ensure_ascii=False)
    assert sorted(secret for secret in secrets if len(secret) > 7 and secret in written) == []
    # Nor a part of a token that could be put together again.
    for key in Rows(app).all(SigningKey):
        written = written.replace(key.kid, "")  # where chance may write anything
    assert "eyJ" not in written


def refusals(app: Flask) -> dict[str, tuple[App, Callable[[App], Any]]]:
    """Refusals of the API that somebody who watches the site has to see, by their code."""
    phone, gone, foreign = App(app), App(app), App(app, origin="https://evil.example")
    for somebody in (phone, gone):
        somebody.sign_in(ALICE)
    gone.sign_out()
    return {
        "token_missing": (phone, lambda p: p.get("/me", token="")),
        "token_invalid": (phone, lambda p: p.get("/me", token=BROKEN)),
        "session_revoked": (gone, lambda p: p.get("/me")),
        "invalid_credentials": (phone, lambda p: p.sign_in(ALICE, WRONG)),
        "origin_refused": (
            foreign,
            lambda p: p.sign_in(ALICE, refresh_transport="cookie"),
        ),
    }


@pytest.mark.asvs("16.3.2", "16.2.1")
def test_a_refusal_is_one_event_that_says_why_and_where(
    app: Flask, alice: str, lines: Callable[[], list[Line]]
) -> None:
    for code, (phone, call) in refusals(app).items():
        lines()
        answer = call(phone)
        assert refusal(answer)[1] == code
        (line,) = [line for line in lines() if line["event"] == "api_refused"]
        assert (line["reason"], line["outcome"]) == (code, "refused")
        assert line["request_id"] == answer.headers["X-Request-ID"]
        assert line["network"] == "127.0.0.0/24"
        assert line["route"] == answer.request.path
