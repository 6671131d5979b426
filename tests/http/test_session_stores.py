"""The stores of cookie sessions: what they may hold, and what happens when they do not answer."""

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import msgspec
import pytest

from tests.http.session_sites import Site, signed_in_browser
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer
from webapp import clock
from webapp.http.session_stores import SessionStore, SqlSessionStore


def store_of(site: Site) -> SessionStore:
    return site.app.session_interface.store  # type: ignore[attr-defined]


on_redis = pytest.mark.parametrize("backend", ["redis"], indirect=True)
for_outages = pytest.mark.asvs("16.5.2", "16.5.3")
Outage = Callable[[], AbstractContextManager[None]]


@pytest.fixture
def outage(request: pytest.FixtureRequest, backend: str, database_url: str) -> Outage:
    """Takes the store away within a block: Valkey stopped, PostgreSQL cut off, SQLite locked by somebody else."""
    if backend == "redis":
        valkey: ValkeyServer = request.getfixturevalue("valkey_server")
        return valkey.outage
    if backend == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres_server")
        return lambda: postgres.outage(database_url)
    return lambda: locked(database_url.removeprefix("sqlite:///"))


@contextmanager
def locked(file: str) -> Iterator[None]:
    connection = sqlite3.connect(file)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


@pytest.mark.asvs("1.5.2")
@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"\xc1",
        b'{"bag": {"user": "alice"}}',
        msgspec.msgpack.encode({"user": "alice"}),
        msgspec.msgpack.encode(["user", "alice"]),
        msgspec.msgpack.encode({"bag": [1], "keep_until": clock.now(), "persistent": False}),
        msgspec.msgpack.encode({"bag": {1: 2}, "keep_until": clock.now(), "persistent": False}),
        b"\x83\xa3bag\x81\xa1a" + b"\x91" * 100_000,
        b"\x81\xa3bag\x81\xa1\xff\xc0",
    ],
    ids=["nothing", "no msgpack", "JSON", "bare bag", "list", "bag of a list", "numbers", "depth", "no UTF-8"],
)
def test_what_is_not_a_bag_of_ours_is_an_empty_session(site: Site, junk: bytes) -> None:
    sid = secrets.token_urlsafe(32)
    site.plant(sid, junk)
    assert site.browser(sid).get("/whoami").text == "nobody"


def test_what_is_over_is_not_found_and_purged_in_slices(site: Site) -> None:
    store = store_of(site)
    yesterday = clock.now() - timedelta(days=1)
    for number in range(5):
        store.insert(f"{number:064}", b"over", yesterday)
    store.insert("a" * 64, b"alive", clock.now() + timedelta(hours=1))
    assert store.get(f"{1:064}") is None
    slices = [store.purge(2) for _ in range(4)]
    assert slices == ([2, 2, 1, 0] if isinstance(store, SqlSessionStore) else [0, 0, 0, 0])
    assert store.get("a" * 64) == b"alive"
    assert len(site.storage.keys()) == 1


def test_only_what_is_there_is_updated_or_renamed(site: Site) -> None:
    store = store_of(site)
    assert not store.update("a" * 64, b"new")
    assert not store.rename("a" * 64, "b" * 64, b"new")
    assert site.storage.keys() == []
    store.insert("a" * 64, b"old", clock.now() + timedelta(hours=1))
    assert store.update("a" * 64, b"new")
    assert store.get("a" * 64) == b"new"
    assert store.rename("a" * 64, "b" * 64, b"newer")
    assert store.get("a" * 64) is None
    assert store.get("b" * 64) == b"newer"
    store.delete("b" * 64)
    store.delete("b" * 64)
    assert store.get("b" * 64) is None
    store.ping()


@for_outages
def test_a_signed_in_browser_gets_503_at_once_and_all_is_well_afterwards(site: Site, outage: Outage) -> None:
    browser = signed_in_browser(site)
    with outage():
        began = time.monotonic()
        answer = browser.get("/whoami")
        assert time.monotonic() - began < 20
        assert answer.status_code == 503
        assert "Set-Cookie" not in answer.headers
        assert site.browser().get("/whoami").text == "nobody", "visitors go on"
        assert site.browser().get("/form").status_code == 200
        assert browser.get("/healthz").status_code == 200
    if site.backend == "redis":
        assert browser.get("/whoami").text == "nobody", "this Valkey forgets when it is stopped"
        browser.post("/sign-in")
    assert browser.get("/whoami").text == "alice"


@for_outages
def test_a_sign_in_that_cannot_be_stored_is_none(site: Site, outage: Outage) -> None:
    browser = site.browser()
    browser.get("/form")
    with outage():
        answer = browser.post("/sign-in")
        assert answer.status_code == 503
        assert answer.text == "The store does not answer."
        assert answer.headers["Retry-After"] == "5"
        assert int(answer.headers["Content-Length"]) == len(answer.data)
        assert "Set-Cookie" not in answer.headers
        assert "Location" not in answer.headers
    assert browser.get("/whoami").text == "nobody"
    browser.post("/sign-in")
    assert browser.get("/whoami").text == "alice"


@for_outages
@pytest.mark.parametrize(("path", "form"), [("/keep", {"user": "bob"}), ("/renew", {}), ("/sign-in", {})])
def test_a_store_that_goes_away_during_a_request_changes_nothing(
    site: Site, outage: Outage, path: str, form: dict[str, str]
) -> None:
    browser = signed_in_browser(site)
    old = site.id_in(browser)
    down = outage()
    site.during_slow = down.__enter__
    try:
        answer = browser.post(path, data=form)
    finally:
        down.__exit__(None, None, None)
    assert answer.status_code == 503
    assert "Set-Cookie" not in answer.headers
    assert site.id_in(browser) == old
    if site.backend != "redis":
        assert browser.get("/whoami").text == "alice"


@for_outages
def test_the_id_stays_with_the_browser_whatever_it_asks_for(site: Site, outage: Outage) -> None:
    browser = signed_in_browser(site)
    with outage():
        for path in ("/sign-out", "/clear", "/sign-in"):
            answer = browser.post(path)
            assert answer.status_code == 503
            assert "Set-Cookie" not in answer.headers
    assert site.id_in(browser)


@for_outages
@on_redis
def test_a_store_that_takes_connections_and_never_answers_is_down_too(site: Site, valkey_server: ValkeyServer) -> None:
    browser = signed_in_browser(site)
    with valkey_server.frozen():
        began = time.monotonic()
        assert browser.get("/whoami").status_code == 503
        assert time.monotonic() - began < 20
    assert browser.get("/whoami").text == "alice"


@for_outages
@on_redis
def test_a_restart_between_two_requests_costs_none_of_them(site: Site, valkey_server: ValkeyServer) -> None:
    browser = signed_in_browser(site)
    with valkey_server.outage():
        pass
    assert browser.post("/sign-in").status_code == 303
    assert browser.get("/whoami").text == "alice"
