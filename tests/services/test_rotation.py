"""Refreshing, on the row itself: one step by compare-and-swap, and one answer for all who hold the same line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.conftest import NewApp
from tests.journeys.crowds import CROWD, all_at_once
from tests.people import runtime_of
from tests.rows import Rows, statements
from tests.services.app_lines import PHONE, THIEF, Line
from tests.services.forged_tokens import parts
from webapp import clock
from webapp.errors import SessionRevoked, TokenExpired, TokenInvalid
from webapp.models import LoginSession, OutboxMessage, SecurityEvent
from webapp.policy.login_sessions import EndReason
from webapp.services.login_sessions import end_login_sessions
from webapp.services.rotation import sign_out_by_refresh_token
from webapp.services.transaction import transaction

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
LEEWAY = timedelta(seconds=30)
MONTH = timedelta(days=30)


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
    return Line(app, rows)


def end(line: Line, reason: EndReason = EndReason.ENDED_BY_USER) -> None:
    with line.app.app_context(), transaction() as tx:
        end_login_sessions(tx, line.row.user_id, reason, LoginSession.id == line.row.id)


def nothing_was_told(line: Line) -> bool:
    return (line.reuses, line.owner.warning, line.rows.count(OutboxMessage, event="refresh_reused")) == ([], None, 0)


# Steps and repeats


@pytest.mark.asvs("10.4.5")
def test_the_current_token_steps_to_the_next(line: Line, at: time_machine.Traveller) -> None:
    at.shift(DAY)
    tokens = line.refresh(1)
    now = line.now()
    assert (line.generation_of(tokens), now.generation) == (2, 2)
    assert (now.rotated_at, now.last_seen_at, now.ip) == (clock.now(), clock.now(), PHONE.ip)
    assert (now.ended_at, now.expires_at, now.user_agent) == (None, line.row.expires_at, line.row.user_agent)
    assert tokens.session_id == line.row.id
    assert tokens.refresh_expires_in == line.row.expires_at - clock.now()


def test_the_new_access_token_says_what_was_proven_and_when(line: Line, at: time_machine.Traveller) -> None:
    """A refresh proves nothing anew."""
    at.shift(3 * DAY)
    _, claims = parts(line.refresh(1).access_token)
    assert claims["auth_time"] == int(line.row.auth_time.timestamp())
    assert claims["amr"] == ["pwd"]
    assert (claims["sid"], claims["sub"]) == (str(line.row.id), str(line.row.user_id))
    assert claims["iat"] == int(clock.now().timestamp())


def test_the_token_before_gets_the_current_one_again_and_steps_nothing(line: Line, at: time_machine.Traveller) -> None:
    line.refresh(1)
    before = line.now()
    for _ in range(5):
        at.shift(LEEWAY / 5)
        assert line.outcome(1, THIEF) == 2
    after = line.now()
    assert (after.generation, after.rotated_at, after.ip) == (2, before.rotated_at, PHONE.ip)
    assert nothing_was_told(line)


def test_all_who_lost_an_answer_go_on_from_the_same_token(line: Line, at: time_machine.Traveller) -> None:
    """The site stepped and the client did not hear, time and again: it shows what it has, and is never signed out."""
    for generation in range(1, 30):
        assert line.outcome(generation) == generation + 1
        at.shift(LEEWAY)
        assert line.outcome(generation) == generation + 1
        at.shift(timedelta(minutes=10))
    assert line.now().generation == 30
    assert nothing_was_told(line)


def test_a_clock_that_was_put_back_signs_nobody_out(line: Line, at: time_machine.Traveller) -> None:
    at.shift(DAY)
    line.refresh(1)
    at.shift(-timedelta(hours=2))
    assert line.outcome(1) == 2
    assert line.outcome(2) == 3
    assert nothing_was_told(line)


@pytest.mark.asvs("10.4.5", "15.4.2")
def test_twenty_at_once_with_the_same_token_get_tokens_of_one_generation(line: Line) -> None:
    for generation in range(1, 6):
        assert Counter(all_at_once([line.trying(generation)] * CROWD)) == {generation + 1: CROWD}
        assert line.now().generation == generation + 1
    assert nothing_was_told(line)


def test_a_refresh_costs_one_statement_and_a_repeat_two(line: Line) -> None:
    line.refresh(1)
    raw = line.token(2)
    with statements(runtime_of(line.app).engine) as sent:
        line.show(raw)
    assert [statement.split()[0] for statement in sent] == ["UPDATE"]
    with statements(runtime_of(line.app).engine) as sent:
        line.show(raw)
    assert [statement.split()[0] for statement in sent] == ["UPDATE", "SELECT"]


def test_however_often_a_device_refreshes_it_has_one_row_and_no_events(line: Line, rows: Rows) -> None:
    before = rows.count(SecurityEvent), rows.count(LoginSession), rows.count(OutboxMessage)
    for generation in range(1, 101):
        line.refresh(generation)
    assert (rows.count(SecurityEvent), rows.count(LoginSession), rows.count(OutboxMessage)) == before
    assert line.now().generation == 101


# The end


@pytest.mark.asvs("10.4.8")
def test_a_line_that_is_refreshed_every_day_ends_at_its_absolute_limit(line: Line, at: time_machine.Traveller) -> None:
    for generation in range(1, 30):
        at.shift(DAY)
        tokens = line.refresh(generation)
        assert tokens.refresh_expires_in == MONTH - generation * DAY
    at.shift(DAY - SECOND)
    assert line.outcome(30) == 31
    at.shift(SECOND)
    for generation in (31, 30, 1):
        assert line.outcome(generation) == "token_expired"
    assert line.now().ended_at is None
    assert nothing_was_told(line)


def test_the_row_decides_when_it_ends_not_the_token(line: Line, at: time_machine.Traveller) -> None:
    raw = line.token(1)
    line.rows.set(LoginSession, {"id": line.row.id}, expires_at=clock.now() + SECOND)
    at.shift(SECOND)
    with pytest.raises(TokenExpired):
        line.show(raw)
    assert line.now().generation == 1


@pytest.mark.parametrize("generation", [1, 2, 3, 9])
def test_what_was_ended_says_why_whatever_is_shown(line: Line, generation: int) -> None:
    line.refresh(1)
    line.refresh(2)
    end(line, EndReason.PASSWORD_CHANGED)
    for _ in range(2):
        with pytest.raises(SessionRevoked) as refusal:
            line.refresh(generation)
        assert refusal.value.details == {"reason": "password_changed"}
    assert line.now().generation == 3
    assert nothing_was_told(line)


def test_a_row_that_is_gone_gives_nothing(line: Line, rows: Rows) -> None:
    rows.delete(LoginSession, id=line.row.id)
    with pytest.raises(SessionRevoked) as refusal:
        line.refresh(1)
    assert refusal.value.details == {}


def test_a_session_of_a_browser_has_no_line(line: Line, rows: Rows) -> None:
    rows.set(LoginSession, {"id": line.row.id}, kind="web", generation=None)
    with pytest.raises(SessionRevoked):
        line.refresh(1)
    assert line.now().ended_at is None


@pytest.mark.asvs("10.4.9", "15.4.2")
def test_a_line_that_is_ended_while_it_is_refreshed_is_ended(line: Line) -> None:
    def ending() -> str:
        end(line)
        return "ended"

    outcomes = all_at_once([*[line.trying(1)] * 9, ending, *[line.trying(1)] * 10])
    assert outcomes[9] == "ended"
    assert set(outcomes) <= {2, "ended", "session_revoked"}
    assert line.now().end_reason == EndReason.ENDED_BY_USER
    for generation in (1, 2):
        assert line.outcome(generation) == "session_revoked"
    assert runtime_of(line.app).revoked.includes(str(line.row.id))
    assert nothing_was_told(line)


# Signing out by it


@pytest.mark.parametrize("generation", [3, 2, 1])
def test_any_token_of_the_line_signs_it_out(line: Line, at: time_machine.Traveller, generation: int) -> None:
    """A thief who signs out is a thief less; and an app that lost an answer need not find the newest one first."""
    line.refresh(1)
    line.refresh(2)
    at.shift(DAY)
    for _ in range(2):
        with line.app.app_context():
            sign_out_by_refresh_token(line.token(generation), PHONE)
    assert line.now().end_reason == EndReason.SIGNED_OUT
    assert line.rows.count(SecurityEvent, kind="signed_out", login_session_id=line.row.id) == 1
    assert runtime_of(line.app).revoked.includes(str(line.row.id))
    assert line.outcome(3) == "session_revoked"
    assert nothing_was_told(line)


def test_signing_out_of_what_is_gone_is_no_error(line: Line, rows: Rows) -> None:
    raw = line.token(1)
    rows.delete(LoginSession, id=line.row.id)
    with line.app.app_context():
        sign_out_by_refresh_token(raw, PHONE)
    assert rows.count(SecurityEvent, login_session_id=line.row.id) == 0


def test_signing_out_takes_a_token_of_ours(line: Line, at: time_machine.Traveller) -> None:
    with line.app.app_context(), pytest.raises(TokenInvalid):
        sign_out_by_refresh_token("no token", PHONE)
    at.shift(MONTH + SECOND)
    with line.app.app_context(), pytest.raises(TokenExpired):
        sign_out_by_refresh_token(line.token(1), PHONE)
    assert line.now().ended_at is None
