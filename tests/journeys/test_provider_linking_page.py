"""Connecting and disconnecting on /account/connections: only by whoever is signed in and has just proven it, and never
so that nobody could sign in any more.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from stand_in.people import COMPANY, ELSEWHERE, GMAIL
from tests.apps import App
from tests.conftest import NewBrowser
from tests.journeys.pages import words
from tests.journeys.provider_people import (
    CONNECTIONS,
    begin_linking,
    link,
    next_page,
    registered,
    unlink,
    user_id_in,
)
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, text_of
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, sign_in_with
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import Identity, OneTimeToken, User
from webapp.policy.one_time import Purpose
from webapp.services.one_time import issue_token
from webapp.services.transaction import transaction

ALICE = "alice@example.com"


@pytest.fixture
def app(google: Flask) -> Flask:
    return google


@pytest.fixture
def owner(app: Flask) -> Browser:
    """The owner of an account with a password, signed in."""
    return registered(app, ALICE)


def test_any_identity_can_be_connected_whatever_its_address(
    owner: Browser, provider: LyingProvider, browser: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    in_another_tab = begin_linking(owner)
    done = link(owner, provider, GMAIL)
    assert done.headers["Location"] == CONNECTIONS
    page = words(next_page(owner, done))
    assert GMAIL.email in page
    mail = mailbox.newest(ALICE)
    assert "Google" in str(mail["Subject"])
    assert GMAIL.email not in text_of(mail)  # enough of it to know it again
    assert "g…@gmail.com" in text_of(mail)
    assert rows.events(ALICE)[-1] == "identity_linked"
    assert rows.user(ALICE).email == ALICE
    assert sign_in_with(browser, provider, GMAIL).headers["Location"] == "/account"
    assert user_id_in(browser) == user_id_in(owner)
    again = come_back(owner, provider.approve(in_another_tab, GMAIL))
    assert again.headers["Location"] == CONNECTIONS
    assert rows.events(ALICE).count("identity_linked") == 1


def test_disconnecting_closes_the_way_and_ends_what_was_begun_by_it_elsewhere(
    owner: Browser, provider: LyingProvider, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    link(owner, provider)
    by_google, by_password = new_browser(ip="203.0.113.5"), new_browser(ip="203.0.113.6")
    sign_in_with(by_google, provider)
    by_password.sign_in(ALICE)
    phone = App(owner.app)
    phone.sign_in(ALICE)
    assert unlink(owner).headers["Location"] == CONNECTIONS
    assert not by_google.is_signed_in
    assert "disconnected" in words(by_google.get("/login"))
    assert owner.is_signed_in
    assert by_password.is_signed_in
    assert phone.is_signed_in
    assert "Google" in str(mailbox.newest(ALICE)["Subject"])
    assert rows.events(ALICE)[-1] == "identity_unlinked"
    assert rows.count(Identity) == 0
    page = next_page(by_google, sign_in_with(by_google, provider))
    assert user_id_in(by_google) != user_id_in(owner)  # a stranger now, with an account of their own
    assert ALICE not in page.text


def test_the_session_that_disconnects_goes_on_even_if_it_was_begun_so(
    owner: Browser, provider: LyingProvider, browser: Browser
) -> None:
    link(owner, provider)
    sign_in_with(browser, provider)
    assert unlink(browser).status_code == 303
    assert browser.is_signed_in


def test_the_last_way_in_is_not_taken_away_and_the_page_says_what_to_do(
    provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    sign_in_with(browser, provider)
    refused = unlink(browser)
    assert refused.status_code == 422
    assert "password" in words(refused)
    assert "/account/password" in refused.text
    assert rows.count(Identity) == 1
    assert browser.submit("/account/password", new_password=NEW_PASSWORD).status_code == 303
    assert unlink(browser).status_code == 303
    assert rows.count(Identity) == 0
    browser.sign_out()
    assert browser.sign_in(GMAIL.email, NEW_PASSWORD).status_code == 303


def test_a_password_that_is_blocked_is_no_way_in(owner: Browser, provider: LyingProvider, rows: Rows) -> None:
    link(owner, provider)
    rows.set(User, {"email_key": ALICE}, password_blocked_at=clock.now())
    assert unlink(owner).status_code == 422
    assert rows.count(Identity) == 1


def test_the_first_password_ends_every_other_session_and_is_told(
    provider: LyingProvider, browser: Browser, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    sign_in_with(browser, provider)
    other = new_browser(ip="203.0.113.5")
    sign_in_with(other, provider)
    assert "current_password" not in browser.get("/account/password").text
    assert browser.submit("/account/password", new_password=NEW_PASSWORD).status_code == 303
    assert browser.is_signed_in
    assert not other.is_signed_in
    assert "password_changed" in rows.events(GMAIL.email)
    assert any("password" in str(mail["Subject"]).lower() for mail in mailbox.mails(GMAIL.email))
    assert "current_password" in browser.get("/account/password").text


@on_sqlite
@pytest.mark.asvs("7.5.1")
@pytest.mark.parametrize("press", [begin_linking, unlink], ids=["connect", "disconnect"])
def test_connecting_and_disconnecting_ask_for_a_fresh_sign_in(
    owner: Browser, provider: LyingProvider, at: time_machine.Traveller, rows: Rows, press: Callable[[Browser], object]
) -> None:
    if press is unlink:
        link(owner, provider)
    before, asked = rows.count(Identity), len(provider.asked("authorize"))
    at.shift(timedelta(minutes=10))
    verb = "unlink" if press is unlink else "link"
    answer = owner.submit(CONNECTIONS, f"{CONNECTIONS}/google/{verb}")
    assert answer.headers["Location"] == f"/reauthenticate?next={CONNECTIONS}"
    assert (rows.count(Identity), len(provider.asked("authorize"))) == (before, asked)
    back = owner.submit(answer.headers["Location"], password=PASSWORD)
    assert back.headers["Location"] == CONNECTIONS
    press(owner)


def test_an_identity_of_another_account_is_refused_and_nothing_is_told_of_that_account(
    owner: Browser, provider: LyingProvider, browser: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    other = registered(owner.app, "bob@example.com", name="Bob Builder")
    link(other, provider, GMAIL)
    mails = len(mailbox.mails())
    refused = link(owner, provider, GMAIL)
    assert refused.status_code == 409
    assert not [word for word in ("bob", "Bob", "Builder") if word in words(refused)]
    assert str(rows.user("bob@example.com").id) not in refused.text
    assert CONNECTIONS in refused.text
    assert [identity.user_id for identity in rows.all(Identity)] == [rows.user("bob@example.com").id]
    assert len(mailbox.mails()) == mails
    assert "identity_linked" not in rows.events(ALICE)
    assert other.is_signed_in
    assert owner.is_signed_in


def test_a_second_identity_of_one_provider_is_refused(owner: Browser, provider: LyingProvider, rows: Rows) -> None:
    in_another_tab = begin_linking(owner)
    link(owner, provider, GMAIL)
    refused = come_back(owner, provider.approve(in_another_tab, COMPANY))
    assert refused.status_code == 409
    assert [identity.subject for identity in rows.all(Identity)] == [GMAIL.sub]
    assert CONNECTIONS in refused.text


@pytest.mark.asvs("10.1.2")
@pytest.mark.parametrize("meanwhile", ["signed out", "signed in anew", "somebody else"])
def test_what_one_session_began_no_other_ends(
    owner: Browser, provider: LyingProvider, rows: Rows, meanwhile: str
) -> None:
    registered(owner.app, "bob@example.com", name="Bob").sign_out()
    callback = provider.approve(begin_linking(owner), GMAIL)
    owner.sign_out()
    if meanwhile == "signed in anew":
        owner.sign_in(ALICE)
    elif meanwhile == "somebody else":
        owner.sign_in("bob@example.com")
    refused = come_back(owner, callback)
    assert refused.status_code == 400
    assert "code=" not in str(refused.headers.get("Location"))
    assert "state=" not in refused.text
    assert CONNECTIONS in refused.text
    assert rows.count(Identity) == 0


def test_a_session_that_ended_at_the_provider_is_told_so_without_the_answer_in_an_address(
    owner: Browser, provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    """Ended from elsewhere, with the cookie still there: the code and the state must not go on into another URL."""
    callback = provider.approve(begin_linking(owner), GMAIL)
    browser.sign_in(ALICE)
    browser.submit("/account/sessions", "/account/sessions/revoke-others")
    refused = come_back(owner, callback)
    assert refused.status_code == 400
    assert "Location" not in refused.headers
    assert callback.split("code=")[1].split("&")[0] not in refused.text
    assert rows.count(Identity) == 0


@pytest.mark.asvs("3.5.1")
def test_no_other_site_can_have_anything_connected_or_disconnected(
    owner: Browser, provider: LyingProvider, rows: Rows
) -> None:
    link(owner, provider)
    for verb in ("link", "unlink"):
        path = f"{CONNECTIONS}/google/{verb}"
        assert owner.get(path).status_code == 405
        assert owner.post(path).status_code == 400
        assert owner.post(path, headers={"Origin": "https://evil.example"}).status_code == 403
    assert rows.count(Identity) == 1


def test_disconnecting_ends_sign_ins_that_are_under_way(
    app: Flask, owner: Browser, provider: LyingProvider, new_browser: NewBrowser, rows: Rows
) -> None:
    """A thief with the Google account stopped before the step that keeps an account, or holds a code for an app."""
    link(owner, provider)
    thief = new_browser(ip="203.0.113.66")
    rows.set(User, {"email_key": ALICE}, deletion_due_at=clock.now() + timedelta(days=7))
    assert sign_in_with(thief, provider).headers["Location"] == "/login/keep"
    rows.set(User, {"email_key": ALICE}, deletion_due_at=None)
    with app.app_context(), transaction() as tx:
        issue_token(tx, rows.user(ALICE).id, Purpose.APP_CODE, data={})
    unlink(owner)
    assert thief.get("/login/keep").headers["Location"] == "/login"
    assert not thief.is_signed_in
    assert rows.count(OneTimeToken, purpose=Purpose.APP_CODE, ended_at=None) == 0


def test_what_is_not_connected_cannot_be_disconnected(owner: Browser, provider: LyingProvider) -> None:
    link(owner, provider)
    page = owner.get(CONNECTIONS)
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    for name in ("acme", "nobody", "google2"):
        assert owner.post(f"{CONNECTIONS}/{name}/unlink", {"csrf_token": token}).status_code == 404
        assert owner.post(f"{CONNECTIONS}/{name}/link", {"csrf_token": token}).status_code == 404
    other = registered(owner.app, "bob@example.com", name="Bob")
    assert "/google/unlink" not in other.get(CONNECTIONS).text
    assert ELSEWHERE.email not in page.text
