"""Access tokens: JWTs by RFC 9068, signed so that any service can verify them, with ids in them and nothing personal.

`client_id` (RFC 9068, section 2.2) is left out: there are no OAuth clients here, only the site's own apps.
"""

import hashlib
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from webapp import clock
from webapp.errors import TokenExpired, TokenInvalid
from webapp.ids import new_id
from webapp.policy.signing_keys import CLOCK_SKEW
from webapp.services.key_ring import ALGORITHM, Key, KeyRing
from webapp.services.strict_jwt import LONGEST, Form, are_whole, is_uuid, read

TYPE = "at+jwt"  # RFC 9068, section 2.1
MOST_REMEMBERED = 10_000  # verified tokens a process keeps in mind; one takes about 2 KiB

_CLAIMS = frozenset({"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "auth_time", "amr"})


@dataclass(frozen=True)
class Subject:
    """What an access token says: who, by which login session, proven when and how (RFC 8176 names)."""

    user_id: uuid.UUID
    login_session_id: uuid.UUID
    auth_time: datetime
    methods: tuple[str, ...]


Claims = Mapping[str, Any]


class AccessTokens:
    """Issues and verifies. A token that was verified is remembered by its digest until it expires: the signature of
    the same text by the same key does not have to be computed again. What may change meanwhile, time and revocation,
    is judged anew each time.
    """

    def __init__(self, ring: KeyRing, *, issuer: str, life: timedelta, most_remembered: int = MOST_REMEMBERED) -> None:
        self._ring = ring
        self._form = Form(ALGORITHM, TYPE, issuer, f"{issuer}/api", _CLAIMS)
        self._life = life
        self._most_remembered = most_remembered
        self._remembered: dict[bytes, tuple[str, dict[str, Any]]] = {}
        self._remembering = threading.Lock()

    def issue(self, key: Key, subject: Subject, *, ends_at: datetime | None = None) -> str:
        """A new token, good from now for the life of access tokens, and no longer than until `ends_at`."""
        now = int(clock.now().timestamp())
        expires = now + int(self._life.total_seconds())
        claims = {
            "iss": self._form.issuer,
            "aud": self._form.audience,
            "sub": str(subject.user_id),
            "sid": str(subject.login_session_id),
            "jti": str(new_id()),
            "iat": now,
            "nbf": now,
            "exp": expires if ends_at is None else min(expires, int(ends_at.timestamp())),
            "auth_time": int(subject.auth_time.timestamp()),
            "amr": list(subject.methods),
        }
        return jwt.encode(claims, key.private, ALGORITHM, headers={"typ": TYPE, "kid": key.kid})

    def verify(self, raw: str) -> Claims:
        """The claims of a token of ours. Whether its login session goes on is not asked here.

        Raises TokenInvalid or TokenExpired.
        """
        if len(raw) > LONGEST:  # before anything is computed from it
            raise TokenInvalid
        digest = hashlib.sha256(raw.encode("utf-8", "surrogatepass")).digest()
        remembered = self._remembered.get(digest)
        if remembered is None:
            kid, claims = self._verified(raw)
            self._remember(digest, kid, claims)
        else:
            kid, claims = remembered
            if self._ring.find(kid) is None:  # withdrawn in the meantime
                raise TokenInvalid
        self._judge_times(claims)
        return claims

    def _verified(self, raw: str) -> tuple[str, dict[str, Any]]:
        kid, claims = read(raw, self._form, self._public_key)
        if not _is_well_formed(claims):
            raise TokenInvalid
        return kid, claims

    def _public_key(self, kid: str) -> EllipticCurvePublicKey | None:
        key = self._ring.find(kid)
        return None if key is None else key.public

    def _judge_times(self, claims: Claims) -> None:
        now, skew = int(clock.now().timestamp()), int(CLOCK_SKEW.total_seconds())
        # One issued when the life was set longer ends by today's: the news of an ended login session goes round for no
        # longer than that (services.revocation).
        if now >= min(claims["exp"], claims["iat"] + int(self._life.total_seconds())):
            raise TokenExpired
        if claims["nbf"] > now + skew or claims["iat"] > now + skew:  # another machine's clock may be a little ahead
            raise TokenInvalid

    def _remember(self, digest: bytes, kid: str, claims: dict[str, Any]) -> None:
        with self._remembering:
            while len(self._remembered) >= self._most_remembered:
                del self._remembered[next(iter(self._remembered))]  # the one that came first, and so ends first
            self._remembered[digest] = (kid, claims)


def _is_well_formed(claims: dict[str, Any]) -> bool:
    """Whether every claim, signed as it may be, has the form we give it."""
    methods = claims["amr"]
    return (
        are_whole(claims["iat"], claims["nbf"], claims["exp"], claims["auth_time"])
        and is_uuid(claims["sub"])
        and is_uuid(claims["sid"])
        and isinstance(claims["jti"], str)
        and claims["jti"] != ""
        and isinstance(methods, list)
        and all(isinstance(method, str) for method in methods)
    )
