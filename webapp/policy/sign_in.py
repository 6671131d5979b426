"""What may stand between a proof and a login session. The same for every door."""

from datetime import datetime, timedelta
from enum import StrEnum, auto

STEP_LIFE = timedelta(minutes=10)  # of a login-in-progress
SUSPICIOUS_FROM = 5  # wrong passwords before the right one: the owner is told (ASVS 6.3.5)


class Verdict(StrEnum):
    """What becomes of a proof."""

    START = auto()
    DISABLED = auto()
    UNVERIFIED = auto()
    PASSWORD_BLOCKED = auto()
    KEEP_ACCOUNT = auto()  # a step: the account is about to be deleted


class Step(StrEnum):
    """What a login-in-progress waits for."""

    KEEP_ACCOUNT = auto()


def judge_sign_in(
    *, disabled: bool, email_verified: bool, password_blocked: bool, by_password: bool, deletion_due_at: datetime | None
) -> Verdict:
    """Judge a proof that was right. Refusals come before steps, so that a step tells nobody of a closed account."""
    if disabled:
        return Verdict.DISABLED
    if not email_verified:
        return Verdict.UNVERIFIED
    if by_password and password_blocked:
        return Verdict.PASSWORD_BLOCKED
    if deletion_due_at is not None:
        return Verdict.KEEP_ACCOUNT
    return Verdict.START
