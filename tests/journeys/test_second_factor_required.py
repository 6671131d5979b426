"""MFA_REQUIRED=1: no page of the account and no call before a second factor is set up, on every door."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
from flask import Flask
from werkzeug.routing import Rule

from stand_in.people import GMAIL
from tests.apps import App, problem, refusal
from tests.conftest import NewApp
from tests.factors import (
    CODES,
    Phone,
    make_codes,
    secret_on,
    set_up_totp,
    sign_in_app_fully,
    sign_in_fully,
    soft_key,
    verify,
    with_totp,
)
from tests.journeys.pages import says
from tests.people import Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings, sign_in_with
from tests.rows import Rows, on_sqlite
from webapp.http.access import OPEN_ENDPOINTS, SETUP_ENDPOINTS
from webapp.models import Passkey, TotpFactor
from webapp.services import users

pytestmark = on_sqlite
SET_UP = "/account/security/set-up"


@pytest.fixture
def strict(new_app: NewApp, alice: str) -> Flask:
    """The site on which Alice has an account, from the day on which a second factor is demanded."""
    return new_app(MFA_REQUIRED=True)


def some_path(rule: Rule) -> str:
    values = {name: uuid.UUID(int=0) if "uuid:" in rule.rule else "google" for name in rule.arguments}
    return str(rule.build({**values, **({"token": "x"} if "token" in rule.arguments else {})})[1])  # type: ignore[index]


@pytest.mark.asvs("6.3.3", "8.2.1", "8.3.1")
def test_whatever_is_not_open_and_not_for_setting_up_is_closed(strict: Flask, alice: str, rows: Rows) -> None:
    browser = Browser(strict)
    browser.sign_in(alice)
    api = App(strict)
    api.access_token = token_of_before(strict, alice)
    tried = set()
    for rule in strict.url_map.iter_rules():
        if rule.endpoint in OPEN_ENDPOINTS | SETUP_ENDPOINTS:
            continue
        path = some_path(rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            tried.add(rule.endpoint)
            if path.startswith("/api/v1/"):
                answer = api.call(method, path.removeprefix("/api/v1"), {})
                assert refusal(answer) == (403, "mfa_setup_required"), rule
                continue
            token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(SET_UP).text)
            data = {"csrf_token": token[1]} if token else None
            answer = browser.open(
                method, path, data=data if method != "GET" else None, headers={"Origin": browser.base_url}
            )
            assert answer.status_code == 303, (rule, answer.status)
            assert answer.headers["Location"].startswith(SET_UP), (rule, answer.headers["Location"])
    assert {"account.profile", "account.security", "api.me", "api.session", "api.change_password"} <= tried
    assert len(rows.live()) == 2


def token_of_before(app: Flask, email: str) -> str:
    """An access token of an app that signed in before the second factor was demanded."""
    with app.app_context():
        app.extensions["runtime"].settings.__dict__["MFA_REQUIRED"] = False
    try:
        phone = App(app)
        assert phone.sign_in(email).status_code == 200
        return phone.access_token
    finally:
        app.extensions["runtime"].settings.__dict__["MFA_REQUIRED"] = True


@pytest.mark.asvs("6.3.3")
def test_every_page_for_setting_up_opens_and_none_of_them_tells_or_changes_more(strict: Flask, alice: str) -> None:
    assert {rule.endpoint for rule in strict.url_map.iter_rules()} >= SETUP_ENDPOINTS
    assert not SETUP_ENDPOINTS & OPEN_ENDPOINTS
    browser = Browser(strict)
    browser.sign_in(alice)
    for path in (SET_UP, "/account/security/totp", "/account/security/passkeys", "/reauthenticate"):
        assert browser.get(path).status_code == 200, path


@pytest.mark.parametrize("wanted", ["/account/sessions", "/account/activity?before=" + str(uuid.UUID(int=1))])
def test_setting_up_leads_on_to_where_the_person_wanted_to_go(strict: Flask, alice: str, wanted: str) -> None:
    browser = Browser(strict)
    assert browser.sign_in(alice, next=wanted).headers["Location"] == wanted
    to = browser.get(wanted).headers["Location"]
    assert to.startswith(f"{SET_UP}?next=")
    page = browser.get(to)
    assert says(page, "A second factor")
    assert "/account/security/totp" in page.text
    set_up_totp(browser)
    assert make_codes(browser)
    done = browser.get("/account/security/go-on")
    assert done.headers["Location"] == wanted
    assert browser.get(wanted).status_code == 200
    assert browser.get("/account/security/go-on").headers["Location"] == "/account/security", "once"


@pytest.mark.asvs("3.7.2")
def test_it_leads_nowhere_else(strict: Flask, alice: str) -> None:
    browser = Browser(strict)
    browser.sign_in(alice)
    for target in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        browser.get(SET_UP, query_string={"next": target})
        set_up_totp(browser) if not Rows(strict).count(TotpFactor) else None
        assert browser.get("/account/security/go-on").headers["Location"] == "/account/security"
        assert browser.get(SET_UP, query_string={"next": target}).headers["Location"] == "/account"


def test_the_codes_are_offered_right_after_and_may_wait(strict: Flask, alice: str) -> None:
    browser = Browser(strict)
    browser.sign_in(alice)
    browser.get(SET_UP, query_string={"next": "/account/data"})
    phone = Phone(secret_on(browser.get("/account/security/totp").text))
    assert browser.submit("/account/security/totp", code=phone.code()).headers["Location"] == CODES
    assert says(browser.get(CODES), "Not now")


@pytest.mark.asvs("6.3.3")
def test_sessions_of_before_are_stopped_on_the_day_it_is_switched_on(new_app: NewApp, alice: str, rows: Rows) -> None:
    lax = new_app()
    browser, api = Browser(lax), App(lax)
    browser.sign_in(alice)
    api.sign_in(alice)
    strict = new_app(MFA_REQUIRED=True)
    now, app_now = Browser(strict), App(strict)
    now.set_cookie("session", str(browser.cookie("session")))
    app_now.access_token, app_now.refresh_token = api.access_token, api.refresh_token
    assert now.get("/account").headers["Location"].startswith(SET_UP)
    assert refusal(app_now.get("/me")) == (403, "mfa_setup_required")
    assert refusal(app_now.get("/auth/session")) == (403, "mfa_setup_required")
    assert refusal(app_now.refresh()) == (403, "mfa_setup_required"), "no new tokens, which others would take for good"
    assert refusal(app_now.refresh()) == (403, "mfa_setup_required"), "and nothing was spent"
    assert rows.count(TotpFactor) == 0
    set_up_totp(now)
    assert now.get("/account").status_code == 200
    assert refusal(app_now.refresh()) == (401, "session_revoked")


@pytest.mark.asvs("6.3.3")
def test_who_has_a_factor_notices_nothing_on_that_day_not_even_in_a_browser_that_is_trusted(
    new_app: NewApp, alice: str
) -> None:
    lax = new_app()
    phone, browser, api = with_totp(lax, alice), Browser(lax), App(lax)
    browser.sign_in(alice)
    verify(browser, phone.fresh_code(), trust="y")
    browser.sign_out()
    assert browser.sign_in(alice).headers["Location"] == "/account"
    sign_in_app_fully(api, alice, phone)
    strict = new_app(MFA_REQUIRED=True)
    now, app_now = Browser(strict), App(strict)
    now.set_cookie("session", str(browser.cookie("session")))
    app_now.access_token, app_now.refresh_token = api.access_token, api.refresh_token
    assert now.get("/account").status_code == 200
    assert app_now.get("/me").status_code == 200
    assert app_now.refresh().status_code == 200


def test_an_app_is_told_where_to_set_one_up(strict: Flask, alice: str, rows: Rows) -> None:
    told = problem(App(strict).sign_in(alice))
    assert (told["status"], told["code"]) == (403, "mfa_setup_required")
    assert "on the website" in told["detail"]
    assert rows.live() == []


@pytest.mark.asvs("6.3.3", "6.8.4")
def test_somebody_new_by_google_sets_one_up_first(new_app: NewApp, provider: LyingProvider) -> None:
    strict = new_app(**google_settings(provider), MFA_REQUIRED=True)
    browser = Browser(strict)
    to = sign_in_with(browser, provider, GMAIL).headers["Location"]
    assert browser.get(to).headers["Location"].startswith(SET_UP)
    assert browser.get("/account/connections").headers["Location"].startswith(SET_UP)
    phone = set_up_totp(browser)
    assert browser.get("/account/connections").status_code == 200
    browser.sign_out()
    assert sign_in_with(browser, provider, GMAIL).headers["Location"] == "/login/verify"
    assert verify(browser, phone.fresh_code()).status_code == 303


@pytest.mark.asvs("6.3.3")
def test_somebody_who_confirms_a_new_account_sets_one_up_first(strict: Flask) -> None:
    browser = Browser(strict)
    browser.submit("/register", email="new@example.com", password="seven quiet otters crossing", name="New")
    browser.submit(Mailbox(strict).link("new@example.com", "/verify-email/"))
    assert browser.get("/account").headers["Location"].startswith(SET_UP)


@pytest.mark.asvs("6.3.3")
def test_the_last_factor_stays(strict: Flask, alice: str, rows: Rows) -> None:
    phone = with_totp(strict, alice)
    browser = Browser(strict)
    sign_in_fully(browser, alice, phone)
    refused = browser.submit("/account/security", "/account/security/totp/remove")
    assert refused.status_code == 422
    assert says(refused, "Please set another one up before you remove this one.")
    assert rows.count(TotpFactor) == 1
    soft_key(strict).belongs_to(rows, alice)
    assert browser.submit("/account/security", "/account/security/totp/remove").status_code == 303
    (key,) = rows.all(Passkey)
    remove = f"/account/security/passkeys/{key.id}/remove"
    assert browser.submit("/account/security/passkeys", remove).status_code == 422
    assert rows.count(Passkey) == 1


def lose_by_operator(app: Flask, browser: Browser) -> None:
    with app.app_context():
        users.reset_factors_of("alice@example.com")


def lose_by_alarm(app: Flask, browser: Browser) -> None:
    browser.submit("/account/activity", "/account/activity/not-me")
    rows = Rows(app)
    rows.set(type(rows.user()), {}, password_blocked_at=None)


@pytest.mark.asvs("6.4.4")
@pytest.mark.parametrize("lose", [lose_by_operator, lose_by_alarm])
def test_who_has_lost_theirs_sets_a_new_one_up_first(
    strict: Flask, alice: str, lose: Callable[[Flask, Browser], None]
) -> None:
    phone, browser = with_totp(strict, alice), Browser(strict)
    sign_in_fully(browser, alice, phone)
    lose(strict, browser)
    assert not browser.is_signed_in
    assert browser.sign_in(alice).headers["Location"] == "/account"
    assert browser.get("/account").headers["Location"].startswith(SET_UP)
