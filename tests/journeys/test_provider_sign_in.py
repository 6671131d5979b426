"""Somebody signs in with Google: a user is provisioned, and the session is ours."""

import json
from dataclasses import replace

import pytest
from flask import Flask

from stand_in.people import COMPANY, ELSEWHERE, GMAIL, KOREAN, UNVERIFIED, Person
from tests.conftest import NewApp, NewBrowser
from tests.journeys.pages import says, words
from tests.journeys.provider_people import cookies_of, next_page, registered, user_id_in
from tests.people import PASSWORD, Browser, Mailbox, text_of
from tests.providers.lying import LyingProvider
from tests.providers.site import START, come_back, google_settings, leave, sign_in_with
from tests.rows import Rows
from webapp.models import Identity, User
from webapp.services import users

COOKIES = ("handshake", "link-offer", "link-offer", "session")  # on the way there, back, connected, signed out
FROM_ELSEWHERE = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
def app(google: Flask) -> Flask:
    return google


def test_somebody_new_gets_an_account_and_a_page_that_says_what_was_made(
    provider: LyingProvider, browser: Browser, mailbox: Mailbox, rows: Rows
) -> None:
    answer = sign_in_with(browser, provider)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/welcome")
    page = next_page(browser, answer)
    for told in (GMAIL.email, GMAIL.name, "Your account is ready", "no password"):
        assert says(page, told), told
    (mail,) = [text for mail in mailbox.mails(GMAIL.email) if "made an account" in (text := text_of(mail))]
    assert "Google" in mail
    user = rows.user(GMAIL.email)
    assert (user.password_hash, user.password_changed_at, user.name, user.locale) == (None, None, GMAIL.name, "en")
    assert user.email_verified_at is not None
    assert rows.events(GMAIL.email) == ["registered", "signed_in"]
    assert [row.methods for row in rows.live(GMAIL.email)] == ["google"]


def test_the_picture_is_kept_and_no_page_loads_it(provider: LyingProvider, browser: Browser, rows: Rows) -> None:
    provider.lie.claims["picture"] = "https://pictures.example/gwen.png"
    pages = [next_page(browser, sign_in_with(browser, provider)), browser.get("/account/connections")]
    (identity,) = rows.all(Identity)
    assert identity.picture_url == "https://pictures.example/gwen.png"
    assert not any("pictures.example" in page.text for page in pages)


def test_a_picture_that_is_no_web_address_is_not_kept(provider: LyingProvider, browser: Browser, rows: Rows) -> None:
    provider.lie.claims["picture"] = "javascript:alert(1)"
    sign_in_with(browser, provider)
    assert [identity.picture_url for identity in rows.all(Identity)] == [None]


@pytest.mark.asvs("10.5.2")
def test_whoever_comes_again_is_the_same_user_from_any_browser(
    provider: LyingProvider, browser: Browser, new_browser: NewBrowser, rows: Rows
) -> None:
    sign_in_with(browser, provider)
    browser.sign_out()
    other = new_browser(ip="203.0.113.7")
    for again in (browser, other):
        assert sign_in_with(again, provider).headers["Location"] == "/account"
    assert user_id_in(browser) == user_id_in(other)
    assert (rows.count(User), rows.count(Identity)) == (1, 1)


@pytest.mark.parametrize(
    ("locale", "language", "expected"),
    [("ko", "en", "ko"), ("ko-KR", "en", "ko"), ("en_GB", "ko", "en"), ("fr", "ko", "ko"), ("", "ko", "ko")],
)
def test_the_language_is_the_persons_or_else_the_pages(
    provider: LyingProvider, new_browser: NewBrowser, rows: Rows, locale: str, language: str, expected: str
) -> None:
    browser = new_browser(language=language)
    page = next_page(browser, sign_in_with(browser, provider, replace(KOREAN, locale=locale)))
    assert rows.user(KOREAN.email).locale == expected
    assert f'lang="{expected}"' in page.text
    assert KOREAN.name in page.text


def test_the_way_goes_on_to_the_page_that_was_wanted(provider: LyingProvider, browser: Browser) -> None:
    wanted = "/account/activity?older=01234567-89ab-7def-8123-456789abcdef"
    asked = browser.get(wanted)
    assert asked.headers["Location"].startswith("/login?next=")
    back = come_back(browser, provider.approve(leave(browser, page=asked.headers["Location"])))
    assert says(next_page(browser, back), "Your account is ready")
    browser.sign_out()
    back = come_back(browser, provider.approve(leave(browser, page=asked.headers["Location"])))
    assert back.headers["Location"] == wanted


@pytest.mark.parametrize("next_path", ["https://evil.example/", "//evil.example", "/login/google/callback?code=x"])
def test_the_way_goes_on_nowhere_else(provider: LyingProvider, browser: Browser, next_path: str) -> None:
    sign_in_with(browser, provider)
    browser.sign_out()
    page = browser.get("/login")
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    left = browser.post(START, {"csrf_token": token, "next": next_path})
    assert come_back(browser, provider.approve(left.headers["Location"])).headers["Location"] == "/account"


def test_an_unverified_address_is_refused_with_a_way_forward(
    provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    answer = sign_in_with(browser, provider, UNVERIFIED)
    assert answer.status_code == 403
    assert "/register" in answer.text
    assert not browser.is_signed_in
    assert (rows.count(User), rows.count(Identity)) == (0, 0)


def test_an_address_that_is_none_counts_as_unverified(provider: LyingProvider, browser: Browser, rows: Rows) -> None:
    for email in ("gwen@gmail.com.", "gwen", "@gmail.com", "gwen@gmail.com@evil.example", "a" * 300 + "@gmail.com"):
        assert sign_in_with(browser, provider, replace(GMAIL, email=email)).status_code == 403, email
    assert rows.count(User) == 0


@pytest.mark.asvs("7.2.4")
def test_a_session_that_somebody_planted_is_worth_nothing_after_the_sign_in(
    provider: LyingProvider, new_browser: NewBrowser
) -> None:
    planted = "A" * 43
    victim, thief = new_browser(), new_browser()
    for browser in (victim, thief):
        browser.set_cookie("session", planted)
    sign_in_with(victim, provider)
    assert victim.is_signed_in
    assert victim.cookie("session") != planted
    assert not thief.is_signed_in


def test_a_browser_in_which_somebody_else_is_signed_in_changes_hands(
    app: Flask, provider: LyingProvider, rows: Rows
) -> None:
    browser = registered(app, "alice@example.com")
    before = user_id_in(browser)
    copy = browser.cookie("session")
    assert leave_and_return(browser, provider, GMAIL).status_code == 303
    assert user_id_in(browser) != before
    assert rows.live("alice@example.com") == []
    browser.set_cookie("session", str(copy))
    assert not browser.is_signed_in


def leave_and_return(browser: Browser, provider: LyingProvider, person: Person) -> object:
    """Somebody who opened the sign-in page in another tab before the browser's owner signed in there."""
    tab = Browser(browser.app)
    url = leave(tab)
    browser.set_cookie("handshake", str(tab.cookie("handshake")))
    return come_back(browser, provider.approve(url, person))


@pytest.mark.asvs("7.6.2", "10.1.2")
def test_nothing_but_a_form_of_ours_begins_and_nothing_but_that_browser_ends_it(
    provider: LyingProvider, browser: Browser, new_browser: NewBrowser, rows: Rows
) -> None:
    assert browser.get(START).status_code == 405
    assert browser.post(START).status_code == 400
    assert browser.post(START, headers={"Origin": "https://evil.example"}).status_code == 403
    assert provider.asked("token") == []
    callback = provider.approve(leave(browser))
    for stranger in (new_browser(), new_browser(ip="203.0.113.7")):
        assert come_back(stranger, callback).status_code == 400
    other = new_browser()
    leave(other)  # has a cookie of its own
    assert come_back(other, callback).status_code == 400
    assert provider.asked("token") == []
    assert browser.get(callback.removeprefix(browser.base_url), headers=FROM_ELSEWHERE).status_code == 303
    assert come_back(browser, callback).status_code == 400  # it works once
    assert (rows.count(User), len(rows.live(GMAIL.email))) == (1, 1)


def test_a_callback_of_nobody_is_a_page_with_a_way_on(browser: Browser) -> None:
    for query in ("?state=x&code=y", "", "?code=y", "?state=", "?error=access_denied&state=x"):
        answer = browser.get(f"/login/google/callback{query}")
        assert answer.status_code == 400, query
        assert "/login" in answer.text
    assert browser.get("/login/nobody/callback").status_code == 404


@pytest.mark.asvs("3.3.2")
@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://login.example.com"])
def test_every_cookie_on_the_way_says_which_sites_may_send_it(
    new_app: NewApp, provider: LyingProvider, url: str
) -> None:
    site = new_app(**google_settings(provider), PUBLIC_URL=url)
    client = replace(provider.client, redirect_uris=(f"{url}/login/google/callback",))
    provider.clients = {client.client_id: client}
    registered(site, ELSEWHERE.email)
    browser, prefix = Browser(site), "__Host-" if url.startswith("https") else ""
    left = browser.submit("/login", START)
    back = come_back(browser, provider.approve(left.headers["Location"], ELSEWHERE))
    connected = browser.submit("/login/google/connect", password=PASSWORD)
    signed_out = browser.sign_out()
    answers = [cookies_of(answer) for answer in (left, back, connected, signed_out)]
    assert [f"{prefix}{name}" in found for name, found in zip(COOKIES, answers, strict=True)] == [True] * 4
    for name, morsel in [pair for found in answers for pair in found.items()]:
        assert morsel["samesite"] == "Lax", name
        assert morsel["httponly"], name
        assert bool(morsel["secure"]) is bool(prefix), name
        assert (morsel["path"], morsel["domain"]) == ("/", ""), name
    assert answers[2][f"{prefix}link-offer"].value == ""


def test_whoever_is_closed_or_leaving_here_is_so_also_by_google(
    app: Flask, provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    sign_in_with(browser, provider)
    assert browser.submit("/account/data", "/account/data/delete").status_code == 303
    asked = sign_in_with(browser, provider)
    assert asked.headers["Location"] == "/login/keep"
    assert not browser.is_signed_in
    assert browser.submit("/login/keep").headers["Location"] == "/account"
    assert rows.user(GMAIL.email).deletion_due_at is None
    with app.app_context():
        users.disable_user(GMAIL.email)
    refused = sign_in_with(browser, provider)
    assert refused.status_code == 403
    assert "closed" in words(refused)
    assert not browser.is_signed_in
    assert rows.live(GMAIL.email) == []


def test_a_closed_account_is_not_opened_by_an_identity_that_is_new(
    app: Flask, provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    for person in (GMAIL, ELSEWHERE, COMPANY):
        registered(app, person.email)
        with app.app_context():
            users.disable_user(person.email)
        assert sign_in_with(browser, provider, person).status_code == 403
    assert rows.count(Identity) == 0
    assert json.dumps(rows.events(GMAIL.email)).count("identity_linked") == 0
