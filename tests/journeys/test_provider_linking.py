"""Google comes with an address that has an account here, or with another address than last time: what is linked by
itself, and what an address never decides.
"""

import re
from dataclasses import replace

import pytest
from flask import Flask

from stand_in.people import COMPANY, ELSEWHERE, GMAIL, Person, somebody_else
from tests.conftest import NewBrowser
from tests.journeys.pages import says, words
from tests.journeys.provider_people import CONNECT, CONNECTIONS, link, next_page, registered, user_id_in
from tests.people import PASSWORD, Browser, Mailbox, text_of
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import sign_in_with
from tests.rows import Rows
from webapp.models import Identity, User


@pytest.fixture
def app(google: Flask) -> Flask:
    return google


@pytest.mark.parametrize("person", [GMAIL, COMPANY, replace(GMAIL, email="Gwen_Mailer@GMAIL.com")], ids=str)
def test_where_google_decides_whose_address_it_is_the_account_is_linked_with_a_mail(
    app: Flask, provider: LyingProvider, browser: Browser, rows: Rows, mailbox: Mailbox, person: Person
) -> None:
    owner = registered(app, person.email.lower())
    before = user_id_in(owner)
    page = next_page(browser, sign_in_with(browser, provider, person))
    assert says(page, "Google is now connected to your account.")
    assert user_id_in(browser) == before
    (mail,) = [mail for mail in mailbox.mails(person.email.lower()) if "connected" in str(mail["Subject"])]
    assert "This was not me" in text_of(mail)
    assert "identity_linked" in rows.events(person.email)
    assert says(owner.get("/account/activity"), "Google")
    assert owner.is_signed_in
    owner.sign_out()
    assert owner.sign_in(person.email, PASSWORD).status_code == 303  # the old way in stays


@pytest.mark.asvs("6.8.1")
@pytest.mark.parametrize(
    "email",
    [
        "gwen@example.com",
        "gwen@notgmail.com",
        "gwen@gmail.com.evil.example",
        "gwen@mail.gmail.com",
        "gwen@xn--gmal-nza.com",
    ],
)
def test_where_google_only_vouches_for_an_address_it_asks(
    app: Flask, provider: LyingProvider, browser: Browser, rows: Rows, email: str
) -> None:
    registered(app, email)
    assert sign_in_with(browser, provider, somebody_else(email)).headers["Location"] == CONNECT
    assert not browser.is_signed_in
    assert rows.count(Identity) == 0


@pytest.mark.asvs("6.8.1")
@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("fish@example.org", "\ufb01sh@example.org"),  # a ligature: the same under NFKC
        ("strasse@example.org", "straße@example.org"),  # the same under case folding
        ("alice@example.org", "\uff41lice@example.org"),  # full width
        ("kim@example.org", "\u212aim@example.org"),  # the Kelvin sign is K by canonical equivalence
    ],
)
def test_an_address_that_only_looks_the_same_is_never_linked_by_itself(
    app: Flask, provider: LyingProvider, browser: Browser, rows: Rows, here: str, there: str
) -> None:
    registered(app, here)
    stranger = replace(COMPANY, sub="7", email=there)
    same_mailbox = there == "\u212aim@example.org"  # normalised, it is the very same
    answer = sign_in_with(browser, provider, stranger)
    assert (rows.count(Identity) == 1) is same_mailbox
    assert answer.headers["Location"] == ("/account" if same_mailbox else CONNECT)
    assert rows.count(User) == 1


@pytest.mark.asvs("10.5.2", "6.8.1")
def test_the_same_address_with_another_sub_never_reaches_the_account(
    provider: LyingProvider, browser: Browser, new_browser: NewBrowser, rows: Rows
) -> None:
    """Wim has left, and the company gave his address to somebody who is new there."""
    sign_in_with(browser, provider, COMPANY)
    successor = new_browser()
    refused = sign_in_with(successor, provider, replace(COMPANY, sub="99", name="Wanda"))
    assert refused.status_code == 409
    assert not successor.is_signed_in
    assert successor.cookie("link-offer") is None
    assert "Wim" not in words(refused)
    assert "/login" in refused.text
    assert [identity.subject for identity in rows.all(Identity)] == [COMPANY.sub]
    assert browser.is_signed_in


@pytest.mark.asvs("10.5.2")
def test_nor_does_it_where_the_account_has_a_password_too(
    app: Flask, provider: LyingProvider, new_browser: NewBrowser, rows: Rows
) -> None:
    owner = registered(app, COMPANY.email)
    link(owner, provider, COMPANY)
    successor = new_browser()
    assert sign_in_with(successor, provider, replace(COMPANY, sub="99")).status_code == 409
    assert successor.get(CONNECT).status_code == 410
    assert rows.count(Identity) == 1


@pytest.mark.asvs("10.5.2")
def test_a_new_address_at_google_is_the_same_user_and_changes_nothing_here(
    provider: LyingProvider, browser: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    sign_in_with(browser, provider)
    before = user_id_in(browser)
    browser.sign_out()
    moved = replace(GMAIL, email="gwen.elsewhere@gmail.com")
    page = next_page(browser, sign_in_with(browser, provider, moved))
    assert says(page, "Your address at Google has changed. Here it stays as it is.")
    assert user_id_in(browser) == before
    assert rows.user(GMAIL.email).email == GMAIL.email
    connections = browser.get(CONNECTIONS)
    offered = re.findall(r'href="(/account/email\?[^"]+)"', connections.text)[0]
    assert f'value="{moved.email}"' in browser.get(offered).text
    browser.submit(offered, email=moved.email)
    browser.submit(mailbox.link(moved.email, "/email/confirm/"))
    assert rows.user(moved.email).id == rows.all(User)[0].id
    assert "/account/email?" not in browser.get(CONNECTIONS).text
    browser.sign_out()
    assert not says(next_page(browser, sign_in_with(browser, provider, moved)), "has changed")


@pytest.mark.parametrize("lies", [{"email": REMOVED}, {"email_verified": False}, {"email": "no address"}])
def test_an_identity_that_is_known_needs_no_address(
    provider: LyingProvider, browser: Browser, lies: dict[str, object]
) -> None:
    sign_in_with(browser, provider)
    before = user_id_in(browser)
    browser.sign_out()
    provider.lie.claims.update(lies)
    provider.lie.userinfo["email"] = REMOVED
    assert sign_in_with(browser, provider).headers["Location"] == "/account"
    assert user_id_in(browser) == before


@pytest.mark.asvs("10.5.2")
def test_two_who_swap_their_addresses_at_google_stay_who_they_are(
    provider: LyingProvider, new_browser: NewBrowser, rows: Rows
) -> None:
    people = (GMAIL, ELSEWHERE)
    ids = []
    for person in people:
        browser = new_browser()
        sign_in_with(browser, provider, person)
        ids.append(user_id_in(browser))
    swapped = [replace(GMAIL, email=ELSEWHERE.email), replace(ELSEWHERE, email=GMAIL.email)]
    for before, person in zip(ids, swapped, strict=True):
        browser = new_browser()
        sign_in_with(browser, provider, person)
        assert user_id_in(browser) == before
    assert [str(rows.user(person.email).id) for person in people] == ids
    assert (rows.count(User), rows.count(Identity)) == (2, 2)


def test_an_address_that_moved_to_another_account_here_belongs_to_that(
    app: Flask, provider: LyingProvider, browser: Browser, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    """Gwen moves her account here to another address; whoever registers the one that is free now gets no more."""
    sign_in_with(browser, provider)
    before = user_id_in(browser)
    browser.submit("/account/email", email="gwen@example.net")
    browser.submit(mailbox.link("gwen@example.net", "/email/confirm/"))
    other = registered(app, GMAIL.email)
    browser.sign_out()
    again = new_browser()
    sign_in_with(again, provider)
    assert user_id_in(again) == before != user_id_in(other)
    assert rows.user(GMAIL.email).id != rows.user("gwen@example.net").id
    assert "gwen@example.net" in words(again.get("/account"))
