"""When a login session is over, why, and what a visit to it has to do."""

from datetime import datetime, timedelta
from enum import StrEnum, auto

FRESH_FOR = timedelta(minutes=10)  # a proof this young allows changes to credentials (ASVS 7.5.1)
TOUCH_EVERY = timedelta(minutes=5)  # at most: a visit that is not recorded costs no write
MOST_A_USER = 100  # live at once; the one unseen for longest gives way (ASVS 7.1.2)


class EndReason(StrEnum):
    """Why a login session was ended. Stored, and told to the person at the next visit."""

    SIGNED_OUT = auto()
    REPLACED = auto()  # the same browser signed in anew
    ENDED_BY_USER = auto()  # from the list of sessions, on another device
    PASSWORD_CHANGED = auto()
    PASSWORD_RESET = auto()
    EMAIL_RESTORED = auto()
    NOT_ME = auto()
    DELETION = auto()
    DISABLED = auto()
    OPERATOR = auto()
    TOO_MANY = auto()
    REFRESH_REUSED = auto()  # a spent refresh token came back: a thief's, or the thief was first
    CODE_REUSED = auto()  # the code that an app had exchanged for it came back
    IDENTITY_UNLINKED = auto()  # begun by a provider that opens the account no more
    PROVIDER_ALERT = auto()  # the provider said that something is wrong there
    FACTOR_CHANGED = auto()  # a second factor was set up or taken away on another device
    IDLE = auto()  # never stored: follows from the times
    EXPIRED = auto()  # never stored: follows from the times


class Visit(StrEnum):
    """What a visit with a login session comes to."""

    LIVE = auto()
    TOUCH = auto()  # live, and the visit has to be recorded
    OVER = auto()


def judge_visit(
    *, ended: bool, disabled: bool, last_seen_at: datetime, idle_limit: timedelta, expires_at: datetime, now: datetime
) -> Visit:
    """Judge a visit at `now`. Idle and absolute limits hold on the server (ASVS 7.3.1, 7.3.2)."""
    if ended or disabled or now >= expires_at or now >= last_seen_at + idle_limit:
        return Visit.OVER
    return Visit.TOUCH if now >= last_seen_at + min(TOUCH_EVERY, idle_limit / 4) else Visit.LIVE


def name_end(
    *, end_reason: str | None, disabled: bool, last_seen_at: datetime, idle_limit: timedelta, expires_at: datetime
) -> EndReason:
    """Why a login session that is over is over, whichever came first."""
    if end_reason is not None:
        return EndReason(end_reason)
    if disabled:
        return EndReason.DISABLED
    return EndReason.IDLE if last_seen_at + idle_limit < expires_at else EndReason.EXPIRED


def is_fresh(auth_time: datetime, now: datetime) -> bool:
    """Whether a proof given at `auth_time` still allows changes to credentials."""
    return now - auth_time < FRESH_FOR
