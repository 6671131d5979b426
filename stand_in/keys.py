"""The keys that sign ID tokens."""

from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

ALGORITHM = "RS256"


def new_key() -> RSAKey:
    """A new RSA key, named by its thumbprint."""
    key = RSAKey.generate_key(2048, parameters={"use": "sig", "alg": ALGORITHM})
    key.ensure_kid()
    return key


class KeyRing:
    """The keys of one provider: the first signs, all are published."""

    def __init__(self, key: RSAKey | None = None) -> None:
        self._keys = [key or new_key()]

    def key_set(self) -> dict[str, Any]:
        """The public halves (RFC 7517, section 5)."""
        return {"keys": [key.as_dict(private=False) for key in self._keys]}

    def sign(self, claims: dict[str, Any]) -> str:
        """A signed JWT with these claims."""
        key = self._keys[0]
        return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])
