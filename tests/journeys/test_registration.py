"""Making an account: whose it is, is settled by the mailbox alone."""

from collections import Counter

import pytest
from flask import Flask

from tests.conftest import NewBrowser
from tests.journeys.crowds import CROWD, all_at_once
from tests.journeys.pages import csrf_token, says
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp.blueprints.auth.links import REASONS
from webapp.models import LoginSession, OutboxMessage, User
from webapp.policy.throttling import Limit

ALICE = "alice@example.com"


def register(browser: Browser, email: str = ALICE, password: str = PASSWORD, name: str = "Alice") -> int:
    return browser.submit("/register", email=email, password=password, name=name).status_code


def test_a_new_account_opens_nothing_before_its_address_is_confirmed(
    browser: Browser, mailbox: Mailbox, rows: Rows
) -> None:
    assert register(browser) == 200
    assert not browser.is_signed_in
    assert rows.user().email_verified_at is None
    assert rows.count(LoginSession) == 0
    (mail,) = mailbox.mails(ALICE)
    assert "/verify-email/" in text_of(mail)


def test_who_registers_a_known_address_changes_nothing_and_its_owner_is_told(
    alice: str, browser: Browser, mailbox: Mailbox, rows: Rows
) -> None:
    before = rows.user()
    assert register(browser, "Alice@Example.com", NEW_PASSWORD, "Mallory") == 200
    after = rows.user()
    assert (after.password_hash, after.name, after.email) == (before.password_hash, before.name, before.email)
    told = text_of(mailbox.newest(ALICE))
    assert "/password/forgot" in told
    assert "/verify-email/" not in told


def test_registering_an_unconfirmed_address_again_voids_the_password_and_the_link_from_before(
    new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    mallory, owner = new_browser(), new_browser()
    register(mallory, password="mallory waits behind the door", name="Mallory")
    first = mailbox.link(ALICE, "/verify-email/")
    register(owner)
    second = mailbox.link(ALICE, "/verify-email/")
    dead = mallory.get(first)
    assert dead.status_code == 410
    assert says(dead, REASONS["link_replaced"])
    assert owner.submit(second).status_code == 303
    assert mallory.sign_in(ALICE, "mallory waits behind the door").status_code == 422
    assert rows.user().name == "Alice"
    assert new_browser().sign_in(ALICE).status_code == 303


@pytest.mark.asvs("15.4.2", "2.3.4")
def test_twenty_registrations_of_one_address_at_once_make_one_account(
    app: Flask, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    browsers = [new_browser(ip=f"198.51.100.{number}") for number in range(CROWD)]
    for browser in browsers:
        browser.get("/register")  # the forms are open before anybody sends one
    answers = all_at_once([lambda browser=browser: register(browser) for browser in browsers])
    assert Counter(answers) == {200: CROWD}
    assert rows.count(User) == 1
    hourly = Limit.MAIL_ADDRESS.windows[0].amount + Limit.MAIL_ADDRESS_RESERVE.windows[0].amount
    assert len(mailbox.mails(ALICE)) == hourly, "what a stranger can have mailed to one address is limited"
    assert rows.count(OutboxMessage, outcome="nobody") == CROWD - hourly, "and the answer is the same without a mail"
    assert new_browser().submit(mailbox.link(ALICE, "/verify-email/")).status_code == 303


def test_the_owner_of_an_address_can_decline_an_account_that_somebody_else_made(
    browser: Browser, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    register(browser, name="Mallory")
    link = mailbox.link(ALICE, "/verify-email/")
    answer = new_browser().submit(link, f"{link}/decline")
    assert answer.status_code == 303
    assert rows.count(User) == 0
    assert browser.sign_in(ALICE).status_code == 422
    assert browser.get(link).status_code == 410


def test_a_confirmed_account_cannot_be_declined_away(
    alice: str, browser: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    link = mailbox.link(alice, "/verify-email/")
    token = csrf_token(browser.get("/login"))
    assert browser.post(f"{link}/decline", {"csrf_token": token}).status_code == 410
    assert rows.count(User) == 1


@on_sqlite
@pytest.mark.asvs("2.3.2")
def test_a_robot_that_registers_one_address_after_another_is_slowed_down(browser: Browser, rows: Rows) -> None:
    amount = Limit.REGISTER_NETWORK.windows[0].amount
    token = csrf_token(browser.get("/register"))
    for number in range(amount):
        form = {"email": f"robot{number}@example.com", "password": PASSWORD, "name": "", "csrf_token": token}
        assert browser.post("/register", form).status_code == 200
    refused = browser.post("/register", {**form, "email": "one.more@example.com"})
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert rows.count(User) == amount


@on_sqlite
def test_passwords_that_are_refused_count_too_since_judging_one_is_work(browser: Browser, rows: Rows) -> None:
    token = csrf_token(browser.get("/register"))
    form = {"email": ALICE, "password": "password" * 32, "name": "Alice", "csrf_token": token}
    amount = Limit.REGISTER_NETWORK.windows[0].amount
    answers = Counter(browser.post("/register", form).status_code for _ in range(amount + 1))
    assert answers == {422: amount, 429: 1}


@on_sqlite
@pytest.mark.parametrize("email", ["", "alice", "alice@", "@example.com", "a b@example.com", "alice@example..com"])
def test_what_is_no_address_is_refused_beside_its_field(browser: Browser, rows: Rows, email: str) -> None:
    answer = browser.submit("/register", email=email, password=PASSWORD, name="Alice")
    assert answer.status_code == 422
    assert 'id="email-error"' in answer.text
    assert PASSWORD not in answer.text
    assert rows.count(User) == 0
