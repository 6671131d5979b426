"""What a provider signed: ID tokens (OpenID Connect Core 1.0, section 3.1.3.7) and security event tokens (RFC 8417).

Authlib checks the claims it knows; what it lets pass is refused here: more than one audience, a missing claim of a kind
that is optional, a value of another type, an algorithm that somebody else chose.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import urlsafe_b64decode

from webapp import clock
from webapp.errors import ProviderAnswerRefused
from webapp.gateways.provider_keys import ALGORITHMS, ProviderKeys

LONGEST: Final = 16 * 1024  # characters
LEEWAY: Final = timedelta(seconds=30)
OLDEST: Final = timedelta(minutes=10)  # an ID token is made for us when we ask, not before we did
LONGEST_SUBJECT: Final = 255  # ASCII characters (section 2)
# How Google's own SDKs may spell their issuer.
_ALIASES: Final[Mapping[str, str]] = {"https://accounts.google.com": "accounts.google.com"}
_ID_TOKEN_TYPES: Final = (None, "JWT")
_EVENT_TYPES: Final = (None, "JWT", "secevent+jwt")


@dataclass(frozen=True)
class Expected:
    """What an ID token has to say."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str | None = None  # that came along with it
    authorized_parties: tuple[str, ...] = ()  # beside the client id: apps whose SDK asks in our name


def verify_id_token(raw: object, keys: ProviderKeys, expected: Expected) -> dict[str, Any]:
    """The claims of an ID token that is meant for us, for this very request. Raises ProviderAnswerRefused, or
    ProviderUnavailable where the keys cannot be had.
    """
    header, claims = _verified(raw, keys, _ID_TOKEN_TYPES)
    if claims.get("iss") not in (expected.issuer, _ALIASES.get(expected.issuer, expected.issuer)):
        raise ProviderAnswerRefused(reason="iss")
    if claims.get("aud") not in (expected.client_id, [expected.client_id]):  # the sole audience (ASVS 10.5.4)
        raise ProviderAnswerRefused(reason="aud")
    if "azp" in claims and claims["azp"] not in (expected.client_id, *expected.authorized_parties):
        raise ProviderAnswerRefused(reason="azp")
    if not _same(claims.get("nonce"), expected.nonce):
        raise ProviderAnswerRefused(reason="nonce")
    if "events" in claims:
        raise ProviderAnswerRefused(reason="kind")
    _check_subject(claims)
    _check_times(claims)
    if "at_hash" in claims and not claims["at_hash"]:  # to Authlib the same as none
        raise ProviderAnswerRefused(reason="at_hash")
    params = {"nonce": expected.nonce, "access_token": expected.access_token}
    try:
        CodeIDToken(claims, header, {}, params).validate(int(clock.now().timestamp()), LEEWAY.seconds)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        raise ProviderAnswerRefused(reason="claims") from None
    return claims


def verify_event_token(raw: str, keys: ProviderKeys, *, issuer: str, client_ids: tuple[str, ...]) -> Mapping[str, Any]:
    """The claims of a security event token for us. It does not expire (RFC 8417, section 2.2). Raises as above."""
    _, claims = _verified(raw, keys, _EVENT_TYPES)
    if claims.get("iss") != issuer:
        raise ProviderAnswerRefused(reason="iss")
    audience = claims.get("aud")
    told = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(one, str) and one in client_ids for one in told):
        raise ProviderAnswerRefused(reason="aud")
    if not isinstance(claims.get("jti"), str) or not 0 < len(claims["jti"]) <= LONGEST_SUBJECT:
        raise ProviderAnswerRefused(reason="jti")
    if not _is_number(claims.get("iat")) or _moment(claims["iat"]) > clock.now() + LEEWAY:
        raise ProviderAnswerRefused(reason="iat")
    if not isinstance(claims.get("events"), dict) or not claims["events"]:
        raise ProviderAnswerRefused(reason="events")
    return claims


def moment_of(claims: Mapping[str, Any], name: str) -> datetime | None:
    """A time among claims that were verified."""
    return _moment(claims[name]) if claims.get(name) is not None else None


def _verified(raw: object, keys: ProviderKeys, types: tuple[str | None, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    header = _header_of(raw)
    algorithm, kid = header.get("alg"), header.get("kid")
    if header.get("typ") not in types or "crit" in header or not (kid is None or isinstance(kid, str)):
        raise ProviderAnswerRefused(reason="header")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise ProviderAnswerRefused(reason="header")
    payload = _payload(str(raw), keys.suiting(kid, algorithm), algorithm)
    if payload is None:  # a new key, perhaps under the name of an old one: asked for once
        payload = _payload(str(raw), keys.suiting_anew(kid, algorithm), algorithm)
    if payload is None:
        raise ProviderAnswerRefused(reason="signature")
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        raise ProviderAnswerRefused(reason="payload") from None
    if not isinstance(claims, dict):
        raise ProviderAnswerRefused(reason="payload")
    return header, claims


def _header_of(raw: object) -> dict[str, Any]:
    """The header of a compact JWS, which says only which key to try."""
    if not isinstance(raw, str) or len(raw) > LONGEST or not raw.isascii() or raw.count(".") != 2 or "=" in raw:
        raise ProviderAnswerRefused(reason="form")
    try:
        header = json.loads(urlsafe_b64decode(raw.partition(".")[0].encode()))
    except (ValueError, RecursionError):
        raise ProviderAnswerRefused(reason="form") from None
    if not isinstance(header, dict):
        raise ProviderAnswerRefused(reason="form")
    return header


def _payload(raw: str, keys: list[RSAKey | ECKey], algorithm: str) -> bytes | None:
    for key in keys:
        try:
            return bytes(jws.deserialize_compact(raw, key, algorithms=[algorithm]).payload)
        except (JoseError, ValueError, TypeError):
            continue
    return None


def _check_subject(claims: Mapping[str, Any]) -> None:
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= LONGEST_SUBJECT:
        raise ProviderAnswerRefused(reason="sub")
    if not subject.isascii() or not subject.isprintable():
        raise ProviderAnswerRefused(reason="sub")


def _check_times(claims: Mapping[str, Any]) -> None:
    now = clock.now()
    for name in ("exp", "iat"):
        if not _is_number(claims.get(name)):
            raise ProviderAnswerRefused(reason=name)
    if now >= _moment(claims["exp"]) + LEEWAY or _moment(claims["exp"]) <= _moment(claims["iat"]):
        raise ProviderAnswerRefused(reason="exp")
    if not now - OLDEST - LEEWAY <= _moment(claims["iat"]) <= now + LEEWAY:
        raise ProviderAnswerRefused(reason="iat")
    for name in ("nbf", "auth_time"):
        if claims.get(name) is not None and not (_is_number(claims[name]) and _moment(claims[name]) <= now + LEEWAY):
            raise ProviderAnswerRefused(reason=name)


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e11  # type: ignore[operator]


def _moment(value: float) -> datetime:
    return datetime.fromtimestamp(value, UTC)


def _same(told: object, expected: str) -> bool:
    return isinstance(told, str) and hmac.compare_digest(told.encode("utf-8", "surrogatepass"), expected.encode())
