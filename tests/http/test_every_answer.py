"""The headers of every answer that the whole site can give, over https."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import GOOGLE, NewApp
from tests.people import PASSWORD, Browser
from tests.rows import on_sqlite
from tests.whole_site import SPENT, TOKEN, House
from webapp.errors import Busy, StoreUnavailable
from webapp.http.headers import DATA_CSP, PAGE_CSP

pytestmark = on_sqlite

# As for every page, and forms may lead on to the one provider there is.
POLICY = PAGE_CSP.replace("form-action 'self'", "form-action 'self' https://accounts.google.com")
TOKEN_PAGES = r"/(verify-email|password/reset|email/(confirm|undo)|login/mailed|login/google/callback)"
BODY_TYPES = {
    "text/html; charset=utf-8": r"\s*<!doctype html>",
    "application/json": r"[{\[]",
    "application/json; charset=utf-8": r"[{\[]",
    "application/jwk-set+json": r'{"keys":',
    "text/css; charset=utf-8": r"[\s\S]*\{",
    "text/javascript; charset=utf-8": r"[\s\S]*\b(const|function|import)\b",
    "text/plain; charset=utf-8": r"Contact: |\d{3} ",
    "text/plain; version=1.0.0; charset=utf-8": "# HELP ",
    "image/svg+xml; charset=utf-8": r"[\s\S]*<svg",
    "image/png": r"",
}


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    return new_app(PUBLIC_URL="https://login.example.com", SECURITY_CONTACT="mailto:security@example.com", **GOOGLE)


def refusals(house: House) -> Iterator[tuple[int, TestResponse]]:
    """One answer of every kind that is no page, with the status it should have."""
    visitor, alice, form = house.visitor, house.alice, {TOKEN: house.forms["auth.login"].fields[TOKEN].value}
    for browser in (visitor, alice):
        yield 400, browser.get("/?a=%00")
        yield 400, browser.get("/", headers={"Host": "evil.example"})
        yield 400, browser.post("/reauthenticate" if browser is alice else "/login", {"email": "x"})
        yield 403, browser.post("/login", form, headers={"Origin": "https://evil.example"})
        yield 404, browser.get("/no/such/page")
        yield 404, browser.get("/static/nothing.css")
        yield 405, browser.open("DELETE", "/account")
        yield 405, browser.open("BREW", "/")
        yield 410, browser.get("/password/reset/nothing")
        yield 413, browser.post("/login", b"a" * 100_000)
        yield 415, browser.post("/login", b"{}", content_type="application/json")
        yield 200, browser.open("OPTIONS", "/login")
        yield 303, browser.get("/login?lang=ko")
    yield (
        404,
        alice.post(
            f"/account/sessions/{'0' * 8}-0000-7000-8000-{'0' * 12}/revoke", house.forms["account.email"].honest()
        ),
    )
    yield 422, alice.post("/account/email", house.forms["account.email"].honest(email="no address"))
    yield 422, visitor.post("/login", {**form, "email": "x@example.com", "password": "wrong"})
    yield 303, visitor.get("/account")
    yield 303, alice.submit("/account", name="Alice", locale="en")
    yield 302, alice.get("/login")
    for _ in range(10):
        last = visitor.post("/login", {**form, "email": "guessed@example.com", "password": PASSWORD})
    yield 422, last
    yield 429, visitor.post("/login", {**form, "email": "guessed@example.com", "password": PASSWORD})
    tag = visitor.get("/static/css/site.css", buffered=True).headers["ETag"]
    yield 304, visitor.get("/static/css/site.css", headers={"If-None-Match": tag}, buffered=True)


def failures(house: House) -> Iterator[tuple[int, TestResponse]]:
    for status, error in ((500, ValueError("x")), (503, StoreUnavailable()), (503, Busy())):
        house.app.view_functions["home.index"] = raising(error)
        yield status, house.visitor.get("/")


def raising(error: Exception) -> Callable[[], str]:
    def view() -> str:
        raise error

    return view


def every_answer(house: House) -> Iterator[TestResponse]:
    for rule, answer in house.opened():
        assert answer.status_code in ((400,) if rule.endpoint in SPENT else (200, 303)), rule.rule
        yield answer
    yield house.alice.submit("/account/data", "/account/data/export")
    for status, answer in (*refusals(house), *failures(house)):
        assert answer.status_code == status, answer.request.path
        yield answer


@pytest.mark.asvs(
    *("3.2.1", "3.4.1", "3.4.3", "3.4.4", "3.4.5", "3.4.6", "3.4.8", "3.5.8", "4.1.1", "14.2.2", "14.3.2", "13.4.6")
)
def test_every_answer_of_the_whole_site_is_guarded(house: House) -> None:
    seen = set()
    for answer in every_answer(house):
        path, headers = answer.request.path, answer.headers
        where = f"{path} {answer.status}"
        seen.add(answer.status_code)
        is_page, is_static = answer.mimetype == "text/html", path.startswith("/static/")
        assert headers["Strict-Transport-Security"] == "max-age=63072000; includeSubDomains", where
        assert headers["X-Content-Type-Options"] == "nosniff", where
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin", where
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", where
        assert headers.getlist("Content-Security-Policy") == [POLICY if is_page else DATA_CSP], where
        has_token = re.match(TOKEN_PAGES, path)
        assert headers["Referrer-Policy"] == ("strict-origin" if has_token else "same-origin"), where
        assert not {"Server", "X-Powered-By", "X-AspNet-Version", "Via"} & set(headers.keys()), where
        is_for_all = is_static or path == "/.well-known/jwks.json"
        if not is_for_all or answer.status_code >= 400:
            assert headers["Cache-Control"] == "no-store", where
        if is_page:
            assert "Cookie" in headers["Vary"] or "cookie" in headers["Vary"], where
        is_what_it_says(answer, where)
    assert seen >= {200, 302, 303, 304, 400, 403, 404, 405, 410, 413, 415, 422, 429, 500, 503}


def is_what_it_says(answer: TestResponse, where: str) -> None:
    if answer.status_code in (204, 304):
        assert "Content-Type" not in answer.headers, where
    elif answer.data:
        begins = BODY_TYPES.get(answer.headers.get("Content-Type", ""))
        assert begins is not None, f"{where}: {answer.headers.get('Content-Type')}"
        assert re.match(begins, answer.data.decode("latin-1"), re.IGNORECASE), where


@pytest.mark.asvs("3.2.1", "3.5.7", "3.7.3", "1.2.2", "3.4.5")
def test_data_is_no_page_scripts_are_nobodys_and_nothing_leads_away(house: House) -> None:
    data_is_never_rendered_and_the_export_is_a_file_to_keep(house)
    scripts_are_the_same_for_everybody(house)
    no_link_form_picture_or_redirect_goes_to_another_origin_or_to_a_script(house)


def data_is_never_rendered_and_the_export_is_a_file_to_keep(house: House) -> None:
    export = house.alice.submit("/account/data", "/account/data/export")
    assert export.headers["Content-Disposition"] == 'attachment; filename="account-data.json"'
    for answer in (export, house.visitor.get("/healthz"), house.visitor.get("/readyz")):
        assert answer.mimetype == "application/json"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def scripts_are_the_same_for_everybody(house: House) -> None:
    scripts = {link for _, link in house.links if urlsplit(link).path.endswith(".js")}
    assert len(scripts) >= 1
    for script in scripts:
        assert script.startswith("/static/js/")
        (body,) = {browser.get(script, buffered=True).data for browser in (house.visitor, house.alice, house.bob)}
        assert not re.search(rb"\{\{|\{%|@example", body)
        assert "Set-Cookie" not in house.alice.get(script, buffered=True).headers


def no_link_form_picture_or_redirect_goes_to_another_origin_or_to_a_script(house: House) -> None:
    assert len(house.links) > 100
    away = {(page, link) for page, link in house.links if urlsplit(link).scheme or link.startswith(("//", "/\\", "\\"))}
    assert away == set()


@pytest.mark.asvs("3.4.1")
def test_over_http_nothing_is_said_about_https(new_app: NewApp) -> None:
    browser = Browser(new_app())
    for path in ("/", "/login", "/nothing", "/healthz", "/static/css/site.css"):
        assert "Strict-Transport-Security" not in browser.get(path, buffered=True).headers
