"""Browsers in which their owner is not asked for the second factor for a while. One row each, listed and revocable."""

import secrets
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import NotFound
from webapp.models import TrustedBrowser
from webapp.models.login_session import USER_AGENT_LENGTH
from webapp.services.client import Client
from webapp.services.login_sessions import SignedIn
from webapp.services.newest import drop_beyond_newest
from webapp.services.one_time import digest
from webapp.services.transaction import transaction

TRUST_LIFE = timedelta(days=30)
SECRET_BYTES = 32  # 256 bits (ASVS 11.5.1)
MOST_A_USER = 20


@dataclass(frozen=True)
class Trust:
    """One line of the list."""

    id: uuid.UUID
    user_agent: str
    ip: str
    created_at: datetime
    expires_at: datetime
    current: bool


def is_trusted(tx: Session, user_id: uuid.UUID, secret: str | None) -> bool:
    """Whether this browser need not show the second factor of this account."""
    if secret is None:
        return False
    mine = (TrustedBrowser.user_id == user_id, TrustedBrowser.secret_hash == digest(secret))
    return tx.scalar(select(TrustedBrowser.id).where(*mine, TrustedBrowser.expires_at > clock.now())) is not None


def trust_browser(tx: Session, user_id: uuid.UUID, client: Client) -> str:
    """Trust a browser from now on; gives the secret that it is to keep, in place of the one it had."""
    secret, now = secrets.token_urlsafe(SECRET_BYTES), clock.now()
    if client.trust is not None:
        had = (TrustedBrowser.user_id == user_id, TrustedBrowser.secret_hash == digest(client.trust))
        tx.execute(delete(TrustedBrowser).where(*had), execution_options={"synchronize_session": False})
    tx.add(
        TrustedBrowser(
            user_id=user_id,
            secret_hash=digest(secret),
            user_agent=client.user_agent[:USER_AGENT_LENGTH],
            ip=client.ip,
            created_at=now,
            expires_at=now + TRUST_LIFE,
        )
    )
    tx.flush()
    mine = TrustedBrowser.user_id == user_id
    order = (TrustedBrowser.created_at.desc(), TrustedBrowser.id.desc())
    drop_beyond_newest(tx, TrustedBrowser.id, mine, order=order, keep=MOST_A_USER)
    return secret


def list_trusted(signed_in: SignedIn, client: Client) -> list[Trust]:
    """The browsers that are trusted now, the newest first."""
    query = select(TrustedBrowser).where(
        TrustedBrowser.user_id == signed_in.user_id, TrustedBrowser.expires_at > clock.now()
    )
    own = digest(client.trust) if client.trust else None
    with transaction() as tx:
        rows = tx.scalars(query.order_by(TrustedBrowser.created_at.desc()))
        return [
            Trust(row.id, row.user_agent, row.ip, row.created_at, row.expires_at, current=row.secret_hash == own)
            for row in rows
        ]


def distrust(signed_in: SignedIn, trust_id: uuid.UUID) -> None:
    """Ask in that browser again. Raises NotFound for anybody else's."""
    mine = (TrustedBrowser.user_id == signed_in.user_id, TrustedBrowser.id == trust_id)
    with transaction() as tx:
        if tx.scalar(delete(TrustedBrowser).where(*mine).returning(TrustedBrowser.id)) is None:
            raise NotFound


def distrust_all(tx: Session, user_id: uuid.UUID) -> None:
    """Ask everywhere again: the password or a factor has changed, or something was not the owner."""
    statement = delete(TrustedBrowser).where(TrustedBrowser.user_id == user_id)
    tx.execute(statement, execution_options={"synchronize_session": False})
