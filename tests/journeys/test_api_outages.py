"""A store that is away costs its calls a 503 that says when to come back, and changes nothing; others go on."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from tests.apps import App, a_second_passes, refusal, stop_the_clock
from tests.conftest import NewApp
from tests.people import NEW_PASSWORD, PASSWORD, Mailbox, runtime_of
from tests.rows import Rows, breaking, on_sqlite
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer
from tests.stores import Stores
from webapp.models import Base

ALICE = "alice@example.com"
ON_POSTGRES = pytest.mark.parametrize("stores", ["postgres"], indirect=True)
Call = Callable[[App], TestResponse]

CALLS: dict[str, Call] = {
    "register": lambda phone: phone.register("new@example.com"),
    "verify": lambda phone: phone.post("/auth/email/verify", {"token": "x"}),
    "login": lambda phone: phone.sign_in(ALICE),
    "forgot": lambda phone: phone.post("/auth/password/forgot", {"email": ALICE}),
    "reset": lambda phone: phone.post("/auth/password/reset", {"token": "x", "password": NEW_PASSWORD}),
    "keep account": lambda phone: phone.keep_account("x"),
    "refresh": lambda phone: phone.refresh(),
    "change the password": lambda phone: phone.post(
        "/me/password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    ),
    "rename": lambda phone: phone.call("PATCH", "/me", {"name": "Somebody"}),
    "delete": lambda phone: phone.call("DELETE", "/me"),
    "end a session": lambda phone: phone.call("DELETE", f"/sessions/{phone.session_id}"),
    "sign out": lambda phone: phone.sign_out(),
    "sign out everywhere": lambda phone: phone.post("/auth/logout-all"),
    "me": lambda phone: phone.get("/me"),
    "sessions": lambda phone: phone.get("/sessions"),
    "events": lambda phone: phone.get("/events"),
}
READS = {"me", "sessions", "events"}
COUNTED = {"register", "verify", "login", "forgot", "reset", "change the password"}


def stored(app: Flask) -> dict[str, list[str]]:
    """Everything the database holds but counters."""
    with runtime_of(app).engine.connect() as connection:
        tables = [table for table in Base.metadata.sorted_tables if table.name != "rate_limits"]
        return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables}


def is_unavailable(answer: TestResponse) -> bool:
    assert refusal(answer) == (503, "store_unavailable")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert "Set-Cookie" not in answer.headers
    return True


@contextmanager
def locked(app: Flask) -> Iterator[None]:
    """Somebody else writes into SQLite, and takes their time."""
    with runtime_of(app).engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.rollback()
        raw.execute("BEGIN EXCLUSIVE")
        try:
            yield
        finally:
            raw.rollback()


@on_sqlite
@pytest.mark.asvs("16.5.2", "16.5.3")
def test_while_another_process_writes_reading_goes_on_and_the_rest_waits_its_time(new_app: NewApp, alice: str) -> None:
    app = new_app(DATABASE_TIMEOUT=timedelta(seconds=0.3))
    phone = App(app)
    phone.sign_in(alice)
    Mailbox(app).deliver()
    before = stored(app)
    with locked(new_app()):
        assert phone.get("/auth/session").status_code == 200
        for name, call in CALLS.items():
            if name in READS:
                assert call(phone).status_code == 200, name
            elif name != "keep account":  # looks first, and there is no such step
                assert is_unavailable(call(phone)), name
    assert stored(app) == before
    assert phone.refresh().status_code == 200
    assert phone.is_signed_in


@ON_POSTGRES
@pytest.mark.asvs("16.5.2", "16.5.3")
def test_without_the_database_every_call_says_503_and_all_is_as_before(
    new_app: NewApp, stores: Stores, postgres_server: PostgresServer, alice: str
) -> None:
    app = new_app(DATABASE_TIMEOUT=timedelta(seconds=20))
    stop_the_clock(app)
    phone = App(app)
    phone.sign_in(alice)
    Mailbox(app).deliver()
    assert phone.is_signed_in
    before = stored(app)
    with postgres_server.outage(stores.database_url):
        for name, call in CALLS.items():
            assert is_unavailable(call(phone)), name
        for _ in range(30):
            a_second_passes(app)
            assert phone.get("/auth/session").status_code == 200, "what it heard half a minute ago still holds"
        a_second_passes(app)
        assert is_unavailable(phone.get("/auth/session"))
    assert stored(app) == before
    a_second_passes(app)
    assert phone.is_signed_in, "by itself, and with the tokens there were"
    assert phone.refresh().status_code == 200


@ON_POSTGRES
@pytest.mark.asvs("16.5.2", "16.5.3")
def test_without_redis_nobody_guesses_uncounted_and_signed_in_apps_notice_nothing(
    new_app: NewApp, valkey_server: ValkeyServer, alice: str
) -> None:
    app = new_app(DATABASE_TIMEOUT=timedelta(seconds=20))
    phone = App(app)
    phone.sign_in(alice)
    Mailbox(app).deliver()
    before = stored(app)
    outage: AbstractContextManager[None] = valkey_server.outage()
    with outage:
        for name in sorted(COUNTED):
            assert is_unavailable(CALLS[name](phone)), name
        assert stored(app) == before
        for name in ("me", "sessions", "events", "refresh", "rename", "sign out"):
            assert CALLS[name](phone).status_code in (200, 204), name
    assert phone.sign_in(alice).status_code == 200


BREAKS: list[tuple[str, str]] = [
    ("login", "INSERT INTO login_sessions"),
    ("login", "INSERT INTO security_events"),
    ("register", "INSERT INTO outbox_messages"),
    ("refresh", "UPDATE login_sessions"),
    ("change the password", "UPDATE login_sessions"),
    ("change the password", "INSERT INTO security_events"),
    ("delete", "INSERT INTO outbox_messages"),
    ("sign out", "INSERT INTO security_events"),
    ("sign out everywhere", "INSERT INTO security_events"),
    ("rename", "UPDATE users"),
]


@pytest.mark.asvs("2.3.3", "16.5.3")
@pytest.mark.parametrize(("name", "statement"), BREAKS, ids=[f"{name}, {what}" for name, what in BREAKS])
def test_what_breaks_in_the_middle_leaves_nothing_half_done(
    app: Flask, alice: str, rows: Rows, name: str, statement: str
) -> None:
    phone = App(app)
    phone.sign_in(alice)
    Mailbox(app).deliver()
    tokens, before = (phone.access_token, phone.refresh_token), stored(app)
    with breaking(rows.engine, lambda sent: sent.lstrip().startswith(statement)):
        assert refusal(CALLS[name](phone)) == (500, "internal_error")
    assert stored(app) == before
    phone.access_token, phone.refresh_token = tokens
    assert phone.get("/auth/session").status_code == 200, "nor does this process believe that it ended"
    assert phone.refresh().status_code == 200
    assert CALLS[name](phone).status_code in (200, 202, 204), "trying again is safe"


@pytest.mark.asvs("16.5.3")
def test_reuse_that_cannot_be_written_down_gives_no_tokens(app: Flask, alice: str, rows: Rows) -> None:
    phone = App(app)
    phone.sign_in(alice)
    spent = phone.refresh_token
    for _ in range(2):
        phone.refresh()
    before = stored(app)
    with breaking(rows.engine, lambda sent: sent.startswith("INSERT INTO outbox_messages")):
        assert refusal(phone.refresh(spent)) == (500, "internal_error")
    assert stored(app) == before
    assert refusal(phone.refresh(spent)) == (401, "refresh_reused"), "it is noticed the next time"


@on_sqlite
def test_a_counter_that_goes_away_after_it_counted_spoils_no_answer(app: Flask, alice: str, rows: Rows) -> None:
    """How long it lasts is asked last, when all is done: then it is only this that nobody can say."""
    phone = App(app)

    def away(sent: str) -> bool:
        if sent.startswith("SELECT rate_limits.expires_at"):
            raise OperationalError("", {}, Exception("away"))
        return False

    with breaking(rows.engine, away):
        answer = phone.sign_in(alice, "not what was chosen here")
    assert refusal(answer) == (401, "invalid_credentials")
    assert "X-RateLimit-Remaining" in answer.headers
    assert "X-RateLimit-Reset" not in answer.headers
