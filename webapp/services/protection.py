"""What protects an account, what is missing, and the one next step."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, auto

from sqlalchemy import func, select

from webapp.models import Identity, Passkey, TotpFactor
from webapp.services import recovery_codes
from webapp.services.login_sessions import SignedIn
from webapp.services.transaction import transaction

FEW_CODES = 3  # left: time for new ones


class NextStep(StrEnum):
    """What would help most."""

    ADD_FACTOR = auto()
    MAKE_CODES = auto()
    RENEW_CODES = auto()
    NOTHING = auto()


@dataclass(frozen=True)
class Protection:
    """An account's ways in and what stands behind them."""

    has_password: bool
    identities: int
    passkeys: int
    totp_since: datetime | None
    codes_left: int
    codes_made_at: datetime | None
    next_step: NextStep


def overview(signed_in: SignedIn) -> Protection:
    """All of it."""
    user_id = signed_in.user_id
    with transaction() as tx:
        totp = tx.get(TotpFactor, user_id)
        passkeys = tx.scalar(select(func.count()).select_from(Passkey).where(Passkey.user_id == user_id)) or 0
        identities = tx.scalar(select(func.count()).select_from(Identity).where(Identity.user_id == user_id)) or 0
        codes = recovery_codes.count_codes(tx, user_id)
    return Protection(
        has_password=signed_in.password_changed_at is not None,
        identities=identities,
        passkeys=passkeys,
        totp_since=totp.confirmed_at if totp else None,
        codes_left=codes.left,
        codes_made_at=codes.made_at,
        next_step=_next_step(signed_in.has_factor, codes),
    )


def codes_left(signed_in: SignedIn) -> int:
    """How many recovery codes are left."""
    with transaction() as tx:
        return recovery_codes.count_codes(tx, signed_in.user_id).left


def _next_step(has_factor: bool, codes: recovery_codes.CodesLeft) -> NextStep:
    if not has_factor:
        return NextStep.ADD_FACTOR
    if codes.made_at is None:
        return NextStep.MAKE_CODES
    return NextStep.RENEW_CODES if codes.left < FEW_CODES else NextStep.NOTHING
