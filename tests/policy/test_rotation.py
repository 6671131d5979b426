"""What a refresh token that comes back means: the table."""

from datetime import UTC, datetime, timedelta

import pytest

from webapp.policy.rotation import FIRST_GENERATION, REUSED, Verdict, judge_refresh

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
LEEWAY = timedelta(seconds=30)
TICK = timedelta(microseconds=1)
# The fifth generation, which began a second ago.
ROW = {
    "presented": 5,
    "current": 5,
    "rotated_at": NOW - timedelta(seconds=1),
    "ended": False,
    "expires_at": NOW + timedelta(days=20),
    "now": NOW,
    "leeway": LEEWAY,
}
NEVER_ROTATED = {"current": FIRST_GENERATION, "rotated_at": None}


@pytest.mark.asvs("10.4.5")
@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        pytest.param({}, Verdict.ROTATE, id="the current one"),
        pytest.param({"rotated_at": NOW - timedelta(days=19)}, Verdict.ROTATE, id="the current one, after weeks"),
        pytest.param({"presented": FIRST_GENERATION, **NEVER_ROTATED}, Verdict.ROTATE, id="the first one"),
        pytest.param({"presented": 4}, Verdict.REPEAT, id="the one before"),
        pytest.param({"presented": 4, "rotated_at": NOW}, Verdict.REPEAT, id="the one before, at the same moment"),
        pytest.param({"presented": 4, "rotated_at": NOW - LEEWAY}, Verdict.REPEAT, id="the one before, at the last"),
        pytest.param({"presented": 4, "rotated_at": NOW - LEEWAY - TICK}, Verdict.REUSED_LATE, id="a tick too late"),
        pytest.param({"presented": 4, "rotated_at": NOW - timedelta(days=3)}, Verdict.REUSED_LATE, id="days too late"),
        pytest.param({"presented": 3}, Verdict.REUSED_OLD, id="two before"),
        pytest.param({"presented": 3, "rotated_at": NOW}, Verdict.REUSED_OLD, id="two before, at the same moment"),
        pytest.param({"presented": 1}, Verdict.REUSED_OLD, id="the first one, long after"),
        pytest.param({"presented": 6}, Verdict.REUSED_AHEAD, id="one that never was"),
        pytest.param({"presented": 2**31 - 1}, Verdict.REUSED_AHEAD, id="one that never will be"),
        pytest.param({"presented": 2, **NEVER_ROTATED}, Verdict.REUSED_AHEAD, id="a second one of a first"),
        pytest.param({"presented": 0, **NEVER_ROTATED}, Verdict.REUSED_OLD, id="one before the first"),
    ],
)
def test_the_generation_and_the_time_decide(changes: dict[str, object], verdict: Verdict) -> None:
    assert judge_refresh(**{**ROW, **changes}) is verdict


@pytest.mark.parametrize("presented", [1, 3, 4, 5, 6])
@pytest.mark.parametrize("expires_at", [NOW - TICK, NOW, NOW + TICK])
def test_what_was_ended_stays_so_and_gives_no_second_alarm(presented: int, expires_at: datetime) -> None:
    """A thief who goes on trying must not have the owner mailed each time."""
    row = {**ROW, "presented": presented, "expires_at": expires_at, "ended": True}
    assert judge_refresh(**row) is Verdict.ENDED


@pytest.mark.asvs("10.4.8")
@pytest.mark.parametrize("presented", [1, 3, 4, 5, 6])
def test_nothing_is_exchanged_from_the_absolute_limit_on(presented: int) -> None:
    row = {**ROW, "presented": presented}
    assert judge_refresh(**{**row, "expires_at": NOW}) is Verdict.EXPIRED
    assert judge_refresh(**{**row, "expires_at": NOW - timedelta(days=1)}) is Verdict.EXPIRED
    assert judge_refresh(**{**row, "expires_at": NOW + TICK}) is not Verdict.EXPIRED


@pytest.mark.parametrize("back", [timedelta(seconds=1), LEEWAY, timedelta(days=1)])
def test_a_clock_that_was_put_back_makes_the_leeway_longer(back: timedelta) -> None:
    assert judge_refresh(**{**ROW, "presented": 4, "rotated_at": NOW + back}) is Verdict.REPEAT
    assert judge_refresh(**{**ROW, "presented": 3, "rotated_at": NOW + back}) is Verdict.REUSED_OLD


def test_without_leeway_only_the_very_moment_is_forgiven() -> None:
    row = {**ROW, "presented": 4, "leeway": timedelta(0)}
    assert judge_refresh(**{**row, "rotated_at": NOW}) is Verdict.REPEAT
    assert judge_refresh(**{**row, "rotated_at": NOW - TICK}) is Verdict.REUSED_LATE


def test_the_verdicts_that_end_a_line_are_exactly_those_that_name_a_reuse() -> None:
    assert {verdict for verdict in Verdict if verdict.startswith("reused_")} == REUSED
