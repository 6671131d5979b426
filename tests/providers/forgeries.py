"""How a token may be signed, or only look signed: `provider.lie.sign = alg_none`. Each makes a token of a draft."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.providers.keys import Key, rsa_key

REMOVED: Final = object()
FOREIGN_KEYS_PATH = "/foreign-keys"


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The values with the changes; REMOVED takes one away."""
    return {name: value for name, value in {**values, **changes}.items() if value is not REMOVED}


@dataclass(frozen=True)
class Draft:
    """A token before it is signed."""

    header: dict[str, Any]
    claims: dict[str, Any]
    key: Key
    provider_url: str

    def with_header(self, **changes: Any) -> "Draft":
        return replace(self, header=changed(self.header, changes))

    def with_claims(self, **changes: Any) -> "Draft":
        return replace(self, claims=changed(self.claims, changes))


Forgery = Callable[[Draft], str]


def foreign_key_set() -> dict[str, Any]:
    """The key of somebody else, as a key set."""
    return {"keys": [_foreign("foreign").as_dict(private=False)]}


def honest(draft: Draft) -> str:
    """As it should be, whatever the draft says."""
    return _assembled(draft, lambda signed: _signature(draft.key, signed))


def alg_none(draft: Draft) -> str:
    """Not signed, and says so."""
    return _assembled(draft.with_header(alg="none"), _unsigned)


def alg_none_in_capitals(draft: Draft) -> str:
    """Not signed, in a spelling that a list of forbidden words misses."""
    return _assembled(draft.with_header(alg="nOnE"), _unsigned)


def hs256_with_pem(draft: Draft) -> str:
    """Signed with the public key, which everybody has, as if it were a shared secret."""
    return _hs256(draft, draft.key.as_pem(private=False))


def hs256_with_jwk(draft: Draft) -> str:
    """The same with the key as it stands in the key set."""
    return _hs256(draft, json.dumps(draft.key.as_dict(private=False)).encode())


def hs256_with_client_secret(secret: str) -> Forgery:
    """Signed with the client's secret: allowed by OpenID Connect, where the client asked for it."""
    return lambda draft: _hs256(draft, secret.encode())


def foreign_key(draft: Draft) -> str:
    """Signed by somebody else under the provider's kid."""
    return _assembled(draft, lambda signed: _signature(_foreign("foreign"), signed))


def stripped_signature(draft: Draft) -> str:
    """Without the signature."""
    return _assembled(draft, _unsigned)


def no_signature_part(draft: Draft) -> str:
    """Without even the dot before it."""
    return stripped_signature(draft).removesuffix(".")


def altered_signature(draft: Draft) -> str:
    """One bit of the signature is another."""

    def sign(signed: bytes) -> bytes:
        good = _signature(draft.key, signed)
        return bytes([good[0] ^ 1]) + good[1:]

    return _assembled(draft, sign)


def altered_claims(draft: Draft) -> str:
    """Signed, and changed after that."""
    header, _, signature = honest(draft).split(".")
    return ".".join([header, _encoded(json.dumps({**draft.claims, "sub": "mallory"}).encode()), signature])


def unknown_kid(draft: Draft) -> str:
    """The good key under a name that the key set does not have."""
    return honest(draft.with_header(kid="nobody-knows-this-key"))


def no_kid(draft: Draft) -> str:
    """The good key without its name."""
    return honest(draft.with_header(kid=REMOVED))


def embedded_jwk(draft: Draft) -> str:
    """Brings its own key along."""
    key = _foreign("embedded")
    drafted = replace(draft.with_header(kid=key.kid, jwk=key.as_dict(private=False)), key=key)
    return honest(drafted)


def jku(draft: Draft) -> str:
    """Says where its own key can be fetched, under the provider's kid. Nobody may go there."""
    drafted = draft.with_header(jku=draft.provider_url + FOREIGN_KEYS_PATH)
    return honest(replace(drafted, key=_foreign("foreign")))


def x5u(draft: Draft) -> str:
    """The same with a certificate."""
    drafted = draft.with_header(x5u=draft.provider_url + FOREIGN_KEYS_PATH)
    return honest(replace(drafted, key=_foreign("foreign")))


def unknown_critical_header(draft: Draft) -> str:
    """Demands that something be understood which nobody knows (RFC 7515, section 4.1.11)."""
    return honest(draft.with_header(crit=["unheard"], unheard=True))


def no_json(draft: Draft) -> str:
    """Signed, but says nothing."""
    header = _encoded(json.dumps(draft.header).encode())
    payload = _encoded(b"\xff\x00 no JSON")
    return f"{header}.{payload}.{_encoded(_signature(draft.key, f'{header}.{payload}'.encode()))}"


def no_object(draft: Draft) -> str:
    """Signed JSON that is a list."""
    header = _encoded(json.dumps(draft.header).encode())
    payload = _encoded(json.dumps(list(draft.claims.items())).encode())
    return f"{header}.{payload}.{_encoded(_signature(draft.key, f'{header}.{payload}'.encode()))}"


def five_parts(draft: Draft) -> str:
    """As many dots as an encrypted one."""
    return f"{honest(draft)}.{_encoded(b'more')}.{_encoded(b'more')}"


def not_a_token(draft: Draft) -> str:
    """Nothing of the kind."""
    return "this is no token"


# Every one that a client must refuse, by its name.
REFUSED: dict[str, Forgery] = {
    forgery.__name__: forgery
    for forgery in (
        *(alg_none, alg_none_in_capitals, hs256_with_pem, hs256_with_jwk, foreign_key, stripped_signature),
        *(no_signature_part, altered_signature, altered_claims, unknown_kid, embedded_jwk, jku, x5u),
        *(unknown_critical_header, no_json, no_object, five_parts, not_a_token),
    )
}


def _unsigned(signed: bytes) -> bytes:
    return b""


def _foreign(kid: str) -> Key:
    return rsa_key("foreign", kid)


def _hs256(draft: Draft, secret: bytes) -> str:
    return _assembled(draft.with_header(alg="HS256"), lambda signed: hmac.digest(secret, signed, hashlib.sha256))


def _assembled(draft: Draft, sign: Callable[[bytes], bytes]) -> str:
    head, body = (_encoded(json.dumps(part).encode()) for part in (draft.header, draft.claims))
    return f"{head}.{body}.{_encoded(sign(f'{head}.{body}'.encode()))}"


def _signature(key: Key, signed: bytes) -> bytes:
    private = key.private_key
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(private.sign(signed, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
