"""When a login session is over, why, and when a visit is worth a write."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.policy.login_sessions import (
    FRESH_FOR,
    TOUCH_EVERY,
    EndReason,
    Visit,
    is_fresh,
    judge_visit,
    name_end,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)

moments = st.integers(-(10**7), 10**7).map(lambda seconds: NOW + timedelta(seconds=seconds))
limits = st.integers(1, 10**7).map(lambda seconds: timedelta(seconds=seconds))
sessions = st.fixed_dictionaries({"last_seen_at": moments, "idle_limit": limits, "expires_at": moments})


@pytest.mark.asvs("7.3.1", "7.3.2")
@pytest.mark.parametrize(
    ("seen_ago", "idle_limit", "expires_in", "visit"),
    [
        (timedelta(0), HOUR, DAY, Visit.LIVE),
        (TOUCH_EVERY - SECOND, HOUR, DAY, Visit.LIVE),
        (TOUCH_EVERY, HOUR, DAY, Visit.TOUCH),
        (HOUR - SECOND, HOUR, DAY, Visit.TOUCH),
        (HOUR, HOUR, DAY, Visit.OVER),
        (timedelta(0), HOUR, SECOND, Visit.LIVE),
        (timedelta(0), HOUR, timedelta(0), Visit.OVER),
        (14 * SECOND, 60 * SECOND, DAY, Visit.LIVE),
        (15 * SECOND, 60 * SECOND, DAY, Visit.TOUCH),  # a short limit needs to be told of use more often
    ],
)
def test_a_visit_is_judged_by_when_the_last_one_was(
    seen_ago: timedelta, idle_limit: timedelta, expires_in: timedelta, visit: Visit
) -> None:
    times = {"last_seen_at": NOW - seen_ago, "idle_limit": idle_limit, "expires_at": NOW + expires_in}
    assert judge_visit(ended=False, disabled=False, now=NOW, **times) is visit


@given(sessions, moments)
def test_what_was_ended_or_belongs_to_a_closed_account_is_over_at_any_time(
    times: dict[str, object], now: datetime
) -> None:
    for ended, disabled in ((True, False), (False, True), (True, True)):
        assert judge_visit(ended=ended, disabled=disabled, now=now, **times) is Visit.OVER  # type: ignore[arg-type]


@given(sessions, moments, limits)
def test_what_is_over_stays_over(times: dict[str, object], now: datetime, later: timedelta) -> None:
    def visit(at: datetime) -> Visit:
        return judge_visit(ended=False, disabled=False, now=at, **times)  # type: ignore[arg-type]

    if visit(now) is Visit.OVER:
        assert visit(now + later) is Visit.OVER


@given(sessions, st.lists(st.floats(0, 1), max_size=30))
def test_use_within_the_idle_limit_keeps_it_alive_until_its_end_and_not_beyond(
    times: dict[str, object], shares: list[float]
) -> None:
    start, idle = times["last_seen_at"], times["idle_limit"]
    assert isinstance(start, datetime)
    assert isinstance(idle, timedelta)
    end = start + idle * 5
    seen = now = start
    for share in shares:
        # Three quarters of the limit: a visit that was not recorded is up to a quarter of it ago.
        now += idle * 0.75 * share
        visit = judge_visit(ended=False, disabled=False, last_seen_at=seen, idle_limit=idle, expires_at=end, now=now)
        assert (visit is Visit.OVER) == (now >= end)
        if visit is Visit.TOUCH:
            seen = now


@pytest.mark.parametrize(
    ("end_reason", "disabled", "idle_limit", "expected"),
    [
        ("password_changed", True, HOUR, EndReason.PASSWORD_CHANGED),
        (None, True, HOUR, EndReason.DISABLED),
        (None, False, HOUR, EndReason.IDLE),
        (None, False, 2 * DAY, EndReason.EXPIRED),
    ],
)
def test_the_end_is_named_by_what_came_first(
    end_reason: str | None, disabled: bool, idle_limit: timedelta, expected: EndReason
) -> None:
    named = name_end(
        end_reason=end_reason, disabled=disabled, last_seen_at=NOW, idle_limit=idle_limit, expires_at=NOW + DAY
    )
    assert named is expected


@pytest.mark.asvs("7.5.1")
def test_a_proof_is_fresh_for_ten_minutes() -> None:
    assert timedelta(minutes=10) == FRESH_FOR
    assert is_fresh(NOW - FRESH_FOR + SECOND, NOW)
    assert not is_fresh(NOW - FRESH_FOR, NOW)
