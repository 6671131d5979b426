"""A refresh token that was spent for good comes back: the line ends, and its owner is told once, of the exact case."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.conftest import NewApp
from tests.journeys.crowds import CROWD, all_at_once
from tests.people import Browser, Mailbox, runtime_of, text_of
from tests.rows import Rows, breaking
from tests.services.app_lines import PHONE, THIEF, Line
from webapp import clock
from webapp.errors import RefreshReused, SessionRevoked
from webapp.models import OutboxMessage
from webapp.policy.login_sessions import EndReason
from webapp.policy.rotation import Verdict
from webapp.policy.security_events import EventKind

TICK = timedelta(microseconds=1)
LEEWAY = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)
# What is shown once the line stands at its third generation, how long after it began, and what that is.
CASES = {
    "the one before, too late": (2, LEEWAY + TICK, Verdict.REUSED_LATE),
    "the one before, weeks later": (2, timedelta(days=20), Verdict.REUSED_LATE),
    "two before, at once": (1, timedelta(0), Verdict.REUSED_OLD),
    "two before, later": (1, timedelta(days=1), Verdict.REUSED_OLD),
    "one that was never given": (4, timedelta(0), Verdict.REUSED_AHEAD),
}


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """With as many connections as a crowd needs, and patient."""
    return new_app(THREADS=CROWD)


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    """The clock, which stands until it is moved."""
    with time_machine.travel(clock.now().replace(microsecond=0), tick=False) as traveller:
        yield traveller


@pytest.fixture
def line(app: Flask, alice: str, rows: Rows, at: time_machine.Traveller) -> Line:
    """A line that stands at its third generation."""
    made = Line(app, rows)
    made.refresh(1)
    at.shift(timedelta(minutes=10))
    made.refresh(2)
    return made


def mails(line: Line) -> int:
    return line.rows.count(OutboxMessage, event="refresh_reused")


@pytest.mark.asvs("10.4.5")
@pytest.mark.parametrize(("generation", "after", "verdict"), CASES.values(), ids=CASES)
def test_the_line_ends_and_its_owner_is_told(
    line: Line, at: time_machine.Traveller, generation: int, after: timedelta, verdict: Verdict
) -> None:
    at.shift(after)
    with pytest.raises(RefreshReused):
        line.refresh(generation, THIEF)
    ended = line.now()
    assert (ended.ended_at, ended.end_reason) == (clock.now(), EndReason.REFRESH_REUSED)
    assert ended.generation == 3
    (event,) = line.reuses
    assert (event.details, event.login_session_id) == ({"case": verdict.value, "app": "Alice's phone"}, line.row.id)
    assert (event.ip, event.user_agent, event.at) == (THIEF.ip, THIEF.user_agent, clock.now())
    assert line.owner.warning == EventKind.REFRESH_REUSED
    assert mails(line) == 1
    assert runtime_of(line.app).revoked.includes(str(line.row.id))


@pytest.mark.parametrize(("generation", "after", "verdict"), CASES.values(), ids=CASES)
def test_after_the_end_nothing_is_exchanged_and_nothing_more_is_told(
    line: Line, at: time_machine.Traveller, generation: int, after: timedelta, verdict: Verdict
) -> None:
    at.shift(after)
    assert line.outcome(generation) == "refresh_reused"
    for shown in (1, 2, 3, 4, generation):
        with pytest.raises(SessionRevoked) as refusal:
            line.refresh(shown)
        assert refusal.value.details == {"reason": "refresh_reused"}
    assert (len(line.reuses), mails(line)) == (1, 1)


@pytest.mark.asvs("15.4.2")
@pytest.mark.parametrize("shown", [[1], [2], [4], [1, 2, 4]])
def test_twenty_reuses_at_once_are_told_once(line: Line, at: time_machine.Traveller, shown: list[int]) -> None:
    at.shift(MINUTE)
    attempts = [line.trying(generation, THIEF) for generation in shown * CROWD][:CROWD]
    outcomes = all_at_once(attempts)
    assert "refresh_reused" in outcomes
    assert set(outcomes) <= {"refresh_reused", "session_revoked"}
    assert (len(line.reuses), mails(line)) == (1, 1)
    assert line.outcome(3) == "session_revoked"


@pytest.mark.asvs("15.4.2")
def test_a_reuse_beside_honest_refreshes_ends_the_line_for_all(line: Line, at: time_machine.Traveller) -> None:
    at.shift(MINUTE)
    attempts: list[Callable[[], int | str]] = [*[line.trying(3)] * 9, line.trying(1, THIEF), *[line.trying(3)] * 10]
    outcomes = all_at_once(attempts)
    assert outcomes[9] == "refresh_reused"
    assert set(outcomes) <= {4, "refresh_reused", "session_revoked"}
    for generation in (3, 4):
        assert line.outcome(generation) == "session_revoked"
    assert (len(line.reuses), mails(line)) == (1, 1)


def test_a_thief_who_was_first_is_found_out_when_the_owner_comes_back(
    app: Flask, alice: str, rows: Rows, at: time_machine.Traveller
) -> None:
    line = Line(app, rows)
    stolen = line.token(1)
    assert line.generation_of(line.show(stolen, THIEF)) == 2
    at.shift(timedelta(minutes=10))
    assert line.outcome(1) == "refresh_reused"
    assert line.outcome(2, THIEF) == "session_revoked"
    (event,) = line.reuses
    assert event.details == {"case": "reused_late", "app": "Alice's phone"}
    assert event.ip == PHONE.ip


def test_a_thief_who_was_second_is_found_out_at_once(line: Line) -> None:
    assert line.outcome(1, THIEF) == "refresh_reused"
    assert line.outcome(3) == "session_revoked"


def test_the_persons_other_places_go_on(line: Line, rows: Rows, alice: str, browser: Browser) -> None:
    """What was stolen is one device's token, and the page has to be able to say so."""
    browser.sign_in(alice)
    other = Line(line.app, rows)
    line.outcome(1, THIEF)
    assert other.outcome(1) == 2
    assert browser.is_signed_in
    assert other.now().ended_at is None


def test_the_mail_names_who_came_second_and_holds_no_token(line: Line, alice: str, mailbox: Mailbox) -> None:
    raw = line.token(1)
    line.outcome(1, THIEF)
    told = text_of(mailbox.newest(alice))
    assert THIEF.ip in told
    assert "/account/activity" in told
    assert raw not in told


def test_an_end_that_cannot_be_told_of_is_none(line: Line) -> None:
    """All or nothing: the row would otherwise be ended with nobody the wiser."""
    full = breaking(runtime_of(line.app).engine, lambda statement: "outbox_messages" in statement)
    with full, pytest.raises(RuntimeError):
        line.refresh(1)
    assert line.now().ended_at is None
    assert (len(line.reuses), mails(line), line.owner.warning) == (0, 0, None)
    assert not runtime_of(line.app).revoked.includes(str(line.row.id))
    assert line.outcome(1) == "refresh_reused"
    assert (len(line.reuses), mails(line)) == (1, 1)


def test_without_leeway_a_lost_answer_is_a_reuse(new_app: NewApp, alice: str, at: time_machine.Traveller) -> None:
    app = new_app(REFRESH_LEEWAY_SECONDS="0")
    line = Line(app, Rows(app))
    line.refresh(1)
    at.shift(timedelta(seconds=1))
    assert line.outcome(1) == "refresh_reused"
