"""A spent refresh token comes back: the session ends, and its owner reads of it in a mail, in the log and on a page."""

from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
import time_machine
from flask import Flask
from flask_babel import force_locale, gettext

from tests.apps import App, a_second_passes, problem, refusal
from tests.conftest import NewBrowser
from tests.journeys.pages import says, words
from tests.people import Browser, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp.blueprints.account.wording import SENTENCES
from webapp.http.words import WARNINGS
from webapp.models import LoginSession

THIEF = "198.51.100.66"
HEADING = "An app was signed out"
SUBJECT = "We signed an app out of your account at %(site)s"


def old(phone: App, at: time_machine.Traveller) -> str:
    """Two generations behind."""
    spent = phone.refresh_token
    for _ in range(2):
        phone.refresh()
    return spent


def late(phone: App, at: time_machine.Traveller) -> str:
    """The one just left behind, after the time in which an answer may have been lost."""
    spent = phone.refresh_token
    phone.refresh()
    at.shift(timedelta(seconds=31))
    return spent


Stolen = Callable[[App, time_machine.Traveller], str]


@pytest.mark.asvs("10.4.5")
@pytest.mark.parametrize("stolen", [old, late])
def test_a_spent_token_ends_the_session_for_the_thief_and_the_owner(
    app: Flask, alice: str, at: time_machine.Traveller, rows: Rows, mailbox: Mailbox, browser: Browser, stolen: Stolen
) -> None:
    phone, tablet, thief = App(app), App(app), App(app, ip=THIEF)
    phone.sign_in(alice, device_name="Alice's phone")
    tablet.sign_in(alice)
    token, mails = stolen(phone, at), len(mailbox.mails(alice))
    refused = thief.refresh(token)
    assert refusal(refused) == (401, "refresh_reused")
    assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    for somebody in (phone, thief):
        again = somebody.refresh(token if somebody is thief else None)
        assert refusal(again) == (401, "session_revoked")
        assert problem(again)["reason"] == "refresh_reused"
    assert refusal(phone.get("/auth/session")) == (401, "session_revoked")
    assert tablet.is_signed_in, "only that session: nothing says that the others are in danger"
    assert tablet.refresh().status_code == 200

    assert len(mailbox.mails(alice)) == mails + 1, "told once, however often it comes back"
    assert THIEF in text_of(mailbox.newest(alice))
    (event,) = [event for event in tablet.get("/events").json["events"] if event["kind"] == "refresh_reused"]
    assert event["details"] == {"case": f"reused_{stolen.__name__}", "app": "Alice's phone"}
    assert (event["session_id"], event["ip"]) == (phone.session_id, THIEF)
    browser.sign_in(alice)
    assert says(browser.get("/account/activity"), SENTENCES["refresh_reused"])
    assert THIEF in words(browser.get("/account/activity"))


@pytest.mark.asvs("10.4.5")
def test_whoever_is_first_the_theft_is_noticed_when_the_other_refreshes(app: Flask, alice: str) -> None:
    """The thief may be quicker: then it is the owner who shows the spent one, and both are out."""
    phone, thief = App(app), App(app, ip=THIEF)
    phone.sign_in(alice)
    thief.refresh(phone.refresh_token)
    thief.refresh()
    assert refusal(phone.refresh()) == (401, "refresh_reused")
    assert refusal(thief.refresh()) == (401, "session_revoked")
    assert refusal(thief.get("/me")) == (401, "session_revoked")
    assert phone.sign_in(alice).status_code == 200


@pytest.mark.asvs("10.4.5")
def test_an_answer_that_was_lost_costs_nothing(
    app: Flask, alice: str, at: time_machine.Traveller, mailbox: Mailbox, rows: Rows
) -> None:
    phone = App(app)
    phone.sign_in(alice)
    mails = len(mailbox.mails(alice))
    for _ in range(5):
        kept = phone.refresh_token
        lost = [phone.refresh(kept).json["refresh_token"] for _ in range(3)]
        assert len(set(lost)) == 3, "the same generation, as tokens of their own"
        phone.refresh_token = lost[0]
        at.shift(timedelta(minutes=5))
    assert phone.is_signed_in
    (row,) = rows.live()
    assert row.generation == 6, "each of the five steps was made once"
    assert len(mailbox.mails(alice)) == mails


@pytest.mark.asvs("7.4.3")
def test_the_next_page_says_so_once(app: Flask, alice: str, new_browser: NewBrowser) -> None:
    phone, browser, other = App(app), new_browser(), new_browser()
    for somebody in (phone, browser, other):
        somebody.sign_in(alice)
    spent = phone.refresh_token
    for _ in range(2):
        phone.refresh()
    phone.refresh(spent)
    a_second_passes(app)
    told = [says(each.get(path), WARNINGS["refresh_reused"]) for path in ("/", "/account") for each in (browser, other)]
    told += [says(browser.get("/account"), WARNINGS["refresh_reused"]) for _ in range(2)]
    assert told.count(True) == 1
    newcomer = new_browser()
    newcomer.sign_in(alice)
    assert not says(newcomer.get("/account"), WARNINGS["refresh_reused"])


def test_who_was_signed_in_nowhere_reads_it_after_the_next_sign_in(app: Flask, alice: str, browser: Browser) -> None:
    phone = App(app)
    phone.sign_in(alice)
    spent = phone.refresh_token
    for _ in range(2):
        phone.refresh()
    phone.refresh(spent)
    assert not says(browser.get("/login"), WARNINGS["refresh_reused"]), "strangers read nothing of it"
    browser.sign_in(alice)
    assert says(browser.get("/account"), WARNINGS["refresh_reused"])
    assert not says(browser.get("/account"), WARNINGS["refresh_reused"])


@on_sqlite
@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_mail_is_in_the_owners_language_as_text_and_as_html(
    app: Flask, alice: str, mailbox: Mailbox, language: str
) -> None:
    phone, thief = App(app), App(app, ip=THIEF, language="ko" if language == "en" else "en")
    phone.sign_in(alice)
    phone.call("PATCH", "/me", {"locale": language})
    spent = phone.refresh_token
    for _ in range(2):
        phone.refresh()
    thief.refresh(spent)
    mail = mailbox.newest(alice)
    with app.test_request_context(), force_locale(language):
        heading, subject = gettext(HEADING), gettext(SUBJECT, site=app.config["SITE_NAME"])
    html = mail.get_body(("html",))
    assert html is not None
    assert mail["Subject"] == subject
    assert heading in text_of(mail)
    assert heading in unescape(html.get_content())
    for part in (text_of(mail), html.get_content()):
        assert THIEF in part
        assert "/account/activity" in part
        assert "/password/forgot" in part
        assert spent not in part


def test_a_spent_token_of_a_session_that_is_over_is_no_news(
    app: Flask, alice: str, mailbox: Mailbox, rows: Rows
) -> None:
    phone = App(app)
    phone.sign_in(alice)
    spent = phone.refresh_token
    for _ in range(2):
        phone.refresh()
    phone.sign_out()
    mails = len(mailbox.mails(alice))
    again = phone.refresh(spent)
    assert refusal(again) == (401, "session_revoked")
    assert problem(again)["reason"] == "signed_out"
    assert len(mailbox.mails(alice)) == mails
    assert "refresh_reused" not in rows.events()
    assert rows.all(LoginSession, end_reason="refresh_reused") == []


@on_sqlite
def test_the_activity_names_the_app_as_it_calls_itself(app: Flask, alice: str, browser: Browser) -> None:
    phone = App(app)
    phone.sign_in(alice, device_name="old tablet")
    spent = phone.refresh_token
    phone.refresh()
    phone.refresh()
    phone.refresh(spent)
    browser.sign_in(alice)
    assert "old tablet" in browser.get("/account/activity").text
    assert problem(phone.get("/me"))["detail"].startswith("An old token of this sign-in was used again")
