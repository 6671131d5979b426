"""Refresh tokens: a login session's id and a generation, authenticated. Only this site reads them, so they are signed
with a key of their own derived from the secret key (HS256): no key that others know of can ever make one, and the keys
of access tokens may be rotated or withdrawn without signing anybody out (ASVS 9.2.2; RFC 8725, section 3.12).
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt

from webapp import clock
from webapp.errors import TokenExpired, TokenInvalid
from webapp.ids import new_id
from webapp.services.sealing import Sealer

ALGORITHM = "HS256"
TYPE = "rt+jwt"
LONGEST = 2048  # characters; ours have about 450

_CLAIMS = frozenset({"iss", "aud", "sid", "gen", "jti", "iat", "exp"})
_HEADER = frozenset({"alg", "typ", "kid"})
_OPTIONS: Any = {"verify_exp": False, "verify_iat": False, "require": sorted(_CLAIMS)}
_LARGEST_GENERATION = 2**31 - 1


@dataclass(frozen=True)
class RefreshToken:
    """What a refresh token says."""

    login_session_id: uuid.UUID
    generation: int


class RefreshTokens:
    """Issues and reads refresh tokens. Which generation is current, the login session's row knows."""

    def __init__(self, sealer: Sealer, *, issuer: str) -> None:
        self._keys = sealer.mac_keys("refresh token")
        self._issuer = issuer
        self._audience = f"{issuer}/api/v1/auth/refresh"

    def issue(self, token: RefreshToken, *, expires_at: datetime) -> str:
        """A token that ends with its login session."""
        kid, key = next(iter(self._keys.items()))
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sid": str(token.login_session_id),
            "gen": token.generation,
            "jti": str(new_id()),
            "iat": int(clock.now().timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode(claims, key, ALGORITHM, headers={"typ": TYPE, "kid": kid})

    def verify(self, raw: str) -> RefreshToken:
        """What a token of ours says. Raises TokenInvalid or TokenExpired."""
        claims = self._verified(raw)
        if not all(type(claims[name]) is int for name in ("gen", "iat", "exp")):
            raise TokenInvalid
        if not 0 < claims["gen"] <= _LARGEST_GENERATION or claims["aud"] != self._audience:
            raise TokenInvalid
        try:
            token = RefreshToken(uuid.UUID(claims["sid"]), claims["gen"])
        except (ValueError, AttributeError, TypeError):
            raise TokenInvalid from None
        if str(token.login_session_id) != claims["sid"]:  # one id has one spelling
            raise TokenInvalid
        if int(clock.now().timestamp()) >= claims["exp"]:
            raise TokenExpired
        return token

    def _verified(self, raw: str) -> dict[str, Any]:
        if len(raw) > LONGEST or "=" in raw:  # padded, it would be the same token in another spelling (RFC 7515, 2)
            raise TokenInvalid
        try:
            header = jwt.get_unverified_header(raw)
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise TokenInvalid from None
        key = self._keys.get(str(header.get("kid")))
        if header.keys() != _HEADER or header["alg"] != ALGORITHM or header["typ"] != TYPE or key is None:
            raise TokenInvalid
        try:
            claims: dict[str, Any] = jwt.decode(
                raw, key, [ALGORITHM], audience=self._audience, issuer=self._issuer, options=_OPTIONS
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise TokenInvalid from None
        if claims.keys() != _CLAIMS:
            raise TokenInvalid
        return claims
