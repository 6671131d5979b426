"""When a session has ended, the next visit says why: once, wherever one comes in, and never again."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.conftest import NewBrowser
from tests.factors import set_up_totp
from tests.journeys.pages import says
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of
from tests.rows import Rows
from webapp.http.words import END_REASONS
from webapp.models import LoginSession
from webapp.policy.login_sessions import MOST_A_USER, EndReason
from webapp.services import housekeeping, users
from webapp.services.login_sessions import end_login_sessions
from webapp.services.transaction import transaction

ALICE = "alice@example.com"


class Story:
    """The owner at one browser, and another one whose session is about to end."""

    def __init__(self, app: Flask, rows: Rows, mailbox: Mailbox, at: time_machine.Traveller) -> None:
        self.app, self.rows, self.mailbox, self.at = app, rows, mailbox, at
        self.owner, self.other = Browser(app), Browser(app, ip="203.0.113.5")
        self.owner.sign_in(ALICE)
        self.other.sign_in(ALICE)
        self.settings = runtime_of(app).settings

    def ended_by_user(self) -> None:
        (other,) = [row for row in self.rows.live() if row.ip == "203.0.113.5"]
        self.owner.submit("/account/sessions", f"/account/sessions/{other.id}/revoke")

    def password_changed(self) -> None:
        self.owner.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)

    def password_reset(self) -> None:
        self.owner.submit("/password/forgot", email=ALICE)
        self.owner.submit(self.mailbox.link(ALICE, "/password/reset/"), password=NEW_PASSWORD)

    def email_restored(self) -> None:
        self.owner.submit("/account/email", email="elsewhere@example.com")
        self.owner.submit(self.mailbox.link("elsewhere@example.com", "/email/confirm/"))
        self.owner.submit(self.mailbox.link(ALICE, "/email/undo/"))

    def factor_changed(self) -> None:
        set_up_totp(self.owner)

    def not_me(self) -> None:
        self.owner.submit("/account/activity", "/account/activity/not-me")

    def deletion(self) -> None:
        self.owner.submit("/account/data", "/account/data/delete")

    def disabled(self) -> None:
        with self.app.app_context():
            users.disable_user(ALICE)

    def operator(self) -> None:
        with self.app.app_context():
            assert users.sign_out_user(ALICE) == 2

    def too_many(self) -> None:
        self.at.shift(timedelta(minutes=6))
        assert self.owner.is_signed_in  # seen now; the other one was not
        self.rows.api_sessions(MOST_A_USER - 2)
        Browser(self.app).sign_in(ALICE)

    def idle(self) -> None:
        self.at.shift(self.settings.SESSION_IDLE + timedelta(seconds=1))

    def expired(self) -> None:
        step = self.settings.SESSION_IDLE * 0.9
        for _ in range(int(self.settings.SESSION_ABSOLUTE / step)):
            self.at.shift(step)
            assert self.other.is_signed_in
        self.at.shift(step)

    # What ends these for real is told with providers (test_provider_linking, test_provider_alerts).

    def identity_unlinked(self) -> None:
        self._end(EndReason.IDENTITY_UNLINKED)

    def provider_alert(self) -> None:
        self._end(EndReason.PROVIDER_ALERT)

    def _end(self, reason: EndReason) -> None:
        (other,) = [row for row in self.rows.live() if row.ip == "203.0.113.5"]
        with self.app.app_context(), transaction() as tx:
            end_login_sessions(tx, other.user_id, reason, LoginSession.id == other.id)


# Who pressed the button knows; and no browser's session ends for what happened to an app's token.
TOLD = [
    reason
    for reason in EndReason
    if reason not in (EndReason.SIGNED_OUT, EndReason.REPLACED, EndReason.REFRESH_REUSED, EndReason.CODE_REUSED)
]


@pytest.mark.asvs("7.4.3", "7.3.1", "7.3.2")
@pytest.mark.parametrize("reason", TOLD)
def test_the_next_visit_says_that_it_is_over_because_of(
    app: Flask, alice: str, rows: Rows, mailbox: Mailbox, at: time_machine.Traveller, reason: EndReason
) -> None:
    story = Story(app, rows, mailbox, at)
    getattr(story, reason)()
    other = story.other
    sent_away = other.get("/account")
    assert sent_away.status_code == 303
    assert sent_away.location.startswith("/login")
    assert other.cookie("session") is None
    assert says(other.get(sent_away.location), END_REASONS[reason])
    for page in (sent_away.location, "/", "/login"):
        assert not any(says(other.get(page), sentence) for sentence in END_REASONS.values()), page


def test_it_is_told_on_whatever_page_one_comes_in(alice: str, new_browser: NewBrowser) -> None:
    owner, other = new_browser(), new_browser()
    owner.sign_in(alice)
    other.sign_in(alice)
    owner.submit("/account/sessions", "/account/sessions/revoke-others")
    assert says(other.get("/"), END_REASONS["ended_by_user"])
    assert not says(other.get("/"), END_REASONS["ended_by_user"])


def test_who_signs_out_is_told_nothing_but_that(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    browser.sign_out()
    assert says(browser.get("/"), "You are signed out.")
    for page in ("/", "/login"):
        assert not any(says(browser.get(page), sentence) for sentence in END_REASONS.values())


def test_a_kept_sign_in_learns_of_its_end_weeks_later(
    app: Flask, alice: str, new_browser: NewBrowser, at: time_machine.Traveller
) -> None:
    owner, kept = new_browser(), new_browser()
    owner.sign_in(alice)
    kept.sign_in(alice, remember="y")
    owner.submit("/account/sessions", "/account/sessions/revoke-others")
    at.shift(timedelta(days=25))
    with app.app_context():
        housekeeping.purge()
    assert says(kept.get("/login"), END_REASONS["ended_by_user"])


def test_what_was_over_for_long_is_forgotten(
    app: Flask, alice: str, browser: Browser, rows: Rows, at: time_machine.Traveller
) -> None:
    browser.sign_in(alice, remember="y")
    at.shift(timedelta(days=33))
    with app.app_context():
        housekeeping.purge()
    assert rows.count(LoginSession) == 0
    assert browser.get("/login").status_code == 200


def test_every_reason_that_can_be_told_has_its_words() -> None:
    assert set(TOLD) <= set(END_REASONS)


def test_a_browser_signed_out_elsewhere_can_ask_for_a_new_password_at_once(app: Flask, alice: str) -> None:
    """The first form it is shown is a visitor's: its token is not lost with the session that was over."""
    browser, other = Browser(app), Browser(app)
    browser.sign_in(alice)
    other.sign_in(alice)
    other.submit("/account/sessions", "/account/sessions/revoke-others")
    assert browser.submit("/password/forgot", email=alice).status_code == 200
