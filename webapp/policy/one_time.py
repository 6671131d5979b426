"""Mailed links: what each is for, and for how long."""

from datetime import datetime, timedelta
from enum import StrEnum, auto


class Purpose(StrEnum):
    """What a link does. A link does nothing else (ASVS 6.4.1)."""

    CONFIRM_EMAIL = auto()
    RESET_PASSWORD = auto()
    CHANGE_EMAIL = auto()
    UNDO_EMAIL_CHANGE = auto()


LIFE = {
    Purpose.CONFIRM_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
    # Long, because the owner of the old address may be away while a thief is at work.
    Purpose.UNDO_EMAIL_CHANGE: timedelta(days=7),
}

# A thief who changes the address twice must not end the link that the first change mailed to the owner.
SEVERAL_AT_ONCE = frozenset({Purpose.UNDO_EMAIL_CHANGE})


class Verdict(StrEnum):
    """What a link is good for."""

    GOOD = auto()
    EXPIRED = auto()
    USED = auto()
    REPLACED = auto()


def judge_token(*, ended_by: str | None, expires_at: datetime, now: datetime) -> Verdict:
    """Judge a link that we did mail. That it was used says more than that it is old."""
    if ended_by is not None:
        return Verdict.USED if ended_by == "used" else Verdict.REPLACED
    return Verdict.GOOD if now < expires_at else Verdict.EXPIRED
