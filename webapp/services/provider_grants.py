"""Tokens of a provider's, for acting there in somebody's name: kept sealed, renewed once however many ask, given back.

Kept only where GOOGLE_EXTRA_SCOPES asks for something to do with them; who somebody is needs no token of theirs.
"""

import json
import time
import uuid
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import ProviderUnavailable
from webapp.gateways.relying_party import GrantRefused, ProviderTokens
from webapp.models import Identity, ProviderGrant, ProviderRevocation
from webapp.services.runtime import runtime
from webapp.services.sealing import SealBroken
from webapp.services.transaction import after_commit, transaction

ENOUGH_LEFT = timedelta(seconds=60)  # of an access token's life, for whoever gets it to use it
RENEWAL = timedelta(seconds=10)  # more than a provider may take (gateways.provider_http)
PATIENCE = 6.0  # seconds to wait for somebody else's renewal
POLL = 0.1  # seconds
GIVE_UP_AFTER = 12  # attempts to give a token back, further and further apart: about a week
_PURPOSE = "provider grant"
_REVOCATION = "provider revocation"

_log = structlog.get_logger("provider_grants")


class NoProviderToken(Exception):
    """There is no token to act with. `reason`: not_linked, not_granted (ask for it again), gone (the provider takes it
    no more; ask again), unavailable (the provider does not answer; try later).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def fresh_provider_token(user_id: uuid.UUID, provider: str) -> str:
    """An access token of the provider's for acting in the user's name, good for a minute or more.

    Of many who ask at once when it has run out, one renews it and the others get what that one got (a compare-and-swap
    on the row's version). Raises NoProviderToken. Never call it within a transaction: it talks to the provider.
    """
    until = time.monotonic() + PATIENCE
    while True:
        identity_id, grant = _find(user_id, provider)
        held = _opened(grant, user_id)
        if clock.now() + ENOUGH_LEFT < grant.expires_at:
            return str(held["access_token"])
        if not held["refresh_token"]:
            raise NoProviderToken("gone")
        if _claim(identity_id, grant.version):
            return _renew(user_id, provider, identity_id, grant.version, str(held["refresh_token"]))
        if time.monotonic() > until:
            raise NoProviderToken("unavailable")
        time.sleep(POLL)


def keep_grant(tx: Session, identity: Identity, tokens: ProviderTokens | None) -> None:
    """Write down what came with a sign-in, where the site is set up to use it. A refresh token that is not told again
    stays.
    """
    found = runtime().relying_parties.get(identity.provider)
    if tokens is None or found is None or not found.config.extra_scopes:
        return
    tx.flush()
    grant = tx.get(ProviderGrant, identity.id, with_for_update=True)
    if grant is None:
        grant = ProviderGrant(identity_id=identity.id, version=0, granted_at=clock.now())
        tx.add(grant)
    elif tokens.refresh_token is None:
        kept = _try_open(grant, identity.user_id)
        tokens = ProviderTokens(tokens.access_token, kept.get("refresh_token"), tokens.expires_at, tokens.scope)
    _write(grant, identity.user_id, tokens)
    grant.scope = tokens.scope or grant.scope or ""
    grant.version += 1
    grant.renewing_until = None


def give_back(tx: Session, identity: Identity) -> None:
    """Have what an identity granted taken back at the provider, after `tx`, by the background worker."""
    grant = tx.get(ProviderGrant, identity.id)
    if grant is None:
        return
    held = _try_open(grant, identity.user_id)
    token = held.get("refresh_token") or held.get("access_token")  # taking the one back ends the other (RFC 7009, 2.1)
    tx.delete(grant)
    if token:
        row = ProviderRevocation(provider=identity.provider, due_at=clock.now(), created_at=clock.now(), attempts=0)
        row.id = uuid.uuid4()
        row.sealed = runtime().sealer.seal(str(token).encode(), purpose=_REVOCATION, bound_to=str(row.id))
        tx.add(row)
        after_commit(tx, runtime().wake_outbox)


def drop_grant(tx: Session, identity: Identity) -> None:
    """Forget what an identity granted: the provider says that it is over."""
    tx.execute(delete(ProviderGrant).where(ProviderGrant.identity_id == identity.id))


def give_back_due(limit: int) -> int:
    """Take back at their providers, one after the other, at most `limit` tokens that are due; how many it tried."""
    tried = 0
    while tried < limit and (claimed := _claim_revocation()) is not None:
        tried += 1
        row_id, provider, sealed = claimed
        if _revoked(row_id, provider, sealed):
            with transaction() as tx:
                tx.execute(delete(ProviderRevocation).where(ProviderRevocation.id == row_id))
    return tried


def _find(user_id: uuid.UUID, provider: str) -> tuple[uuid.UUID, ProviderGrant]:
    query = (
        select(Identity.id, ProviderGrant)
        .outerjoin(ProviderGrant, ProviderGrant.identity_id == Identity.id)
        .where(Identity.user_id == user_id, Identity.provider == provider, Identity.blocked_at.is_(None))
    )
    with transaction() as tx:
        row = tx.execute(query).one_or_none()
    if row is None:
        raise NoProviderToken("not_linked")
    if row.ProviderGrant is None:
        raise NoProviderToken("not_granted")
    return row.id, row.ProviderGrant


def _claim(identity_id: uuid.UUID, version: int) -> bool:
    """Whether it is ours to renew this version. Who dies over it holds the others up for RENEWAL at most."""
    now = clock.now()
    with transaction() as tx:
        claimed = tx.scalar(
            update(ProviderGrant)
            .where(
                ProviderGrant.identity_id == identity_id,
                ProviderGrant.version == version,
                or_(ProviderGrant.renewing_until.is_(None), ProviderGrant.renewing_until <= now),
            )
            .values(renewing_until=now + RENEWAL)
            .execution_options(synchronize_session=False)
            .returning(ProviderGrant.identity_id)
        )
    return claimed is not None


def _renew(user_id: uuid.UUID, provider: str, identity_id: uuid.UUID, version: int, refresh_token: str) -> str:
    found = runtime().relying_parties.get(provider)
    if found is None:
        raise NoProviderToken("unavailable")
    try:
        tokens = found.renew(refresh_token)
    except GrantRefused:
        with transaction() as tx:
            tx.execute(
                delete(ProviderGrant).where(ProviderGrant.identity_id == identity_id, ProviderGrant.version == version)
            )
        raise NoProviderToken("gone") from None
    except ProviderUnavailable:
        raise NoProviderToken("unavailable") from None
    with transaction() as tx:
        grant = tx.get(ProviderGrant, identity_id, with_for_update=True)
        if grant is not None and grant.version == version:
            _write(grant, user_id, tokens)
            grant.scope = tokens.scope or grant.scope
            grant.version, grant.renewing_until = version + 1, None
    return tokens.access_token


def _claim_revocation() -> tuple[uuid.UUID, str, bytes] | None:
    now = clock.now()
    due = (
        select(ProviderRevocation.id)
        .where(ProviderRevocation.due_at <= now)
        .order_by(ProviderRevocation.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    with transaction() as tx:
        row = tx.execute(
            update(ProviderRevocation)
            .where(ProviderRevocation.id == due.scalar_subquery(), ProviderRevocation.due_at <= now)
            .values(attempts=ProviderRevocation.attempts + 1, due_at=now + timedelta(minutes=5))
            .execution_options(synchronize_session=False)
            .returning(
                ProviderRevocation.id,
                ProviderRevocation.provider,
                ProviderRevocation.sealed,
                ProviderRevocation.attempts,
            )
        ).one_or_none()
        if row is None:
            return None
        if row.attempts > 1:
            later = now + timedelta(minutes=5 * 2 ** min(row.attempts, 9))
            tx.execute(update(ProviderRevocation).where(ProviderRevocation.id == row.id).values(due_at=later))
        if row.attempts > GIVE_UP_AFTER:
            tx.execute(delete(ProviderRevocation).where(ProviderRevocation.id == row.id))
            _log.warning("provider_revocation_given_up", provider=row.provider)
    return row.id, row.provider, row.sealed


def _revoked(row_id: uuid.UUID, provider: str, sealed: bytes) -> bool:
    """Whether there is nothing left to do."""
    found = runtime().relying_parties.get(provider)
    try:
        token = runtime().sealer.open(sealed, purpose=_REVOCATION, bound_to=str(row_id)).decode()
    except SealBroken:
        return True  # nobody can read it any more
    if found is None:
        return True
    try:
        found.revoke(token)
    except ProviderUnavailable as error:
        _log.warning("provider_revocation_postponed", provider=provider, reason=error.details.get("reason"))
        return False
    return True


def _write(grant: ProviderGrant, user_id: uuid.UUID, tokens: ProviderTokens) -> None:
    held = {name: value for name, value in asdict(tokens).items() if name in ("access_token", "refresh_token")}
    grant.sealed = runtime().sealer.seal(json.dumps(held).encode(), purpose=_PURPOSE, bound_to=str(user_id))
    grant.expires_at = tokens.expires_at


def _opened(grant: ProviderGrant, user_id: uuid.UUID) -> dict[str, Any]:
    try:
        held: dict[str, Any] = json.loads(runtime().sealer.open(grant.sealed, purpose=_PURPOSE, bound_to=str(user_id)))
    except SealBroken:
        raise NoProviderToken("gone") from None
    return held


def _try_open(grant: ProviderGrant, user_id: uuid.UUID) -> dict[str, Any]:
    try:
        return _opened(grant, user_id)
    except NoProviderToken:
        return {}
