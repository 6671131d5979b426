"""What an operator does with accounts. No command takes or shows a password (ASVS 6.4.1, 6.4.6)."""

import uuid

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import EmailTaken, NotFound
from webapp.ids import new_id
from webapp.models import User
from webapp.policy.login_sessions import EndReason
from webapp.policy.security_events import EventKind
from webapp.services import account_mail
from webapp.services.addresses import address_key, parse_address
from webapp.services.client import OPERATOR
from webapp.services.login_sessions import end_login_sessions
from webapp.services.security_events import record_event
from webapp.services.sign_in import end_steps
from webapp.services.transaction import transaction


def create_user(email: str, *, name: str, locale: str) -> uuid.UUID:
    """Make an account and mail its owner a link to choose a password. Raises EmailInvalid or EmailTaken."""
    address = parse_address(email)
    try:
        with transaction() as tx:
            user = User(
                id=new_id(),
                email=address.email,
                email_key=address.key,
                name=name,
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


def sign_out_user(email: str) -> int:
    """End all of a user's login sessions; how many there were. Raises NotFound."""
    with transaction() as tx:
        user = _find(tx, email)
        ended = end_login_sessions(tx, user.id, EndReason.OPERATOR)
        record_event(tx, user.id, EventKind.SIGNED_OUT_BY_OPERATOR, OPERATOR, count=ended)
    return ended


def _find(tx: Session, email: str) -> User:
    user = tx.scalar(select(User).where(User.email_key == address_key(email)).with_for_update())
    if user is None:
        raise NotFound
    return user
