"""A store that is away costs its pages a 503 within seconds, nothing else; when it is back, so are they.

The servers are real and are really stopped, cut off or frozen. Stopped, a server refuses; frozen, it takes connections
and says nothing, as behind a dead network: there only our own patience ends the wait.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from tests.conftest import NewApp, NewBrowser
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of
from tests.rows import at_statements
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer
from tests.stores import Stores
from webapp.extensions import db
from webapp.models import Base

SQLITE_ONLY = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
POSTGRES_ONLY = pytest.mark.parametrize("stores", ["postgres"], indirect=True)
IN_A_HURRY = timedelta(seconds=1)
IN_A_GREATER_HURRY = timedelta(seconds=0.4)  # where nothing but a lock is waited for
PATIENCE = 4.5  # seconds; a loaded machine adds to the 2.5 that a frozen server takes at the most

VISITORS_PAGES = ("/", "/login", "/register", "/password/forgot", "/static/css/site.css", "/healthz")
ACCOUNT_PAGES = (
    *("/", "/account", "/account/password", "/account/email", "/account/sessions", "/account/activity"),
    *("/account/data", "/reauthenticate", "/login", "/password/reset/x", "/no/such/page"),
)
FORMS: dict[str, dict[str, str]] = {
    "/login": {"email": "alice@example.com", "password": PASSWORD},
    "/register": {"email": "bob@example.com", "password": PASSWORD, "name": "Bob"},
    "/password/forgot": {"email": "alice@example.com"},
}


@pytest.fixture
def app(new_app: NewApp, stores: Stores) -> Flask:
    """The application, in a hurry."""
    return new_app(DATABASE_TIMEOUT=IN_A_HURRY if stores.redis_url else IN_A_GREATER_HURRY)


@pytest.fixture
def signed_in(new_browser: NewBrowser, alice: str) -> Browser:
    """A browser in which Alice is signed in."""
    browser = new_browser()
    assert browser.sign_in(alice).status_code == 303
    return browser


def answer_in_time(request: Callable[[], TestResponse]) -> TestResponse:
    over, rests = threading.Event(), 0

    def rest() -> None:
        nonlocal rests
        while not over.wait(0.01):
            rests += 1  # a machine that stands still for a while counts none

    watch = threading.Thread(target=rest)
    watch.start()
    try:
        answer = request()
        answer.get_data()
        answer.close()
    finally:
        over.set()
        watch.join()
    assert rests * 0.01 < PATIENCE
    return answer


def is_unavailable(answer: TestResponse) -> bool:
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    assert "Set-Cookie" not in answer.headers
    assert "Traceback" not in answer.text
    return True


def rows_of(app: Flask) -> dict[str, int]:
    """How many rows every table has."""
    with app.app_context():
        tables = [mapper.class_ for mapper in Base.registry.mappers]
        return {
            str(model.__tablename__): db.session.scalar(select(func.count()).select_from(model)) for model in tables
        }


def readiness(browser: Browser) -> tuple[int, Any]:
    answer = answer_in_time(lambda: browser.get("/readyz"))
    return answer.status_code, (answer.json or {}).get("down")


@POSTGRES_ONLY
@pytest.mark.asvs("16.5.2", "16.5.3")
@pytest.mark.parametrize("redis", [True, False], ids=["sessions in redis", "sessions in the database"])
def test_without_postgresql_visitors_read_on_and_all_else_waits(
    new_app: NewApp, stores: Stores, postgres_server: PostgresServer, alice: str, redis: bool
) -> None:
    app = new_app(DATABASE_TIMEOUT=IN_A_HURRY, **({} if redis else {"REDIS_URL": ""}))
    signed_in, visitor = Browser(app), Browser(app)
    signed_in.sign_in(alice)
    visitor.get("/login")
    before = rows_of(app)
    with postgres_server.outage(stores.database_url):
        assert all(answer_in_time(lambda page=page: visitor.get(page)).status_code == 200 for page in VISITORS_PAGES)
        assert readiness(visitor) == (503, ["database"])
        assert all(is_unavailable(answer_in_time(lambda page=page: signed_in.get(page))) for page in ACCOUNT_PAGES[:-1])
        assert signed_in.get("/healthz").status_code == 200
        for page, fields in FORMS.items():
            assert is_unavailable(answer_in_time(lambda page=page, fields=fields: visitor.submit(page, **fields)))
    assert readiness(visitor) == (200, None)
    assert signed_in.is_signed_in  # without signing in again, and without a restart
    assert rows_of(app) | {"rate_limits": 0} == before | {"rate_limits": 0}
    assert visitor.sign_in(alice).status_code == 303


@POSTGRES_ONLY
@pytest.mark.asvs("13.2.6", "16.5.2")
def test_a_frozen_postgresql_holds_no_page_up_for_long(
    app: Flask, stores: Stores, postgres_server: PostgresServer, signed_in: Browser, new_browser: NewBrowser
) -> None:
    visitor = new_browser()
    assert signed_in.is_signed_in
    with postgres_server.frozen(stores.database_url):
        assert is_unavailable(answer_in_time(lambda: signed_in.get("/account")))
        assert answer_in_time(lambda: visitor.get("/login")).status_code == 200
        assert is_unavailable(answer_in_time(lambda: visitor.sign_in("alice@example.com")))
        assert readiness(visitor) == (503, ["database"])
        assert visitor.get("/healthz").status_code == 200
    assert signed_in.is_signed_in
    assert readiness(visitor) == (200, None)


@POSTGRES_ONLY
def test_postgresql_that_freezes_within_a_request_ends_that_request(
    app: Flask, stores: Stores, postgres_server: PostgresServer, signed_in: Browser
) -> None:
    with freezing_at(app, "INSERT INTO security_events", postgres_server, stores) as thaw:
        answer = answer_in_time(lambda: signed_in.submit("/account", "/logout"))
        thaw()
    assert is_unavailable(answer)
    assert signed_in.is_signed_in  # it was not half done
    assert signed_in.sign_out().status_code == 303


@POSTGRES_ONLY
@pytest.mark.asvs("2.3.3")
def test_a_connection_that_is_cut_in_the_middle_leaves_nothing_half_done(
    app: Flask, stores: Stores, postgres_server: PostgresServer, alice: str, new_browser: NewBrowser
) -> None:
    browser, before = new_browser(), rows_of(app)
    with at_first(
        app, "INSERT INTO login_sessions", lambda: postgres_server.terminate_connections(stores.database_url)
    ):
        assert is_unavailable(browser.sign_in(alice))
    assert rows_of(app) == before
    assert browser.sign_in(alice).status_code == 303


@POSTGRES_ONLY
def test_a_restart_of_postgresql_between_two_requests_costs_neither(
    app: Flask, stores: Stores, postgres_server: PostgresServer, signed_in: Browser
) -> None:
    for _ in range(3):
        postgres_server.terminate_connections(stores.database_url)
        assert signed_in.is_signed_in


@POSTGRES_ONLY
@pytest.mark.asvs("16.5.2", "16.5.3")
@pytest.mark.parametrize("limited", [True, False], ids=["limits on", "limits off"])
@pytest.mark.parametrize("kind", ["outage", "frozen"])
def test_without_valkey_nobody_signs_in_uncounted_and_no_sign_in_is_half_done(
    new_app: NewApp, valkey_server: ValkeyServer, alice: str, limited: bool, kind: str
) -> None:
    app = new_app(DATABASE_TIMEOUT=IN_A_HURRY, RATELIMIT_ENABLED=limited)
    signed_in, visitor = Browser(app), Browser(app)
    signed_in.sign_in(alice)
    visitor.get("/login")
    before = rows_of(app)
    outage: AbstractContextManager[None] = getattr(valkey_server, kind)()
    with outage:
        pages = VISITORS_PAGES if kind == "outage" else ("/", "/login")
        assert all(answer_in_time(lambda page=page: visitor.get(page)).status_code == 200 for page in pages)
        assert readiness(visitor) == (503, ["redis"])
        pages = ACCOUNT_PAGES if kind == "outage" else ("/account",)
        assert all(is_unavailable(answer_in_time(lambda page=page: signed_in.get(page))) for page in pages)
        for page, fields in list(FORMS.items())[: 3 if kind == "outage" else 1]:
            assert is_unavailable(answer_in_time(lambda page=page, fields=fields: visitor.submit(page, **fields)))
        assert rows_of(app) == before
    if kind == "frozen":  # it has forgotten nothing
        assert signed_in.is_signed_in
    assert visitor.sign_in(alice).status_code == 303
    assert readiness(visitor) == (200, None)


@POSTGRES_ONLY
def test_a_valkey_that_comes_back_empty_signs_browsers_out_and_nothing_worse(
    app: Flask, valkey_server: ValkeyServer, signed_in: Browser, alice: str
) -> None:
    with valkey_server.outage():
        pass
    assert not signed_in.is_signed_in
    assert signed_in.sign_in(alice).status_code == 303


@SQLITE_ONLY
@pytest.mark.asvs("15.4.3", "16.5.2")
def test_while_another_process_holds_sqlites_lock_pages_are_read_and_forms_wait_their_time(
    app: Flask, stores: Stores, signed_in: Browser, new_browser: NewBrowser, mailbox: Mailbox
) -> None:
    visitor = new_browser()
    mailbox.deliver()
    before = rows_of(app)
    with locked(stores):
        assert signed_in.is_signed_in
        assert readiness(visitor) == (200, None)
        for page, fields in FORMS.items():
            assert is_unavailable(answer_in_time(lambda page=page, fields=fields: visitor.submit(page, **fields)))
        changes = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        assert is_unavailable(answer_in_time(lambda: signed_in.submit("/account/password", **changes)))
        assert is_unavailable(answer_in_time(lambda: signed_in.submit("/account", "/logout")))
    assert rows_of(app) == before
    assert signed_in.is_signed_in
    assert visitor.sign_in("alice@example.com").status_code == 303


@SQLITE_ONLY
def test_a_form_sent_while_the_lock_is_held_for_a_moment_goes_through(
    new_app: NewApp, stores: Stores, alice: str
) -> None:
    browser = Browser(new_app(DATABASE_TIMEOUT=timedelta(seconds=30)))
    with locked(stores) as release:
        timer = threading.Timer(0.2, release)
        timer.start()
        assert browser.sign_in(alice).status_code == 303
        timer.join()


def test_an_outage_while_mails_are_sent_loses_none_and_sends_none_twice(
    app: Flask, stores: Stores, request: pytest.FixtureRequest, alice: str, mailbox: Mailbox, browser: Browser
) -> None:
    browser.submit("/password/forgot", email=alice)
    already = len(mailbox.mails()) - 1
    browser.submit("/password/forgot", email=alice)
    server = request.getfixturevalue("postgres_server") if stores.redis_url else None
    with server.outage(stores.database_url) if server else locked(stores), pytest.raises(OperationalError):
        mailbox.deliver()
    assert len(mailbox.mails()) == already + 2
    assert browser.get(mailbox.link(alice, "/password/reset/")).status_code == 200


@contextmanager
def locked(stores: Stores) -> Iterator[Callable[[], None]]:
    """Within the block somebody else writes, and takes their time; the function given lets go early."""
    connection = sqlite3.connect(stores.database_url.removeprefix("sqlite:///"), check_same_thread=False)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield connection.rollback
    finally:
        connection.rollback()
        connection.close()


@contextmanager
def at_first(app: Flask, beginning: str, action: Callable[[], None]) -> Iterator[None]:
    """Within the block the first statement that begins like this is preceded by `action`."""
    todo = [action]

    def watch(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.startswith(beginning) and todo:
            todo.pop()()

    with at_statements(runtime_of(app).engine, watch):
        yield
    assert not todo, f"there was no {beginning}"


@contextmanager
def freezing_at(app: Flask, beginning: str, server: PostgresServer, stores: Stores) -> Iterator[Callable[[], None]]:
    """Within the block PostgreSQL freezes before the first statement that begins like this, until `thaw` is called."""
    frozen = server.frozen(stores.database_url)
    thawed: list[bool] = []

    def thaw() -> None:
        if not thawed:
            thawed.append(True)
            frozen.__exit__(None, None, None)

    try:
        with at_first(app, beginning, lambda: frozen.__enter__()):
            yield thaw
    finally:
        thaw()
