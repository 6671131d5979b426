"""The address has an account, and the provider is not the one to decide whose it is: the page says so, its owner signs
in right there as before, and the two are linked. Nobody else gets anything from it.
"""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from stand_in.people import ELSEWHERE, GMAIL
from tests.conftest import NewBrowser
from tests.journeys.pages import words
from tests.journeys.provider_people import CONNECT, CONNECTIONS, next_page, registered, user_id_in
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import START, come_back, leave, sign_in_with
from tests.rows import Rows, on_sqlite
from webapp.models import Identity, LoginSession, OneTimeToken
from webapp.policy.one_time import Purpose
from webapp.services import users

EMAIL = ELSEWHERE.email


@pytest.fixture
def app(google: Flask) -> Flask:
    return google


@pytest.fixture
def owner(app: Flask) -> Browser:
    """The owner of the account, at the browser that made it."""
    return registered(app, EMAIL)


@pytest.fixture
def conflict(owner: Browser, provider: LyingProvider, browser: Browser) -> Browser:
    """Somebody who came with Google and is shown that there is an account."""
    assert sign_in_with(browser, provider, ELSEWHERE).headers["Location"] == CONNECT
    return browser


@pytest.mark.asvs("6.8.1")
def test_the_page_says_what_happened_and_the_password_links_right_there(
    owner: Browser, conflict: Browser, provider: LyingProvider, rows: Rows, mailbox: Mailbox
) -> None:
    page = conflict.get(CONNECT)
    assert page.status_code == 200
    assert EMAIL in words(page)
    assert 'autocomplete="current-password"' in page.text
    wrong = conflict.submit(CONNECT, password=NEW_PASSWORD)
    assert wrong.status_code == 422
    assert not conflict.is_signed_in
    assert rows.count(Identity) == 0
    done = conflict.submit(CONNECT, password=PASSWORD)
    assert done.headers["Location"] == CONNECTIONS
    assert EMAIL in words(next_page(conflict, done))
    assert user_id_in(conflict) == user_id_in(owner)
    assert "connected" in str(mailbox.newest(EMAIL)["Subject"])
    assert rows.events(EMAIL).count("identity_linked") == 1
    conflict.sign_out()
    assert sign_in_with(conflict, provider, ELSEWHERE).headers["Location"] == "/account"


def test_it_goes_on_to_the_page_that_was_wanted(
    app: Flask, owner: Browser, provider: LyingProvider, browser: Browser
) -> None:
    url = leave(browser, page="/login?next=/account/sessions")
    asked = come_back(browser, provider.approve(url, ELSEWHERE)).headers["Location"]
    assert asked == f"{CONNECT}?next=/account/sessions"
    assert browser.submit(asked, password=PASSWORD).headers["Location"] == "/account/sessions"


def test_an_offer_works_once_and_only_in_its_browser(
    conflict: Browser, new_browser: NewBrowser, owner: Browser, rows: Rows
) -> None:
    stranger = new_browser(ip="203.0.113.7")
    assert stranger.get(CONNECT).status_code == 410
    assert stranger.post(CONNECT, {"password": PASSWORD}).status_code in (400, 410)
    assert owner.get(CONNECT).status_code == 410
    handle = conflict.cookie("link-offer")
    for wrong in ("A" * 43, "", "x", f"{handle}x"):
        stranger.set_cookie("link-offer", wrong)
        assert stranger.get(CONNECT).status_code == 410, wrong
    assert conflict.submit(CONNECT, password=PASSWORD).status_code == 303
    assert conflict.cookie("link-offer") is None
    stranger.set_cookie("link-offer", str(handle))
    assert stranger.get(CONNECT).status_code == 410
    assert rows.count(Identity) == 1


def test_an_offer_of_one_provider_is_none_of_another(conflict: Browser) -> None:
    assert conflict.get("/login/acme/connect").status_code in (404, 410)
    assert conflict.get(CONNECT).status_code == 200


@on_sqlite
def test_an_offer_dies_after_ten_minutes(conflict: Browser, at: time_machine.Traveller, rows: Rows) -> None:
    at.shift(timedelta(minutes=9, seconds=50))
    assert conflict.get(CONNECT).status_code == 200
    at.shift(timedelta(seconds=10))
    assert conflict.get(CONNECT).status_code == 410
    assert rows.count(Identity) == 0


@pytest.mark.parametrize("ending", ["password", "reset", "address", "not me", "deletion", "disabled"])
def test_an_offer_dies_with_whatever_changes_who_gets_in(
    app: Flask, owner: Browser, conflict: Browser, mailbox: Mailbox, rows: Rows, ending: str
) -> None:
    if ending == "password":
        owner.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    elif ending == "reset":
        owner.submit("/password/forgot", email=EMAIL)
        owner.submit(mailbox.link(EMAIL, "/password/reset/"), password=NEW_PASSWORD)
    elif ending == "address":
        owner.submit("/account/email", email="secret@example.net")
        owner.submit(mailbox.link("secret@example.net", "/email/confirm/"))
    elif ending == "not me":
        owner.submit("/account/activity", "/account/activity/not-me")
    elif ending == "deletion":
        owner.submit("/account/data", "/account/data/delete")
    else:
        with app.app_context():
            users.disable_user(EMAIL)
    answer = conflict.get(CONNECT)
    assert answer.status_code == 410
    assert "secret" not in answer.text
    assert rows.count(Identity) == 0


def test_a_stranger_with_an_offer_guesses_no_more_than_at_the_sign_in(conflict: Browser, rows: Rows) -> None:
    answers = [conflict.submit(CONNECT, password=f"{NEW_PASSWORD} {number}").status_code for number in range(11)]
    assert answers == [422] * 10 + [429]
    assert rows.count(Identity) == 0


def test_a_blocked_password_links_nothing(conflict: Browser, owner: Browser, rows: Rows) -> None:
    rows.set(type(rows.user(EMAIL)), {"email_key": EMAIL}, password_blocked_at=rows.user(EMAIL).created_at)
    assert conflict.submit(CONNECT, password=PASSWORD).status_code == 422
    assert not conflict.is_signed_in
    assert rows.count(Identity) == 0


def test_an_account_that_waits_for_deletion_is_kept_first_and_linked_then(
    owner: Browser, provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    owner.submit("/account/data", "/account/data/delete")
    sign_in_with(browser, provider, ELSEWHERE)
    stopped = browser.submit(CONNECT, password=PASSWORD)
    assert stopped.headers["Location"] == "/login/keep"
    assert rows.count(Identity) == 0
    kept = browser.submit("/login/keep")
    assert kept.headers["Location"].startswith(CONNECT)
    asked = next_page(browser, kept)
    assert asked.status_code == 200
    assert rows.count(Identity) == 0
    assert browser.submit(kept.headers["Location"]).status_code == 303
    assert rows.count(Identity) == 1
    assert rows.user(EMAIL).deletion_due_at is None


def test_whoever_is_signed_in_to_that_account_by_now_links_by_one_press(
    owner: Browser, conflict: Browser, rows: Rows
) -> None:
    conflict.sign_in(EMAIL)
    page = conflict.get(CONNECT)
    assert 'type="password"' not in page.text
    assert rows.count(Identity) == 0  # looking at it links nothing
    assert conflict.submit(CONNECT).headers["Location"] == CONNECTIONS
    assert rows.count(Identity) == 1


@on_sqlite
@pytest.mark.asvs("7.5.1")
def test_that_press_asks_for_a_fresh_sign_in(
    owner: Browser, provider: LyingProvider, at: time_machine.Traveller, rows: Rows
) -> None:
    tab = Browser(owner.app)
    url = leave(tab)
    at.shift(timedelta(minutes=9, seconds=50))
    owner.set_cookie("handshake", str(tab.cookie("handshake")))
    assert come_back(owner, provider.approve(url, ELSEWHERE)).headers["Location"] == CONNECT
    at.shift(timedelta(seconds=30))
    asked = owner.submit(CONNECT)
    assert asked.headers["Location"].startswith("/reauthenticate?next=")
    assert rows.count(Identity) == 0
    back = owner.submit(asked.headers["Location"], password=PASSWORD)
    assert back.headers["Location"] == CONNECT
    assert owner.submit(CONNECT).status_code == 303
    assert rows.count(Identity) == 1


def test_whoever_is_signed_in_as_somebody_else_signs_in_to_that_account_first(
    app: Flask, owner: Browser, provider: LyingProvider, rows: Rows
) -> None:
    bob, tab = registered(app, "bob@example.com", NEW_PASSWORD, "Bob"), Browser(app)
    bobs_id, url = user_id_in(bob), leave(tab)
    bob.set_cookie("handshake", str(tab.cookie("handshake")))
    assert come_back(bob, provider.approve(url, ELSEWHERE)).headers["Location"] == CONNECT
    assert user_id_in(bob) == bobs_id
    assert bob.submit(CONNECT, password=NEW_PASSWORD).status_code == 422  # Bob's own
    assert rows.count(Identity) == 0
    assert bob.submit(CONNECT, password=PASSWORD).status_code == 303
    assert user_id_in(bob) == user_id_in(owner) != bobs_id
    assert rows.live("bob@example.com") == []
    assert [identity.user_id for identity in rows.all(Identity)] == [rows.user(EMAIL).id]


def test_an_account_without_a_password_is_shown_the_ways_it_has(
    owner: Browser, conflict: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    rows.set(type(rows.user(EMAIL)), {"email_key": EMAIL}, password_hash=None, password_changed_at=None)
    page = conflict.get(CONNECT)
    assert 'type="password"' not in page.text
    assert "/password/forgot" in page.text
    assert conflict.submit(CONNECT, "/password/forgot").status_code == 200
    conflict.submit(mailbox.link(EMAIL, "/password/reset/"), password=NEW_PASSWORD)
    assert conflict.get(CONNECT).status_code == 410
    sign_in_again = conflict.submit("/login", START)
    assert sign_in_again.status_code == 303
    assert conflict.sign_in(EMAIL, NEW_PASSWORD).status_code == 303


def test_where_linking_fails_nobody_is_signed_in(
    app: Flask, owner: Browser, conflict: Browser, provider: LyingProvider, rows: Rows
) -> None:
    """The identity was linked to another account while the page was open."""
    bob = registered(app, "bob@example.com", name="Bob")
    live = len(rows.live(EMAIL))
    rows.add(
        Identity(
            user_id=rows.user("bob@example.com").id,
            provider="google",
            issuer=provider.issuer,
            subject=ELSEWHERE.sub,
            created_at=rows.user(EMAIL).created_at,
        )
    )
    refused = conflict.submit(CONNECT, password=PASSWORD)
    assert refused.status_code in (409, 422)
    assert "bob" not in words(refused).lower()
    assert not conflict.is_signed_in
    assert len(rows.live(EMAIL)) == live
    assert bob.is_signed_in
    assert rows.count(LoginSession, end_reason="replaced") == 1


def test_one_offer_does_not_end_another(conflict: Browser, provider: LyingProvider, new_browser: NewBrowser) -> None:
    """A stranger with the same address at another time must not be able to close the page that the owner looks at."""
    stranger = new_browser(ip="203.0.113.7")
    assert sign_in_with(stranger, provider, ELSEWHERE).headers["Location"] == CONNECT
    assert conflict.submit(CONNECT, password=PASSWORD).status_code == 303
    assert stranger.submit(CONNECT, password=PASSWORD).status_code == 303  # linked already, and said so


def test_what_waits_is_sealed_and_names_nobody(conflict: Browser, rows: Rows) -> None:
    (offer,) = rows.all(OneTimeToken, purpose=Purpose.LINK_IDENTITY)
    held = str(offer.data)
    for secret in (ELSEWHERE.sub, EMAIL, ELSEWHERE.name, str(conflict.cookie("link-offer"))):
        assert secret not in held
    assert GMAIL.sub not in held
