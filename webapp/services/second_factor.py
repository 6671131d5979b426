"""The second factor at a door, and where a change of credentials asks for it again."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, exists, select
from sqlalchemy.orm import Session

from webapp.errors import FactorRefused, FactorSetupRequired
from webapp.models import Passkey, TotpFactor, User
from webapp.policy.second_factor import Method as Method
from webapp.services import passkey_proofs, recovery_codes
from webapp.services.client import Client
from webapp.services.login_sessions import MULTI_FACTOR
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security
from webapp.services.totp_codes import prove_totp

# RFC 8176 has no name for a recovery code.
_AMR: Mapping[Method, tuple[str, ...]] = {Method.TOTP: ("otp",), Method.RECOVERY: ("recovery",)}


@dataclass(frozen=True)
class Answer:
    """What was shown: a code, or what a passkey signed."""

    method: Method
    code: str = field(default="", repr=False)
    credential: Mapping[str, Any] | None = field(default=None, repr=False)


def methods_of(tx: Session, user_id: uuid.UUID) -> tuple[str, ...]:
    """By which methods this user can show a second factor now, the most usual first."""
    totp = exists().where(TotpFactor.user_id == user_id, TotpFactor.confirmed_at.is_not(None))
    passkey = exists().where(Passkey.user_id == user_id)
    row = tx.execute(select(totp, passkey)).one()
    left = recovery_codes.count_codes(tx, user_id).left
    found = ((Method.TOTP, row[0]), (Method.PASSKEY, row[1]), (Method.RECOVERY, left > 0))
    return tuple(method.value for method, there in found if there)


def is_owed(methods: Collection[str]) -> bool:
    """Whether the site demands a second factor and none was shown: in a browser that is trusted, or before it was
    demanded. Then the account has to have one by now.
    """
    return runtime().settings.MFA_REQUIRED and MULTI_FACTOR not in methods


def require_factor(tx: Session | Connection, user_id: uuid.UUID) -> None:
    """Raises FactorSetupRequired where a user has no second factor."""
    if tx.scalar(select(User.second_factor_since).where(User.id == user_id)) is None:
        raise FactorSetupRequired


def prove(tx: Session, user: User, answer: Answer, client: Client) -> tuple[str, ...]:
    """The methods (RFC 8176) that an answer proves, in `tx` and used up by it. The user's row is locked.

    Raises FactorRefused.
    """
    if answer.method is Method.PASSKEY:
        if answer.credential is None:
            raise FactorRefused
        return passkey_proofs.prove_second_factor(tx, user, answer.credential)
    if answer.method is Method.TOTP:
        good = prove_totp(tx, user.id, answer.code)
    else:
        good = recovery_codes.spend_code(tx, user, answer.code, client)
    if not good:
        log_security("second_factor_failed", user_id=user.id, factor=answer.method)
        raise FactorRefused
    return _AMR[answer.method]
