"""What holds whenever somebody comes back from a provider with what cannot be believed."""

import re
from html import unescape

from flask import Flask
from werkzeug.test import TestResponse

from stand_in.people import GMAIL
from tests.journeys.pages import csrf_token, words
from tests.people import Browser
from tests.providers.lying import LyingProvider
from tests.providers.site import sign_in_with
from tests.rows import Rows
from webapp.models import Identity, LoginSession, User

CALLBACK = "/login/google/callback"


def main_of(answer: TestResponse) -> str:
    """The part of a page that is about what happened."""
    assert answer.mimetype == "text/html"
    return answer.text.partition("<main")[2].partition("</main>")[0]


def assert_turned_away(site: Flask, browser: Browser, answer: TestResponse, status: int) -> None:
    """Nobody is signed in, nobody was made, and a page says what to do, with a way on that works."""
    assert answer.status_code == status, (answer.status, words(answer)[:200])
    rows = Rows(site)
    assert [rows.count(table) for table in (User, Identity, LoginSession)] == [0, 0, 0]
    assert not browser.is_signed_in
    assert_helpful(browser, answer)


def assert_helpful(browser: Browser, answer: TestResponse) -> None:
    """A page for people: no bare code, what happened, what to do, and a way on that works."""
    main = main_of(answer)
    told = " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())
    assert re.search(r"<h1>\s*\w", main)
    assert len(told) > 60
    assert not re.search(r"[a-z]+_[a-z]+|\bHTTP\b|\b[45]\d\d\b|Traceback", told), told
    links = re.findall(r'<a [^>]*href="([^"]+)"', main)
    forms = re.findall(r'<form [^>]*action="([^"]+)"', main)
    assert links + forms, "a page with no way on"
    for link in links:
        assert browser.get(unescape(link)).status_code == 200, link
    for form in forms:
        assert browser.post(form, {"csrf_token": csrf_token(answer)}).status_code in (200, 303, 503), form


def assert_honest_sign_in_works(browser: Browser, provider: LyingProvider) -> None:
    """As if nothing had been."""
    answer = sign_in_with(browser, provider)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/welcome")
    assert GMAIL.email in browser.get("/account").text
