"""Codes for whoever has lost the other factors: ten, shown once, each used once."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import FactorRefused
from webapp.models import RecoveryCode, User
from webapp.policy.second_factor import ALPHABET, RECOVERY_CODES, RECOVERY_LENGTH, clean_recovery, written
from webapp.policy.security_events import EventKind
from webapp.services import account_mail
from webapp.services.client import Client
from webapp.services.login_sessions import SignedIn, lock_live, require_fresh
from webapp.services.one_time import digest
from webapp.services.security_events import record_event
from webapp.services.transaction import transaction


@dataclass(frozen=True)
class CodesLeft:
    """How many codes are left, and since when they hold; None where there never were any."""

    left: int
    made_at: datetime | None


def make_codes(signed_in: SignedIn, client: Client) -> Sequence[str]:
    """Ten new codes, as they are to be written down; the old ones are void. Raises ReauthenticationRequired, or
    FactorRefused where there is no other factor for which they could stand in.
    """
    require_fresh(signed_in)
    codes = ["".join(secrets.choice(ALPHABET) for _ in range(RECOVERY_LENGTH)) for _ in range(RECOVERY_CODES)]
    with transaction() as tx:
        user, _ = lock_live(tx, signed_in)
        if user.second_factor_since is None:
            raise FactorRefused
        drop_codes(tx, user.id)
        tx.add_all(
            RecoveryCode(user_id=user.id, code_hash=_hash(user.id, code), created_at=clock.now()) for code in codes
        )
        record_event(tx, user.id, EventKind.RECOVERY_CODES_MADE, client, login_session_id=signed_in.login_session_id)
        account_mail.tell_of_factor(tx, user, client, change="recovery_codes_made")
    return [written(code) for code in codes]


def count_codes(tx: Session, user_id: uuid.UUID) -> CodesLeft:
    """How many are left."""
    mine = RecoveryCode.user_id == user_id
    row = tx.execute(
        select(func.count().filter(RecoveryCode.used_at.is_(None)), func.max(RecoveryCode.created_at)).where(mine)
    ).one()
    return CodesLeft(row[0], row[1])


def spend_code(tx: Session, user: User, code: str, client: Client) -> bool:
    """Whether it is a code of the user's that was not used before; it is now, and the user is told."""
    cleaned = clean_recovery(code)
    if cleaned is None:
        return False
    spent = tx.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user.id,
            RecoveryCode.code_hash == _hash(user.id, cleaned),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=clock.now())
        .execution_options(synchronize_session=False)
        .returning(RecoveryCode.user_id)
    )
    if spent is None:
        return False
    left = count_codes(tx, user.id).left
    record_event(tx, user.id, EventKind.RECOVERY_CODE_USED, client, left=left)
    account_mail.tell_of_factor(tx, user, client, change="recovery_code_used", left=left)
    return True


def drop_codes(tx: Session, user_id: uuid.UUID) -> None:
    """Void every code of a user."""
    statement = delete(RecoveryCode).where(RecoveryCode.user_id == user_id)
    tx.execute(statement, execution_options={"synchronize_session": False})


def _hash(user_id: uuid.UUID, code: str) -> str:
    return digest(f"{user_id}:{code}")
