"""The database away: older news holds for half a minute, then nothing is trusted; and nobody waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from tests.apps import App, refusal
from tests.people import runtime_of
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.errors import StoreUnavailable
from webapp.policy.login_sessions import EndReason
from webapp.services import revocation
from webapp.services.revocation import READ_EVERY, TRUSTED_FOR, RevokedSessions

SECOND = timedelta(seconds=1)
FOR_EVER = 100_000.0  # seconds: a test that waits so long does not end


class Database:
    """An engine that can be taken away, or made to answer only when it is let."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.is_down = False
        self.attempts = 0
        self.answers = threading.Event()
        self.answers.set()
        self.was_asked = threading.Event()

    def connect(self) -> AbstractContextManager[Connection]:
        self.attempts += 1
        self.was_asked.set()
        self.answers.wait()
        if self.is_down:
            raise OperationalError("SELECT", {}, Exception("the database is away"))
        return self._engine.connect()


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    """The clock, which stands until it is moved."""
    with time_machine.travel(clock.now().replace(microsecond=0), tick=False) as traveller:
        yield traveller


@pytest.fixture
def database(app: Flask) -> Database:
    return Database(runtime_of(app).engine)


@pytest.fixture
def revoked(database: Database, at: time_machine.Traveller) -> RevokedSessions:
    """What one process knows; its clock is the one that is moved."""
    monotonic: Callable[[], float] = lambda: clock.now().timestamp()  # noqa: E731
    return RevokedSessions(database, token_life=timedelta(minutes=10), monotonic=monotonic)  # type: ignore[arg-type]


@pytest.mark.asvs("16.5.2", "16.5.3")
def test_older_news_is_trusted_for_half_a_minute_and_then_nothing_is(
    revoked: RevokedSessions, database: Database, at: time_machine.Traveller
) -> None:
    assert not revoked.includes("live")
    database.is_down = True
    at.shift(TRUSTED_FOR)
    assert not revoked.includes("live")
    at.shift(SECOND)
    with pytest.raises(StoreUnavailable) as refused:
        revoked.includes("live")
    assert refused.value.details == {"store": "revocation"}


def test_what_is_known_to_have_ended_stays_so(
    revoked: RevokedSessions, database: Database, at: time_machine.Traveller
) -> None:
    revoked.includes("live")
    revoked.note("ended")
    database.is_down = True
    at.shift(100 * TRUSTED_FOR)
    assert revoked.includes("ended")


def test_a_new_process_trusts_nothing_before_it_has_read(revoked: RevokedSessions, database: Database) -> None:
    database.is_down = True
    with pytest.raises(StoreUnavailable):
        revoked.includes("live")


def test_it_comes_back_by_itself_and_knows_what_happened_meanwhile(
    revoked: RevokedSessions, database: Database, at: time_machine.Traveller, rows: Rows, alice: str
) -> None:
    revoked.includes("live")
    database.is_down = True
    at.shift(TRUSTED_FOR + SECOND)
    with pytest.raises(StoreUnavailable):
        revoked.includes("live")
    ended = rows.api_session(generation=1, ended_at=clock.now() - TRUSTED_FOR, end_reason=EndReason.SIGNED_OUT)
    at.shift(READ_EVERY)
    database.is_down = False
    assert revoked.includes(str(ended.id))
    assert not revoked.includes("live")


@on_sqlite
@pytest.mark.parametrize("down_for", [SECOND, TRUSTED_FOR, 10 * TRUSTED_FOR])
def test_a_database_that_is_away_is_asked_once_a_second(
    revoked: RevokedSessions, database: Database, at: time_machine.Traveller, down_for: timedelta
) -> None:
    revoked.includes("live")
    database.is_down = True
    at.shift(down_for)
    database.attempts = 0
    for second in range(1, 6):
        for _ in range(50):
            try:
                revoked.includes("live")
            except StoreUnavailable:
                assert revoked.age > TRUSTED_FOR.total_seconds()
        assert database.attempts == second
        at.shift(READ_EVERY)


@on_sqlite
@pytest.mark.parametrize("down_for", [SECOND, 2 * TRUSTED_FOR])
def test_while_one_waits_for_a_database_that_failed_before_nobody_else_does(
    revoked: RevokedSessions,
    database: Database,
    at: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
    down_for: timedelta,
) -> None:
    for name in ("_WAIT_FOR_READER", "_WAIT_FOR_TRUST"):
        monkeypatch.setattr(revocation, name, FOR_EVER)
    revoked.note("ended")
    revoked.includes("live")
    database.is_down = True
    at.shift(down_for)
    revoked.includes("ended")
    at.shift(READ_EVERY)
    database.answers.clear()
    database.was_asked.clear()
    waiting = threading.Thread(target=revoked.includes, args=("ended",))
    waiting.start()
    try:
        assert database.was_asked.wait(20)
        for _ in range(100):
            assert revoked.includes("ended")
        assert waiting.is_alive()
    finally:
        database.answers.set()
        waiting.join()


@on_sqlite
def test_calls_go_on_then_say_when_to_come_back_then_go_on(
    app: Flask, database: Database, alice: str, at: time_machine.Traveller
) -> None:
    set_of_app = runtime_of(app).revoked
    set_of_app._engine, set_of_app._monotonic = database, lambda: clock.now().timestamp()  # type: ignore[assignment]
    phone = App(app)
    assert phone.sign_in(alice).status_code == 200
    assert phone.get("/auth/session").status_code == 200
    database.is_down = True
    at.shift(TRUSTED_FOR)
    assert phone.get("/auth/session").status_code == 200
    at.shift(SECOND)
    answer = phone.get("/auth/session")
    assert refusal(answer) == (503, "store_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    database.is_down = False
    at.shift(READ_EVERY)
    assert phone.get("/auth/session").status_code == 200
