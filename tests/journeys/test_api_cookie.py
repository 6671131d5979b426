"""Apps in a browser: the refresh token rides in a cookie that no script reads and no other site can use."""

from collections.abc import Iterator
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps import App, refusal
from tests.conftest import NewApp, NewUser
from tests.people import runtime_of
from tests.rows import Rows, on_sqlite
from webapp.services import users

OWN, LISTED = "https://login.example.com", "https://spa.example.org"
NAME = "__Secure-refresh"


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """The site over https, with one app elsewhere."""
    return new_app(PUBLIC_URL=OWN, CORS_ORIGINS=(LISTED,))


@pytest.fixture
def page(app: Flask, alice: str) -> App:
    """An app in a browser where Alice has just signed in."""
    page = App(app, cookies=True, origin=OWN)
    assert page.sign_in(alice, refresh_transport="cookie").status_code == 200
    return page


def refresh_cookie(answer: TestResponse) -> Morsel[str] | None:
    """The refresh cookie that an answer sets."""
    for header in answer.headers.getlist("Set-Cookie"):
        for name, morsel in SimpleCookie(header).items():
            if name.endswith("refresh"):
                return morsel
    return None


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.4")
@pytest.mark.parametrize("url", [OWN, "http://127.0.0.1:8000"])
def test_the_token_is_in_the_cookie_and_nowhere_else(new_app: NewApp, new_user: NewUser, url: str) -> None:
    alice, page = new_user(), App(new_app(PUBLIC_URL=url), cookies=True)
    is_https = url.startswith("https")
    for answer in (page.sign_in(alice, refresh_transport="cookie"), page.refresh(token="")):
        assert answer.status_code == 200
        cookie = refresh_cookie(answer)
        assert cookie is not None
        assert cookie.key == (NAME if is_https else "refresh")
        assert (cookie["path"], cookie["samesite"], cookie["domain"]) == ("/api/v1/auth", "Strict", "")
        assert cookie["httponly"] is True
        assert bool(cookie["secure"]) == is_https
        assert abs(int(cookie["max-age"]) - answer.json["refresh_expires_in"]) <= 1
        assert "refresh_token" not in answer.json
        assert cookie.value not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    assert page.is_signed_in


def test_by_cookie_a_page_refreshes_for_a_month_and_signs_out(
    app: Flask, page: App, at: time_machine.Traveller, rows: Rows
) -> None:
    for _ in range(3):
        at.shift(timedelta(days=7))
        before = page.cookie(NAME)
        assert page.refresh(token="").status_code == 200
        assert page.cookie(NAME) != before
        assert page.is_signed_in
    answer = page.post("/auth/logout", token="")
    assert answer.status_code == 204
    assert page.cookie(NAME) is None
    assert rows.live() == []
    assert refusal(page.refresh(token="")) == (401, "token_invalid")


def test_an_app_that_wants_the_token_itself_gets_no_cookie(app: Flask, alice: str) -> None:
    phone = App(app, cookies=True)
    for answer in (phone.sign_in(alice), phone.sign_in(alice, refresh_transport="body"), phone.refresh()):
        assert answer.json["refresh_token"]
        assert refresh_cookie(answer) is None
    wrong = phone.sign_in(alice, refresh_transport="header")
    assert refusal(wrong) == (422, "validation_failed")


SENDERS: list[tuple[str, str | None, str | None, bool]] = [
    ("our own page", OWN, "same-origin", True),
    ("our own page, in a browser that says little", OWN, None, True),
    ("an app of the list", LISTED, "cross-site", True),
    ("an app of the list next door", LISTED, "same-site", True),
    ("no browser", None, None, True),
    ("the person, by the address bar", None, "none", True),
    ("a browser that says no origin", None, "same-origin", True),
    ("another site", "https://evil.example", "cross-site", False),
    ("another site, in a browser that says little", "https://evil.example", None, False),
    ("a page without an origin", "null", "cross-site", False),
    ("a page without an origin, in a browser that says little", "null", None, False),
    ("a neighbour", "https://blog.login.example.com", "same-site", False),
    ("another site that names none", None, "cross-site", False),
    ("a neighbour that names none", None, "same-site", False),
    ("ours over http", "http://login.example.com", "cross-site", False),
    ("ours at another port", "https://login.example.com:8443", "same-site", False),
    ("one whose name begins like ours", "https://login.example.com.evil.test", "cross-site", False),
    ("one whose name begins like the list's", "https://spa.example.org.evil.test", "cross-site", False),
    ("one whose name ends like the list's", "https://evil-spa.example.org", "cross-site", False),
    ("one that spells it otherwise", "https://SPA.example.org", "cross-site", False),
    ("one with something behind", "https://spa.example.org/", "cross-site", False),
    ("two at once", f"{OWN}, https://evil.example", "cross-site", False),
    ("nothing at all", "", "cross-site", False),
]


@on_sqlite
@pytest.mark.asvs("3.5.1", "10.4.4")
@pytest.mark.parametrize(("origin", "site", "may"), [row[1:] for row in SENDERS], ids=[row[0] for row in SENDERS])
def test_whose_page_may_use_the_cookie(
    app: Flask, alice: str, rows: Rows, origin: str | None, site: str | None, may: bool
) -> None:
    page = App(app, cookies=True)
    page.sign_in(alice, refresh_transport="cookie")
    names = {"Origin": origin, "Sec-Fetch-Site": site}
    sent = {name: value for name, value in names.items() if value is not None}
    hashes = runtime_of(app).hashing.hashes_made
    login = {"email": alice, "password": "not what was chosen here", "refresh_transport": "cookie"}
    calls = {"refresh": 200, "login": 401, "logout": 204}
    for call, status in calls.items():
        before = page.cookie(NAME)
        body = login if call == "login" else None
        answer = page.post(f"/auth/{call}", body, token="", headers=sent)
        assert answer.status_code == (status if may else 403), call
        if not may:
            assert refusal(answer) == (403, "origin_refused")
            assert refresh_cookie(answer) is None
            assert page.cookie(NAME) == before
    assert len(rows.live()) == (0 if may else 1)
    if not may:
        assert runtime_of(app).hashing.hashes_made == hashes, "refused before the password was looked at"
        assert rows.live()[0].generation == 1
        assert page.refresh(token="").status_code == 200, "and nothing was spent"


@on_sqlite
def test_a_token_in_the_body_vouches_for_itself(app: Flask, alice: str) -> None:
    """Who can write it into a body has it: no browser adds it by itself, so there is nothing to guard."""
    phone = App(app, origin="https://evil.example")
    phone.sign_in(alice)
    assert phone.refresh(headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    assert phone.post("/auth/logout", {"refresh_token": phone.refresh_token}, token="").status_code == 204


# When the cookie is forgotten


def endings(app: Flask, page: App, at: time_machine.Traveller) -> Iterator[tuple[str, TestResponse]]:
    """Every answer after which the cookie is worth nothing."""
    alice = "alice@example.com"
    yield "signed out by the access token", page.sign_out()
    page.sign_in(alice, refresh_transport="cookie")
    yield "signed out by the cookie", page.post("/auth/logout", token="")
    page.sign_in(alice, refresh_transport="cookie")
    yield "signed out everywhere", page.post("/auth/logout-all")
    page.sign_in(alice, refresh_transport="cookie")
    with app.app_context():
        users.sign_out_user(alice)
    yield "signed out elsewhere, and refreshes", page.refresh(token="")
    page.set_cookie(NAME, "nonsense")
    yield "the cookie is nonsense", page.refresh(token="")
    page.set_cookie(NAME, "nonsense")
    yield "and is to sign out", page.post("/auth/logout", token="")
    page.sign_in(alice, refresh_transport="cookie")
    spent = page.cookie(NAME) or ""
    for _ in range(2):
        page.refresh(token="")
    page.set_cookie(NAME, spent)
    yield "it was spent before", page.refresh(token="")
    page.sign_in(alice, refresh_transport="cookie")
    at.shift(timedelta(days=30, seconds=1))
    yield "a month is over", page.refresh(token="")


@on_sqlite
def test_the_cookie_is_forgotten_once_it_opens_nothing(app: Flask, page: App, at: time_machine.Traveller) -> None:
    for what, answer in endings(app, page, at):
        cookie = refresh_cookie(answer)
        assert cookie is not None, what
        assert (cookie.value, cookie["max-age"], cookie["path"]) == ("", "0", "/api/v1/auth"), what
        assert bool(cookie["secure"]), what  # without it a browser keeps the old one, by the prefix
        assert page.cookie(NAME) is None, what


@on_sqlite
def test_the_cookie_is_kept_where_it_was_not_what_was_refused(
    app: Flask, page: App, at: time_machine.Traveller, rows: Rows
) -> None:
    """An access token that has expired, or somebody's dead refresh token in a body, says nothing of the cookie's."""
    at.shift(timedelta(minutes=11))
    assert refusal(page.sign_out()) == (401, "token_expired")
    assert page.cookie(NAME)
    assert refusal(page.refresh("nonsense")) == (401, "token_invalid")
    assert page.cookie(NAME)
    assert len(rows.live()) == 1
    assert page.refresh(token="").status_code == 200
    assert page.sign_out().status_code == 204
    assert rows.live() == []


@on_sqlite
def test_of_several_cookies_of_that_name_none_counts(app: Flask, page: App, alice: str, rows: Rows) -> None:
    """A neighbouring site can plant one of its own beside ours. Whose session that would be, nobody could say."""
    ours, browser = page.cookie(NAME), App(app)
    for values in (("planted", ours), (ours, "planted"), (ours, ours)):
        cookies = "; ".join(f"{NAME}={value}" for value in values)
        for call in ("refresh", "logout"):
            refused = browser.post(f"/auth/{call}", token="", headers={"Cookie": cookies})
            assert refusal(refused) == (401, "token_invalid")
            assert refresh_cookie(refused) is None, "the real one would go, and the planted one stay"
    (row,) = rows.live()
    assert row.generation == 1
    assert browser.post("/auth/refresh", token="", headers={"Cookie": f"{NAME}={ours}"}).status_code == 200


@on_sqlite
def test_the_cookie_of_pages_opens_no_call_and_the_cookie_of_apps_no_page(app: Flask, page: App, alice: str) -> None:
    assert refusal(page.get("/me", token="")) == (401, "token_missing")
    assert refusal(page.get("/me", token=page.cookie(NAME))) == (401, "token_invalid")
    assert page.client.get("/account", base_url=OWN).status_code == 303


@on_sqlite
def test_signing_out_one_session_leaves_the_cookie_of_another(app: Flask, page: App, alice: str, rows: Rows) -> None:
    """A browser may hold the cookie of one session and the access token of another; each ends for itself."""
    phone = App(app)
    phone.sign_in(alice)
    assert page.post("/auth/logout", token=phone.access_token).status_code == 204
    assert page.cookie(NAME)
    assert page.refresh(token="").status_code == 200
    assert page.sign_out().status_code == 204
    assert page.cookie(NAME) is None
