"""The keys of access tokens as one process knows them: read from the database, unsealed, kept as objects.

Only a private half that opens under the secret key counts, and the public half is derived from it: who can write into
the database, and no more, makes no key that anybody trusts.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jwt.algorithms import ECAlgorithm
from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from webapp import clock
from webapp.models import SigningKey
from webapp.policy.signing_keys import KeyState, KeyTimes, judge_keys
from webapp.services.jwk import thumbprint
from webapp.services.sealing import SealBroken, Sealer

ALGORITHM = "ES256"  # RS256 is not for new systems (ASVS 11.6.1, appendix C); RFC 9068, section 2.1, would have it
READ_AGAIN_AFTER = timedelta(seconds=10)
UNKNOWN_READ_AGAIN_AFTER = timedelta(seconds=1)  # for a key id nobody has heard of: a new key, or nonsense
PURPOSE = "signing key"

_log = structlog.get_logger("key_ring")
_READ = select(
    SigningKey.kid, SigningKey.number, SigningKey.sealed, SigningKey.active_from, SigningKey.withdrawn_at
).order_by(SigningKey.number)


@dataclass(frozen=True)
class Key:
    """One key, ready for use."""

    kid: str
    number: int
    state: KeyState
    private: EllipticCurvePrivateKey = field(repr=False)
    public: EllipticCurvePublicKey = field(repr=False)
    jwk: dict[str, Any]  # the public half (RFC 7517)


@dataclass(frozen=True)
class Reading:
    """The keys as they were when the table was read, with the highest number of any row there was."""

    keys: dict[str, Key]
    highest: int

    @property
    def signing(self) -> Key | None:
        """The key that signs."""
        return next((key for key in self.keys.values() if key.state is KeyState.ACTIVE), None)


class KeyRing:
    """The keys that are announced, active or retired, read at most every READ_AGAIN_AFTER."""

    def __init__(
        self, engine: Engine, sealer: Sealer, *, token_life: timedelta, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._sealer = sealer
        self._token_life = token_life
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._opened: dict[str, tuple[EllipticCurvePrivateKey, dict[str, Any]]] = {}
        self._known = Reading({}, 0)
        self._read_at = self._failed_at = float("-inf")

    def reading(self) -> Reading:
        """What is known now, from one look: whoever makes the next key by it makes the one after those it saw."""
        self._keep_up(READ_AGAIN_AFTER)
        return self._known

    def find_signing(self) -> Key | None:
        """The key that signs now."""
        return self.reading().signing

    def find(self, kid: str) -> Key | None:
        """The key of that id, if what it signed may be good."""
        self._keep_up(READ_AGAIN_AFTER)
        if kid not in self._known.keys:
            self._keep_up(UNKNOWN_READ_AGAIN_AFTER)
        return self._known.keys.get(kid)

    def published(self) -> list[Key]:
        """The keys that everybody may know of, the oldest first."""
        return list(self.reading().keys.values())

    def read(self) -> None:
        """Read the keys now."""
        with self._lock:  # or who read before a key was made could be the last to say what there is
            self._read()

    def _read(self) -> None:
        with self._engine.connect() as connection:
            rows = connection.execute(_READ).all()
        times = [KeyTimes(row.number, row.active_from, row.withdrawn_at) for row in rows]
        readable = [(row, opened) for row in rows if (opened := self._open(row.kid, row.sealed)) is not None]
        # One that does not open signs nothing here, and so follows none.
        usable = {row.number for row, _ in readable}
        states = judge_keys(
            [known for known in times if known.withdrawn_at or known.number in usable],
            now=clock.now(),
            token_life=self._token_life,
        )
        keys = {
            row.kid: Key(row.kid, row.number, states[row.number], private, private.public_key(), jwk)
            for row, (private, jwk) in readable
            if states[row.number] is not KeyState.GONE
        }
        self._known = Reading(keys, max((row.number for row in rows), default=0))
        self._read_at = self._monotonic()

    def seal(self, private: EllipticCurvePrivateKey) -> tuple[str, bytes]:
        """The id of a key, and its private half as it is kept."""
        kid = thumbprint(_jwk(private.public_key()))
        der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return kid, self._sealer.seal(der, purpose=PURPOSE, bound_to=kid)

    def _keep_up(self, patience: timedelta) -> None:
        if self._monotonic() - self._read_at < patience.total_seconds():
            return
        if self._known.keys and self._monotonic() - self._failed_at < UNKNOWN_READ_AGAIN_AFTER.total_seconds():
            return
        # Whoever finds that another thread reads takes what there is, unless there is nothing yet.
        if not self._lock.acquire(blocking=not self._known.keys):
            return
        try:
            if self._monotonic() - self._read_at >= patience.total_seconds():
                self._read()
        except SQLAlchemyError as error:
            # While the database is away, the keys there are go on; for how long, the set of revoked sessions decides.
            if not self._known.keys:
                raise
            self._failed_at = self._monotonic()
            _log.warning("signing_keys_not_read", error=type(error).__name__)
        finally:
            self._lock.release()

    def _open(self, kid: str, sealed: bytes) -> tuple[EllipticCurvePrivateKey, dict[str, Any]] | None:
        if not sealed:
            return None
        if kid not in self._opened:
            try:
                private = load_der_private_key(self._sealer.open(sealed, purpose=PURPOSE, bound_to=kid), None)
            except (SealBroken, ValueError):
                _log.error("signing_key_unreadable", kid=kid)
                return None
            if not isinstance(private, EllipticCurvePrivateKey):
                return None
            self._opened[kid] = private, {"kid": kid, **_jwk(private.public_key()), "use": "sig", "alg": ALGORITHM}
        return self._opened[kid]


def new_private_key() -> EllipticCurvePrivateKey:
    """A new key on P-256."""
    return generate_private_key(SECP256R1())


def _jwk(public: EllipticCurvePublicKey) -> dict[str, Any]:
    return dict(ECAlgorithm.to_jwk(public, as_dict=True))
