"""What an operator does with accounts. No command takes or shows a password (ASVS 6.4.1, 6.4.6)."""

import uuid
from collections import Counter
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import EmailTaken, NotFound
from webapp.ids import new_id
from webapp.models import LoginSession, User
from webapp.policy.login_sessions import EndReason
from webapp.policy.names import clean_name
from webapp.policy.security_events import EventKind
from webapp.services import account_mail
from webapp.services.addresses import address_key, parse_address
from webapp.services.client import OPERATOR
from webapp.services.factors import reset_factors
from webapp.services.login_sessions import end_login_sessions, lock_users
from webapp.services.security_events import record_event
from webapp.services.sign_in import end_steps
from webapp.services.transaction import transaction

SLICE = 500  # users a transaction, so that no lock is held for long


def create_user(email: str, *, name: str, locale: str) -> uuid.UUID:
    """Make an account and mail its owner a link to choose a password. Raises EmailInvalid or EmailTaken."""
    address = parse_address(email)
    try:
        with transaction() as tx:
            user = User(
                id=new_id(),
                email=address.email,
                email_key=address.key,
                name=clean_name(name),
                locale=locale,
                created_at=clock.now(),
            )
            tx.add(user)
            tx.flush()
            record_event(tx, user.id, EventKind.REGISTERED, OPERATOR)
            account_mail.send_reset(tx, user, OPERATOR)
            return user.id
    except IntegrityError:
        raise EmailTaken from None


def list_users(*, limit: int, after: uuid.UUID | None = None) -> list[User]:
    """Accounts in the order they were made, paged by key."""
    query = select(User).order_by(User.id).limit(limit)
    with transaction() as tx:
        return list(tx.scalars(query if after is None else query.where(User.id > after)))


def disable_user(email: str) -> None:
    """Close an account: it ends everywhere, and no door opens for it. Raises NotFound."""
    with transaction() as tx:
        user = _find(tx, email)
        if user.disabled_at is None:
            user.disabled_at = clock.now()
            record_event(tx, user.id, EventKind.DISABLED, OPERATOR)
        end_login_sessions(tx, user.id, EndReason.DISABLED)
        end_steps(tx, user.id)


def enable_user(email: str) -> None:
    """Open a closed account again; its owner signs in anew. Raises NotFound."""
    with transaction() as tx:
        user = _find(tx, email)
        if user.disabled_at is not None:
            user.disabled_at = None
            record_event(tx, user.id, EventKind.ENABLED, OPERATOR)


def reset_factors_of(email: str) -> None:
    """Take an account's second factors away, for an owner who has lost them all. Raises NotFound."""
    with transaction() as tx:
        reset_factors(tx, _find(tx, email), OPERATOR)


def sign_out_user(email: str) -> int:
    """End all of a user's login sessions; how many there were. Raises NotFound."""
    with transaction() as tx:
        user = _find(tx, email)
        ended = end_login_sessions(tx, user.id, EndReason.OPERATOR)
        record_event(tx, user.id, EventKind.SIGNED_OUT_BY_OPERATOR, OPERATOR, count=ended)
    return ended


def sign_out_everybody() -> int:
    """End every live login session of every user, a slice of users at a time; how many there were (ASVS 7.4.5).

    Sessions that begin while it runs are left alone. Broken off, it is simply run again.
    """
    began, total, last = clock.now(), 0, None
    while user_ids := _find_signed_in(began, after=last):
        with transaction() as tx:
            lock_users(tx, *user_ids)
            total += _end_of(tx, user_ids, began)
        last = user_ids[-1]
    return total


def _find_signed_in(at: datetime, *, after: uuid.UUID | None) -> list[uuid.UUID]:
    query = select(LoginSession.user_id).where(*_live(at)).distinct().order_by(LoginSession.user_id).limit(SLICE)
    with transaction() as tx:
        return list(tx.scalars(query if after is None else query.where(LoginSession.user_id > after)))


def _end_of(tx: Session, user_ids: list[uuid.UUID], at: datetime) -> int:
    ended = Counter(
        tx.scalars(
            update(LoginSession)
            .where(LoginSession.user_id.in_(user_ids), *_live(at))
            .values(ended_at=clock.now(), end_reason=EndReason.OPERATOR)
            .execution_options(synchronize_session=False)
            .returning(LoginSession.user_id)
        )
    )
    for user_id, count in ended.items():
        record_event(tx, user_id, EventKind.SIGNED_OUT_BY_OPERATOR, OPERATOR, count=count)
    return ended.total()


def _live(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """What was over by itself before keeps its own reason."""
    return (LoginSession.ended_at.is_(None), LoginSession.expires_at > at, LoginSession.created_at <= at)


def _find(tx: Session, email: str) -> User:
    user = tx.scalar(select(User).where(User.email_key == address_key(email)).with_for_update())
    if user is None:
        raise NotFound
    return user
