"""Who may call what: every call by nobody, by a cookie, by a token of another kind, in another form."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps import PREFIX, App, problem, refusal
from tests.conftest import GOOGLE, NewApp, NewUser
from tests.people import PASSWORD, Browser
from tests.rows import Rows, on_sqlite
from tests.whole_site import house_of
from webapp.errors import Busy, StoreUnavailable
from webapp.http.access import OPEN_ENDPOINTS
from webapp.http.headers import DATA_CSP, PAGE_CSP

pytestmark = on_sqlite

SOME_ID = "0199c0de-0000-7000-8000-00000000c0de"
DOCUMENTS = {"api.docs", "api-docs.openapi_json"}
Call = tuple[str, str, str]  # endpoint, method, path


def calls(app: Flask) -> list[Call]:
    """Every call of the API."""
    found = [
        (
            rule.endpoint,
            method,
            re.sub("<[^>]+>", SOME_ID, rule.rule.replace("<provider>", "google")).removeprefix(PREFIX),
        )
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if rule.rule.startswith(f"{PREFIX}/")
    ]
    assert len(found) >= 18
    return found


def closed(app: Flask) -> list[Call]:
    """Those that need an access token."""
    return [call for call in calls(app) if call[0] not in OPEN_ENDPOINTS]


def changing(app: Flask) -> list[Call]:
    """Those that may change something."""
    return [call for call in calls(app) if call[1] != "GET"]


def stored(app: Flask) -> dict[str, list[str]]:
    """Everything the stores hold but counters."""
    house = house_of(app)
    return {name: found for name, found in house.everything_stored().items() if name != "rate_limits"}


@pytest.mark.asvs("8.2.1", "8.3.1")
def test_every_call_that_is_not_open_needs_an_access_token(app: Flask, alice: str) -> None:
    phone = App(app)
    phone.sign_in(alice)
    assert {"api.me", "api.logout_all", "api.end_session"} <= {endpoint for endpoint, _, _ in closed(app)}
    before = stored(app)
    for _, method, path in closed(app):
        missing = phone.call(method, path, token="")
        assert refusal(missing) == (401, "token_missing"), path
        assert missing.headers["WWW-Authenticate"] == 'Bearer realm="api"', "nothing was shown, so nothing is wrong"
        for other in (phone.refresh_token, "nonsense", phone.access_token[:-6] + "AAAAAA"):
            refused = phone.call(method, path, token=other)
            assert refusal(refused) == (401, "token_invalid"), path
            assert 'error="invalid_token"' in refused.headers["WWW-Authenticate"]
    assert stored(app) == before


@pytest.mark.asvs("3.5.2")
def test_the_cookie_of_the_pages_opens_no_call(app: Flask, alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    before = stored(app)
    for _, method, path in closed(app):
        assert refusal(browser.open(method, PREFIX + path)) == (401, "token_missing"), path
    assert stored(app) == before


@pytest.mark.asvs("3.5.2")
def test_what_a_form_of_another_site_can_send_changes_nothing(new_app: NewApp, alice: str) -> None:
    """A browser sends these three kinds of body without asking us before, and with them whatever it holds for us."""
    app = new_app(**GOOGLE)
    phone = App(app)
    phone.sign_in(alice)
    before, body = stored(app), f'{{"email": "{alice}", "password": "{PASSWORD}", "name": "x"}}'
    takes_none = {"api.logout_all", "api.end_session", "api.passkey_options", "api.issue_nonce"}
    for endpoint, method, path in changing(app):
        if endpoint in takes_none:
            continue
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            answer = phone.call(method, path, data=body, content_type=kind)
            assert refusal(answer) == (415, "unsupported_media_type"), f"{path} {kind}"
    assert stored(app) == before
    assert {call[0] for call in changing(app)} >= takes_none


@pytest.mark.asvs("8.2.2", "10.3.2")
def test_a_token_reaches_its_own_account_and_no_other(app: Flask, alice: str, new_user: NewUser, rows: Rows) -> None:
    bob = "bob@example.com"
    new_user(bob, name="Bob")
    mallory, victim = App(app), App(app)
    mallory.sign_in(bob)
    victim.sign_in(alice)
    hers = rows.user(alice)
    for query in (f"?user_id={hers.id}", f"?id={hers.id}", f"?email={alice}", f"?sub={hers.id}"):
        for path in ("/me", "/sessions", "/events"):
            answer = mallory.get(path + query)
            assert alice not in answer.text
            assert str(hers.id) not in answer.text
            assert victim.session_id not in answer.text
    assert refusal(mallory.call("DELETE", f"/sessions/{victim.session_id}")) == (404, "not_found")
    mallory.call("PATCH", "/me", {"name": "Mallory"})
    mallory.post("/auth/logout-all")
    assert victim.get("/me").json["name"] == "Alice"


@pytest.mark.asvs("8.3.1")
def test_a_call_that_nobody_listed_is_closed(new_app: NewApp) -> None:
    app = new_app()
    app.add_url_rule("/api/v1/new", "new", lambda: "told to everybody")
    app.add_url_rule("/api/new", "newer", lambda: "told to everybody")
    assert refusal(App(app).get("/new")) == (401, "token_missing")
    assert app.test_client().get("/api/new", base_url="http://127.0.0.1:8000").status_code == 401


@pytest.mark.asvs("12.2.1", "4.1.2")
def test_what_came_over_plain_http_is_refused_and_does_nothing(new_app: NewApp, alice: str, rows: Rows) -> None:
    app = new_app(PUBLIC_URL="https://login.example.com", TRUSTED_PROXIES=1)
    phone, live = App(app), len(rows.live())
    plain = {"X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.1"}
    login = {"email": alice, "password": PASSWORD}
    for method, path, body in (("POST", "/auth/login", login), ("GET", "/me", None), ("GET", "/docs", None)):
        refused = phone.call(method, path, body, headers=plain, base_url="http://login.example.com")
        assert refusal(refused) == (403, "forbidden")
    assert len(rows.live()) == live
    by_https = phone.post("/auth/login", login, headers={**plain, "X-Forwarded-Proto": "https"})
    assert by_https.status_code == 200
    assert rows.live()[0].ip == "192.0.2.1"


def every_kind(app: Flask, alice: str) -> Iterator[tuple[int, TestResponse]]:
    phone = App(app, cookies=True)
    yield 200, phone.sign_in(alice, refresh_transport="cookie")
    for path in ("/me", "/sessions", "/events", "/auth/session", "/openapi.json", "/docs"):
        yield 200, phone.get(path)
    yield 200, phone.call("OPTIONS", "/me")
    yield 202, phone.register("new@example.com")
    yield 204, phone.sign_out()
    yield 400, phone.post("/auth/login", data=b"{", content_type="application/json")
    yield 400, phone.get("/me?a=1&a=2")
    yield 401, phone.get("/me", token="")
    yield 401, phone.get("/me")
    yield 403, App(app, origin="https://evil.example").sign_in(alice, refresh_transport="cookie")
    yield 404, phone.get("/nothing")
    yield 405, phone.call("PUT", "/me")
    yield 413, phone.post("/auth/login", data=b"a" * 100_000)
    yield 415, phone.post("/auth/login", data=b"a", content_type="text/plain")
    yield 422, phone.post("/auth/login", {})
    for _ in range(11):
        last = phone.sign_in("guessed@example.com")
    yield 429, last
    for status, error in ((503, StoreUnavailable()), (503, Busy()), (500, ValueError("x"))):

        def broken(error: Exception = error) -> None:
            raise error

        app.view_functions["api.register"] = broken
        yield status, phone.register("new@example.com")


@pytest.mark.asvs("3.2.1", "3.4.3", "3.4.4", "4.1.1", "14.2.2", "14.3.2")
def test_every_answer_of_the_api_is_guarded(new_app: NewApp, new_user: NewUser) -> None:
    app = new_app(PUBLIC_URL="https://login.example.com")
    alice, seen = new_user(), set()
    for status, answer in every_kind(app, alice):
        where, headers = f"{answer.request.path} {answer.status}", answer.headers
        assert answer.status_code == status, where
        is_page = answer.mimetype == "text/html"
        assert is_page == (answer.request.path == f"{PREFIX}/docs") or not answer.data, where
        assert headers["Cache-Control"] == "no-store", where
        assert headers["X-Content-Type-Options"] == "nosniff", where
        assert headers.getlist("Content-Security-Policy") == [PAGE_CSP if is_page else DATA_CSP], where
        assert headers["Strict-Transport-Security"].startswith("max-age=63072000"), where
        assert re.fullmatch("[0-9a-f]{16}-[0-9a-f]{8}", headers["X-Request-ID"]), where
        cookies = {cookie.partition("=")[0] for cookie in headers.getlist("Set-Cookie")}
        assert cookies <= {"__Secure-refresh", "__Host-device"}, where
        if status >= 400:
            assert problem(answer)["status"] == status
        if status in (429, 503):
            assert int(headers["Retry-After"]) >= 1
        if status == 405:
            assert {"GET", "PATCH", "DELETE"} <= set(headers["Allow"].split(", "))
        seen.add(status)
    assert seen == {200, 202, 204, 400, 401, 403, 404, 405, 413, 415, 422, 429, 500, 503}


@pytest.mark.asvs("3.5.6")
def test_no_answer_becomes_a_script(app: Flask, alice: str) -> None:
    phone = App(app)
    phone.sign_in(alice)
    for path in ("/me", "/sessions", "/events", "/auth/session", "/openapi.json", "/nothing"):
        for name in ("callback", "jsonp", "cb"):
            answer = phone.get(f"{path}?{name}=steal")
            assert answer.mimetype in ("application/json", "application/problem+json"), path
            assert answer.data[:1] in (b"{", b"["), path
            assert b"steal(" not in answer.data
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
