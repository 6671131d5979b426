"""The life of a signing key, as a table; and for any keys at all: one signs, and no token outlives its key."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.policy.signing_keys import (
    ANNOUNCED_FOR,
    CLOCK_SKEW,
    JWKS_MAX_AGE,
    ROTATE_EVERY,
    KeyState,
    KeyTimes,
    is_due,
    judge_keys,
)

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)
LIFE = timedelta(minutes=10)
AFTERLIFE = LIFE + CLOCK_SKEW  # of a key that another has followed
TICK = timedelta(microseconds=1)
ZERO = timedelta(0)
DAY = timedelta(days=1)
ANNOUNCED, ACTIVE, RETIRED, GONE = KeyState.ANNOUNCED, KeyState.ACTIVE, KeyState.RETIRED, KeyState.GONE


def key(number: int, since: timedelta, *, withdrawn: bool = False) -> KeyTimes:
    """A key that signs since so long; less than nothing: will sign. Withdrawn now, if it is."""
    return KeyTimes(number, NOW - since, NOW if withdrawn else None)


def states(keys: list[KeyTimes], now: datetime = NOW) -> list[KeyState]:
    judged = judge_keys(keys, now=now, token_life=LIFE)
    return [judged[known.number] for known in keys]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param([], [], id="none"),
        pytest.param([key(1, ZERO)], [ACTIVE], id="the first, at its first moment"),
        pytest.param([key(1, 400 * DAY)], [ACTIVE], id="the only one, whatever its age"),
        pytest.param([key(1, -TICK)], [ANNOUNCED], id="the first, before it begins"),
        pytest.param([key(1, DAY), key(2, -ANNOUNCED_FOR)], [ACTIVE, ANNOUNCED], id="the next is announced"),
        pytest.param([key(1, DAY), key(2, -TICK)], [ACTIVE, ANNOUNCED], id="the last moment of the old one"),
        pytest.param([key(1, DAY), key(2, ZERO)], [RETIRED, ACTIVE], id="the first moment of the new one"),
        pytest.param([key(1, DAY), key(2, AFTERLIFE - TICK)], [RETIRED, ACTIVE], id="its last token may be good"),
        pytest.param([key(1, DAY), key(2, AFTERLIFE)], [GONE, ACTIVE], id="its last token has ended"),
        pytest.param(
            [key(1, 3 * DAY), key(2, 2 * DAY), key(3, ZERO), key(4, -ANNOUNCED_FOR)],
            [GONE, RETIRED, ACTIVE, ANNOUNCED],
            id="one of each",
        ),
        pytest.param(
            [key(1, DAY), key(2, timedelta(minutes=5)), key(3, ZERO)],
            [RETIRED, RETIRED, ACTIVE],
            id="two within one token's life",
        ),
        pytest.param(
            [key(1, DAY), key(2, -ANNOUNCED_FOR), key(3, ZERO)],
            [RETIRED, RETIRED, ACTIVE],
            id="a later one overtakes an announced one, which never signs",
        ),
        pytest.param([key(1, DAY, withdrawn=True)], [GONE], id="the only one is withdrawn"),
        pytest.param([key(1, -DAY, withdrawn=True)], [GONE], id="an announced one is withdrawn"),
        pytest.param(
            [key(1, DAY), key(2, AFTERLIFE / 2, withdrawn=True)],
            [RETIRED, GONE],
            id="the one before does not come back",
        ),
        pytest.param(
            [key(1, DAY), key(2, -TICK, withdrawn=True)], [ACTIVE, GONE], id="one taken back in time follows nobody"
        ),
        pytest.param(
            [key(1, DAY, withdrawn=True), key(2, -TICK)], [GONE, ANNOUNCED], id="none signs until the next begins"
        ),
        pytest.param(
            [key(1, 2 * DAY), key(2, DAY, withdrawn=True), key(3, ZERO)],
            [GONE, GONE, ACTIVE],
            id="a withdrawn one has followed those before it for good",
        ),
    ],
)
def test_the_times_decide(keys: list[KeyTimes], expected: list[KeyState]) -> None:
    assert states(keys) == expected
    assert states(keys[::-1]) == expected[::-1]


def test_over_a_rotation_a_key_passes_through_every_state_once() -> None:
    keys = [key(1, DAY), KeyTimes(2, NOW + ANNOUNCED_FOR)]
    instants = [NOW, NOW + ANNOUNCED_FOR, NOW + ANNOUNCED_FOR + AFTERLIFE]
    assert [states(keys, instant) for instant in instants] == [[ACTIVE, ANNOUNCED], [RETIRED, ACTIVE], [GONE, ACTIVE]]


any_keys = st.lists(st.tuples(st.integers(-1200, 1200), st.booleans()), min_size=1, max_size=6).map(
    lambda drawn: [key(n, timedelta(seconds=since), withdrawn=gone) for n, (since, gone) in enumerate(drawn, 1)]
)
moments = st.integers(-1500, 1500).map(lambda seconds: NOW + timedelta(seconds=seconds))


@given(any_keys, moments)
def test_one_key_signs_from_the_moment_that_any_has_begun_unless_the_newest_was_withdrawn(
    keys: list[KeyTimes], now: datetime
) -> None:
    ever = [known for known in keys if known.withdrawn_at is None or known.active_from <= known.withdrawn_at]
    begun = [known for known in ever if known.active_from <= now]
    signs = bool(begun) and begun[-1].withdrawn_at is None
    assert states(keys, now).count(ACTIVE) == int(signs)


@given(any_keys, moments, st.integers(0, int(AFTERLIFE.total_seconds()) - 1))
def test_no_token_outlives_its_key(keys: list[KeyTimes], now: datetime, age: int) -> None:
    """Also where another machine's clock is behind by the skew that is allowed for."""
    later = states(keys, now + timedelta(seconds=age))
    for before, after in zip(states(keys, now), later, strict=True):
        assert before is not ACTIVE or after in (ACTIVE, RETIRED)


@given(any_keys, moments, st.integers(0, 3000))
def test_no_key_goes_back(keys: list[KeyTimes], now: datetime, seconds: int) -> None:
    order = list(KeyState)
    for before, after in zip(states(keys, now), states(keys, now + timedelta(seconds=seconds)), strict=True):
        assert order.index(before) <= order.index(after)


def test_a_key_is_announced_for_longer_than_anybody_keeps_the_key_set() -> None:
    assert JWKS_MAX_AGE < ANNOUNCED_FOR


@pytest.mark.parametrize(
    ("age", "due"),
    [(-DAY, False), (ZERO, False), (ROTATE_EVERY - TICK, False), (ROTATE_EVERY, True), (400 * DAY, True)],
)
def test_the_next_key_is_due_when_the_newest_has_signed_for_long(age: timedelta, due: bool) -> None:
    assert is_due(NOW - age, NOW) is due
