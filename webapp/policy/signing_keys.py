"""The life of a key that signs access tokens: announced, active, retired, gone. No token fails over a rotation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto

JWKS_MAX_AGE = timedelta(minutes=5)  # how long others may keep our key set
ANNOUNCED_FOR = 2 * JWKS_MAX_AGE  # before it signs: everybody who keeps the key set has read it anew by then
CLOCK_SKEW = timedelta(seconds=30)  # what the clocks of two machines may differ by
ROTATE_EVERY = timedelta(days=90)


class KeyState(StrEnum):
    """What a key does at a time."""

    ANNOUNCED = auto()  # published, signs nothing yet
    ACTIVE = auto()  # signs
    RETIRED = auto()  # signs nothing more; what it signed is still good
    GONE = auto()  # nothing that it signed can still be good


@dataclass(frozen=True)
class KeyTimes:
    """What decides the state of one key; keys are numbered in the order they were made."""

    number: int
    active_from: datetime
    withdrawn_at: datetime | None = None


def judge_keys(keys: Sequence[KeyTimes], *, now: datetime, token_life: timedelta) -> dict[int, KeyState]:
    """The state of each key by its number. `token_life` is that of an access token."""
    return {key.number: _judge(key, keys, now, token_life) for key in keys}


def _judge(key: KeyTimes, keys: Sequence[KeyTimes], now: datetime, token_life: timedelta) -> KeyState:
    if key.withdrawn_at is not None:
        return KeyState.GONE
    followers = [other.active_from for other in keys if other.number > key.number and _signs(other)]
    followed_at = min(followers, default=None)
    if followed_at is not None and followed_at <= now:
        last_token_ends = followed_at + token_life + CLOCK_SKEW
        return KeyState.RETIRED if now < last_token_ends else KeyState.GONE
    return KeyState.ACTIVE if key.active_from <= now else KeyState.ANNOUNCED


def _signs(key: KeyTimes) -> bool:
    """Whether a key signs one day, or did: one withdrawn after it began has followed those before it for good."""
    return key.withdrawn_at is None or key.active_from <= key.withdrawn_at


def is_due(newest_active_from: datetime, now: datetime) -> bool:
    """Whether the newest key has signed for so long that the next one is to be announced."""
    return now >= newest_active_from + ROTATE_EVERY
