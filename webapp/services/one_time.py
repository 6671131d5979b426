"""Mailed links: hashed, purpose-bound, newest only, spent by one conditional UPDATE (ASVS 6.4.1, 6.5.1)."""

import hashlib
import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import LinkExpired, LinkInvalid, LinkReplaced, LinkUsed
from webapp.models import OneTimeToken, User
from webapp.policy.one_time import LIFE, SEVERAL_AT_ONCE, Purpose, Verdict, judge_token
from webapp.policy.throttling import Limit, network_of
from webapp.services.client import Client
from webapp.services.runtime import runtime

TOKEN_BYTES = 32  # 256 bits (ASVS 11.5.1)
_REFUSALS = {Verdict.EXPIRED: LinkExpired, Verdict.USED: LinkUsed, Verdict.REPLACED: LinkReplaced}


def digest(secret: str) -> str:
    """What is kept of a random secret. It has 256 bits, so a plain hash is enough (ASVS 6.5.2)."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def issue_token(
    tx: Session, user_id: uuid.UUID, purpose: Purpose, *, data: dict[str, Any] | None = None, raw: str | None = None
) -> str:
    """A new secret for a link, or `raw`; older ones of the same purpose end, unless policy.one_time keeps several."""
    if purpose not in SEVERAL_AT_ONCE:
        end_tokens(tx, user_id, purpose)
    raw = raw or secrets.token_urlsafe(TOKEN_BYTES)
    now = clock.now()
    tx.add(
        OneTimeToken(
            token_hash=digest(raw),
            purpose=purpose,
            user_id=user_id,
            data=data or {},
            created_at=now,
            expires_at=now + LIFE[purpose],
        )
    )
    return raw


def get_token(tx: Session, raw: str, purpose: Purpose) -> OneTimeToken:
    """The token behind a link that is still good, spending nothing: mail scanners follow links.

    Raises LinkInvalid, LinkExpired, LinkUsed or LinkReplaced.
    """
    token = tx.scalar(select(OneTimeToken).where(OneTimeToken.token_hash == digest(raw)))
    if token is None or token.purpose != purpose:
        raise LinkInvalid
    verdict = judge_token(ended_by=token.ended_by, expires_at=token.expires_at, now=clock.now())
    if verdict is not Verdict.GOOD:
        raise _REFUSALS[verdict]
    return token


@contextmanager
def counting_misses(client: Client) -> Iterator[None]:
    """Around `get_token`, outside of its transaction: a link that nobody mailed counts as a guess. Raises
    TooManyAttempts in place of LinkInvalid where it is one too many.
    """
    try:
        yield
    except LinkInvalid as miss:
        if type(miss) is LinkInvalid:
            runtime().throttle.hit(Limit.LINK_NETWORK, network_of(client.ip))
        raise


def spend_token(tx: Session, raw: str, purpose: Purpose) -> OneTimeToken:
    """Spend a link: of any number of parallel attempts, one wins. Raises as `get_token`."""
    owner = tx.scalar(select(OneTimeToken.user_id).where(OneTimeToken.token_hash == digest(raw)))
    if owner is not None:
        # The user's row first and the link's after it, as everybody locks them: two who wait for each other end never.
        tx.get(User, owner, with_for_update=True)
    now = clock.now()
    spent: OneTimeToken | None = tx.scalar(
        update(OneTimeToken)
        .where(
            OneTimeToken.token_hash == digest(raw),
            OneTimeToken.purpose == purpose,
            OneTimeToken.ended_at.is_(None),
            OneTimeToken.expires_at > now,
        )
        .values(ended_at=now, ended_by="used")
        .returning(OneTimeToken)
    )
    if spent is None:
        get_token(tx, raw, purpose)  # raises the reason
        raise LinkUsed
    return spent


def end_tokens(tx: Session, user_id: uuid.UUID, *purposes: Purpose, since: datetime | None = None) -> None:
    """End a user's open links of these purposes (made after `since`): what they were about has changed."""
    about = [OneTimeToken.user_id == user_id, OneTimeToken.purpose.in_(purposes), OneTimeToken.ended_at.is_(None)]
    if since is not None:
        about.append(OneTimeToken.created_at > since)
    tx.execute(
        update(OneTimeToken)
        .where(*about)
        .values(ended_at=clock.now(), ended_by="replaced")
        .execution_options(synchronize_session=False)
    )
