"""After SECRET_KEY was replaced: what an earlier one sealed for long is sealed anew, so that the fallback can go.

Mails, links, requests under way and what is given back to providers are over long before a fallback goes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Select, func, select, update
from sqlalchemy.orm import InstrumentedAttribute

from webapp.models import Identity, ProviderGrant, SigningKey, TotpFactor
from webapp.services import key_ring, provider_grants, totp_codes
from webapp.services.runtime import runtime
from webapp.services.sealing import SealBroken
from webapp.services.transaction import transaction

SLICE = 200  # rows read at once


@dataclass(frozen=True)
class _Kept:
    """Where something is kept that was sealed: by whom it is found, and to whom it is bound."""

    key: InstrumentedAttribute[Any]
    owner: InstrumentedAttribute[Any]
    sealed: InstrumentedAttribute[bytes]
    purpose: str
    condition: ColumnElement[bool]


_KEPT = (
    _Kept(
        TotpFactor.user_id,
        TotpFactor.user_id,
        TotpFactor.sealed,
        totp_codes.PURPOSE,
        TotpFactor.confirmed_at.is_not(None),
    ),
    _Kept(
        ProviderGrant.identity_id,
        Identity.user_id,
        ProviderGrant.sealed,
        provider_grants.PURPOSE,
        Identity.id == ProviderGrant.identity_id,
    ),
    _Kept(SigningKey.kid, SigningKey.kid, SigningKey.sealed, key_ring.PURPOSE, SigningKey.withdrawn_at.is_(None)),
)


def count_under_fallbacks() -> int:
    """How much today's key does not open. Reads every row: for operators."""
    with runtime().single.connect() as connection:
        return sum(connection.execute(_old(kept, func.count())).scalar_one() for kept in _KEPT)


def reseal() -> tuple[int, int]:
    """Seal under today's key what another sealed; how much it was, and how much no key here opens. Safe at any time,
    beside people who use what is sealed.
    """
    outcomes = [_resealed(kept, row) for kept in _KEPT for row in _rows(kept)]
    return outcomes.count(True), outcomes.count(False)


def _old(kept: _Kept, *wanted: Any) -> Select[Any]:
    today = runtime().sealer.header
    prefix = func.substr(kept.sealed, 1, len(today), type_=LargeBinary)
    return select(*wanted).where(prefix != today, kept.condition)


def _rows(kept: _Kept) -> Iterator[Any]:
    query = _old(kept, kept.key.label("key"), kept.owner.label("owner"), kept.sealed.label("sealed"))
    query = query.order_by(kept.key).limit(SLICE)
    after = None
    while True:
        with runtime().single.connect() as connection:
            rows = connection.execute(query if after is None else query.where(kept.key > after)).all()
        yield from rows
        if len(rows) < SLICE:
            return
        after = rows[-1].key


def _resealed(kept: _Kept, row: Any) -> bool:
    sealer, bound_to = runtime().sealer, str(row.owner)
    try:
        plain = sealer.open(row.sealed, purpose=kept.purpose, bound_to=bound_to)
    except SealBroken:
        return False
    fresh = sealer.seal(plain, purpose=kept.purpose, bound_to=bound_to)
    with transaction() as tx:
        # Where it was sealed anew meanwhile, by a code that was used or a token that was renewed, that one stands.
        where = (kept.key == row.key, kept.sealed == row.sealed)
        tx.execute(
            update(kept.sealed.class_).where(*where).values(sealed=fresh).execution_options(synchronize_session=False)
        )
    return True
