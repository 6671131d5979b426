"""What tests about linked accounts do again and again, at whichever provider."""

from http.cookies import Morsel, SimpleCookie

from flask import Flask
from werkzeug.test import TestResponse

from stand_in.people import GMAIL, Person
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, leave

CONNECTIONS = "/account/connections"
CONNECT = "/login/google/connect"


def registered(app: Flask, email: str, password: str = PASSWORD, name: str = "Alice") -> Browser:
    """Somebody makes an account by the form and confirms it; their browser, signed in."""
    browser = Browser(app)
    assert browser.submit("/register", email=email, password=password, name=name).status_code == 200
    assert browser.submit(Mailbox(app).link(email, "/verify-email/")).status_code == 303
    return browser


def begin_linking(browser: Browser, provider: str = "google") -> str:
    """Press "Connect" on the page of connected accounts; where it leads."""
    return leave(browser, page=CONNECTIONS, action=f"{CONNECTIONS}/{provider}/link")


def link(browser: Browser, provider: LyingProvider, person: Person = GMAIL, name: str = "google") -> TestResponse:
    """Connect an account at a provider to the account that is open in this browser."""
    return come_back(browser, provider.approve(begin_linking(browser, name), person))


def unlink(browser: Browser, provider: str = "google") -> TestResponse:
    """Press "Disconnect"."""
    return browser.submit(CONNECTIONS, f"{CONNECTIONS}/{provider}/unlink")


def next_page(browser: Browser, answer: TestResponse) -> TestResponse:
    """The page that an answer leads to."""
    assert answer.status_code == 303, (answer.status, answer.text[-400:])
    return browser.get(answer.headers["Location"])


def user_id_in(browser: Browser) -> str:
    """Whose account is open in this browser, as its export names it."""
    answer = browser.submit("/account/data", "/account/data/export")
    assert answer.status_code == 200, answer.status
    return str(answer.json["account"]["id"])


def cookies_of(answer: TestResponse) -> dict[str, Morsel[str]]:
    """The cookies that an answer sets, deletions included."""
    return {
        name: morsel for header in answer.headers.getlist("Set-Cookie") for name, morsel in SimpleCookie(header).items()
    }
