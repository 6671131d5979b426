"""Codes of an authenticator app: compared in constant time, each step accepted once (RFC 6238, section 5.2)."""

import hmac
import uuid

import pyotp
from sqlalchemy.orm import Session

from webapp import clock
from webapp.models import TotpFactor
from webapp.policy.second_factor import acceptable_steps, clean_totp
from webapp.services.runtime import runtime
from webapp.services.sealing import SealBroken

PURPOSE = "totp"  # of the seal


def prove_totp(tx: Session, user_id: uuid.UUID, code: str) -> bool:
    """Whether it is a code of the user's app that was not used before. The user's row is locked."""
    factor = tx.get(TotpFactor, user_id, with_for_update=True)
    return factor is not None and factor.confirmed_at is not None and accept_code(factor, code)


def accept_code(factor: TotpFactor, code: str) -> bool:
    """Compare a code with those that are good now, and use its step up."""
    typed, secret = clean_totp(code), open_secret(factor)
    if typed is None or secret is None:
        return False
    for step in acceptable_steps(clock.now(), factor.last_step):
        if hmac.compare_digest(pyotp.TOTP(secret).generate_otp(step), typed):
            factor.last_step, factor.last_used_at = step, clock.now()
            return True
    return False


def open_secret(factor: TotpFactor) -> str | None:
    """The secret of an app; None where nobody can read it any more."""
    try:
        return runtime().sealer.open(factor.sealed, purpose=PURPOSE, bound_to=str(factor.user_id)).decode()
    except SealBroken:
        return None
