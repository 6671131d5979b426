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
    SET_UP_FACTOR = auto()  # a second factor is demanded, there is none, and this door cannot set one up
    SECOND_FACTOR = auto()  # a step: the account has a second factor
    KEEP_ACCOUNT = auto()  # a step: the account is about to be deleted


class Step(StrEnum):
    """What a login-in-progress waits for."""

    SECOND_FACTOR = auto()
    KEEP_ACCOUNT = auto()


STEPS = {Verdict.SECOND_FACTOR: Step.SECOND_FACTOR, Verdict.KEEP_ACCOUNT: Step.KEEP_ACCOUNT}


def judge_sign_in(
    *,
    disabled: bool,
    email_verified: bool,
    password_blocked: bool,
    by_password: bool,
    has_factor: bool,
    factor_proven: bool,
    factor_required: bool,
    can_set_up: bool,
    deletion_due_at: datetime | None,
) -> Verdict:
    """Judge a proof that was right. Refusals come before steps, so that a step tells nobody of a closed account; and
    the second factor before all other steps, so that half a proof changes nothing.
    """
    if disabled:
        return Verdict.DISABLED
    if not email_verified:
        return Verdict.UNVERIFIED
    if by_password and password_blocked:
        return Verdict.PASSWORD_BLOCKED
    if has_factor and not factor_proven:
        return Verdict.SECOND_FACTOR
    if factor_required and not has_factor and not can_set_up:
        return Verdict.SET_UP_FACTOR
    if deletion_due_at is not None:
        return Verdict.KEEP_ACCOUNT
    return Verdict.START
