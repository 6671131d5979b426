"""Links to confirm an address: they do one thing, once, for a while, and never by being looked at."""

from collections import Counter
from datetime import timedelta

import pytest
import time_machine

from tests.conftest import NewBrowser
from tests.journeys.crowds import CROWD, all_at_once
from tests.journeys.pages import csrf_token, says
from tests.people import PASSWORD, Browser, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp.blueprints.auth.links import REASONS
from webapp.errors import EmailUnverified, InvalidCredentials
from webapp.http.words import sentence
from webapp.models import LoginSession
from webapp.policy.one_time import LIFE, Purpose

ALICE = "alice@example.com"


@pytest.fixture
def link(browser: Browser, mailbox: Mailbox) -> str:
    """The link that confirms an account just made."""
    browser.submit("/register", email=ALICE, password=PASSWORD, name="Alice")
    return mailbox.link(ALICE, "/verify-email/")


@pytest.mark.asvs("3.5.3")
def test_looking_at_a_link_spends_nothing(link: str, browser: Browser, rows: Rows) -> None:
    for method in ("GET", "HEAD", "GET"):
        assert browser.client.open(link, method=method).status_code == 200
    assert rows.user().email_verified_at is None
    assert browser.submit(link).status_code == 303
    assert rows.user().email_verified_at is not None


@pytest.mark.asvs("2.3.4")
def test_of_twenty_who_use_a_link_at_once_one_wins(link: str, new_browser: NewBrowser, rows: Rows) -> None:
    browsers = [new_browser(ip=f"198.51.100.{number}") for number in range(CROWD)]
    tokens = [csrf_token(browser.get(link)) for browser in browsers]

    def use(browser: Browser, token: str) -> int:
        return browser.post(link, {"csrf_token": token}).status_code

    answers = all_at_once(
        [lambda b=browser, t=token: use(b, t) for browser, token in zip(browsers, tokens, strict=True)]
    )
    assert Counter(answers) == {303: 1, 410: CROWD - 1}
    assert len(rows.live()) == 1


@pytest.mark.asvs("6.4.1", "9.2.2")
def test_a_link_says_why_it_is_dead(
    link: str, browser: Browser, new_browser: NewBrowser, mailbox: Mailbox, at: time_machine.Traveller
) -> None:
    def is_dead(path: str, reason: str) -> bool:
        answer = new_browser().get(path)
        return answer.status_code == 410 and says(answer, REASONS[reason])

    assert is_dead(link[:-1], "link_invalid")
    for other_door in ("/password/reset/", "/email/undo/"):
        assert is_dead(link.replace("/verify-email/", other_door), "link_invalid"), other_door
    browser.sign_in(ALICE)
    newer = mailbox.link(ALICE, "/verify-email/")
    assert is_dead(link, "link_replaced")
    at.shift(LIFE[Purpose.CONFIRM_EMAIL] + timedelta(seconds=1))
    assert is_dead(newer, "link_expired")
    browser.sign_in(ALICE)
    newest = mailbox.link(ALICE, "/verify-email/")
    assert browser.submit(newest).status_code == 303
    assert is_dead(newest, "link_used")


@pytest.mark.asvs("14.2.1", "3.4.5")
def test_pages_behind_a_link_do_not_tell_other_pages_where_they_are(link: str, browser: Browser) -> None:
    assert browser.get(link).headers["Referrer-Policy"] == "strict-origin"
    assert browser.get(f"{link}x").headers["Referrer-Policy"] == "strict-origin"


def test_the_right_password_of_an_unconfirmed_account_gets_a_new_link_and_no_session(
    link: str, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    browser = new_browser()
    answer = browser.sign_in(ALICE)
    assert answer.status_code == 422
    assert says(answer, sentence(EmailUnverified()))
    assert rows.count(LoginSession) == 0
    newer = mailbox.link(ALICE, "/verify-email/")
    assert newer != link
    assert browser.submit(newer).status_code == 303
    assert browser.is_signed_in


def test_a_wrong_password_of_an_unconfirmed_account_mails_nothing_and_tells_nothing(
    link: str, new_browser: NewBrowser, mailbox: Mailbox
) -> None:
    answer = new_browser().sign_in(ALICE, "not what was chosen here")
    assert says(answer, sentence(InvalidCredentials()))
    assert len(mailbox.mails(ALICE)) == 1


@on_sqlite
def test_the_mail_is_in_the_language_of_the_page_it_was_asked_on(new_browser: NewBrowser, mailbox: Mailbox) -> None:
    browser = new_browser(language="ko")
    browser.submit("/register", email=ALICE, password=PASSWORD, name="앨리스")
    assert "이메일 주소" in text_of(mailbox.newest(ALICE))
