"""Signing in by mail, where the site offers it: a link, or a code; once, for ten minutes, in the browser that asked."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.conftest import NewApp, NewBrowser
from tests.factors import verify, with_totp
from tests.journeys.crowds import all_at_once
from tests.journeys.pages import csrf_token, says
from tests.people import NEW_PASSWORD, Browser, Mailbox, runtime_of, text_of
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import OneTimeToken, OutboxMessage, User
from webapp.policy.one_time import LIFE, Purpose
from webapp.policy.throttling import Limit
from webapp.services import users

ALICE, UNKNOWN = "alice@example.com", "nobody@example.com"
ASK, CODE = "/login/mail", "/login/mail/code"
_CODE = re.compile(r"^\s*(\d{8})\s*$", re.MULTILINE)
_TOKEN = re.compile(r'name="csrf_token" value="[^"]+"')
WRONG = "This code is not right, or was used before. Please try the newest one."


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """A site that offers it, and that waits long for a lock."""
    return new_app(MAILED_SIGN_IN=True)


def ask(browser: Browser, email: str = ALICE) -> None:
    answer = browser.submit(ASK, email=email)
    assert answer.status_code == 200, answer.text[-300:]


def mailed(app: Flask, email: str = ALICE) -> tuple[str, str]:
    """The link and the code of the newest mail."""
    mailbox = Mailbox(app)
    found = _CODE.search(text_of(mailbox.newest(email)))
    assert found
    return mailbox.link(email, "/login/mailed/"), found[1]


def type_code(browser: Browser, code: str) -> int:
    return browser.submit(CODE, CODE, code=code).status_code


@on_sqlite
@pytest.mark.asvs("6.3.4")
def test_a_site_that_does_not_offer_it_has_none_of_it(new_app: NewApp, alice: str, app: Flask, rows: Rows) -> None:
    """Off by default; a link of before it was switched off opens nothing either."""
    asked = Browser(app)
    ask(asked)
    link, code = mailed(app)
    browser = Browser(new_app())
    browser.set_cookie("mailed-sign-in", str(asked.cookie("mailed-sign-in")))
    token = csrf_token(browser.get("/login"))
    assert "Sign in by mail" not in browser.get("/login").text
    for path in (ASK, CODE, link):
        assert browser.get(path).status_code == 404
        assert browser.post(path, {"csrf_token": token, "email": alice, "code": code}).status_code == 404
    assert rows.live() == []


@on_sqlite
def test_the_link_signs_in_where_it_was_asked_for(app: Flask, alice: str, browser: Browser, rows: Rows) -> None:
    ask(browser)
    link, _ = mailed(app)
    page = browser.get(link)
    assert says(page, "Press the button, and you are signed in.")
    assert page.headers["Referrer-Policy"] == "strict-origin"
    assert browser.submit(link).headers["Location"] == "/account"
    (row,) = rows.live()
    assert row.methods == "email"


@on_sqlite
@pytest.mark.parametrize("spelled", ["{}", " {} ", "{0[0]}{0[1]}{0[2]}{0[3]} {0[4]}{0[5]}{0[6]}{0[7]}"])
def test_the_code_signs_in_too_blanks_or_not(app: Flask, alice: str, browser: Browser, spelled: str) -> None:
    ask(browser)
    _, code = mailed(app)
    assert type_code(browser, spelled.format(code)) == 303
    assert browser.is_signed_in


@on_sqlite
@pytest.mark.asvs("6.5.1")
def test_scanners_that_open_the_link_spend_nothing(app: Flask, alice: str, new_browser: NewBrowser, rows: Rows) -> None:
    browser, scanner = new_browser(), new_browser(user_agent="LinkScanner/1.0")
    ask(browser)
    link, _ = mailed(app)
    for _ in range(3):
        seen = scanner.get(link)
        assert seen.status_code == 200
        assert "csrf_token" not in seen.text
        browser.get(link)
        scanner.open("HEAD", link)
    assert rows.live() == []
    assert browser.submit(link).status_code == 303


@on_sqlite
@pytest.mark.asvs("6.6.2")
def test_in_another_browser_neither_link_nor_code_is_of_use(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    """Mallory has got Alice's mail, or asks her for the code; or Alice follows a link that Mallory asked for."""
    browser, other, third = new_browser(), new_browser(), new_browser()
    ask(browser)
    link, code = mailed(app)
    assert says(other.get(link), "This link works only in the browser in which you asked for it.")
    token = csrf_token(other.get("/login"))
    assert other.post(link, {"csrf_token": token}).status_code == 422
    assert type_code(other, code) == 422
    ask(third, UNKNOWN)
    assert type_code(third, code) == 422
    assert third.post(link, {"csrf_token": csrf_token(third.get("/login"))}).status_code == 422
    assert rows.live() == []
    assert type_code(browser, code) == 303


@on_sqlite
@pytest.mark.asvs("6.5.1")
@pytest.mark.parametrize("first", ["link", "code"])
def test_one_of_the_two_ends_the_other(app: Flask, alice: str, browser: Browser, rows: Rows, first: str) -> None:
    ask(browser)
    link, code = mailed(app)
    token = csrf_token(browser.get(link))
    assert (browser.submit(link).status_code if first == "link" else type_code(browser, code)) == 303
    browser.sign_out()
    assert browser.post(link, {"csrf_token": csrf_token(browser.get("/login"))}).status_code == 410
    assert type_code(browser, code) == 422
    assert token
    assert rows.live() == []


@pytest.mark.asvs("6.5.1", "15.4.2", "2.3.4")
def test_of_many_at_once_one_gets_in(app: Flask, alice: str, rows: Rows) -> None:
    browser = Browser(app)
    ask(browser)
    link, code = mailed(app)
    secret, tasks = str(browser.cookie("mailed-sign-in")), []
    for path, fields in [(link, {}), (CODE, {"code": code})] * 2:
        one = Browser(app)
        one.set_cookie("mailed-sign-in", secret)
        data = {"csrf_token": csrf_token(one.get(CODE)), **fields}
        tasks.append(lambda one=one, path=path, data=data: one.post(path, data).status_code)
    assert all_at_once(tasks).count(303) == 1
    assert len(rows.live()) == 1


@on_sqlite
@pytest.mark.asvs("6.5.5")
def test_both_are_over_after_ten_minutes(app: Flask, alice: str, browser: Browser, at: time_machine.Traveller) -> None:
    assert LIFE[Purpose.SIGN_IN] == LIFE[Purpose.SIGN_IN_CODE] == timedelta(minutes=10)
    ask(browser)
    link, code = mailed(app)
    secret = str(browser.cookie("mailed-sign-in"))
    at.shift(timedelta(minutes=10))
    browser.set_cookie("mailed-sign-in", secret)
    assert browser.get(link).status_code == 410
    assert type_code(browser, code) == 422


@on_sqlite
def test_only_the_newest_mail_is_good(app: Flask, alice: str, new_browser: NewBrowser) -> None:
    first, second = new_browser(), new_browser()
    ask(first)
    old_link, old_code = mailed(app)
    ask(second)
    link, code = mailed(app)
    assert first.get(old_link).status_code == 410
    assert type_code(first, old_code) == 422
    assert type_code(first, code) == 422
    assert second.submit(link).status_code == 303


def the_password_is_reset(app: Flask, rows: Rows) -> None:
    browser = Browser(app)
    browser.submit("/password/forgot", email=ALICE)
    browser.submit(Mailbox(app).link(ALICE, "/password/reset/"), password=NEW_PASSWORD)


def the_account_is_closed(app: Flask, rows: Rows) -> None:
    with app.app_context():
        users.disable_user(ALICE)


def the_address_moves(app: Flask, rows: Rows) -> None:
    browser = Browser(app)
    browser.sign_in(ALICE)
    browser.submit("/account/email", email="alice@example.org")
    assert browser.submit(Mailbox(app).link("alice@example.org", "/email/confirm/")).status_code == 303


def the_owner_says_it_was_not_them(app: Flask, rows: Rows) -> None:
    browser = Browser(app)
    browser.sign_in(ALICE)
    browser.submit("/account/activity", "/account/activity/not-me")


@on_sqlite
@pytest.mark.asvs("6.4.1")
@pytest.mark.parametrize(
    "happens", [the_password_is_reset, the_account_is_closed, the_address_moves, the_owner_says_it_was_not_them]
)
def test_what_was_mailed_is_over_when(
    app: Flask, alice: str, browser: Browser, rows: Rows, happens: Callable[[Flask, Rows], None]
) -> None:
    ask(browser)
    link, code = mailed(app)
    happens(app, rows)
    assert browser.get(link).status_code == 410
    assert type_code(browser, code) == 422
    assert not browser.is_signed_in


@on_sqlite
@pytest.mark.asvs("6.3.1", "6.6.3")
def test_few_codes_may_be_tried_and_each_mail_has_its_own_tries(app: Flask, alice: str, browser: Browser) -> None:
    ask(browser)
    _, code = mailed(app)
    wrong = "00000000" if code != "00000000" else "11111111"
    seen = [browser.submit(CODE, CODE, code=wrong) for _ in range(Limit.MAILED_CODE.windows[0].amount)]
    assert {answer.status_code for answer in seen} == {422}
    assert says(seen[0], WRONG)
    assert type_code(browser, code) == 429
    ask(browser)
    assert type_code(browser, mailed(app)[1]) == 303


@on_sqlite
@pytest.mark.asvs("6.3.8")
def test_nobody_learns_who_has_an_account(
    app: Flask, alice: str, new_user: Callable[..., str], new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    closed = new_user("closed@example.com", name="Clo")
    unverified = new_user("unverified@example.com", name="Una")
    rows.set(User, {"email": closed}, disabled_at=clock.now())
    rows.set(User, {"email": unverified}, email_verified_at=None)
    seen, hashing = [], runtime_of(app).hashing
    for email in (alice, closed, unverified, UNKNOWN, " ALICE@example.com "):
        mailbox.deliver()
        mails, hashes, browser = rows.count(OutboxMessage), hashing.hashes_made, new_browser()
        answer = browser.submit(ASK, email=email)
        typed = browser.submit(CODE, CODE, code="12345678")
        seen.append(
            (
                answer.status_code,
                _TOKEN.sub("", answer.text).replace(email.strip(), "ADDRESS"),
                sorted(name for name, _ in answer.headers if name != "X-Request-ID"),
                typed.status_code,
                _TOKEN.sub("", typed.text),
                rows.count(OutboxMessage) - mails,
                hashing.hashes_made - hashes,
            )
        )
    assert all(answer == seen[0] for answer in seen)
    assert [mail["To"] for mail in mailbox.mails() if "/login/mailed/" in text_of(mail)] == [ALICE, ALICE]


@on_sqlite
def test_a_stranger_can_bury_no_mailbox(app: Flask, alice: str, new_browser: NewBrowser, rows: Rows) -> None:
    stranger = new_browser(ip="203.0.113.66")
    for _ in range(20):
        ask(stranger)
    mails = [mail for mail in Mailbox(app).mails(alice) if "/login/mailed/" in text_of(mail)]
    most = Limit.MAIL_ADDRESS.windows[0].amount + Limit.MAIL_ADDRESS_NETWORK.windows[0].amount
    assert len(mails) == most - 1, "the first one told of the account"
    owner = new_browser(ip="198.51.100.1")
    ask(owner)
    assert owner.submit(mailed(app)[0]).status_code == 303


@on_sqlite
@pytest.mark.asvs("6.3.3", "6.6.2")
def test_a_mailbox_is_one_factor_whatever_else_was_shown(app: Flask, alice: str, browser: Browser, rows: Rows) -> None:
    """Who has a password and the mailbox has two proofs of one kind too few."""
    phone = with_totp(app, alice)
    browser.sign_in(alice)
    assert browser.get("/login/verify").status_code == 200
    ask(browser)
    link, code = mailed(app)
    assert browser.submit("/login/verify", code=code, method="totp").status_code == 422
    assert browser.submit(link).headers["Location"] == "/login/verify"
    assert not browser.is_signed_in
    assert verify(browser, phone.fresh_code()).status_code == 303
    (row,) = rows.live()
    assert row.methods == "email otp mfa"


@on_sqlite
@pytest.mark.asvs("16.2.5", "11.5.1")
def test_neither_secret_lies_in_the_tables_and_asking_is_in_the_log(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    ask(browser)
    link, code = mailed(app)
    rows.delete(OutboxMessage)
    stored = "".join(value for _, value in rows.texts())
    assert link.rsplit("/", 1)[-1] not in stored
    assert str(browser.cookie("mailed-sign-in")) not in stored
    assert {row.purpose for row in rows.all(OneTimeToken, ended_at=None)} == {"sign_in", "sign_in_code"}
    assert code not in {row.token_hash for row in rows.all(OneTimeToken)}
    assert "sign_in_mailed" in rows.events()
