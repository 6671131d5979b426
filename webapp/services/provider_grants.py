"""Tokens of a provider's, for acting there in somebody's name: kept sealed, renewed once however many ask, given back.

Kept only where GOOGLE_EXTRA_SCOPES asks for something to do with them; who somebody is needs no token of theirs.
"""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from webapp import clock
from webapp.errors import ProviderAnswerRefused, ProviderUnavailable
from webapp.gateways.relying_party import GrantRefused, ProviderTokens, RelyingParty
from webapp.models import Identity, ProviderGrant
from webapp.services.provider_revocations import request_revocation
from webapp.services.runtime import runtime
from webapp.services.sealing import SealBroken
from webapp.services.transaction import transaction

ENOUGH_LEFT = timedelta(seconds=60)  # of an access token's life, for whoever gets it to use it
# How long one renewal is waited for before somebody else may begin another: longer than the two calls of one can take
# (gateways.provider_http), or two would show the same refresh token, which looks like a theft.
RENEWAL = timedelta(seconds=15)
POLL = 0.1  # seconds between looks while somebody else renews
LOOKS = 60  # so many, and then the provider counts as away
PURPOSE = "provider grant"

_log = structlog.get_logger("provider_grants")


class NoProviderToken(Exception):
    """There is no token to act with. `reason`: not_linked, not_granted (ask for it again), gone (the provider takes it
    no more; ask again), unavailable (the provider does not answer; try later).
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def fresh_provider_token(user_id: uuid.UUID, provider: str, *, rest: Callable[[float], object] = time.sleep) -> str:
    """An access token of the provider's for acting in the user's name, good for a minute or more.

    Of many who ask at once when it has run out, one renews it and the others get what that one got (a compare-and-swap
    on the row's version); they `rest` between looks. Raises NoProviderToken. Never call it within a transaction: it
    talks to the provider.
    """
    for look in range(LOOKS):
        if look:
            rest(POLL)
        identity_id, grant = _find(user_id, provider)
        held = _opened(grant, user_id)
        if clock.now() + ENOUGH_LEFT < grant.expires_at:
            return str(held["access_token"])
        if not held["refresh_token"]:
            raise NoProviderToken("gone")
        relying_party = runtime().relying_parties.get(provider)
        if relying_party is None:
            raise NoProviderToken("unavailable")
        if _claim(identity_id, grant.version):
            return _renew(relying_party, user_id, identity_id, grant.version, str(held["refresh_token"]))
    raise NoProviderToken("unavailable")


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


def give_back(tx: Session, identity: Identity) -> None:
    """Have what an identity granted taken back at the provider, after `tx`, by the background worker."""
    grant = tx.get(ProviderGrant, identity.id, with_for_update=True)
    if grant is None:
        return
    held = _try_open(grant, identity.user_id)
    drop_grant(tx, identity)
    if token := held.get("refresh_token") or held.get("access_token"):
        request_revocation(tx, identity.provider, str(token))  # the one ends the other (RFC 7009, section 2.1)


def drop_grant(tx: Session, identity: Identity) -> None:
    """Forget what an identity granted: the provider says that it is over."""
    tx.execute(
        delete(ProviderGrant)
        .where(ProviderGrant.identity_id == identity.id)
        .execution_options(synchronize_session=False)
    )


def _find(user_id: uuid.UUID, provider: str) -> tuple[uuid.UUID, ProviderGrant]:
    query = (
        select(Identity.id, ProviderGrant)
        .outerjoin(ProviderGrant, ProviderGrant.identity_id == Identity.id)
        .where(Identity.user_id == user_id, Identity.provider == provider, Identity.blocked_at.is_(None))
    )
    with transaction() as tx:
        row = tx.execute(query.order_by(Identity.id.desc()).limit(1)).one_or_none()
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
                *_is(identity_id, version),
                or_(ProviderGrant.renewing_until.is_(None), ProviderGrant.renewing_until <= now),
            )
            .values(renewing_until=now + RENEWAL)
            .execution_options(synchronize_session=False)
            .returning(ProviderGrant.identity_id)
        )
    return claimed is not None


def _renew(
    relying_party: RelyingParty, user_id: uuid.UUID, identity_id: uuid.UUID, version: int, refresh_token: str
) -> str:
    try:
        tokens = relying_party.renew(refresh_token)
    except GrantRefused:
        with transaction() as tx:
            tx.execute(delete(ProviderGrant).where(*_is(identity_id, version)))
        raise NoProviderToken("gone") from None
    except (ProviderUnavailable, ProviderAnswerRefused) as error:
        _log.warning("provider_renewal_failed", provider=relying_party.config.name, reason=error.details.get("reason"))
        with transaction() as tx:
            tx.execute(update(ProviderGrant).where(*_is(identity_id, version)).values(renewing_until=None))
        raise NoProviderToken("unavailable") from None
    with transaction() as tx:
        grant = tx.get(ProviderGrant, identity_id, with_for_update=True)
        if grant is None:  # unlinked in the meantime, and what was given back then is no longer the newest
            request_revocation(tx, relying_party.config.name, tokens.refresh_token or tokens.access_token)
        # A sign-in in the meantime may have brought an access token, and kept the refresh token that is spent now.
        elif _try_open(grant, user_id).get("refresh_token") == refresh_token:
            _write(grant, user_id, tokens)
    if grant is None:
        raise NoProviderToken("not_linked")
    return tokens.access_token


def _is(identity_id: uuid.UUID, version: int) -> tuple[Any, ...]:
    return ProviderGrant.identity_id == identity_id, ProviderGrant.version == version


def _write(grant: ProviderGrant, user_id: uuid.UUID, tokens: ProviderTokens) -> None:
    held = {name: value for name, value in asdict(tokens).items() if name in ("access_token", "refresh_token")}
    grant.sealed = runtime().sealer.seal(json.dumps(held).encode(), purpose=PURPOSE, bound_to=str(user_id))
    grant.expires_at = tokens.expires_at
    grant.scope = tokens.scope or grant.scope or ""
    grant.version += 1
    grant.renewing_until = None


def _opened(grant: ProviderGrant, user_id: uuid.UUID) -> dict[str, Any]:
    try:
        held: dict[str, Any] = json.loads(runtime().sealer.open(grant.sealed, purpose=PURPOSE, bound_to=str(user_id)))
    except SealBroken:
        raise NoProviderToken("gone") from None
    return held


def _try_open(grant: ProviderGrant, user_id: uuid.UUID) -> dict[str, Any]:
    try:
        return _opened(grant, user_id)
    except NoProviderToken:
        return {}
