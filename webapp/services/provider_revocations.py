"""Tokens of a provider's that are wanted no more, taken back there (RFC 7009): by the background worker, so that nobody
who leaves waits for a provider, and again later where it does not answer.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import ProviderAnswerRefused, ProviderUnavailable
from webapp.ids import new_id
from webapp.models import ProviderRevocation
from webapp.services.runtime import runtime
from webapp.services.sealing import SealBroken
from webapp.services.transaction import after_commit, transaction

CLAIM = timedelta(
    minutes=5
)  # nobody else tries meanwhile; who dies over it leaves the token to the next one after that
GIVE_UP_AFTER = 12  # attempts, further and further apart: about five days
_PURPOSE = "provider revocation"

_log = structlog.get_logger("provider_revocations")


@dataclass(frozen=True)
class _Due:
    id: uuid.UUID
    provider: str
    sealed: bytes = field(repr=False)
    attempts: int  # this one included


def request_revocation(tx: Session, provider: str, token: str) -> None:
    """Have a token taken back at its provider, once `tx` is committed."""
    row_id, now = new_id(), clock.now()
    sealed = runtime().sealer.seal(token.encode(), purpose=_PURPOSE, bound_to=str(row_id))
    tx.add(ProviderRevocation(id=row_id, provider=provider, sealed=sealed, attempts=0, due_at=now, created_at=now))
    after_commit(tx, runtime().wake_outbox)


def revoke_due(limit: int, *, stopping: Callable[[], bool] = lambda: False) -> int:
    """Take back, one after the other, at most `limit` tokens that are due; how many it tried. It ends with the first
    that a provider does not take: mails wait behind this.
    """
    tried = 0
    while tried < limit and not stopping() and (due := _claim()) is not None:
        tried += 1
        if not _is_over(due):
            _postpone(due)
            break
        _forget(due)
    return tried


def _claim() -> _Due | None:
    now = clock.now()
    is_due = ProviderRevocation.due_at <= now
    first = select(ProviderRevocation.id).where(is_due).order_by(ProviderRevocation.due_at, ProviderRevocation.id)
    with transaction() as tx:
        row = tx.execute(
            update(ProviderRevocation)
            .where(ProviderRevocation.id == first.limit(1).with_for_update(skip_locked=True).scalar_subquery(), is_due)
            .values(attempts=ProviderRevocation.attempts + 1, due_at=now + CLAIM)
            .execution_options(synchronize_session=False)
            .returning(
                ProviderRevocation.id,
                ProviderRevocation.provider,
                ProviderRevocation.sealed,
                ProviderRevocation.attempts,
            )
        ).one_or_none()
    return None if row is None else _Due(row.id, row.provider, row.sealed, row.attempts)


def _is_over(due: _Due) -> bool:
    """Whether there is nothing left to do: it was taken back, or nobody can any more."""
    provider = runtime().relying_parties.get(due.provider)
    try:
        token = runtime().sealer.open(due.sealed, purpose=_PURPOSE, bound_to=str(due.id)).decode()
    except SealBroken:
        return True
    if provider is None:
        return True
    try:
        provider.revoke(token)
    except (ProviderUnavailable, ProviderAnswerRefused) as error:
        _log.warning("provider_revocation_postponed", provider=due.provider, reason=error.details.get("reason"))
        return False
    return True


def _postpone(due: _Due) -> None:
    if due.attempts >= GIVE_UP_AFTER:
        _log.error("provider_revocation_given_up", provider=due.provider, attempts=due.attempts)
        _forget(due)
        return
    later = clock.now() + CLAIM * 2 ** min(due.attempts - 1, 9)
    with transaction() as tx:
        tx.execute(
            update(ProviderRevocation)
            .where(ProviderRevocation.id == due.id)
            .values(due_at=later)
            .execution_options(synchronize_session=False)
        )


def _forget(due: _Due) -> None:
    with transaction() as tx:
        tx.execute(
            delete(ProviderRevocation)
            .where(ProviderRevocation.id == due.id)
            .execution_options(synchronize_session=False)
        )
