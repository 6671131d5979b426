"""A provider that is slow, away or after something else: the site goes on without it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import pytest
import urllib3.connection
from flask import Flask

from tests.apps import App
from tests.conftest import NewApp
from tests.journeys.provider_refusals import (
    CALLBACK,
    assert_helpful,
    assert_honest_sign_in_works,
    assert_turned_away,
)
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers import faults, forgeries
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import START, come_back, google_settings, leave, sign_in_with
from tests.rows import Rows, on_sqlite, statements
from webapp.gateways import provider_http, provider_metadata
from webapp.gateways.provider_http import CALLS_AT_ONCE
from webapp.models import AuthorizationRequest

ALICE = "alice@example.com"


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a slow provider waits for."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests must not decide this one."""
    monkeypatch.setattr(provider_http, "DEADLINE", 60.0)
    monkeypatch.setattr(provider_http, "READ_TIMEOUT", 60.0)
    monkeypatch.setattr(provider_http, "WAIT_FOR_A_PLACE", 0.1)


def registered(site: Flask) -> Browser:
    browser = Browser(site)
    browser.submit("/register", email=ALICE, password=PASSWORD, name="Alice")
    browser.submit(Mailbox(site).link(ALICE, "/verify-email/"))
    browser.sign_out()
    return browser


@pytest.mark.parametrize("endpoint", ["metadata", "token"])
def test_a_slow_provider_holds_up_a_few_and_the_password_door_goes_on(
    google: Flask, provider: LyingProvider, gate: threading.Event, patience: None, endpoint: str
) -> None:
    alice = registered(google)
    waiting = [Browser(google) for _ in range(CALLS_AT_ONCE)]
    late = Browser(google)
    ways = [leave(browser) for browser in (*waiting, late)] if endpoint == "token" else []
    callbacks = [provider.approve(way) for way in ways]
    provider.lie.answers[endpoint] = faults.held_until(gate)

    def wait(number: int, browser: Browser) -> int:
        if endpoint == "metadata":
            return browser.submit("/login", START).status_code
        return come_back(browser, callbacks[number]).status_code

    with ThreadPoolExecutor(CALLS_AT_ONCE) as crowd:
        held = [crowd.submit(wait, number, browser) for number, browser in enumerate(waiting)]
        while len(provider.asked(endpoint)) < CALLS_AT_ONCE:
            gate.wait(0.01)
        # Whoever comes now is told so at once, and whoever has a password does not notice.
        assert wait(CALLS_AT_ONCE, late) == 503
        assert alice.sign_in(ALICE).status_code == 303
        assert alice.is_signed_in
        assert App(google).sign_in(ALICE).status_code == 200
        assert not any(found.done() for found in held)
        gate.set()
        assert [found.result() for found in held] == [303] * CALLS_AT_ONCE
    assert len(provider.asked(endpoint)) == CALLS_AT_ONCE


@pytest.mark.parametrize("fault", [faults.slow_headers, faults.slow_body, faults.silent], ids=lambda f: f.__name__)
def test_what_goes_on_for_ever_ends_in_a_page(
    google: Flask, provider: LyingProvider, monkeypatch: pytest.MonkeyPatch, fault: object
) -> None:
    browser = Browser(google)
    callback = provider.approve(leave(browser))
    provider.lie.answers["token"] = fault()  # type: ignore[operator]
    with monkeypatch.context() as hasty:
        hasty.setattr(provider_http, "DEADLINE", 0.3)
        answer = come_back(browser, callback)
    assert_turned_away(google, browser, answer, 503)
    provider.reset()
    assert_honest_sign_in_works(browser, provider)


@on_sqlite
def test_a_provider_that_is_away_is_told_on_every_way_to_it(
    google: Flask, provider: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = registered(google)
    sign_in_with(browser, provider)
    gwen = Browser(google)
    sign_in_with(gwen, provider)
    monkeypatch.setattr(provider_metadata, "METADATA_KEPT", 0.0)
    monkeypatch.setattr(provider_metadata, "METADATA_FRESH", 0.0)
    runtime = google.extensions["runtime"]
    runtime.relying_parties["google"]._metadata._fresh_until = 0.0
    provider.lie.answers["metadata"] = faults.hangs_up()
    for page in ("/login", "/register"):
        visitor = Browser(google)
        answer = visitor.submit(page, START)
        assert answer.status_code == 503, page
        assert_helpful(visitor, answer)
    again = gwen.submit("/reauthenticate", "/reauthenticate/google")
    assert again.status_code == 503
    assert_helpful(gwen, again)
    assert gwen.get("/account/connections").status_code == 200
    assert Rows(google).count(AuthorizationRequest) == 0


@on_sqlite
def test_a_provider_that_goes_away_for_a_while_is_still_known(
    google: Flask, provider: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in_with(Browser(google), provider)
    google.extensions["runtime"].relying_parties["google"]._metadata._fresh_until = 0.0
    provider.lie.answers["metadata"] = faults.failing()
    browser = Browser(google)
    assert sign_in_with(browser, provider).status_code == 303
    assert browser.is_signed_in
    assert len(provider.asked("metadata")) == 2


@pytest.fixture
def visited(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, int]]:
    """Where the process opens connections to."""
    seen: set[tuple[str, int]] = set()
    honest = urllib3.connection.connection.create_connection

    def note(address: tuple[str, int], *rest: object, **more: object) -> object:
        seen.add(address)
        return honest(address, *rest, **more)

    monkeypatch.setattr(urllib3.connection.connection, "create_connection", note)
    return seen


@on_sqlite
@pytest.mark.asvs("1.3.6")
def test_only_the_provider_is_visited_whatever_anybody_types(
    new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider, visited: set[tuple[str, int]]
) -> None:
    site = new_app(**google_settings(provider), API_REDIRECT_URIS="com.example.app:/callback")
    evil = other_provider.issuer  # somebody who would notice a visit
    browser, app = Browser(site), App(site)
    fields = {"next": evil, "email": f"mallory@{urlsplit(evil).netloc}", "name": evil, "password": evil + evil}
    browser.submit("/register", **fields)
    browser.submit("/login", **fields)
    browser.submit("/password/forgot", **fields)
    for name in ("iss", "code", "state", "error", "error_uri", "next", "redirect_uri", "request_uri", "jwks_uri"):
        browser.get(f"{CALLBACK}?{urlencode({'state': 'x', 'code': 'y', name: evil})}")
        browser.get(f"/api/v1/auth/google/authorize?{urlencode({'redirect_uri': evil, name: evil})}")
    for lie in ({"iss": evil}, {"code": evil}, {"error": evil, "error_uri": evil}):
        sign_in_with(browser, provider, **lie)
    for forgery in (forgeries.jku, forgeries.x5u, forgeries.embedded_jwk):
        provider.lie.sign = forgery
        provider.lie.header |= {"jku": f"{evil}/keys", "x5u": f"{evil}/keys"}
        sign_in_with(browser, provider)
        app.post("/auth/google/id-token", {"id_token": provider.id_token(nonce=evil, iss=evil), "nonce": evil})
    provider.lie.sign = forgeries.honest
    provider.lie.header.clear()
    provider.lie.claims |= {"picture": f"{evil}/picture", "profile": evil, "website": evil, "_claim_sources": evil}
    assert sign_in_with(browser, provider).status_code == 303
    for page in ("/account", "/account/connections", "/account/welcome"):
        assert evil not in browser.get(page).text
    for endpoint in ("metadata", "token", "keys", "userinfo"):
        provider.lie.answers[endpoint] = faults.redirect(evil)
        provider.lie.claims["email"] = REMOVED
        sign_in_with(Browser(site), provider)
    assert other_provider.received == []
    parts = urlsplit(provider.issuer)
    assert visited == {(parts.hostname, parts.port)}


# What it costs


# Statements of a callback: of somebody new, of somebody known. SQLite says BEGIN itself, and holds the cookie session.
MOST_STATEMENTS = {"sqlite": (18, 17), "postgresql": (15, 14)}


def statements_of_a_callback(site: Flask, provider: LyingProvider) -> list[str]:
    browser = Browser(site)
    callback = provider.approve(leave(browser))
    with statements(Rows(site).engine) as sent:
        assert come_back(browser, callback).status_code == 303
    return sent


def test_a_callback_asks_the_provider_once_and_the_database_a_few_times(google: Flask, provider: LyingProvider) -> None:
    most_new, most_known = MOST_STATEMENTS[Rows(google).engine.name]
    new = statements_of_a_callback(google, provider)
    provider.received.clear()
    known = statements_of_a_callback(google, provider)
    assert [request.endpoint for request in provider.received] == ["authorize", "choose", "token"]
    for sent, most in ((new, most_new), (known, most_known)):
        assert len(sent) <= most, sent
        assert sent[0].startswith("DELETE FROM authorization_requests"), "nothing is read before the state is spent"


@on_sqlite
def test_a_callback_of_nobody_costs_next_to_nothing(google: Flask, provider: LyingProvider) -> None:
    stranger, somebody = Browser(google), Browser(google)
    leave(somebody)
    provider.received.clear()
    for browser, most in ((stranger, 2), (somebody, 3)):  # two limits; and a look where a browser holds the cookie
        with statements(Rows(google).engine) as sent:
            assert browser.get(f"{CALLBACK}?state=made-up&code=made-up").status_code == 400
        assert len([statement for statement in sent if "BEGIN" not in statement]) <= most, sent
    assert provider.received == []


def test_no_transaction_is_open_while_the_provider_is_asked(
    google: Flask, provider: LyingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Rows(google).engine
    lent: list[int] = []
    honest = provider_http.Outbound._call

    def note(*arguments: object) -> object:
        lent.append(engine.pool.checkedout())  # type: ignore[attr-defined]
        return honest(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(provider_http.Outbound, "_call", note)
    monkeypatch.setattr(provider_metadata, "METADATA_FRESH", 0.0)  # so that every start asks, too
    browser = Browser(google)
    sign_in_with(browser, provider)
    come_back(browser, provider.approve(leave(browser, page="/reauthenticate", action="/reauthenticate/google")))
    assert len(lent) > 5
    assert set(lent) == {0}
