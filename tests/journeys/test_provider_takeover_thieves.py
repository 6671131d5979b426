"""A thief gets into an account and connects a Google account of their own, so as to come back. The owner's answers,
"this was not me" and undoing a change of address, take it away: the thief's Google account opens the account no more.
"""

import pytest
from flask import Flask

from stand_in.people import ELSEWHERE, GMAIL, Person, somebody_else
from tests.conftest import NewBrowser
from tests.journeys.pages import says, words
from tests.journeys.provider_people import CONNECT, link, next_page, registered, user_id_in
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, leave, sign_in_with
from tests.rows import Rows
from webapp.models import Identity, User

THIEF = somebody_else("thief@gmail.com", "Thief")


@pytest.fixture
def app(google: Flask) -> Flask:
    return google


@pytest.fixture(params=[ELSEWHERE, GMAIL], ids=["address elsewhere", "Google's own"])
def person(request: pytest.FixtureRequest) -> Person:
    """The owner, as Google knows them."""
    found: Person = request.param
    return found


@pytest.fixture
def owner(app: Flask, person: Person) -> Browser:
    """The owner of an account that has a password and no identity yet."""
    return registered(app, person.email)


@pytest.fixture
def thief(owner: Browser, person: Person, new_browser: NewBrowser, provider: LyingProvider) -> Browser:
    """Knows the password, is signed in, and has connected a Google account."""
    browser = new_browser(ip="203.0.113.66")
    browser.sign_in(person.email)
    assert link(browser, provider, THIEF).status_code == 303
    return browser


def not_me(owner: Browser) -> None:
    assert owner.submit("/account/activity", "/account/activity/not-me").status_code == 200


def comes_back_to_nothing(thief: Browser, provider: LyingProvider, victim: Person) -> bool:
    """The thief's Google account is now a stranger's: it gets an account of its own."""
    assert not thief.is_signed_in
    page = next_page(thief, sign_in_with(thief, provider, THIEF))
    assert says(page, "Your account is ready")
    assert victim.email not in words(thief.get("/account"))
    return victim.email not in words(page)


@pytest.mark.asvs("7.4.3")
def test_this_was_not_me_takes_a_planted_identity_away(
    owner: Browser, thief: Browser, provider: LyingProvider, person: Person, rows: Rows
) -> None:
    in_progress = provider.approve(begin_linking_again(thief), THIEF)
    late = Browser(owner.app, ip="203.0.113.66")
    on_the_way_in = provider.approve(leave(late), THIEF)
    not_me(owner)
    assert rows.count(Identity, user_id=rows.user(person.email).id) == 0
    assert come_back(thief, in_progress).status_code == 400
    assert rows.count(Identity) == 0
    assert come_back(late, on_the_way_in).headers["Location"] == "/account/welcome"
    assert user_id_in(late) != str(rows.user(person.email).id)
    rows.delete(User, email_key=THIEF.email)
    assert comes_back_to_nothing(thief, provider, person)
    assert thief.submit("/account", "/logout").status_code == 303
    assert thief.sign_in(person.email).status_code == 422


def begin_linking_again(thief: Browser) -> str:
    """In a tab that was open before the identity was connected."""
    page = thief.get("/account/connections")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    return thief.post("/account/connections/google/link", {"csrf_token": token}).headers["Location"]


def test_after_it_the_owner_comes_in_by_google_only_where_google_decides(
    owner: Browser, thief: Browser, provider: LyingProvider, person: Person, browser: Browser, mailbox: Mailbox
) -> None:
    """The password stays blocked until a mailed link sets a new one, whoever comes."""
    before = user_id_in(owner)
    not_me(owner)
    answer = sign_in_with(browser, provider, person)
    if person is GMAIL:
        assert answer.headers["Location"] == "/account"
        assert user_id_in(browser) == before
    else:
        assert answer.headers["Location"] == CONNECT
        assert browser.submit(CONNECT, password=PASSWORD).status_code == 422
        assert not browser.is_signed_in
    other = Browser(owner.app)
    assert other.sign_in(person.email).status_code == 422
    other.submit(mailbox.link(person.email, "/password/reset/"), password=NEW_PASSWORD)
    assert other.sign_in(person.email, NEW_PASSWORD).status_code == 303
    assert user_id_in(other) == before


@pytest.mark.parametrize("first", ["the address", "the identity"])
def test_undoing_a_change_of_address_takes_a_planted_identity_away(
    owner: Browser,
    new_browser: NewBrowser,
    provider: LyingProvider,
    person: Person,
    rows: Rows,
    mailbox: Mailbox,
    first: str,
) -> None:
    thief = new_browser(ip="203.0.113.66")
    thief.sign_in(person.email)
    before = user_id_in(thief)
    steps = [lambda: move(thief, mailbox), lambda: link(thief, provider, THIEF)]
    for step in steps if first == "the address" else reversed(steps):
        step()
    assert user_id_in(thief) == before
    undone = new_browser().submit(mailbox.link(person.email, "/email/undo/"))
    assert undone.status_code in (200, 303)
    assert rows.count(Identity) == 0
    assert str(rows.user(person.email).id) == before
    assert comes_back_to_nothing(thief, provider, person)
    assert rows.count(User) == 2


def move(thief: Browser, mailbox: Mailbox) -> None:
    """To an address that the thief has, the one Google knows them by."""
    thief.submit("/account/email", email=THIEF.email)
    assert thief.submit(mailbox.link(THIEF.email, "/email/confirm/")).status_code == 303


def test_an_account_that_a_thief_gave_the_owners_address_is_not_opened_to_the_owner_unasked(
    app: Flask, provider: LyingProvider, new_browser: NewBrowser, browser: Browser, rows: Rows
) -> None:
    """Mallory once had Alice's mailbox, and so a confirmed account with her address, opened by Mallory's identity."""
    mallory = registered(app, ELSEWHERE.email, name="Mallory")
    link(mallory, provider, THIEF)
    refused = sign_in_with(browser, provider, ELSEWHERE)
    assert refused.status_code == 409  # tied to another identity of this provider: not hers to enter by it
    assert not browser.is_signed_in
    assert [identity.subject for identity in rows.all(Identity)] == [THIEF.sub]


def test_whoever_resets_the_password_by_mail_ends_the_thiefs_sessions_by_google_too(
    owner: Browser, thief: Browser, provider: LyingProvider, person: Person, new_browser: NewBrowser, mailbox: Mailbox
) -> None:
    by_google = new_browser(ip="203.0.113.66")
    sign_in_with(by_google, provider, THIEF)
    assert by_google.is_signed_in
    fresh = new_browser()
    fresh.submit("/password/forgot", email=person.email)
    fresh.submit(mailbox.link(person.email, "/password/reset/"), password=NEW_PASSWORD)
    assert not by_google.is_signed_in
    assert not thief.is_signed_in
