"""Every door that can be guessed at, knocked on too often: a wait, told in the header and in words, on all workers."""

from collections.abc import Callable
from itertools import cycle

import pytest
from werkzeug.test import TestResponse

from tests.conftest import NewApp
from tests.journeys.pages import csrf_token
from tests.people import NEW_PASSWORD, PASSWORD, Browser
from tests.rows import on_sqlite
from webapp.policy.throttling import Limit

STRANGER = "203.0.113.7"
WRONG = "not what was chosen here"

Knock = Callable[[Browser, str, int], TestResponse]


def sign_in(browser: Browser, token: str, number: int) -> TestResponse:
    return browser.post("/login", {"csrf_token": token, "email": "alice@example.com", "password": WRONG})


def register(browser: Browser, token: str, number: int) -> TestResponse:
    form = {"csrf_token": token, "email": f"new{number}@example.com", "password": PASSWORD, "name": ""}
    return browser.post("/register", form)


def forgot(browser: Browser, token: str, number: int) -> TestResponse:
    return browser.post("/password/forgot", {"csrf_token": token, "email": f"some{number}@example.com"})


def reset(browser: Browser, token: str, number: int) -> TestResponse:
    return browser.post(f"/password/reset/{number}", {"csrf_token": token, "password": PASSWORD})


def reauthenticate(browser: Browser, token: str, number: int) -> TestResponse:
    return browser.post("/reauthenticate", {"csrf_token": token, "password": WRONG})


def change_password(browser: Browser, token: str, number: int) -> TestResponse:
    form = {"csrf_token": token, "current_password": WRONG, "new_password": NEW_PASSWORD}
    return browser.post("/account/password", form)


def ask_for_another_address(browser: Browser, token: str, number: int) -> TestResponse:
    return browser.post("/account/email", {"csrf_token": token, "email": f"alice{number}@example.org"})


def export(browser: Browser, token: str, number: int) -> TestResponse:
    return browser.post("/account/data/export", {"csrf_token": token})


VISITORS = {
    sign_in: Limit.LOGIN_ACCOUNT_NETWORK,
    register: Limit.REGISTER_NETWORK,
    forgot: Limit.FORGOT_NETWORK,
    reset: Limit.LINK_NETWORK,
}
SIGNED_IN = {
    reauthenticate: Limit.REAUTHENTICATE,
    ask_for_another_address: Limit.EMAIL_CHANGE,
    export: Limit.EXPORT,
}


def is_told_to_wait(answer: TestResponse, limit: Limit) -> bool:
    wait = int(answer.headers["Retry-After"])
    assert 1 <= wait <= limit.windows[0].length.total_seconds()
    return answer.status_code == 429 and ">429<" in answer.text and answer.headers["Cache-Control"] == "no-store"


@pytest.mark.asvs("2.4.1", "6.3.1")
def test_each_door_takes_as_many_as_its_limit_from_all_workers_together(new_app: NewApp, alice: str) -> None:
    """Two applications on the same stores, in turn: what one has counted the other knows."""
    workers = [new_app(), new_app()]
    strangers, owners = [Browser(app, ip=STRANGER) for app in workers], [Browser(app) for app in workers]
    owners[0].sign_in(alice)
    owners[1].set_cookie("session", owners[0].cookie("session") or "")
    strangers[0].get("/login")
    for browsers, doors in ((strangers, VISITORS), (owners, SIGNED_IN)):
        token = csrf_token(browsers[0].get("/login" if browsers is strangers else "/account"))
        if visitor := browsers[0].cookie("visitor"):
            browsers[1].set_cookie("visitor", visitor)
        for knock, limit in doors.items():
            turns, most = cycle(browsers), limit.windows[0].amount
            answers = [knock(next(turns), token, number) for number in range(most)]
            assert {answer.status_code for answer in answers} <= {200, 303, 410, 422}, knock.__name__
            assert all(is_told_to_wait(knock(next(turns), token, most + n), limit) for n in range(2)), knock.__name__
    assert change_password(owners[1], token, 0).status_code == 429, "counted where /reauthenticate is"


@on_sqlite
@pytest.mark.asvs("2.4.1")
def test_the_page_says_in_words_how_long_to_wait(alice: str, browser: Browser) -> None:
    for _ in range(10):
        browser.sign_in(alice, WRONG)
    assert "15 minutes" in browser.sign_in(alice, WRONG).text
