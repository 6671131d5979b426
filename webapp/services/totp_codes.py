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
    if factor is None or factor.confirmed_at is None:
        return False
    secret = open_secret(factor)
    if secret is None or not accept_code(factor, secret, code):
        return False
    factor.sealed = seal_secret(secret, user_id)  # under today's key: one that was replaced may go some day
    return True


def accept_code(factor: TotpFactor, secret: str, code: str) -> bool:
    """Compare a code with those that are good now, and use its step up."""
    typed = clean_totp(code)
    if typed is None:
        return False
    for step in acceptable_steps(clock.now(), factor.last_step):
        if hmac.compare_digest(pyotp.TOTP(secret).generate_otp(step), typed):
            factor.last_step, factor.last_used_at = step, clock.now()
            return True
    return False


def seal_secret(secret: str, user_id: uuid.UUID, *, waiting_in: uuid.UUID | None = None) -> bytes:
    """The secret of an app, bound to its user; while it waits to be confirmed, to the login session, too."""
    return runtime().sealer.seal(secret.encode(), purpose=PURPOSE, bound_to=_owner(user_id, waiting_in))


def open_secret(factor: TotpFactor, *, waiting_in: uuid.UUID | None = None) -> str | None:
    """The secret of an app; None where nobody can read it any more, or not here."""
    try:
        owner = _owner(factor.user_id, waiting_in)
        return runtime().sealer.open(factor.sealed, purpose=PURPOSE, bound_to=owner).decode()
    except SealBroken:
        return None


def _owner(user_id: uuid.UUID, waiting_in: uuid.UUID | None) -> str:
    return str(user_id) if waiting_in is None else f"{user_id} in {waiting_in}"
