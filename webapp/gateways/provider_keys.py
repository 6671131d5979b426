"""A provider's public keys, remembered for a while."""

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from authlib.integrations.requests_client import OAuth2Session
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from webapp.errors import ProviderUnavailable
from webapp.gateways.provider_http import Outbound, get_json

KEYS_FRESH: Final = (300.0, 86400.0)  # seconds: the provider's Cache-Control, within these
SOONEST_REFETCHES: Final = (5, 60.0)  # so many unscheduled ones in so many seconds: forged tokens must not hammer it
RSA_BITS: Final = 2048
# What a token may be signed with: fixed by us, whatever the metadata lists (RFC 8725, section 3.1; ASVS 9.1.2).
ALGORITHMS: Final[Mapping[str, str]] = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})")

_Keys = dict[str | int, list[RSAKey | ECKey]]  # by `kid`, or by a number where there is none


class ProviderKeys:
    """The keys of one provider; `uri` says where they are, and may raise ProviderUnavailable."""

    def __init__(self, outbound: Outbound, uri: Callable[[], str]) -> None:
        self._outbound = outbound
        self._uri = uri
        self._counting = threading.Lock()
        self._keys: tuple[_Keys, float] | None = None  # and until when they are fresh
        self._refetches: list[float] = []

    def suiting(self, kid: str | None, algorithm: str) -> list[RSAKey | ECKey]:
        """The keys that a token with this header may have been signed by. Raises ProviderUnavailable."""
        if self._keys is None or time.monotonic() >= self._keys[1]:
            self._fetch()
        return self._suiting(kid, algorithm)

    def suiting_anew(self, kid: str | None, algorithm: str) -> list[RSAKey | ECKey]:
        """The same after asking again: a key is unknown, or known and no longer right. None where that was asked for
        too often of late. Raises ProviderUnavailable.
        """
        now = time.monotonic()
        most, period = SOONEST_REFETCHES
        with self._counting:
            self._refetches = [at for at in self._refetches if now - at < period]
            if len(self._refetches) >= most:
                return []
            self._refetches.append(now)
        self._fetch()
        return self._suiting(kid, algorithm)

    def _fetch(self) -> None:
        uri = self._uri()
        self._keys = self._outbound.call(lambda session: _fetched(session, uri))

    def _suiting(self, kid: str | None, algorithm: str) -> list[RSAKey | ECKey]:
        known = self._keys[0] if self._keys else {}
        found = known.get(kid, []) if kid is not None else [key for keys in known.values() for key in keys]
        suiting = [key for key in found if key.key_type == ALGORITHMS[algorithm] and _may_sign(key, algorithm)]
        # Without `kid` there has to be only one to choose from (OpenID Connect Core 1.0, section 10.1).
        return suiting if kid is not None or len(suiting) == 1 else []


def count_keys(document: Mapping[str, Any]) -> int:
    """How many of the keys in a key set can be verified with."""
    listed = document.get("keys")
    return sum(map(len, _usable(listed).values())) if isinstance(listed, list) else 0


def _fetched(session: OAuth2Session, uri: str) -> tuple[_Keys, float]:
    document, headers = get_json(session, uri)
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise ProviderUnavailable(reason="keys")
    least, most = KEYS_FRESH
    told = _MAX_AGE.search(headers.get("Cache-Control", ""))
    fresh_for = min(max(float(told[1]) if told else least, least), most)
    return _usable(listed), time.monotonic() + fresh_for


def _usable(listed: list[Any]) -> _Keys:
    """Public keys that may sign, by their id. What is none of ours to use is passed over."""
    found: _Keys = {}
    for number, jwk in enumerate(listed):
        if not isinstance(jwk, dict) or jwk.get("use", "sig") != "sig":
            continue
        key = _key_of(jwk)
        if key is not None:
            kid = jwk.get("kid")
            found.setdefault(kid if isinstance(kid, str) else number, []).append(key)
    return found


def _key_of(jwk: dict[str, Any]) -> RSAKey | ECKey | None:
    try:
        if jwk.get("kty") == "RSA":
            rsa = RSAKey.import_key(jwk)
            return rsa if rsa.public_key.key_size >= RSA_BITS else None
        if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256":
            return ECKey.import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return None


def _may_sign(key: RSAKey | ECKey, algorithm: str) -> bool:
    return key.get("alg") in (None, algorithm)
