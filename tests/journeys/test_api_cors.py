"""Which other sites' pages may read the API's answers: those of CORS_ORIGINS, letter by letter."""

from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps import App
from tests.conftest import NewApp
from tests.people import PASSWORD
from tests.rows import on_sqlite

pytestmark = on_sqlite

OWN, LISTED, SECOND = "https://login.example.com", "https://spa.example.org", "http://localhost:5173"
UNLISTED = (
    *("https://evil.example", "null", "https://spa.example.org.evil.test", "https://evil-spa.example.org"),
    *("http://spa.example.org", "https://spa.example.org:444", "https://SPA.example.org", "https://spa.example.org/"),
    *(f"{LISTED} {SECOND}", f"{LISTED},{SECOND}", "*", "", "https://sub.spa.example.org", OWN),
)
ABOUT = "Access-Control-"
SOME_SESSION = "/sessions/0199c0de-0000-7000-8000-00000000c0de"


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    return new_app(PUBLIC_URL=OWN, CORS_ORIGINS=(LISTED, SECOND))


def preflight(app: Flask, origin: str, path: str = "/me", method: str = "PATCH") -> TestResponse:
    """What a browser asks before it sends a call of a page of that origin."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    return App(app).call("OPTIONS", path, headers=headers)


def about_origins(answer: TestResponse) -> dict[str, str]:
    return {name: value for name, value in answer.headers if name.startswith(ABOUT)}


@pytest.mark.asvs("3.4.2")
@pytest.mark.parametrize("origin", [LISTED, SECOND])
@pytest.mark.parametrize("path", ["/me", "/auth/login", "/auth/refresh", SOME_SESSION])
def test_a_listed_page_is_told_what_it_may_send(app: Flask, origin: str, path: str) -> None:
    answer = preflight(app, origin, path)
    assert (answer.status_code, answer.data) == (204, b"")
    told = about_origins(answer)
    assert told.pop("Access-Control-Expose-Headers")
    assert told == {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Max-Age": "600",
    }
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.asvs("3.4.2")
@pytest.mark.parametrize("origin", UNLISTED)
def test_any_other_page_is_told_nothing(app: Flask, alice: str, origin: str) -> None:
    phone = App(app)
    phone.sign_in(alice)
    for answer in (preflight(app, origin), phone.get("/me", headers={"Origin": origin}), phone.get("/me")):
        assert about_origins(answer) == {}
        assert "Origin" in answer.headers["Vary"], "or a cache would give the one the other's answer"


def every_kind(app: Flask, alice: str) -> Iterator[tuple[int, TestResponse]]:
    spa = App(app, cookies=True, origin=LISTED)
    yield 200, spa.sign_in(alice, refresh_transport="cookie")
    yield 200, spa.refresh(token="", headers={"Sec-Fetch-Site": "cross-site"})
    yield 200, spa.get("/me")
    yield 202, spa.register("new@example.com")
    yield 204, spa.sign_out()
    yield 400, spa.post("/auth/login", data=b"{", content_type="application/json")
    yield 401, spa.get("/me", token="")
    yield 404, spa.get("/nothing")
    yield 405, spa.call("PUT", "/me")
    yield 413, spa.post("/auth/login", data=b"a" * 100_000)
    yield 415, spa.post("/auth/login", data=b"a", content_type="text/plain")
    yield 422, spa.post("/auth/login", {})
    for _ in range(11):
        last = spa.sign_in("guessed@example.com", PASSWORD)
    yield 429, last


@pytest.mark.asvs("3.4.2")
def test_a_listed_page_can_read_every_answer_refusals_too(app: Flask, alice: str) -> None:
    for status, answer in every_kind(app, alice):
        assert answer.status_code == status
        told = about_origins(answer)
        exposed = set(told.pop("Access-Control-Expose-Headers").split(", "))
        assert told == {"Access-Control-Allow-Origin": LISTED, "Access-Control-Allow-Credentials": "true"}, status
        assert exposed >= {"X-Request-ID", "WWW-Authenticate", "Retry-After", "Link", "X-RateLimit-Remaining"}
        assert "Origin" in answer.headers["Vary"]
        assert "*" not in told.values()


def test_pages_and_what_lies_beside_the_api_are_nobody_elses(app: Flask) -> None:
    client = app.test_client()
    for path in ("/", "/login", "/account", "/healthz", "/static/css/site.css", "/nothing", "/apiary", "/api"):
        for method in ("GET", "OPTIONS"):
            headers = {"Origin": LISTED, "Access-Control-Request-Method": "GET"}
            answer = client.open(path, method=method, base_url=OWN, headers=headers, buffered=True)
            assert about_origins(answer) == {}, path


def test_a_preflight_of_what_there_is_not_is_404(app: Flask) -> None:
    assert preflight(app, LISTED, "/nothing").status_code == 404


def test_without_a_list_nothing_is_said_of_origins(new_app: NewApp) -> None:
    app = new_app(PUBLIC_URL=OWN)
    for answer in (preflight(app, LISTED), preflight(app, OWN), App(app, origin=LISTED).get("/me")):
        assert about_origins(answer) == {}
        assert "Origin" not in answer.headers.get("Vary", "")
