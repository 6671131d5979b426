"""Links and codes that work once: what each is for, and for how long."""

from datetime import datetime, timedelta
from enum import StrEnum, auto


class Purpose(StrEnum):
    """What a link or a code does. It does nothing else (ASVS 6.4.1)."""

    CONFIRM_EMAIL = auto()
    RESET_PASSWORD = auto()
    CHANGE_EMAIL = auto()
    UNDO_EMAIL_CHANGE = auto()
    APP_CODE = auto()  # not mailed: an app exchanges it for tokens
    SIGN_IN = auto()  # by link, in the browser that asked
    SIGN_IN_CODE = auto()  # the same by a code to type, which comes in the same mail
    LINK_IDENTITY = auto()  # not mailed: kept by the browser that came from the provider with it


LIFE = {
    Purpose.CONFIRM_EMAIL: timedelta(hours=24),
    Purpose.RESET_PASSWORD: timedelta(minutes=30),
    Purpose.CHANGE_EMAIL: timedelta(hours=24),
    # Long, because the owner of the old address may be away while a thief is at work.
    Purpose.UNDO_EMAIL_CHANGE: timedelta(days=7),
    Purpose.APP_CODE: timedelta(seconds=60),
    Purpose.SIGN_IN: timedelta(minutes=10),
    Purpose.SIGN_IN_CODE: timedelta(minutes=10),
    Purpose.LINK_IDENTITY: timedelta(minutes=10),
}

# A thief who changes the address twice must not end the link that the first change mailed to the owner.
# Several apps may sign in at once, and a stranger's identity must not end the offer that the owner looks at.
SEVERAL_AT_ONCE = frozenset({Purpose.UNDO_EMAIL_CHANGE, Purpose.APP_CODE, Purpose.LINK_IDENTITY})


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
