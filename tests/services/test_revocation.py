"""The news of ended login sessions: read once a second for all, bounded, and complete whatever commits late."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Engine

from tests.conftest import NewApp
from tests.journeys.crowds import CROWD, all_at_once
from tests.people import runtime_of
from tests.rows import Rows, at_statements, on_sqlite, statements
from webapp import clock
from webapp.models import LoginSession
from webapp.policy.login_sessions import EndReason
from webapp.policy.signing_keys import CLOCK_SKEW
from webapp.services.client import OPERATOR
from webapp.services.login_sessions import SignedIn, end_every_login_session, resume_login_session, sign_out
from webapp.services.revocation import OVERLAP, READ_EVERY, WHOLE_EVERY, RevokedSessions

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
LIFE = timedelta(minutes=10)
WINDOW = LIFE + 2 * CLOCK_SKEW


def by_the_clock() -> float:
    """A monotonic clock that goes with the one that tests move."""
    return clock.now().timestamp()


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    """The clock, which stands until it is moved."""
    with time_machine.travel(clock.now().replace(microsecond=0), tick=False) as traveller:
        yield traveller


@pytest.fixture
def revoked(app: Flask, alice: str, at: time_machine.Traveller) -> RevokedSessions:
    """What one process knows that has not read anything yet."""
    return RevokedSessions(runtime_of(app).engine, token_life=LIFE, monotonic=by_the_clock)


@pytest.fixture
def end(rows: Rows, revoked: RevokedSessions) -> Callable[..., str]:
    """Another process ends a login session, at a time it writes down; its id."""

    def make(ended_at: datetime | None = None, **values: object) -> str:
        usual = {"ended_at": ended_at or clock.now(), "end_reason": EndReason.SIGNED_OUT, "generation": 1}
        return str(rows.api_session(**{**usual, **values}).id)

    return make


@contextmanager
def meanwhile(engine: Engine, happens: Callable[[], None]) -> Iterator[None]:
    """While the database has answered and the answer is not yet read, something happens."""

    def notice(*_: object) -> None:
        happens()

    with at_statements(engine, notice, "after_cursor_execute"):
        yield


@pytest.mark.asvs("7.4.1")
def test_what_another_process_ended_is_known_within_a_second(
    revoked: RevokedSessions, end: Callable[..., str], at: time_machine.Traveller
) -> None:
    stranger = str(uuid.uuid4())
    assert not revoked.includes(stranger)
    ended = end()
    at.shift(READ_EVERY)
    assert revoked.includes(ended)
    assert not revoked.includes(stranger)


def test_one_reading_serves_all_of_a_second(revoked: RevokedSessions, app: Flask, at: time_machine.Traveller) -> None:
    with statements(runtime_of(app).engine) as sent:
        for _ in range(5):
            for _ in range(100):
                assert not revoked.includes(str(uuid.uuid4()))
            at.shift(READ_EVERY / 5)
        assert len(sent) == 1
        revoked.includes("one more")
        assert len(sent) == 2


def test_a_crowd_asks_the_database_once(
    revoked: RevokedSessions, app: Flask, end: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also at the very first: nobody answers before it is known."""
    monkeypatch.setattr("webapp.services.revocation._WAIT_FOR_TRUST", 60.0)
    ended = end()
    with statements(runtime_of(app).engine) as sent:
        assert all_at_once([lambda: revoked.includes(ended)] * CROWD) == [True] * CROWD
    assert len(sent) == 1


def test_only_what_has_access_tokens_is_kept(revoked: RevokedSessions, end: Callable[..., str], rows: Rows) -> None:
    app_session, page_session = end(), end(kind="web", generation=None)
    live = str(rows.api_session(generation=1).id)
    assert revoked.includes(app_session)
    assert not revoked.includes(page_session)
    assert not revoked.includes(live)
    assert len(revoked) == 1


def test_it_is_bounded_by_the_life_of_access_tokens(
    revoked: RevokedSessions, end: Callable[..., str], at: time_machine.Traveller
) -> None:
    now = clock.now()
    too_old = [end(now - WINDOW - age) for age in (timedelta(0), SECOND, timedelta(days=20))]
    needed = [end(now - WINDOW + SECOND), end(now - LIFE)]
    assert [revoked.includes(known) for known in too_old + needed] == [False] * 3 + [True] * 2
    at.shift(WINDOW + WHOLE_EVERY)
    revoked.includes("anybody")
    assert len(revoked) == 0


def test_it_does_not_grow_from_day_to_day(
    revoked: RevokedSessions, end: Callable[..., str], at: time_machine.Traveller
) -> None:
    for _ in range(60):
        ended = end()
        revoked.note(ended)
        at.shift(MINUTE)
        assert revoked.includes(ended)
        assert len(revoked) <= WINDOW / MINUTE + 2
    assert len(revoked._noted) <= 2


# Late news


@pytest.mark.parametrize("late", [timedelta(0), SECOND, OVERLAP - READ_EVERY])
def test_what_commits_a_little_late_is_known_at_the_next_reading(
    revoked: RevokedSessions, end: Callable[..., str], at: time_machine.Traveller, late: timedelta
) -> None:
    """A transaction wrote down its time and took a while to end, or another machine's clock is behind."""
    revoked.includes("anybody")
    at.shift(OVERLAP)
    revoked.includes("anybody")
    ended = end(clock.now() - late)
    at.shift(READ_EVERY)
    assert revoked.includes(ended)


def test_what_commits_later_than_that_is_known_at_the_next_whole_reading(
    revoked: RevokedSessions, end: Callable[..., str], at: time_machine.Traveller
) -> None:
    revoked.includes("anybody")
    at.shift(MINUTE / 2)
    revoked.includes("anybody")
    ended = end(clock.now() - OVERLAP - SECOND)
    at.shift(READ_EVERY)
    assert not revoked.includes(ended)
    at.shift(WHOLE_EVERY)
    assert revoked.includes(ended)


def test_after_a_pause_what_is_new_is_read_from_where_the_last_reading_was(
    revoked: RevokedSessions, end: Callable[..., str], at: time_machine.Traveller
) -> None:
    revoked.includes("anybody")
    early = end(clock.now() + SECOND)
    at.shift(WHOLE_EVERY - SECOND)
    assert revoked.includes(early)


def test_readings_between_two_whole_ones_take_nothing_away(
    revoked: RevokedSessions, end: Callable[..., str], at: time_machine.Traveller
) -> None:
    ended = end(clock.now() - MINUTE)
    for _ in range(200):
        assert revoked.includes(ended)
        at.shift(READ_EVERY)


# What this process does itself


def test_what_this_process_ends_it_knows_at_once(revoked: RevokedSessions, app: Flask) -> None:
    revoked.includes("anybody")
    with statements(runtime_of(app).engine) as sent:
        revoked.note("one", "two")
        assert revoked.includes("one")
        assert revoked.includes("two")
    assert sent == []


@pytest.mark.parametrize("whole", [True, False])
def test_what_is_noted_while_the_database_is_asked_is_not_lost(
    revoked: RevokedSessions, app: Flask, at: time_machine.Traveller, whole: bool
) -> None:
    """The answer was made before the other request's commit, and would put the set back to before it."""
    revoked.includes("anybody")
    at.shift(WHOLE_EVERY if whole else READ_EVERY)
    with meanwhile(runtime_of(app).engine, lambda: revoked.note("just ended")):
        assert revoked.includes("just ended")
    assert revoked.includes("just ended")
    at.shift(READ_EVERY)
    assert revoked.includes("just ended")


def test_what_was_noted_and_is_in_no_table_is_forgotten_in_time(
    revoked: RevokedSessions, at: time_machine.Traveller
) -> None:
    revoked.note("a row that housekeeping took")
    at.shift(2 * WHOLE_EVERY)
    assert not revoked.includes("a row that housekeeping took")
    assert len(revoked) == 0


@on_sqlite
@pytest.mark.parametrize("ending", [sign_out, end_every_login_session])
def test_ending_a_login_session_is_noted_here_and_read_elsewhere(
    new_app: NewApp, rows: Rows, alice: str, at: time_machine.Traveller, ending: Callable[..., object]
) -> None:
    here, there = new_app(), new_app()
    for worker in (here, there):
        runtime_of(worker).revoked._monotonic = by_the_clock
    row = rows.api_session(generation=1)
    sid = str(row.id)
    assert not runtime_of(there).revoked.includes(sid)
    with here.app_context():
        me = resume_login_session(row.id, OPERATOR.ip)
        assert isinstance(me, SignedIn)
        ending(me, OPERATOR)
        assert runtime_of(here).revoked.includes(sid)
    at.shift(READ_EVERY)
    assert runtime_of(there).revoked.includes(sid)
    assert rows.count(LoginSession, ended_at=None, kind="api") == 0
