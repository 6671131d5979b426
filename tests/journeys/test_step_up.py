"""Before a change to who can get in, a fresh sign-in with the factors that the account has: on every page and call."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from stand_in.people import GMAIL
from tests.apps import App, problem, refusal
from tests.conftest import NewBrowser
from tests.factors import (
    Phone,
    make_codes,
    set_up_totp,
    sign_in_app_fully,
    sign_in_fully,
    soft_key,
    verify,
    with_totp,
    with_totp_and_codes,
)
from tests.journeys.pages import says
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, leave, sign_in_with
from tests.rows import Rows, on_sqlite
from tests.source import modules
from webapp import clock
from webapp.models import LoginSession, TotpFactor, TrustedBrowser
from webapp.policy.login_sessions import FRESH_FOR

ALICE = "alice@example.com"
TROUBLE = str(uuid.UUID(int=0))
# Every view that is behind @fresh_sign_in, with an address of it.
FRESH = {
    "account.password": "/account/password",
    "account.email": "/account/email",
    "account.revoke_session": f"/account/sessions/{TROUBLE}/revoke",
    "account.revoke_other_sessions": "/account/sessions/revoke-others",
    "account.export": "/account/data/export",
    "account.delete": "/account/data/delete",
    "account.set_up_totp": "/account/security/totp",
    "account.remove_totp": "/account/security/totp/remove",
    "account.recovery_codes_page": "/account/security/recovery-codes",
    "account.new_passkey_options": "/account/security/passkeys/options",
    "account.add_passkey": "/account/security/passkeys",
    "account.rename_passkey": f"/account/security/passkeys/{TROUBLE}/rename",
    "account.remove_passkey": f"/account/security/passkeys/{TROUBLE}/remove",
    "federation.link": "/account/connections/google/link",
    "federation.unlink": "/account/connections/google/unlink",
}
# Every call that may answer reauthentication_required.
CALLS: dict[str, tuple[str, str, Any]] = {
    "api.change_password": ("POST", "/me/password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}),
    "api.delete_me": ("DELETE", "/me", {"password": PASSWORD}),
    "api.end_session": ("DELETE", f"/sessions/{TROUBLE}", None),
}


def fresh_views() -> Iterator[str]:
    for module in modules():
        if module.name.startswith("blueprints/"):
            text = module.text.split("@fresh_sign_in\ndef ")
            yield from (f"{module.name.split('/')[1]}.{after.split('(')[0]}" for after in text[1:])


def test_every_view_that_asks_for_a_fresh_sign_in_is_tried_here() -> None:
    assert set(fresh_views()) == FRESH.keys()


@on_sqlite
def test_every_call_that_asks_for_one_is_tried_here(app: Flask) -> None:
    paths = App(app).get("/openapi.json").json["paths"]
    asking = {
        f"api.{call['operationId']}"
        for ways in paths.values()
        for call in ways.values()
        if "operationId" in call
        if "reauthentication_required" in json.dumps(call["responses"].get("401", {}))
    }
    assert asking == CALLS.keys()


def token_on(browser: Browser) -> str:
    return browser.get("/account/activity").text.split('name="csrf_token" value="')[1].split('"')[0]


@on_sqlite
@pytest.mark.asvs("7.5.1", "7.5.2", "7.5.3", "8.2.4")
@pytest.mark.parametrize("endpoint", FRESH)
@pytest.mark.parametrize("stale", ["old", "one factor of two"])
def test_no_page_lets_an_old_or_a_half_proof_change_anything(
    app: Flask, alice: str, browser: Browser, rows: Rows, endpoint: str, stale: str
) -> None:
    phone = with_totp(app, alice)
    sign_in_fully(browser, alice, phone)
    if stale == "old":
        rows.set(LoginSession, {}, auth_time=clock.now() - FRESH_FOR)
    else:
        rows.set(LoginSession, {}, methods="pwd")
    before = rows.user()
    rule = next(rule for rule in app.url_map.iter_rules() if rule.endpoint == endpoint)
    for method in {"GET", "POST"} & (rule.methods or set()):
        data = {"csrf_token": token_on(browser), "code": phone.fresh_code(), "new_password": NEW_PASSWORD}
        data |= {"current_password": PASSWORD, "email": "new@example.com"}
        answer = browser.get(FRESH[endpoint]) if method == "GET" else browser.post(FRESH[endpoint], data)
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/reauthenticate?next=")
    after = rows.user()
    assert (after.password_hash, after.deletion_due_at) == (before.password_hash, None)
    assert rows.count(TotpFactor) == 1
    assert len(rows.live()) == 1


@on_sqlite
@pytest.mark.asvs("7.5.1", "7.5.3", "10.3.4")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("stale", ["old", "one factor of two"])
def test_no_call_lets_the_password_alone_change_anything_where_there_is_a_second_factor(
    app: Flask, alice: str, rows: Rows, at: time_machine.Traveller, call: str, stale: str
) -> None:
    phone, _ = with_totp_and_codes(app, alice)
    api = App(app)
    sign_in_app_fully(api, alice, phone)
    if stale == "old":
        at.shift(FRESH_FOR)
        api.refresh()
    else:
        rows.set(LoginSession, {}, methods="pwd")
        api.refresh()
    method, path, body = CALLS[call]
    refused = api.call(method, path, body)
    told = problem(refused)
    assert (told["status"], told["code"]) == (401, "reauthentication_required")
    assert told["methods"] == ["password", "totp", "recovery"]
    assert 'error="insufficient_user_authentication"' in refused.headers["WWW-Authenticate"]
    assert rows.user().deletion_due_at is None
    assert api.is_signed_in
    again = {"password": PASSWORD, "method": "totp", "code": phone.fresh_code()}
    api.access_token = api.post("/auth/reauthenticate", again).json["access_token"]
    answer = api.call(method, path, body)
    assert answer.status_code in (202, 204, 404), answer.text


# On pages


@on_sqlite
@pytest.mark.asvs("7.5.1", "7.2.4")
def test_who_has_two_factors_shows_both_and_the_session_says_so(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    phone = with_totp(app, alice)
    sign_in_fully(browser, alice, phone)
    long_ago = clock.now() - timedelta(minutes=30)
    rows.set(LoginSession, {}, auth_time=long_ago)
    cookie = browser.cookie("session")
    answer = browser.submit("/reauthenticate?next=/account/email", password=PASSWORD)
    assert answer.headers["Location"] == "/reauthenticate/verify?next=/account/email"
    assert rows.live()[0].auth_time == long_ago, "half a proof is none"
    wrong = browser.submit("/reauthenticate/verify?next=/account/email", code="12345", method="totp")
    assert wrong.status_code == 422
    assert rows.live()[0].auth_time == long_ago
    done = browser.submit("/reauthenticate/verify?next=/account/email", code=phone.fresh_code(), method="totp")
    assert done.headers["Location"] == "/account/email"
    assert clock.now() - rows.live()[0].auth_time < FRESH_FOR
    assert browser.cookie("session") != cookie
    assert "reauthenticated" in rows.events()


@on_sqlite
def test_the_second_page_alone_proves_nothing_and_the_first_is_forgotten_after_a_while(
    app: Flask, alice: str, browser: Browser, rows: Rows, at: time_machine.Traveller
) -> None:
    phone = with_totp(app, alice)
    sign_in_fully(browser, alice, phone)
    at.shift(FRESH_FOR)
    assert browser.get("/reauthenticate/verify?next=/account/email").headers["Location"].startswith("/reauthenticate?")
    browser.submit("/reauthenticate", password=PASSWORD)
    page = browser.get("/reauthenticate/verify")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    at.shift(FRESH_FOR)
    late = browser.post("/reauthenticate/verify", {"csrf_token": token, "code": phone.fresh_code(), "method": "totp"})
    assert late.headers["Location"].startswith("/reauthenticate")
    assert browser.get("/account/email").headers["Location"].startswith("/reauthenticate")


@on_sqlite
def test_who_has_one_factor_shows_that_and_is_asked_for_no_other(alice: str, browser: Browser, rows: Rows) -> None:
    browser.sign_in(alice)
    rows.set(LoginSession, {}, auth_time=clock.now() - FRESH_FOR)
    assert browser.submit("/reauthenticate?next=/account/email", password=PASSWORD).location == "/account/email"
    (row,) = rows.live()
    assert row.methods == "pwd"


@on_sqlite
def test_a_recovery_code_proves_it_too_once(app: Flask, alice: str, browser: Browser, rows: Rows) -> None:
    phone, codes = with_totp_and_codes(app, alice)
    sign_in_fully(browser, alice, phone)
    for status in (303, 422):
        rows.set(LoginSession, {}, auth_time=clock.now() - FRESH_FOR)
        browser.submit("/reauthenticate", password=PASSWORD)
        answer = browser.submit("/reauthenticate/verify?method=recovery", code=codes[0], method="recovery")
        assert answer.status_code == status


@on_sqlite
def test_where_a_passkey_is_the_second_factor_it_is_asked_for_alone(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    browser.sign_in(alice)
    key = soft_key(app).belongs_to(rows, alice)
    page = browser.get("/reauthenticate?next=/account/email")
    assert "Use a passkey" in page.text
    assert 'type="password"' not in page.text
    assert browser.get("/reauthenticate/verify").headers["Location"].startswith("/reauthenticate")
    signed = json.dumps(key.signed(browser.get("/login/passkey").json))
    answer = browser.submit("/reauthenticate?next=/account/email", "/reauthenticate/passkey", credential=signed)
    assert answer.headers["Location"] == "/account/email"
    (row,) = rows.live()
    assert row.methods.split() == ["pwd", "hwk", "mfa"]


@on_sqlite
def test_the_passkey_of_somebody_else_proves_nothing(
    app: Flask, alice: str, browser: Browser, rows: Rows, new_user: Callable[..., str]
) -> None:
    bobs = soft_key(app).belongs_to(rows, new_user("bob@example.com", name="Bob"))
    browser.sign_in(alice)
    soft_key(app).belongs_to(rows, alice)
    signed = json.dumps(bobs.signed(browser.get("/login/passkey").json))
    browser.submit("/reauthenticate?next=/account/email", "/reauthenticate/passkey", credential=signed)
    assert browser.get("/account/email").headers["Location"].startswith("/reauthenticate")


@on_sqlite
@pytest.mark.asvs("6.1.1", "6.3.1")
def test_codes_are_guessed_at_here_on_the_counter_of_the_doors(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    phone = with_totp(app, alice)
    browser = new_browser()
    sign_in_fully(browser, alice, phone)
    browser.submit("/reauthenticate", password=PASSWORD)
    seen = [browser.submit("/reauthenticate/verify", code="00000x", method="totp").status_code for _ in range(11)]
    assert seen == [422] * 10 + [429]


@on_sqlite
@pytest.mark.asvs("7.5.1")
def test_a_new_password_does_not_make_the_second_factor_fresh(
    app: Flask, alice: str, browser: Browser, rows: Rows, at: time_machine.Traveller
) -> None:
    phone = with_totp(app, alice)
    sign_in_fully(browser, alice, phone)
    at.shift(FRESH_FOR - timedelta(minutes=1))
    changed = browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert changed.status_code == 303
    at.shift(timedelta(minutes=2))
    assert browser.get("/account/security/recovery-codes").headers["Location"].startswith("/reauthenticate")


@pytest.mark.asvs("7.5.1", "6.8.4")
@on_sqlite
def test_a_provider_is_one_factor_of_two_here_too(google: Flask, provider: LyingProvider) -> None:
    browser, rows = Browser(google), Rows(google)
    sign_in_with(browser, provider, GMAIL)
    phone = set_up_totp(browser)
    phone.rows = rows
    long_ago, wanted = clock.now() - timedelta(minutes=30), "/account/security/recovery-codes"
    rows.set(LoginSession, {}, auth_time=long_ago)
    back = come_back(browser, provider.approve(by_google_again(browser, wanted)))
    assert back.headers["Location"] == f"/reauthenticate/verify?next={wanted}"
    assert browser.get(wanted).headers.get("Location", "").startswith("/reauthenticate"), "half a proof is none"
    assert (rows.live(GMAIL.email)[0].auth_time, "reauthenticated" in rows.events(GMAIL.email)) == (long_ago, False)
    done = browser.submit(back.headers["Location"], code=phone.fresh_code(), method="totp")
    assert done.headers["Location"] == wanted
    assert browser.get(wanted).status_code == 200
    (row,) = rows.live(GMAIL.email)
    assert clock.now() - row.auth_time < FRESH_FOR
    assert {"otp", "mfa"} <= set(row.methods.split())


@pytest.mark.asvs("7.5.1", "6.8.4")
@on_sqlite
def test_the_proof_is_as_old_as_the_provider_says_also_where_a_factor_follows(
    google: Flask, provider: LyingProvider, at: time_machine.Traveller
) -> None:
    browser, rows = Browser(google), Rows(google)
    sign_in_with(browser, provider, GMAIL)
    phone = set_up_totp(browser)
    phone.rows = rows
    rows.set(LoginSession, {}, auth_time=clock.now() - timedelta(minutes=30))
    proven_at = clock.now() - FRESH_FOR + timedelta(minutes=2)
    provider.lie.claims["auth_time"] = int(proven_at.timestamp())
    back = come_back(browser, provider.approve(by_google_again(browser, "/account/email")))
    at.shift(timedelta(minutes=1))
    assert browser.submit(back.headers["Location"], code=phone.fresh_code(), method="totp").status_code == 303
    assert abs(rows.live(GMAIL.email)[0].auth_time - proven_at) <= timedelta(seconds=1)
    at.shift(timedelta(minutes=2))
    assert browser.get("/account/email").headers["Location"].startswith("/reauthenticate")


def by_google_again(browser: Browser, wanted: str) -> str:
    """From the page that asks to Google; where it leads."""
    return leave(browser, page=f"/reauthenticate?next={wanted}", action="/reauthenticate/google")


@pytest.mark.asvs("7.4.2")
@on_sqlite
def test_unlinking_ends_what_a_provider_began_also_where_a_factor_followed(
    google: Flask, provider: LyingProvider
) -> None:
    here, there, rows = Browser(google), Browser(google), Rows(google)
    sign_in_with(here, provider, GMAIL)
    phone = set_up_totp(here)
    here.submit("/account/password", new_password=NEW_PASSWORD)
    sign_in_with(there, provider, GMAIL)
    phone.rows = rows
    verify(there, phone.fresh_code())
    assert there.is_signed_in
    here.submit("/account/connections", "/account/connections/google/unlink")
    assert not there.is_signed_in


# In apps


@on_sqlite
@pytest.mark.asvs("7.5.1", "10.3.4")
def test_amr_and_auth_time_tell_the_truth_before_and_after(
    app: Flask, alice: str, rows: Rows, at: time_machine.Traveller
) -> None:
    phone, _ = with_totp_and_codes(app, alice)
    api = App(app)
    sign_in_app_fully(api, alice, phone)
    began = api.get("/auth/session").json
    assert began["amr"] == ["pwd", "otp", "mfa"]
    at.shift(FRESH_FOR)
    api.refresh()
    assert api.get("/auth/session").json["auth_time"] == began["auth_time"], "refreshing proves nothing"
    asked = datetime.now(UTC)
    body = {"password": PASSWORD, "method": "totp", "code": phone.fresh_code()}
    old = api.access_token
    api.access_token = api.post("/auth/reauthenticate", body).json["access_token"]
    now = api.get("/auth/session").json
    assert now["auth_time"] >= int(asked.timestamp())
    assert now["amr"] == ["pwd", "otp", "mfa"]
    assert now["sid"] == began["sid"]
    assert refusal(api.call("DELETE", f"/sessions/{TROUBLE}", token=old)) == (401, "reauthentication_required")
    assert refusal(api.call("DELETE", f"/sessions/{TROUBLE}")) == (404, "not_found")
    api.refresh()
    assert api.get("/auth/session").json["auth_time"] == now["auth_time"], "the session itself remembers"


@on_sqlite
@pytest.mark.asvs("10.3.4")
def test_a_token_of_one_factor_is_not_made_fresh_by_what_its_owner_shows_afterwards(
    app: Flask, alice: str, rows: Rows
) -> None:
    """Copied from a browser that is trusted, a minute before its owner proved again who they are."""
    phone = with_totp(app, alice)
    page, browser = App(app, cookies=True), Browser(app)
    browser.sign_in(alice)
    verify(browser, phone.fresh_code(), trust="y")
    page.set_cookie("trust", str(browser.cookie("trust")), path="/")
    page.sign_in(alice)
    assert page.get("/auth/session").json["amr"] == ["pwd"]
    copied = page.access_token
    body = {"password": PASSWORD, "method": "totp", "code": phone.fresh_code()}
    page.access_token = page.post("/auth/reauthenticate", body).json["access_token"]
    assert page.get("/auth/session").json["amr"] == ["pwd", "otp", "mfa"]
    assert refusal(page.call("DELETE", f"/sessions/{TROUBLE}", token=copied)) == (401, "reauthentication_required")
    assert refusal(page.call("DELETE", f"/sessions/{TROUBLE}")) == (404, "not_found")
    assert rows.count(TrustedBrowser) == 1


@on_sqlite
def test_the_password_alone_is_no_proof_where_there_is_a_second_factor(app: Flask, alice: str, rows: Rows) -> None:
    phone, codes = with_totp_and_codes(app, alice)
    api = App(app)
    sign_in_app_fully(api, alice, phone)
    long_ago = clock.now() - timedelta(minutes=30)
    rows.set(LoginSession, {"kind": "api"}, auth_time=long_ago)
    for body, expected in (
        ({"password": PASSWORD}, (401, "factor_refused")),
        ({"password": PASSWORD, "method": "totp", "code": "12345x"}, (401, "factor_refused")),
        ({"password": "not it, whatever it is", "method": "totp", "code": "123456"}, (403, "invalid_credentials")),
        ({"method": "totp", "code": "123456"}, (422, "validation_failed")),
        ({}, (422, "validation_failed")),
        ({"method": "passkey"}, (401, "passkey_refused")),
    ):
        assert refusal(api.post("/auth/reauthenticate", body)) == expected, body
    assert next(row for row in rows.live() if row.kind == "api").auth_time == long_ago
    body = {"password": PASSWORD, "method": "recovery", "code": codes[0]}
    assert api.post("/auth/reauthenticate", body).status_code == 200


@on_sqlite
def test_what_is_needed_is_told_as_the_account_has_it(app: Flask, alice: str, rows: Rows, browser: Browser) -> None:
    api = App(app)
    api.sign_in(alice)

    def told() -> list[str]:
        rows.set(LoginSession, {"kind": "api"}, auth_time=clock.now() - FRESH_FOR)
        methods: list[str] = problem(api.call("DELETE", f"/sessions/{TROUBLE}"))["methods"]
        return methods

    assert told() == ["password"]
    key = soft_key(app).belongs_to(rows, alice)
    assert told() == ["passkey"]
    options = api.post("/auth/passkey/options").json["publicKey"]
    again = api.post("/auth/reauthenticate", {"method": "passkey", "credential": key.signed(options)})
    assert again.status_code == 200, again.text
    api.access_token = again.json["access_token"]
    assert api.get("/auth/session").json["amr"] == ["pwd", "hwk", "mfa"]
    assert refusal(api.call("DELETE", f"/sessions/{TROUBLE}")) == (404, "not_found")


@on_sqlite
def test_who_has_only_a_password_may_give_it_with_the_change_itself(
    app: Flask, alice: str, at: time_machine.Traveller
) -> None:
    api = App(app)
    api.sign_in(alice)
    at.shift(FRESH_FOR)
    api.refresh()
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert api.post("/me/password", body).status_code == 204


@on_sqlite
@pytest.mark.asvs("6.3.7")
def test_removing_the_last_factor_needs_both_and_is_told_by_mail(
    app: Flask, alice: str, browser: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    phone: Phone = with_totp(app, alice)
    sign_in_fully(browser, alice, phone)
    make_codes(browser)
    rows.set(LoginSession, {}, auth_time=clock.now() - FRESH_FOR)
    refused = browser.submit("/account/security", "/account/security/totp/remove")
    assert refused.headers["Location"].startswith("/reauthenticate")
    browser.submit("/reauthenticate", password=PASSWORD)
    browser.submit("/reauthenticate/verify", code=phone.fresh_code(), method="totp")
    assert browser.submit("/account/security", "/account/security/totp/remove").status_code == 303
    assert says(browser.get("/account/security"), "Next step: a second factor")
    assert "authenticator app was removed" in mailbox.newest(alice).get_body(("plain",)).get_content()
    assert "factor_removed" in rows.events()
    browser.sign_out()
    assert browser.sign_in(alice).headers["Location"] == "/account"
