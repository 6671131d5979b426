"""The policy of rotation against any order of events, and against policies with a flaw: those do not pass."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.policy.rotation_machine import LEEWAY, TICK, HonestLine, Judge, Line
from webapp.policy.rotation import Verdict, judge_refresh

USUAL = settings(max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.asvs("10.4.5")
@pytest.mark.parametrize("machine", [Line, HonestLine])
def test_whatever_owner_thieves_and_clock_do_there_is_one_line(machine: type[Line]) -> None:
    run_state_machine_as_test(machine, settings=USUAL)


def forgiving(verdict: Verdict, forgiven: Verdict) -> Judge:
    """The policy with one of its verdicts replaced."""

    def judge(**row: Any) -> Verdict:
        judged = judge_refresh(**row)
        return forgiven if judged is verdict else judged

    return judge


FLAWED: dict[str, Judge] = {
    "the leeway never ends": forgiving(Verdict.REUSED_LATE, Verdict.REPEAT),
    "old ones are answered": forgiving(Verdict.REUSED_OLD, Verdict.REPEAT),
    "old ones are refused and nothing more": forgiving(Verdict.REUSED_OLD, Verdict.ENDED),
    "late ones are refused and nothing more": forgiving(Verdict.REUSED_LATE, Verdict.ENDED),
    "the one before steps": forgiving(Verdict.REPEAT, Verdict.ROTATE),
    "the one before is reused at once": forgiving(Verdict.REPEAT, Verdict.REUSED_LATE),
    "the current one steps nothing": forgiving(Verdict.ROTATE, Verdict.REPEAT),
    "the end is none": lambda **row: judge_refresh(**{**row, "ended": False}),
    "the absolute limit is none": lambda **row: judge_refresh(**{**row, "expires_at": row["now"] + TICK}),
    "the leeway is a tick short": lambda **row: judge_refresh(**{**row, "leeway": LEEWAY - TICK}),
    "the leeway is a tick long": lambda **row: judge_refresh(**{**row, "leeway": LEEWAY + TICK}),
}


@pytest.mark.parametrize("flawed", FLAWED.values(), ids=FLAWED)
def test_a_policy_with_a_flaw_does_not_pass(flawed: Judge) -> None:
    """The statements above can be false."""
    machine = type("FlawedLine", (Line,), {"judge": staticmethod(flawed)})
    search = settings(USUAL, max_examples=500, derandomize=True, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=search)


def test_what_the_leeway_costs() -> None:
    """A thief and an owner who always come back within the leeway of each other share one line, and nobody notices;
    the first time that one of them is later, it ends.
    """
    line = Line()
    line.a_thief_copies_what_a_tab_holds(number=0)
    owner, thief = line.tabs[0], line.thieves[0]
    for _ in range(100):
        line.show(thief, is_heard=True)
        line.time_passes(LEEWAY)
        line.show(owner, is_heard=True)
        assert owner.generation == thief.generation == line.row.current
        line.time_passes(timedelta(minutes=10))
    line.show(thief, is_heard=True)
    line.time_passes(LEEWAY + TICK)
    assert not line.row.ended
    line.show(owner, is_heard=True)
    assert line.row.ended


def test_two_steps_within_one_leeway_leave_a_sleeping_tab_two_behind() -> None:
    """Why the tabs of a browser client take turns: this owner was robbed by nobody."""
    line = Line()
    line.owner_shows(line.tabs[0], is_heard=True)
    line.owner_shows(line.tabs[0], is_heard=True)
    assert not line.row.ended
    line.owner_shows(line.tabs[1], is_heard=True)
    assert line.row.ended
