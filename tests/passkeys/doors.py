"""The doors at which a passkey may be shown, over HTTP: what the site wants signed, and what is sent back."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from tests.apps import App, problem
from tests.passkeys.authenticator import TRUTH, Authenticator, Lie, Options
from tests.people import Browser

LIST = "/account/security/passkeys"
REFUSED = "That passkey did not work here."


def options_at(browser: Browser, path: str) -> Options:
    """What the page's script is told."""
    answer = browser.get(path)
    assert answer.status_code == 200, (path, answer.status, answer.headers.get("Location"))
    found: Options = answer.json
    return found


def add(browser: Browser, authenticator: Authenticator, lie: Lie = TRUTH, *, name: str = "") -> TestResponse:
    """Add a passkey on its page."""
    made = authenticator.make(options_at(browser, f"{LIST}/options"), lie)
    return browser.submit(LIST, LIST, credential=json.dumps(made), name=name)


def sign_in(browser: Browser, authenticator: Authenticator, lie: Lie = TRUTH, **fields: str) -> TestResponse:
    """Sign in by a passkey on the sign-in page."""
    return send(browser, authenticator.sign(options_at(browser, "/login/passkey"), lie), **fields)


def send(browser: Browser, credential: object, **fields: str) -> TestResponse:
    """Send what a passkey signed from the sign-in page."""
    return browser.submit("/login", "/login/passkey", credential=json.dumps(credential), **fields)


def said(browser: Browser, answer: TestResponse) -> str:
    """What a refused person reads, wherever they are sent."""
    page = browser.get(answer.headers["Location"]) if answer.status_code == 303 else answer
    return re.sub(r"<[^>]+>", " ", page.text.partition('<main id="main"')[2].partition("</main>")[0])


@dataclass
class Visit:
    """Somebody stands before a door: what it wants signed, and how an answer is handed in. `send` gives whether the
    door opened, and fails where a refusal is anything but the one that is due.
    """

    options: Options
    send: Callable[[Any], bool]


Door = Callable[[Flask, str, Authenticator], Visit]  # with the account's address, and a passkey of it to come as far


def at_sign_in(app: Flask, _email: str, _authenticator: Authenticator) -> Visit:
    """The sign-in page."""
    browser = Browser(app, ip="203.0.113.9")

    def hand_in(credential: Any) -> bool:
        answer = send(browser, credential)
        if browser.is_signed_in:
            return True
        assert (answer.status_code, answer.headers["Location"]) == (303, "/login"), answer.status
        assert REFUSED in said(browser, answer)
        return False

    return Visit(options_at(browser, "/login/passkey"), hand_in)


def at_second_step(app: Flask, email: str, _authenticator: Authenticator) -> Visit:
    """The page that asks for a second factor."""
    browser = Browser(app, ip="203.0.113.9")
    assert browser.sign_in(email).headers["Location"] == "/login/verify"

    def hand_in(credential: Any) -> bool:
        answer = browser.submit(
            "/login/verify", "/login/verify", credential=json.dumps(credential), method="passkey", code=""
        )
        if browser.is_signed_in:
            return True
        assert answer.status_code == 422, answer.status
        assert REFUSED in said(browser, answer)
        return False

    return Visit(options_at(browser, "/login/verify/passkey"), hand_in)


def at_reauthentication(app: Flask, _email: str, authenticator: Authenticator) -> Visit:
    """The page that asks again who one is."""
    browser = Browser(app, ip="203.0.113.9")
    sign_in(browser, authenticator)
    assert browser.is_signed_in
    page = "/reauthenticate?next=/account/email"

    def hand_in(credential: Any) -> bool:
        answer = browser.submit(page, "/reauthenticate/passkey", credential=json.dumps(credential))
        assert answer.status_code == 303, answer.status
        if answer.headers["Location"] == "/account/email":
            return True
        assert answer.headers["Location"] == page
        assert REFUSED in said(browser, answer)
        return False

    return Visit(options_at(browser, "/login/passkey"), hand_in)


def at_api_sign_in(app: Flask, _email: str, _authenticator: Authenticator) -> Visit:
    """POST /auth/passkey."""
    phone = App(app, ip="203.0.113.9")

    def hand_in(credential: Any) -> bool:
        return _opened(phone.post("/auth/passkey", {"credential": credential}), "passkey_refused")

    return Visit(phone.post("/auth/passkey/options").json["publicKey"], hand_in)


def at_api_second_step(app: Flask, email: str, _authenticator: Authenticator) -> Visit:
    """POST /auth/mfa."""
    phone = App(app, ip="203.0.113.9")
    token = problem(phone.sign_in(email))["mfa_token"]

    def hand_in(credential: Any) -> bool:
        body = {"mfa_token": token, "method": "passkey", "credential": credential}
        return _opened(phone.post("/auth/mfa", body), "factor_refused")

    return Visit(phone.post("/auth/mfa/passkey", {"mfa_token": token}).json["publicKey"], hand_in)


def _opened(answer: TestResponse, code: str) -> bool:
    if answer.status_code == 200:
        return True
    told = problem(answer)
    if told["code"] != "validation_failed":  # what is no object is none for any call
        assert (told["status"], told["code"]) == (401, code)
    return False


DOORS: dict[str, Door] = {
    "sign in": at_sign_in,
    "second step": at_second_step,
    "reauthentication": at_reauthentication,
    "API sign in": at_api_sign_in,
    "API second step": at_api_second_step,
}
WHOLE = ("sign in", "reauthentication", "API sign in")  # where a passkey counts as two factors
