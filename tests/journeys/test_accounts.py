"""Passwords through the forms: chosen, refused with the rule, changed, forgotten; and no step is skipped."""

import unicodedata
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from werkzeug.test import TestResponse

from tests.conftest import NewBrowser
from tests.journeys.pages import csrf_token, says, words
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.rows import Rows, on_sqlite
from webapp.errors import InvalidCredentials, PasswordRefused
from webapp.http.words import sentence, wrong_current_password
from webapp.models import LoginSession, OneTimeToken, User
from webapp.policy.login_sessions import FRESH_FOR
from webapp.policy.throttling import Limit

ALICE = "alice@example.com"
WRONG = "not what was chosen here"


def _register(browser: Browser, mailbox: Mailbox, password: str) -> TestResponse:
    return browser.submit("/register", email="bob@example.com", password=password, name="Alice")


def _change(browser: Browser, mailbox: Mailbox, password: str) -> TestResponse:
    browser.sign_in(ALICE)
    return browser.submit("/account/password", current_password=PASSWORD, new_password=password)


def _reset(browser: Browser, mailbox: Mailbox, password: str) -> TestResponse:
    browser.submit("/password/forgot", email=ALICE)
    return browser.submit(mailbox.link(ALICE, "/password/reset/"), password=password)


DOORS = {"register": _register, "change": _change, "reset": _reset}
REFUSED = {
    "fourteen chars": PasswordRefused("too_short", min_length=15),
    "passwordpassword": PasswordRefused("expected"),
    "alice@example.com": PasswordRefused("about_you"),
    "Alice.Alice.1987": PasswordRefused("about_you"),
    "doorwaydoorway1": PasswordRefused("about_site"),
}


@on_sqlite
@pytest.mark.asvs("6.2.1", "6.2.11", "2.2.3")
@pytest.mark.parametrize("door", DOORS)
def test_a_weak_password_is_refused_with_the_rule_it_breaks_wherever_it_is_chosen(
    alice: str, browser: Browser, mailbox: Mailbox, rows: Rows, door: str
) -> None:
    before = rows.user().password_hash
    for password, error in REFUSED.items():
        if door == "register" and "@" in password:
            password = "bob@example.com"  # their own address, there
        answer = DOORS[door](browser, mailbox, password)
        assert answer.status_code == 422, password
        assert says(answer, sentence(error)), password
        assert f'value="{password}"' not in answer.text or "@" in password, "what was typed is not shown again"
        if door == "change":
            browser.sign_out()
    assert rows.user().password_hash == before
    assert rows.count(User) == 1


@on_sqlite
@pytest.mark.asvs("6.2.4", "6.2.12")
@pytest.mark.parametrize("door", DOORS)
def test_a_password_from_the_lists_of_attackers_is_refused(
    alice: str, browser: Browser, mailbox: Mailbox, door: str
) -> None:
    answer = DOORS[door](browser, mailbox, "correcthorsebatterystaple")
    assert answer.status_code == 422
    assert says(answer, sentence(PasswordRefused("breached")))


@pytest.mark.asvs("6.2.2", "6.2.3")
def test_changing_the_password_takes_the_one_there_is(alice: str, browser: Browser, new_browser: NewBrowser) -> None:
    browser.sign_in(alice)
    for missing in ("", WRONG):
        answer = browser.submit("/account/password", current_password=missing, new_password=NEW_PASSWORD)
        assert answer.status_code == 422
    assert says(answer, wrong_current_password(InvalidCredentials()))
    same = browser.submit("/account/password", current_password=PASSWORD, new_password=PASSWORD)
    assert says(same, sentence(PasswordRefused("unchanged")))
    done = browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert done.status_code == 303
    assert new_browser().sign_in(alice, PASSWORD).status_code == 422
    assert new_browser().sign_in(alice, NEW_PASSWORD).status_code == 303


@on_sqlite
def test_a_password_typed_on_another_system_is_the_same_password(
    new_user: Callable[..., str], browser: Browser
) -> None:
    korean = "조용한 수달 일곱 마리가 강을 건넌다"
    email = new_user("mina@example.com", password=unicodedata.normalize("NFC", korean), name="Mina")
    assert browser.sign_in(email, unicodedata.normalize("NFD", korean)).status_code == 303
    same = browser.submit(
        "/account/password",
        current_password=unicodedata.normalize("NFC", korean),
        new_password=unicodedata.normalize("NFD", korean),
    )
    assert says(same, sentence(PasswordRefused("unchanged")))


@pytest.mark.asvs("6.2.8", "6.2.9")
def test_a_long_password_counts_to_its_last_character(new_user: Callable[..., str], new_browser: NewBrowser) -> None:
    password = "  " + " ".join(f"word{number}" for number in range(40))[:245] + "🦦 Z  "
    email = new_user("long@example.com", password=password, name="")
    for other in (password.strip(), password.lower(), password[:72], f"{password[:-1]}x", password[:-1]):
        assert new_browser().sign_in(email, other).status_code == 422
    assert new_browser().sign_in(email, password).status_code == 303


@on_sqlite
@pytest.mark.asvs("6.2.10")
def test_an_old_password_stays_good(alice: str, browser: Browser, at: time_machine.Traveller) -> None:
    at.shift(timedelta(days=3650))
    assert browser.sign_in(alice).location == "/account"
    assert browser.is_signed_in


@pytest.mark.asvs("6.2.3", "6.3.1")
@pytest.mark.parametrize("page", ["/reauthenticate", "/account/password"])
def test_who_found_an_open_screen_cannot_guess_the_password_for_long(
    alice: str, browser: Browser, new_browser: NewBrowser, page: str
) -> None:
    browser.sign_in(alice)
    fields = {"password": WRONG, "current_password": WRONG, "new_password": NEW_PASSWORD}
    for _ in range(Limit.REAUTHENTICATE.windows[0].amount):
        assert browser.submit(page, **fields).status_code == 422
    for other in ("/reauthenticate", "/account/password"):
        slowed = browser.submit(other, **{**fields, "password": PASSWORD, "current_password": PASSWORD})
        assert slowed.status_code == 429, "both doors share the counter"
    assert int(slowed.headers["Retry-After"]) > 0
    assert new_browser().sign_in(alice).status_code == 303, "and the owner, elsewhere, is not held up"


@pytest.mark.asvs("2.3.1")
def test_no_step_can_be_skipped(browser: Browser, mailbox: Mailbox, rows: Rows) -> None:
    browser.submit("/register", email=ALICE, password=PASSWORD, name="Alice")
    assert not browser.is_signed_in, "registered, not confirmed"
    browser.sign_in(ALICE)
    assert not browser.is_signed_in, "the right password, not confirmed"
    form = {"csrf_token": csrf_token(browser.get("/login")), "password": NEW_PASSWORD}
    before = rows.user().password_hash
    assert browser.post("/password/reset/never-mailed", form).status_code == 410
    assert browser.post("/email/confirm/never-mailed", form).status_code == 303, "nobody is signed in"
    assert browser.post("/email/undo/never-mailed", form).status_code == 410
    assert browser.post("/login/keep", form).location == "/login", "no proof in hand"
    assert browser.post("/reauthenticate", form).status_code == 303
    assert rows.user().password_hash == before
    assert rows.count(LoginSession) == 0


@pytest.mark.asvs("7.5.1")
@pytest.mark.parametrize("page", ["/account/password", "/account/email"])
def test_changes_to_who_can_get_in_ask_for_the_password_when_the_sign_in_is_older(
    alice: str, browser: Browser, at: time_machine.Traveller, page: str
) -> None:
    browser.sign_in(alice)
    at.shift(FRESH_FOR - timedelta(seconds=30))
    assert browser.get(page).status_code == 200
    at.shift(timedelta(minutes=1))
    asked = browser.get(page)
    assert (asked.status_code, asked.location) == (303, f"/reauthenticate?next={page}")
    proven = browser.submit(asked.location, password=PASSWORD)
    assert (proven.status_code, proven.location) == (303, page)
    assert browser.get(page).status_code == 200


def test_a_forgotten_password_is_replaced_by_mailed_link_which_signs_nobody_in(
    alice: str, browser: Browser, new_browser: NewBrowser, mailbox: Mailbox
) -> None:
    asked = browser.submit("/password/forgot", email=" Alice@EXAMPLE.com ")
    assert asked.status_code == 200
    link = mailbox.link(alice, "/password/reset/")
    assert browser.client.head(link).status_code == 200
    short = browser.submit(link, password="too short")
    assert short.status_code == 422, "and the link is still good"
    done = browser.submit(link, password=NEW_PASSWORD)
    assert (done.status_code, done.location) == (303, "/login")
    assert not browser.is_signed_in
    assert browser.get(link).status_code == 410
    assert new_browser().sign_in(alice, PASSWORD).status_code == 422
    assert new_browser().sign_in(alice, NEW_PASSWORD).status_code == 303


@pytest.mark.asvs("6.4.1")
def test_only_the_newest_reset_link_works_and_only_for_half_an_hour(
    alice: str, browser: Browser, mailbox: Mailbox, at: time_machine.Traveller, rows: Rows
) -> None:
    links = []
    for _ in range(2):
        browser.submit("/password/forgot", email=alice)
        links.append(mailbox.link(alice, "/password/reset/"))
    assert [browser.get(link).status_code for link in links] == [410, 200]
    assert links[1].rsplit("/", 1)[1] not in {value for _, value in rows.texts()}
    assert len(links[1].rsplit("/", 1)[1]) >= 43
    at.shift(timedelta(minutes=30))
    assert browser.get(links[1]).status_code == 410


def test_changing_the_password_ends_links_to_reset_it(alice: str, browser: Browser, mailbox: Mailbox) -> None:
    browser.submit("/password/forgot", email=alice)
    link = mailbox.link(alice, "/password/reset/")
    browser.sign_in(alice)
    browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert browser.get(link).status_code == 410


def test_a_reset_also_ends_a_change_of_address_that_an_intruder_began(
    alice: str, browser: Browser, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    intruder = new_browser()
    intruder.sign_in(alice)
    intruder.submit("/account/email", email="intruder@example.com")
    _reset(browser, mailbox, NEW_PASSWORD)
    assert intruder.get(mailbox.link("intruder@example.com", "/email/confirm/")).location.startswith("/login")
    assert rows.count(OneTimeToken, ended_at=None) == 0


def test_forgetting_a_password_before_confirming_confirms_the_address(
    browser: Browser, mailbox: Mailbox, rows: Rows
) -> None:
    browser.submit("/register", email=ALICE, password=PASSWORD, name="Alice")
    _reset(browser, mailbox, NEW_PASSWORD)
    assert rows.user().email_verified_at is not None
    assert browser.sign_in(ALICE, NEW_PASSWORD).status_code == 303
    assert words(browser.get("/account")).count("Alice") >= 1
