"""Refresh tokens: a login session's id and a generation, authenticated. Only this site reads them, so they are signed
with a key of their own derived from the secret key (HS256): no key that others know of can ever make one, and the keys
of access tokens may be rotated or withdrawn without signing anybody out (ASVS 9.2.2; RFC 8725, section 3.12).
"""

import uuid
from dataclasses import dataclass
from datetime import datetime

import jwt

from webapp import clock
from webapp.errors import TokenExpired, TokenInvalid
from webapp.ids import new_id
from webapp.services.sealing import Sealer
from webapp.services.strict_jwt import Form, are_whole, is_uuid, read

ALGORITHM = "HS256"
TYPE = "rt+jwt"

_CLAIMS = frozenset({"iss", "aud", "sid", "gen", "jti", "iat", "exp"})
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
        self._form = Form(ALGORITHM, TYPE, issuer, f"{issuer}/api/v1/auth/refresh", _CLAIMS)

    def issue(self, token: RefreshToken, *, expires_at: datetime) -> str:
        """A token that ends with its login session."""
        kid, key = next(iter(self._keys.items()))
        claims = {
            "iss": self._form.issuer,
            "aud": self._form.audience,
            "sid": str(token.login_session_id),
            "gen": token.generation,
            "jti": str(new_id()),
            "iat": int(clock.now().timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        return jwt.encode(claims, key, ALGORITHM, headers={"typ": TYPE, "kid": kid})

    def verify(self, raw: str) -> RefreshToken:
        """What a token of ours says. Raises TokenInvalid or TokenExpired."""
        _, claims = read(raw, self._form, self._keys.get)
        if not are_whole(claims["gen"], claims["iat"], claims["exp"]) or not is_uuid(claims["sid"]):
            raise TokenInvalid
        if not 0 < claims["gen"] <= _LARGEST_GENERATION:
            raise TokenInvalid
        if int(clock.now().timestamp()) >= claims["exp"]:
            raise TokenExpired
        return RefreshToken(uuid.UUID(claims["sid"]), claims["gen"])
