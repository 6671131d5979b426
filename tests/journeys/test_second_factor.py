"""A second factor: set up, asked for at every door, lost."""

import re
from datetime import timedelta

import pyotp
import pytest
import time_machine
from flask import Flask

from tests.apps import App, problem
from tests.people import PASSWORD, Browser


def set_up_totp(browser: Browser) -> pyotp.TOTP:
    page = browser.get("/account/security/totp").text
    found = re.search(r'<code class="secret"[^>]*>([A-Z2-7]+)</code>', page)
    assert found
    totp = pyotp.TOTP(found[1])
    answer = browser.submit("/account/security/totp", code=totp.now())
    assert answer.status_code == 303, answer.text
    return totp


def codes_of(browser: Browser) -> list[str]:
    page = browser.submit("/account/security/recovery-codes").text
    return re.findall(r'<code class="recovery-code">([^<]+)</code>', page)


def test_a_password_alone_opens_nothing_once_there_is_an_app(alice: str, app: Flask, at: time_machine.Traveller) -> None:
    browser = Browser(app)
    browser.sign_in(alice)
    totp = set_up_totp(browser)
    codes = codes_of(browser)
    assert len(codes) == 10
    assert browser.get("/account/security").status_code == 200
    browser.sign_out()
    assert browser.sign_in(alice).headers["Location"] == "/login/verify"
    assert not browser.is_signed_in
    assert browser.submit("/login/verify", code="000000", method="totp").status_code == 422
    at.shift(timedelta(seconds=60))
    done = browser.submit("/login/verify", code=totp.now(), method="totp")
    assert done.status_code == 303, done.text
    assert browser.is_signed_in
    other = Browser(app)
    other.sign_in(alice)
    assert other.submit("/login/verify", code=totp.now(), method="totp").status_code == 422  # used
    assert other.submit("/login/verify?method=recovery", code=codes[0].lower(), method="recovery").status_code == 303
    assert other.is_signed_in


def test_the_api_asks_for_it_too(alice: str, app: Flask, at: time_machine.Traveller) -> None:
    browser, phone = Browser(app), App(app)
    browser.sign_in(alice)
    totp = set_up_totp(browser)
    at.shift(timedelta(seconds=60))
    told = problem(phone.sign_in(alice))
    assert (told["status"], told["code"], told["methods"]) == (401, "mfa_required", ["totp"])
    answer = phone.post("/auth/mfa", {"mfa_token": told["mfa_token"], "method": "totp", "code": totp.now()})
    assert answer.status_code == 200, answer.text
    phone.access_token = answer.json["access_token"]
    assert phone.get("/auth/session").json["amr"] == ["pwd", "otp", "mfa"]
    at.shift(timedelta(minutes=9, seconds=50))
    again = phone.post("/auth/reauthenticate", {"password": PASSWORD, "method": "totp", "code": totp.now()})
    assert again.status_code == 200, again.text


@pytest.mark.parametrize("path", ["/account", "/account/sessions"])
def test_where_it_is_demanded_nothing_opens_before(new_app, alice: str, path: str) -> None:
    browser = Browser(new_app(MFA_REQUIRED=True))
    browser.sign_in(alice)
    assert browser.get(path).headers["Location"].startswith("/account/security/set-up")
    assert browser.get("/account/security/set-up").status_code == 200
    set_up_totp(browser)
    assert browser.get(path).status_code == 200
