"""Access tokens of which one thing is wrong."""

from __future__ import annotations

import json
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import OKPAlgorithm

from tests.services.forged_tokens import (
    ABSENT,
    ACCESS_AUDIENCE,
    ES256,
    ES384,
    HS256,
    HS512,
    ISSUER,
    REFRESH_AUDIENCE,
    RS256,
    Kind,
    Workshop,
    der,
    der_signature,
    jwk,
    keyed_by_text,
    pem,
    put_together,
    rsa_key,
)
from tests.services.forgeries import (
    BAD_ALG,
    BAD_KID,
    EXTRA,
    NO_ID,
    NO_TEXT,
    NO_TIME,
    OTHER_ISSUERS,
    Table,
    claims,
    contents,
    headers,
    shapes,
    signatures,
    unsigned,
)
from webapp import clock
from webapp.policy.signing_keys import CLOCK_SKEW
from webapp.services.key_ring import new_private_key


def _access(shop: Workshop) -> Kind:
    return shop.access


def seconds_from_now(span: timedelta) -> int:
    return int((clock.now() + span).timestamp())


ACCESS: Table = {
    **unsigned(_access),
    **headers(
        _access,
        alg={**BAD_ALG, "ES384": "ES384", "RS256": "RS256", "HS256": "HS256"},
        typ={
            "missing": ABSENT,
            "null": None,
            "number": 1,
            "list": ["at+jwt"],
            "empty": "",
            "JWT": "JWT",
            "upper-case": "AT+JWT",
            "mixed case": "at+JWT",
            "whole media type": "application/at+jwt",
            "of a refresh token": "rt+jwt",
            "of an ID token": "id+jwt",
        },
        kid=BAD_KID,
        **EXTRA,
    ),
    "kid in lower case": lambda shop: shop.access.with_header(kid=shop.access.header["kid"].lower()),
    "kid with a space": lambda shop: shop.access.with_header(kid=shop.access.header["kid"] + " "),
    "b64 false, detached": lambda shop: shop.access.with_header(b64=False, crit=["b64"]),
    "HS256 keyed with the public PEM": lambda shop: keyed_by_text(shop.access, pem(shop.access.key)),
    "HS256 keyed with the public PEM, without its last line end": lambda shop: keyed_by_text(
        shop.access, pem(shop.access.key).strip()
    ),
    "HS256 keyed with the public DER": lambda shop: keyed_by_text(shop.access, der(shop.access.key)),
    "HS256 keyed with the public JWK": lambda shop: keyed_by_text(
        shop.access, json.dumps(jwk(shop.access.key)).encode()
    ),
    "HS256 keyed with the key id": lambda shop: keyed_by_text(shop.access, shop.access.header["kid"].encode()),
    "HS256 keyed with nothing": lambda shop: keyed_by_text(shop.access, b""),
    "HS512 keyed with the public PEM": lambda shop: keyed_by_text(shop.access, pem(shop.access.key), HS512, "HS512"),
    "HS256 with the key of refresh tokens": lambda shop: shop.access.signed_by(HS256, shop.refresh.key, alg="HS256"),
    "alg ES256 over a MAC": lambda shop: shop.access.signed_by(HS256, shop.refresh.key),
    "RS256 with a key of its own": lambda shop: shop.access.signed_by(RS256, rsa_key(), alg="RS256"),
    "alg ES256 over RS256": lambda shop: shop.access.signed_by(RS256, rsa_key()),
    "EdDSA with a key of its own": lambda shop: shop.access.signed_by(
        OKPAlgorithm(), ed25519.Ed25519PrivateKey.generate(), alg="EdDSA"
    ),
    "another key under our kid": lambda shop: shop.access.signed_by(ES256, new_private_key()),
    "another key on a larger curve": lambda shop: shop.access.signed_by(
        ES384, ec.generate_private_key(ec.SECP384R1()), alg="ES384"
    ),
    "another key, and that key in the header": lambda shop: (
        lambda key: shop.access.signed_by(ES256, key, jwk=jwk(key))
    )(new_private_key()),
    "a key withdrawn": lambda shop: shop.access.signed_by(ES256, shop.withdrawn.private, kid=shop.withdrawn.kid),
    "a key gone": lambda shop: shop.access.signed_by(ES256, shop.gone.private, kid=shop.gone.kid),
    "a key of another installation": lambda shop: (
        lambda key: shop.access.signed_by(ES256, key, kid=shop.ring.seal(key)[0])
    )(new_private_key()),
    **claims(_access, ("iss", "aud", "sub", "sid", "jti"), {**NO_TEXT, "empty": ""}),
    **claims(_access, ("iat", "nbf", "exp", "auth_time"), NO_TIME),
    **claims(
        _access,
        ("amr",),
        {
            "missing": ABSENT,
            "null": None,
            "text": "pwd",
            "number": 1,
            "true": True,
            "object": {"pwd": True},
            "list of numbers": [1],
            "list of null": [None],
            "list of lists": [["pwd"]],
        },
    ),
    **claims(_access, ("sub", "sid"), NO_ID),
    **claims(_access, ("iss",), OTHER_ISSUERS),
    **claims(
        _access,
        ("aud",),
        {
            "foreign": "https://other.example/api",
            "with a slash": f"{ACCESS_AUDIENCE}/",
            "of a refresh token": REFRESH_AUDIENCE,
            "the issuer": ISSUER,
            "list of ours and another": [ACCESS_AUDIENCE, "https://other.example"],
        },
    ),
    "claim iat beyond the skew": lambda shop: shop.access.with_claims(iat=seconds_from_now(CLOCK_SKEW) + 60),
    "claim nbf beyond the skew": lambda shop: shop.access.with_claims(nbf=seconds_from_now(CLOCK_SKEW) + 60),
    "claim iat huge": lambda shop: shop.access.with_claims(iat=10**40, exp=10**41),
    "claim nbf huge": lambda shop: shop.access.with_claims(nbf=10**40),
    "claim scope too many": lambda shop: shop.access.with_claims(scope="admin"),
    "claim email too many": lambda shop: shop.access.with_claims(email="alice@example.com"),
    "claim client_id too many": lambda shop: shop.access.with_claims(client_id="app"),
    "a refresh token": lambda shop: shop.refresh.good,
    "a refresh token with an access token's header": lambda shop: put_together(
        shop.access.header, shop.refresh.claims, shop.access.sign
    ),
    "signature as DER": lambda shop: shop.access.with_signature(der_signature),
    **shapes(_access),
    **contents(_access),
    **signatures(_access),
}
