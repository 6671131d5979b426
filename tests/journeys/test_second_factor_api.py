"""The second step of signing in, for apps: mfa_required, and how it goes on."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.apps import App, problem, refusal
from tests.conftest import NewBrowser
from tests.factors import sign_in_app_fully, soft_key, with_totp, with_totp_and_codes
from tests.people import Browser
from tests.rows import Rows, on_sqlite
from webapp.models import TotpFactor


def mfa(app: App, token: str, code: str, method: str = "totp") -> Any:
    return app.post("/auth/mfa", {"mfa_token": token, "method": method, "code": code}, token="")


@on_sqlite
@pytest.mark.asvs("6.3.3", "10.4.4")
def test_a_password_gets_no_tokens_but_a_token_for_the_step_and_what_it_takes(
    app: Flask, alice: str, rows: Rows
) -> None:
    phone, codes = with_totp_and_codes(app, alice)
    api = App(app)
    refused = api.sign_in(alice, device_name="Alice's phone")
    told = problem(refused)
    assert (told["status"], told["code"], told["methods"]) == (401, "mfa_required", ["totp", "recovery"])
    assert refused.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert "access_token" not in refused.text
    assert rows.live() == []
    assert refusal(api.get("/me", token=told["mfa_token"])) == (401, "token_invalid"), "it carries no rights"
    answer = mfa(api, told["mfa_token"], phone.fresh_code())
    assert answer.status_code == 200, answer.text
    assert answer.json.keys() == {
        *("access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "session_id")
    }
    (row,) = rows.live()
    assert (row.kind, row.methods, row.device_name) == ("api", "pwd otp mfa", "Alice's phone")
    api.access_token = answer.json["access_token"]
    assert api.get("/auth/session").json["amr"] == ["pwd", "otp", "mfa"]
    assert refusal(mfa(api, told["mfa_token"], codes[0], "recovery")) == (401, "sign_in_expired"), "once"


@on_sqlite
def test_a_recovery_code_is_the_other_way(app: Flask, alice: str) -> None:
    _, codes = with_totp_and_codes(app, alice)
    api = App(app)
    answer = mfa(api, api.sign_in(alice).json["mfa_token"], codes[3].lower(), "recovery")
    api.access_token = answer.json["access_token"]
    assert api.get("/auth/session").json["amr"] == ["pwd", "recovery", "mfa"]


@on_sqlite
@pytest.mark.asvs("6.5.1")
def test_wrong_and_used_get_one_answer_and_the_step_stands(app: Flask, alice: str, rows: Rows) -> None:
    phone, codes = with_totp_and_codes(app, alice)
    api = App(app)
    used = phone.fresh_code()
    assert mfa(api, api.sign_in(alice).json["mfa_token"], used).status_code == 200
    token, seen = api.sign_in(alice).json["mfa_token"], []
    for code, method in ((used, "totp"), ("abcdef", "totp"), ("", "recovery"), ("", "passkey")):
        told = problem(mfa(api, token, code, method))
        seen.append({name: value for name, value in told.items() if name != "request_id"})
    assert all(told["code"] == "factor_refused" for told in seen)
    assert seen[0] == seen[1] == seen[2]
    assert mfa(api, token, codes[0], "recovery").status_code == 200


@on_sqlite
@pytest.mark.asvs("9.2.2")
def test_a_step_goes_on_at_the_door_where_it_began(app: Flask, alice: str, browser: Browser, rows: Rows) -> None:
    phone = with_totp(app, alice)
    browser.sign_in(alice)
    with browser.client.session_transaction(base_url=browser.base_url) as bag:
        handle = bag["sign_in_step"]
    assert refusal(mfa(App(app), handle, phone.fresh_code())) == (401, "sign_in_expired")
    assert refusal(App(app).keep_account(App(app).sign_in(alice).json["mfa_token"])) == (401, "sign_in_expired")
    assert rows.live() == []


@on_sqlite
@pytest.mark.asvs("3.5.1")
def test_the_cookie_comes_after_the_step_where_it_was_asked_for_and_only_here(
    app: Flask, alice: str, rows: Rows
) -> None:
    phone = with_totp(app, alice)
    page, elsewhere = App(app, cookies=True), App(app, origin="https://evil.example")
    token = page.sign_in(alice, refresh_transport="cookie").json["mfa_token"]
    assert page.cookie() is None
    assert refusal(mfa(elsewhere, token, phone.fresh_code())) == (403, "origin_refused")
    assert rows.live() == []
    answer = mfa(page, token, phone.fresh_code())
    assert "refresh_token" not in answer.json
    assert page.cookie()
    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if line.startswith("refresh=")]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/api/v1/auth" in cookie
    assert page.refresh(token="").status_code == 200


@on_sqlite
@pytest.mark.asvs("15.3.5")
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mfa_token": "x"},
        {"mfa_token": "x", "method": "sms", "code": "123456"},
        {"mfa_token": "x", "method": "totp", "code": 123456},
        {"mfa_token": ["x"], "method": "totp", "code": "123456"},
        {"mfa_token": "x", "method": "totp", "code": "1" * 101},
        {"mfa_token": "x", "method": "passkey", "credential": "text"},
        {"mfa_token": "x", "method": "totp", "code": "123456", "trust": True},
    ],
)
def test_what_is_no_such_body_is_refused_by_its_shape(app: Flask, body: dict[str, Any]) -> None:
    assert refusal(App(app).post("/auth/mfa", body)) == (422, "validation_failed")


@on_sqlite
def test_a_token_that_nobody_was_given_goes_on_with_nothing(app: Flask, alice: str) -> None:
    with_totp(app, alice)
    assert refusal(mfa(App(app), "never given out", "123456")) == (401, "sign_in_expired")


@on_sqlite
@pytest.mark.asvs("6.3.3")
def test_a_passkey_is_a_second_factor_in_an_app_too(app: Flask, alice: str, rows: Rows) -> None:
    key, api = soft_key(app).belongs_to(rows, alice), App(app)
    told = problem(api.sign_in(alice))
    assert told["methods"] == ["passkey"]
    options = api.post("/auth/mfa/passkey", {"mfa_token": told["mfa_token"]}).json["publicKey"]
    body = {"mfa_token": told["mfa_token"], "method": "passkey", "credential": key.signed(options, unlocked=False)}
    answer = api.post("/auth/mfa", body)
    assert answer.status_code == 200, answer.text
    api.access_token = answer.json["access_token"]
    assert api.get("/auth/session").json["amr"] == ["pwd", "hwk", "mfa"]


@on_sqlite
@pytest.mark.asvs("6.5.6")
def test_tokens_of_before_the_first_factor_are_dead_and_so_are_those_of_before_its_removal(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    before = App(app)
    before.sign_in(alice)
    phone = with_totp(app, alice)
    assert refusal(before.get("/me")) == (401, "session_revoked")
    assert problem(before.refresh())["reason"] == "factor_changed"
    later, browser = App(app), new_browser()
    sign_in_app_fully(later, alice, phone)
    browser.sign_in(alice)
    browser.submit("/login/verify", code=phone.fresh_code(), method="totp")
    browser.submit("/account/security", "/account/security/totp/remove")
    assert rows.count(TotpFactor) == 0
    assert refusal(later.get("/me")) == (401, "session_revoked")
