"""The id in the cookie: new at every change of privilege, worth nothing before a sign-in and after its end."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from tests.conftest import NewBrowser
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of
from tests.rows import Rows
from webapp.http.cookie_sessions import CookieSessions
from webapp.models import LoginSession
from webapp.policy.login_sessions import EndReason


def copy_of(browser: Browser, new_browser: NewBrowser) -> Browser:
    """A thief's browser with the same session cookie."""
    thief = new_browser(ip="203.0.113.66")
    thief.set_cookie("session", str(browser.cookie("session")))
    return thief


def is_stored(app: Flask, sid: str) -> bool:
    """Whether the store has a bag under this id."""
    interface = app.session_interface
    assert isinstance(interface, CookieSessions)
    return interface.store.get(interface._get_store_id(sid)) is not None


@pytest.mark.asvs("7.2.2", "7.2.4")
def test_the_id_is_new_at_every_change_of_privilege_and_the_old_one_dead(
    app: Flask, alice: str, browser: Browser, new_browser: NewBrowser
) -> None:
    ids = []

    def note() -> None:
        sid = browser.cookie("session")
        assert sid is not None
        assert sid not in ids
        for old in ids:
            assert not is_stored(app, old)
        ids.append(sid)

    browser.sign_in(alice)
    note()
    before = copy_of(browser, new_browser)
    browser.submit("/reauthenticate", password=PASSWORD)
    note()
    browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    note()
    assert browser.is_signed_in
    assert not before.is_signed_in
    browser.sign_out()
    assert browser.cookie("session") is None
    browser.sign_in(alice, NEW_PASSWORD)
    note()


@pytest.mark.asvs("7.2.4")
def test_an_id_that_somebody_planted_is_worth_nothing_after_the_sign_in(
    alice: str, new_user: Callable[..., str], new_browser: NewBrowser
) -> None:
    planted = "A" * 43
    victim, thief = new_browser(), new_browser()
    for browser in (victim, thief):
        browser.set_cookie("session", planted)
    victim.sign_in(alice)
    assert victim.is_signed_in
    assert victim.cookie("session") != planted
    assert not thief.is_signed_in


@pytest.mark.asvs("7.4.1")
def test_signing_out_ends_the_row_the_cookie_and_the_entry_in_the_store(
    app: Flask, alice: str, browser: Browser, new_browser: NewBrowser, rows: Rows
) -> None:
    browser.sign_in(alice)
    sid = str(browser.cookie("session"))
    thief = copy_of(browser, new_browser)
    assert thief.is_signed_in
    answer = browser.sign_out()
    assert answer.headers["Clear-Site-Data"] == '"cache"'
    assert browser.cookie("session") is None
    assert not is_stored(app, sid)
    assert rows.live() == []
    assert {row.end_reason for row in rows.all(LoginSession)} == {EndReason.SIGNED_OUT}
    assert not thief.is_signed_in


@pytest.mark.asvs("3.5.3")
def test_signing_out_takes_a_form_and_not_a_link(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    assert browser.get("/logout").status_code == 405
    assert browser.post("/logout").status_code == 400, "without the token of a form"
    assert browser.is_signed_in


def _reset(owner: Browser, mailbox: Mailbox) -> None:
    owner.submit("/password/forgot", email="alice@example.com")
    owner.submit(mailbox.link("alice@example.com", "/password/reset/"), password=NEW_PASSWORD)


def _undo_address(owner: Browser, mailbox: Mailbox) -> None:
    owner.submit("/account/email", email="elsewhere@example.com")
    owner.submit(mailbox.link("elsewhere@example.com", "/email/confirm/"))
    owner.submit(mailbox.link("alice@example.com", "/email/undo/"))


ENDINGS: dict[str, Callable[[Browser, Mailbox], object]] = {
    "sign out everywhere else": lambda o, _: o.submit("/account/sessions", "/account/sessions/revoke-others"),
    "change of the password": lambda o, _: o.submit(
        "/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD
    ),
    "reset of the password": _reset,
    "this was not me": lambda o, _: o.submit("/account/activity", "/account/activity/not-me"),
    "address taken back": _undo_address,
    "deletion": lambda o, _: o.submit("/account/data", "/account/data/delete"),
}


@pytest.mark.asvs("7.4.1", "7.4.3")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_copied_cookie_is_dead_at_once_after(
    alice: str, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows, ending: str
) -> None:
    owner, elsewhere = new_browser(), new_browser()
    owner.sign_in(alice)
    elsewhere.sign_in(alice)
    thief = copy_of(elsewhere, new_browser)
    phone = rows.api_session()
    assert thief.is_signed_in
    ENDINGS[ending](owner, mailbox)
    assert not thief.is_signed_in
    assert not elsewhere.is_signed_in
    (phone_now,) = rows.all(LoginSession, id=phone.id)
    assert phone_now.ended_at is not None, "an app's session ends the same way"


def test_signing_in_as_somebody_else_by_a_mailed_link_ends_what_was_before(
    alice: str, browser: Browser, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    new_browser().submit("/register", email="bob@example.com", password=PASSWORD, name="Bob")
    browser.sign_in(alice)
    thief = copy_of(browser, new_browser)
    browser.submit(mailbox.link("bob@example.com", "/verify-email/"))
    assert "bob@example.com" in browser.get("/account/email").text
    assert rows.live(alice) == []
    assert not thief.is_signed_in


def test_a_link_for_one_account_signs_out_a_browser_that_another_is_using(
    alice: str, new_user: Callable[..., str], browser: Browser, mailbox: Mailbox, rows: Rows
) -> None:
    bob = new_user("bob@example.com", name="Bob")
    browser.sign_in(alice)
    browser.submit("/password/forgot", email=bob)
    browser.submit(mailbox.link(bob, "/password/reset/"), password=NEW_PASSWORD)
    assert not browser.is_signed_in
    assert rows.live(alice) == []


@pytest.mark.asvs("7.3.2")
def test_a_kept_sign_in_has_a_cookie_for_thirty_days_and_any_other_ends_with_the_browser(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    settings = runtime_of(app).settings
    kept, ordinary = new_browser(), new_browser()
    kept.sign_in(alice, remember="y")
    ordinary.sign_in(alice)
    by_length = sorted(rows.live(), key=lambda row: row.expires_at)
    assert [row.persistent for row in by_length] == [False, True]
    assert [row.idle_limit for row in by_length] == [3600, 14 * 24 * 3600]
    assert by_length[1].expires_at - by_length[1].created_at == settings.REMEMBER_ABSOLUTE == timedelta(days=30)
    cookie = kept.client.get_cookie("session", domain="127.0.0.1")
    assert cookie is not None
    assert cookie.expires is not None
    days = (cookie.expires - datetime.now(UTC)) / timedelta(days=1)
    assert 30 <= days <= 31, "and a day more, to be told why it is over"
    session_cookie = ordinary.client.get_cookie("session", domain="127.0.0.1")
    assert session_cookie is not None
    assert session_cookie.expires is None


def test_who_is_signed_in_already_is_sent_on(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    for page in ("/login", "/register", "/"):
        answer = browser.get(page)
        assert (answer.status_code, answer.location) == (302, "/account"), page
    assert browser.get("/login?next=/account/sessions").location == "/account/sessions"


def test_one_gets_to_where_one_wanted(alice: str, browser: Browser) -> None:
    asked = browser.get("/account/activity?before=x")
    assert asked.status_code == 303
    page = browser.get(asked.location)
    assert page.status_code == 200
    signed_in = browser.submit(asked.location, email=alice, password=PASSWORD)
    assert signed_in.location == "/account/activity?before=x"
