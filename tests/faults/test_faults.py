"""What breaks beside the stores: the disk, both stores at once, the clock, all threads. The outages of one store are in
tests/servers.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import event

from tests.apps import App
from tests.conftest import NewApp
from tests.people import PASSWORD, Browser, runtime_of
from tests.servers.fixtures import NewSite
from tests.servers.postgres import PostgresServer
from tests.servers.test_gunicorn import Visitor, new_person
from tests.servers.test_outages import POSTGRES_ONLY, SQLITE_ONLY, answer_in_time, is_unavailable, rows_of
from tests.servers.valkey import ValkeyServer
from tests.stores import Stores
from webapp import clock


class Disk:
    """SQLite's own limit on the pages of its file, by which it reports a full disk as it reports a real one."""

    def __init__(self, app: Flask) -> None:
        self._engine = runtime_of(app).engine

    def fill(self) -> None:
        self._engine.dispose()
        event.listen(self._engine, "connect", self._limit)

    def make_room(self) -> None:
        event.remove(self._engine, "connect", self._limit)
        self._engine.dispose()

    @staticmethod
    def _limit(connection: Any, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")


@SQLITE_ONLY
def test_on_a_full_disk_pages_are_read_forms_say_to_come_back_and_nothing_is_lost(new_app: NewApp, alice: str) -> None:
    app = new_app(RATELIMIT_ENABLED=False)
    disk, signed_in, visitor = Disk(app), Browser(app), Browser(app)
    signed_in.sign_in(alice)
    disk.fill()
    form = {"password": PASSWORD, "name": "x" * 100}
    answers = [visitor.submit("/register", email=f"x{number}@example.com", **form) for number in range(60)]
    full = [answer for answer in answers if answer.status_code != 200]
    assert full, "the disk was never full"
    assert all(is_unavailable(answer) for answer in full)
    before = rows_of(app)
    assert signed_in.is_signed_in
    assert visitor.get("/login").status_code == 200
    assert rows_of(app) == before
    disk.make_room()
    assert visitor.submit("/register", email="y@example.com", password=PASSWORD, name="").status_code == 200
    assert signed_in.sign_out().status_code == 303


@POSTGRES_ONLY
def test_with_both_stores_away_pages_wait_and_afterwards_everybody_goes_on(
    new_app: NewApp, stores: Stores, postgres_server: PostgresServer, valkey_server: ValkeyServer, alice: str
) -> None:
    app = new_app(DATABASE_TIMEOUT=timedelta(seconds=1))
    signed_in, visitor = Browser(app), Browser(app)
    signed_in.sign_in(alice)
    visitor.get("/login")
    with postgres_server.outage(stores.database_url), valkey_server.outage():
        for _ in range(3):
            assert is_unavailable(answer_in_time(lambda: signed_in.get("/account")))
            assert is_unavailable(answer_in_time(lambda: visitor.submit("/login", email=alice, password=PASSWORD)))
            assert answer_in_time(lambda: visitor.get("/login")).status_code == 200
        assert visitor.get("/readyz").json == {"status": "unavailable", "down": ["database", "redis"]}
    assert not signed_in.is_signed_in  # this Valkey forgets; what was kept on disk would still be there
    assert visitor.sign_in(alice).status_code == 303


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=True) as traveller:
        yield traveller


@pytest.mark.parametrize("minutes", [5, -5])
def test_a_clock_that_steps_five_minutes_and_back_signs_nobody_out(
    app: Flask, at: time_machine.Traveller, alice: str, browser: Browser, minutes: int
) -> None:
    browser.sign_in(alice)
    phone = App(app)
    phone.sign_in(alice)
    for step in (minutes, -minutes):
        at.shift(timedelta(minutes=step))
        assert browser.is_signed_in, step
        phone.refresh()
        assert phone.get("/me").status_code == 200, step


def test_who_comes_while_every_thread_hashes_waits_and_is_answered(new_site: NewSite) -> None:
    site = new_site(RATELIMIT_ENABLED="0", WEB_CONCURRENCY="1", THREADS="2", ARGON2_TIME_COST="8")
    new_person(site, "busy@example.com")
    visitors = [Visitor(site) for _ in range(8)]
    forms = [{**visitor.form_of("/login"), "email": "busy@example.com", "password": PASSWORD} for visitor in visitors]
    with ThreadPoolExecutor(8) as pool:
        signing_in = [pool.submit(visitor.open, "/login", form) for visitor, form in zip(visitors, forms, strict=True)]
        assert [Visitor(site).open("/healthz")[0] for _ in range(4)] == [200] * 4
        answers = {one.result()[0] for one in signing_in}
    assert 303 in answers
    assert answers <= {303, 503}
    assert Visitor(site).sign_in("busy@example.com") == 303
    assert "Traceback" not in site.log_text
