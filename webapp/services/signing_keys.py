"""Making, listing, rotating and withdrawing the keys that sign access tokens.

Every key has the next number, and numbers are unique: of many workers who make one at once, one does, and all use it.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from webapp import clock
from webapp.errors import NotFound, StoreUnavailable
from webapp.models import SigningKey
from webapp.policy.signing_keys import (
    ANNOUNCED_FOR,
    CLOCK_SKEW,
    JWKS_MAX_AGE,
    KeyState,
    KeyTimes,
    is_due,
    judge_keys,
)
from webapp.services.key_ring import Key, new_private_key
from webapp.services.runtime import runtime
from webapp.services.security_events import log_security
from webapp.services.transaction import transaction

__all__ = ["JWKS_MAX_AGE", "KeyState"]  # for those who publish and show the keys

_TRIES = 5  # at being one of those who make the first key, or at reading what another made


@dataclass(frozen=True)
class KeyOverview:
    """One key as an operator sees it."""

    kid: str
    state: KeyState
    created_at: datetime
    active_from: datetime
    readable: bool  # its private half opens under the secret keys there are


def current_key() -> Key:
    """The key that signs now, made where there is none. Not within a transaction. Raises StoreUnavailable."""
    ring = runtime().key_ring
    for _ in range(_TRIES):
        reading = ring.reading()
        if reading.signing is not None:
            return reading.signing
        _make_key(after=reading.highest, active_now=True)
        ring.read()
    raise StoreUnavailable(store="signing_keys")


def published_keys() -> list[Key]:
    """Every key that others are to know, one at least: the announced, the active, the retired. Raises
    StoreUnavailable.
    """
    current_key()
    return runtime().key_ring.published()


def list_keys() -> list[KeyOverview]:
    """Every key there is a row for, the oldest first."""
    ring = runtime().key_ring
    ring.read()
    known = {key.kid for key in ring.published()}
    with transaction() as tx:
        rows = list(tx.scalars(select(SigningKey).order_by(SigningKey.number)))
    states = _states(rows)
    return [
        KeyOverview(row.kid, states[row.number], row.created_at, row.active_from, readable=row.kid in known)
        for row in rows
    ]


def rotate_keys() -> KeyOverview:
    """Announce the next key; it signs once everybody has heard of it. One that is announced already stays the next:
    repeated, or done by many at once, this makes one key.
    """
    current_key()
    reading = runtime().key_ring.reading()
    if not any(key.state is KeyState.ANNOUNCED for key in reading.keys.values()):
        _make_key(after=reading.highest, active_now=False)
    return next(key for key in reversed(list_keys()) if key.state in (KeyState.ANNOUNCED, KeyState.ACTIVE))


def rotate_if_due() -> None:
    """Announce the next key when the newest has signed for long enough."""
    with transaction() as tx:
        newest = tx.scalar(select(func.max(SigningKey.active_from)).where(SigningKey.withdrawn_at.is_(None)))
    if newest is not None and is_due(newest, clock.now()):
        rotate_keys()


def withdraw_key(kid: str) -> None:
    """Take a key back at once, because somebody else may have it: what it signed is good nowhere here any more, and
    whoever held such a token gets another with the refresh token. The next key signs from now on. Raises NotFound.
    """
    with transaction() as tx:
        row = tx.get(SigningKey, kid, with_for_update=True)
        if row is None or row.withdrawn_at is not None:
            raise NotFound
        row.withdrawn_at, row.sealed = clock.now(), b""
        rows = list(tx.scalars(select(SigningKey).order_by(SigningKey.number)))
        states = _states(rows)
        if KeyState.ACTIVE not in states.values():
            for announced in [row for row in rows if states[row.number] is KeyState.ANNOUNCED][:1]:
                announced.active_from = clock.now()
    log_security("signing_key_withdrawn", kid=kid)
    runtime().key_ring.read()
    current_key()


def withdraw_all_keys() -> int:
    """Take every key back and make a new one; how many it were. For a database that comes from a copy: a key that was
    taken back since would be good again.
    """
    with transaction() as tx:
        rows = list(tx.scalars(select(SigningKey).where(SigningKey.withdrawn_at.is_(None)).with_for_update()))
        for row in rows:
            row.withdrawn_at, row.sealed = clock.now(), b""
    for row in rows:
        log_security("signing_key_withdrawn", kid=row.kid)
    runtime().key_ring.read()
    current_key()
    return len(rows)


def purge_keys(limit: int) -> int:
    """Delete keys of which nothing can be good any more; how many it were."""
    with transaction() as tx:
        rows = list(tx.scalars(select(SigningKey).order_by(SigningKey.number)))
        # A withdrawn one stays as long as the word of it has to go round.
        until = clock.now() - runtime().settings.JWT_ACCESS - CLOCK_SKEW
        gone = [
            row.kid
            for row in rows
            if _states(rows)[row.number] is KeyState.GONE and (row.withdrawn_at is None or row.withdrawn_at < until)
        ][:limit]
        tx.execute(delete(SigningKey).where(SigningKey.kid.in_(gone)).execution_options(synchronize_session=False))
    return len(gone)


def _make_key(*, after: int, active_now: bool) -> None:
    kid, sealed = runtime().key_ring.seal(new_private_key())
    now = clock.now()
    active_from = now if active_now else now + ANNOUNCED_FOR
    try:
        with transaction() as tx:
            # Compare and swap: the number after the highest there was in the same reading that showed the need.
            tx.add(SigningKey(kid=kid, number=after + 1, sealed=sealed, created_at=now, active_from=active_from))
    except IntegrityError:
        return  # another worker was quicker; its key is the key
    log_security("signing_key_made", kid=kid)


def _states(rows: list[SigningKey]) -> dict[int, KeyState]:
    times = [KeyTimes(row.number, row.active_from, row.withdrawn_at) for row in rows]
    return judge_keys(times, now=clock.now(), token_life=runtime().settings.JWT_ACCESS)
