"""Reading JWTs of our own: what is not exactly as we write it is refused, also where the library would take it
(RFC 8725; ASVS 9.1.1 to 9.2.4).
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt

from webapp.errors import TokenInvalid

LONGEST = 2048  # characters; ours have at most about 600

_HEADER = frozenset({"alg", "typ", "kid"})  # and so no `crit`, `jku`, `x5u`, `jwk` (RFC 8725, section 3.10)


@dataclass(frozen=True)
class Form:
    """What all tokens of one kind have in common; nothing of it is taken from a token (RFC 8725, 3.1 and 3.11)."""

    algorithm: str
    type: str
    issuer: str
    audience: str
    claims: frozenset[str]


def read(raw: str, form: Form, find_key: Callable[[str], Any]) -> tuple[str, dict[str, Any]]:
    """The id of the key and the claims of a token of that form, its signature good; `find_key` gives the key of an id,
    or None. Times are judged by the caller, by the site's one clock. Raises TokenInvalid.
    """
    if len(raw) > LONGEST or "=" in raw:  # padded, it would be the same token in another spelling (RFC 7515, 2)
        raise TokenInvalid
    kid = _key_id(raw.partition(".")[0], form.algorithm, form.type)
    key = find_key(kid)
    if key is None:
        raise TokenInvalid
    options: Any = {
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "require": sorted(form.claims),
    }
    try:
        claims: dict[str, Any] = jwt.decode(
            raw, key, [form.algorithm], audience=form.audience, issuer=form.issuer, options=options
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenInvalid from None
    if claims.keys() != form.claims or claims["aud"] != form.audience:  # not one of several
        raise TokenInvalid
    return kid, claims


def is_uuid(value: object) -> bool:
    """Whether a claim is an id in the one spelling that we give it."""
    try:
        return isinstance(value, str) and str(uuid.UUID(value)) == value
    except ValueError:
        return False


def are_whole(*values: object) -> bool:
    """Whether claims are whole numbers; true and 1.0 are none."""
    return all(type(value) is int for value in values)


@lru_cache(maxsize=64)  # all tokens that one key has signed begin alike
def _key_id(segment: str, algorithm: str, type_: str) -> str:
    try:
        header = jwt.get_unverified_header(f"{segment}.e30.e30")
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise TokenInvalid from None
    kid = header.get("kid")
    if header.keys() != _HEADER or header["alg"] != algorithm or header["typ"] != type_:
        raise TokenInvalid
    if not isinstance(kid, str):
        raise TokenInvalid
    return kid
