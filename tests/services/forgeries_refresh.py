"""Refresh tokens of which one thing is wrong."""

from __future__ import annotations

from tests.services.forged_tokens import (
    ABSENT,
    ACCESS_AUDIENCE,
    ES256,
    HS256,
    HS512,
    REFRESH_AUDIENCE,
    Kind,
    Workshop,
    keyed_by_text,
    pem,
    put_together,
)
from tests.services.forgeries import (
    BAD_ALG,
    BAD_KID,
    EXTRA,
    NAN,
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
from webapp.services.sealing import Sealer


def _refresh(shop: Workshop) -> Kind:
    return shop.refresh


def _of_another_installation(shop: Workshop, kid: str | None = None) -> str:
    ((own, key),) = Sealer("the secret key of some other site's").mac_keys("refresh token").items()
    return shop.refresh.signed_by(HS256, key, kid=kid or own)


REFRESH: Table = {
    **unsigned(_refresh),
    **headers(
        _refresh,
        alg={**BAD_ALG, "HS512": "HS512", "ES256": "ES256"},
        typ={
            "missing": ABSENT,
            "null": None,
            "list": ["rt+jwt"],
            "JWT": "JWT",
            "upper-case": "RT+JWT",
            "of an access token": "at+jwt",
        },
        kid=BAD_KID,
        **EXTRA,
    ),
    "HS512 with the right key": lambda shop: shop.refresh.signed_by(HS512, shop.refresh.key, alg="HS512"),
    "HS256 with another key": lambda shop: shop.refresh.signed_by(HS256, b"k" * 32),
    "HS256 keyed with nothing": lambda shop: keyed_by_text(shop.refresh, b""),
    "HS256 with the key of another purpose": lambda shop: shop.refresh.signed_by(
        HS256, next(iter(shop.sealer.mac_keys("access token").values()))
    ),
    "HS256 with the public key of access tokens": lambda shop: keyed_by_text(shop.refresh, pem(shop.access.key)),
    "ES256 with the key of access tokens": lambda shop: shop.refresh.signed_by(
        ES256, shop.access.key, alg="ES256", kid=shop.access.header["kid"]
    ),
    "another installation": lambda shop: _of_another_installation(shop),
    "another installation under our kid": lambda shop: _of_another_installation(shop, shop.refresh.header["kid"]),
    **claims(_refresh, ("iss", "aud", "sid", "jti"), NO_TEXT),
    **claims(_refresh, ("iat", "exp"), NO_TIME),
    **claims(
        _refresh,
        ("gen",),
        {
            "missing": ABSENT,
            "null": None,
            "zero": 0,
            "negative": -1,
            "beyond the column": 2**31,
            "huge": 10**40,
            "fraction": 1.0,
            "true": True,
            "text": "1",
            "list": [1],
            "object": {},
            "NaN": NAN,
        },
    ),
    **claims(_refresh, ("sid",), NO_ID),
    **claims(_refresh, ("iss",), OTHER_ISSUERS),
    **claims(
        _refresh,
        ("aud",),
        {
            "foreign": "https://other.example/api/v1/auth/refresh",
            "of an access token": ACCESS_AUDIENCE,
            "list of ours and another": [REFRESH_AUDIENCE, ACCESS_AUDIENCE],
        },
    ),
    "claim sub too many": lambda shop: shop.refresh.with_claims(sub=shop.access.claims["sub"]),
    "claim scope too many": lambda shop: shop.refresh.with_claims(scope="admin"),
    "an access token": lambda shop: shop.access.good,
    "an access token with a refresh token's header": lambda shop: put_together(
        shop.refresh.header, shop.access.claims, shop.refresh.sign
    ),
    **shapes(_refresh),
    **contents(_refresh),
    **signatures(_refresh),
}
