"""The API and the pages count together: whoever guesses gains nothing by changing doors."""

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps import App, refusal
from tests.conftest import NewApp, NewBrowser
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.rows import Rows, on_sqlite
from webapp.policy.throttling import Limit

STRANGER = "203.0.113.7"
WRONG = "not what was chosen here"
GUESSES = Limit.LOGIN_ACCOUNT_NETWORK.windows[0]
HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def left(answer: TestResponse) -> tuple[int, int]:
    """The amount of a limit and what is left of it; when it starts again has to be told, too."""
    amount, remaining, reset = (int(answer.headers[name]) for name in HEADERS)
    assert reset >= 1
    return amount, remaining


@pytest.mark.asvs("2.4.1", "6.3.1")
def test_guesses_on_the_page_and_by_the_api_fill_one_counter(new_app: NewApp, alice: str) -> None:
    """Two workers on the same stores, in turn: what one door of one has counted every door of the other knows."""
    browser, phone = Browser(new_app(), ip=STRANGER), App(new_app(), ip=STRANGER)
    for number in range(0, GUESSES.amount, 2):
        assert browser.sign_in(alice, WRONG).status_code == 422
        guess = phone.sign_in(alice, WRONG)
        assert refusal(guess) == (401, "invalid_credentials")
        assert left(guess) == (GUESSES.amount, GUESSES.amount - number - 2)
    refused = phone.sign_in(alice, PASSWORD)
    assert refusal(refused) == (429, "too_many_attempts")
    assert left(refused) == (GUESSES.amount, 0)
    wait = int(refused.headers["Retry-After"])
    assert 1 <= wait <= GUESSES.length.total_seconds()
    assert 1 <= int(refused.headers["X-RateLimit-Reset"]) <= wait
    on_the_page = browser.sign_in(alice, PASSWORD)
    assert on_the_page.status_code == 429
    assert not set(HEADERS) & set(on_the_page.headers.keys()), "pages say it in words"
    assert "Retry-After" in on_the_page.headers


@pytest.mark.asvs("6.3.1", "6.1.1")
def test_the_owner_is_not_locked_out_of_a_device_they_use(app: Flask, alice: str, new_browser: NewBrowser) -> None:
    phone, browser = App(app, cookies=True, ip=STRANGER), new_browser(ip=STRANGER)
    phone.sign_in(alice)
    browser.sign_in(alice)
    browser.sign_out()
    strangers = App(app, ip=STRANGER)
    answers = [strangers.sign_in(alice, WRONG).status_code for _ in range(GUESSES.amount + 2)]
    assert answers[-1] == 429
    assert phone.sign_in(alice).status_code == 200
    assert browser.sign_in(alice).status_code == 303
    assert App(app, ip=STRANGER).sign_in(alice).status_code == 429, "the same network, but not the owner's device"


def test_whoever_chose_a_new_password_by_mail_is_not_held_up(app: Flask, alice: str, mailbox: Mailbox) -> None:
    """The counters of strangers are full, and the owner sits at a new phone: the mailbox says that it is them."""
    phone, stranger = App(app, cookies=True, ip=STRANGER), App(app, ip=STRANGER)
    for _ in range(GUESSES.amount + 1):
        stranger.sign_in(alice, WRONG)
    assert phone.sign_in(alice).status_code == 429
    phone.post("/auth/password/forgot", {"email": alice})
    token = mailbox.link(alice, "/password/reset/").rsplit("/", 1)[-1]
    assert phone.post("/auth/password/reset", {"token": token, "password": NEW_PASSWORD}).status_code == 204
    assert stranger.sign_in(alice, NEW_PASSWORD).status_code == 429
    assert phone.sign_in(alice, NEW_PASSWORD).status_code == 200


def test_a_sign_in_that_succeeds_starts_the_counter_again(app: Flask, alice: str) -> None:
    phone = App(app, ip=STRANGER)
    for remaining in (9, 8, 7):
        assert left(phone.sign_in(alice, WRONG)) == (10, remaining)
    assert left(phone.sign_in(alice)) == (10, 10)
    assert left(phone.sign_in(alice, WRONG)) == (10, 9)


@on_sqlite
@pytest.mark.asvs("2.4.1")
@pytest.mark.parametrize("door", ["register", "forgot"])
def test_what_costs_us_something_is_counted_together_too(app: Flask, browser: Browser, door: str) -> None:
    phone = App(app)
    limit = {"register": Limit.REGISTER_NETWORK, "forgot": Limit.FORGOT_NETWORK}[door]

    def knock(email: str) -> TestResponse:
        return phone.register(email) if door == "register" else phone.post("/auth/password/forgot", {"email": email})

    for number in range(limit.windows[0].amount - 1):
        assert knock(f"new{number}@example.com").status_code == 202
    page = {"register": "/register", "forgot": "/password/forgot"}[door]
    fields = {"password": PASSWORD, "name": ""} if door == "register" else {}
    assert browser.submit(page, email="last@example.com", **fields).status_code == 200
    assert browser.submit(page, email="more@example.com", **fields).status_code == 429
    refused = knock("x@example.com")
    assert refusal(refused) == (429, "too_many_attempts")
    assert left(refused) == (limit.windows[0].amount, 0)


@on_sqlite
@pytest.mark.asvs("2.4.1")
def test_guesses_at_mailed_links_are_counted_together(app: Flask, browser: Browser) -> None:
    phone, amount = App(app), Limit.LINK_NETWORK.windows[0].amount
    for number in range(amount):
        path, body = ("/auth/email/verify", {}) if number % 2 else ("/auth/password/reset", {"password": PASSWORD})
        answer = phone.post(path, {"token": f"guess-{number}", **body})
        if answer.status_code == 429:
            break
        assert refusal(answer) == (400, "link_invalid")
    assert refusal(phone.post("/auth/email/verify", {"token": "guess"})) == (429, "too_many_attempts")
    assert browser.get("/password/reset/guess").status_code == 429


@on_sqlite
@pytest.mark.asvs("6.3.1")
def test_an_open_phone_is_no_place_to_guess_its_password(app: Flask, alice: str, rows: Rows) -> None:
    phone = App(app)
    phone.sign_in(alice)
    amount = Limit.REAUTHENTICATE.windows[0].amount
    for number in range(amount):
        guess = {"current_password": f"{WRONG} {number}", "new_password": NEW_PASSWORD}
        call = ("POST", "/me/password", guess) if number % 2 else ("DELETE", "/me", {"password": WRONG})
        by_change = phone.call(*call)
        assert refusal(by_change) == (403, "invalid_credentials")
        assert left(by_change) == (amount, amount - number - 1)
    right = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert refusal(phone.post("/me/password", right)) == (429, "too_many_attempts")
    assert refusal(phone.call("DELETE", "/me", {"password": PASSWORD})) == (429, "too_many_attempts")
    assert rows.user().deletion_due_at is None
    assert phone.is_signed_in


@on_sqlite
def test_what_is_not_limited_says_nothing_of_limits(app: Flask, alice: str) -> None:
    phone = App(app)
    phone.sign_in(alice)
    answers = [phone.get(path) for path in ("/me", "/sessions", "/events", "/auth/session")]
    for answer in [*answers, phone.refresh(), phone.refresh("nonsense"), phone.sign_out()]:
        assert not set(HEADERS) & set(answer.headers.keys())


@on_sqlite
def test_without_limits_nothing_is_counted_or_told(new_app: NewApp, alice: str) -> None:
    phone = App(new_app(RATELIMIT_ENABLED=False))
    answers = [phone.sign_in(alice, WRONG) for _ in range(GUESSES.amount + 1)]
    assert {answer.status_code for answer in answers} == {401}
    assert "X-RateLimit-Limit" not in answers[0].headers
