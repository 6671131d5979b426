"""News of who was signed out is read by one thread for all. Where nothing can be said without it, all wait for it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from flask import Flask

from tests.people import runtime_of
from tests.rows import on_sqlite
from webapp.errors import StoreUnavailable
from webapp.services import revocation
from webapp.services.revocation import RevokedSessions

THREADS = 4


class SlowlyRead(RevokedSessions):
    """Each reading takes until it is let go; a hundred thousand revocations take a second on a busy machine."""

    def __init__(self, app: Flask) -> None:
        super().__init__(runtime_of(app).engine, token_life=timedelta(minutes=10))
        self.begun, self.let_go = threading.Event(), threading.Event()
        self.readings = 0

    def _ended_since(self, since: datetime) -> set[str]:
        self.readings += 1
        self.begun.set()
        assert self.let_go.wait(20)
        return super()._ended_since(since)


@on_sqlite
def test_whoever_comes_while_a_new_process_reads_waits_for_it_and_is_not_refused(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation, "_WAIT_FOR_READER", 0.0)  # the reading takes longer than that
    revoked = SlowlyRead(app)
    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.submit(revoked.includes, "")
        assert revoked.begun.wait(20)
        others = [pool.submit(revoked.includes, "") for _ in range(THREADS - 1)]
        revoked.let_go.set()
        assert [call.result(20) for call in (first, *others)] == [False] * THREADS
    assert revoked.readings == 1


@on_sqlite
def test_a_reading_that_fails_is_not_tried_again_by_each_who_waited(app: Flask) -> None:
    revoked = SlowlyRead(app)
    with ThreadPoolExecutor(THREADS) as pool:
        first = pool.submit(revoked.includes, "")
        assert revoked.begun.wait(20)
        others = [pool.submit(revoked.includes, "") for _ in range(THREADS - 1)]
        with runtime_of(app).engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE login_sessions RENAME TO away")
        revoked.let_go.set()
        for call in (first, *others):
            assert isinstance(call.exception(20), StoreUnavailable)
    assert revoked.readings == 1
