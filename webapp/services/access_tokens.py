"""Access tokens: JWTs by RFC 9068, signed so that any service can verify them, with ids in them and nothing personal.

Strict on the way in, also where the library is not: the header is exactly what we write, every claim is there and of
its type, and the audience is ours alone (RFC 8725; ASVS 9.1.1 to 9.2.4). `client_id` (RFC 9068, section 2.2) is left
out: there are no OAuth clients here, only the site's own apps.
"""

import hashlib
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import jwt

from webapp import clock
from webapp.errors import TokenExpired, TokenInvalid
from webapp.ids import new_id
from webapp.policy.signing_keys import CLOCK_SKEW
from webapp.services.key_ring import ALGORITHM, Key, KeyRing

TYPE = "at+jwt"  # RFC 9068, section 2.1
LONGEST = 2048  # characters; ours have about 600
MOST_REMEMBERED = 10_000  # verified tokens a process keeps in mind; one takes about 2 KiB

_CLAIMS = frozenset({"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "auth_time", "amr"})
_HEADER = frozenset({"alg", "typ", "kid"})  # and so no `crit`, `jku`, `x5u`, `jwk` (RFC 8725, section 3.10)
# Times are judged below, by the site's one clock.
_OPTIONS: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": sorted(_CLAIMS)}


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
        self._issuer = issuer
        self._audience = f"{issuer}/api"
        self._life = life
        self._most_remembered = most_remembered
        self._remembered: dict[bytes, tuple[str, dict[str, Any]]] = {}
        self._remembering = threading.Lock()

    def issue(self, key: Key, subject: Subject, *, ends_at: datetime | None = None) -> str:
        """A new token, good from now for the life of access tokens, and no longer than until `ends_at`."""
        now = int(clock.now().timestamp())
        expires = now + int(self._life.total_seconds())
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
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
        if len(raw) > LONGEST or "=" in raw:  # padded, it would be the same token in another spelling (RFC 7515, 2)
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
        try:
            header = jwt.get_unverified_header(raw)
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise TokenInvalid from None
        kid = header.get("kid")
        if header.keys() != _HEADER or header["alg"] != ALGORITHM or header["typ"] != TYPE or not isinstance(kid, str):
            raise TokenInvalid
        key = self._ring.find(kid)
        if key is None:
            raise TokenInvalid
        try:
            claims = jwt.decode(
                raw, key.public, [ALGORITHM], audience=self._audience, issuer=self._issuer, options=_OPTIONS
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise TokenInvalid from None
        if not _is_well_formed(claims, self._audience):
            raise TokenInvalid
        return kid, claims

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


def _is_well_formed(claims: dict[str, Any], audience: str) -> bool:
    """Whether every claim, signed as it may be, has the form we give it."""
    texts = (claims[name] for name in ("iss", "aud", "sub", "sid", "jti"))
    times = (claims[name] for name in ("iat", "nbf", "exp", "auth_time"))
    methods = claims["amr"]
    return (
        claims.keys() == _CLAIMS
        and all(isinstance(text, str) and text for text in texts)
        and all(type(at) is int for at in times)
        and claims["aud"] == audience  # not one of several
        and isinstance(methods, list)
        and all(isinstance(method, str) for method in methods)
        and _is_uuid(claims["sub"])
        and _is_uuid(claims["sid"])
    )


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
