"""What may be wrong with a token of any kind: the rows that the tables of access and of refresh tokens share."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from tests.services.forged_tokens import (
    ABSENT,
    ISSUER,
    Forgery,
    Kind,
    Workshop,
    flipped,
    flipped_segment,
    jwk,
    other_spelling,
    put_together,
)
from webapp.services.key_ring import new_private_key

NAN, INFINITY = float("nan"), float("inf")
Table = dict[str, Forgery]
Pick = Callable[[Workshop], Kind]


def headers(pick: Pick, **tables: dict[str, Any]) -> Table:
    """One forgery for each value that a header parameter should not have."""
    return {
        f"header {name} {label}": lambda shop, name=name, value=value: pick(shop).with_header(**{name: value})
        for name, values in tables.items()
        for label, value in values.items()
    }


def claims(pick: Pick, names: tuple[str, ...], values: dict[str, Any]) -> Table:
    """One forgery for each of the claims with each of the values; a function makes its value of the good one."""

    def forge(shop: Workshop, name: str, value: Any) -> str:
        kind = pick(shop)
        return kind.with_claims(**{name: value(kind.claims[name]) if callable(value) else value})

    return {
        f"claim {name} {label}": lambda shop, name=name, value=value: forge(shop, name, value)
        for name in names
        for label, value in values.items()
    }


# Not texts, whatever the claim; "as a list" holds the good value, which some libraries take.
NO_TEXT: dict[str, Any] = {
    "missing": ABSENT,
    "null": None,
    "number": 1,
    "fraction": 1.5,
    "true": True,
    "object": {},
    "empty list": [],
    "as a list": lambda good: [good],
    "as an object": lambda good: {"value": good},
}
NO_TIME: dict[str, Any] = {
    "missing": ABSENT,
    "null": None,
    "text": lambda good: str(good),
    "fraction": float,
    "true": True,
    "false": False,
    "list": lambda good: [good],
    "object": {},
    "NaN": NAN,
    "infinity": INFINITY,
    "negative infinity": -INFINITY,
    "huge fraction": 1e300,
}
NO_ID: dict[str, Any] = {
    "empty": "",
    "no id": "alice",
    "upper-case": str.upper,
    "without hyphens": lambda good: good.replace("-", ""),
    "in braces": lambda good: f"{{{good}}}",
    "as a URN": lambda good: f"urn:uuid:{good}",
    "with a space": lambda good: f"{good} ",
    "with a line": lambda good: f"{good}\n",
    "in other digits": lambda good: good.translate({ord("0") + n: 0xFF10 + n for n in range(10)}),
}
OTHER_ISSUERS: dict[str, Any] = {
    "foreign": "https://evil.example",
    "with a slash": f"{ISSUER}/",
    "of another scheme": ISSUER.replace("http:", "https:"),
    "in upper case": ISSUER.upper(),
    "empty": "",
}
EXTRA: dict[str, Any] = {
    "jku": {"address": "https://evil.example/jwks.json"},
    "x5u": {"address": "https://evil.example/chain.pem"},
    "x5c": {"chain": ["MIIB"]},
    "x5t": {"thumbprint": "AAAA"},
    "jwk": {"key": jwk(new_private_key())},
    "crit": {"exp": ["exp"], "empty": [], "unknown": ["site"], "no list": "exp"},
    "b64": {"true": True},
    "zip": {"deflate": "DEF"},
    "cty": {"JWT": "JWT"},
    "iss": {"ours": ISSUER},
    "site": {"unknown": 1},
}
BAD_ALG: dict[str, Any] = {
    "missing": ABSENT,
    "null": None,
    "empty": "",
    "number": 256,
    "list": ["ES256", "HS256"],
    "object": {"name": "ES256"},
    "with a space": "ES256 ",
    "in lower case": "es256",
}
BAD_KID: dict[str, Any] = {
    "missing": ABSENT,
    "null": None,
    "number": 1,
    "list": ["k"],
    "empty": "",
    "unknown": "A" * 43,
    "path": "../../../../../../dev/null",
    "SQL": "' UNION SELECT 'x' --",
    "address": "https://evil.example/key",
    "huge": "k" * 1200,
    "NUL": "k\x00",
}


def unsigned(pick: Pick) -> Table:
    """Without a signature, and with one that is none."""
    spellings = ("none", "None", "NONE", "nOnE", "none ", "")
    bare: Table = {
        f"alg {spelling!r} and no signature": lambda shop, alg=spelling: pick(shop).unsigned(alg=alg)
        for spelling in spellings
    }
    kept: Table = {
        f"alg {spelling!r} under the signature": lambda shop, alg=spelling: pick(shop).with_header(alg=alg)
        for spelling in ("none", "None", "NONE")
    }
    return {**bare, **kept, "no alg and no signature": lambda shop: pick(shop).unsigned(alg=ABSENT)}


def shapes(pick: Pick) -> Table:
    """What is no token of three segments, or not in the one spelling there is."""

    def good(shop: Workshop) -> str:
        return pick(shop).good

    def segment(shop: Workshop, number: int) -> str:
        return pick(shop).segments[number]

    return {
        "empty": lambda _: "",
        "one word": lambda _: "token",
        "one dot": lambda _: ".",
        "two dots": lambda _: "..",
        "three dots": lambda _: "...",
        "two segments": lambda shop: ".".join(pick(shop).segments[:2]),
        "two segments and a dot": lambda shop: ".".join(pick(shop).segments[:2]) + ".",
        "four segments": lambda shop: f"{good(shop)}.{segment(shop, 2)}",
        "five segments": lambda shop: ".".join([*pick(shop).segments, "AAAA", "AAAA"]),
        "a dot before": lambda shop: "." + good(shop),
        "a dot after": lambda shop: good(shop) + ".",
        "no header": lambda shop: f".{segment(shop, 1)}.{segment(shop, 2)}",
        "no payload": lambda shop: f"{segment(shop, 0)}..{segment(shop, 2)}",
        "header padded": lambda shop: f"{segment(shop, 0)}=.{segment(shop, 1)}.{segment(shop, 2)}",
        "signature padded": lambda shop: good(shop) + "=" * (-len(segment(shop, 2)) % 4),
        "signature padded too much": lambda shop: good(shop) + "===",
        "signature in another spelling": lambda shop: ".".join(
            [*pick(shop).segments[:2], other_spelling(segment(shop, 2))]
        ),
        "space before": lambda shop: " " + good(shop),
        "space after": lambda shop: good(shop) + " ",
        "space within": lambda shop: good(shop).replace(".", " .", 1),
        "line after": lambda shop: good(shop) + "\n",
        "tab within": lambda shop: good(shop).replace(".", ".\t", 1),
        "in quotes": lambda shop: f'"{good(shop)}"',
        "twice": lambda shop: f"{good(shop)},{good(shop)}",
        "in other letters": lambda shop: "".join(
            chr(ord(letter) + 0xFEE0) if letter.isalnum() else letter for letter in good(shop)
        ),
        "letters that look alike": lambda shop: good(shop).replace("e", "е"),
        "word of another script": lambda _: "토큰.토큰.토큰",
        "NUL": lambda shop: good(shop) + "\x00",
        "NUL within": lambda shop: good(shop).replace(".", "\x00.", 1),
        "lone surrogate": lambda shop: good(shop) + "\ud800",
        "ten megabytes": lambda shop: good(shop) + "A" * 10_000_000,
        "ten megabytes of dots": lambda _: "." * 10_000_000,
        "flattened JSON": lambda shop: json.dumps(
            dict(zip(("protected", "payload", "signature"), pick(shop).segments, strict=True))
        ),
        "general JSON": lambda shop: json.dumps(
            {
                "payload": segment(shop, 1),
                "signatures": [{"protected": segment(shop, 0), "signature": segment(shop, 2)}],
            }
        ),
    }


def contents(pick: Pick) -> Table:
    """Rightly signed, and yet no object of claims under an object of parameters."""
    payloads: dict[str, object] = {
        "array": [{"sub": "alice"}],
        "text": "alice",
        "number": 1,
        "null": None,
        "true": True,
        "no JSON": b"alice",
        "nothing": b"",
        "not UTF-8": b'{"sub": "\xff"}',
        "deep": b"[" * 700 + b"]" * 700,
        "deep in a claim": b'{"sub":' * 150 + b"1" + b"}" * 150,
        "empty object": {},
    }
    odd_headers: dict[str, object] = {
        "array": ["ES256"],
        "text": "ES256",
        "null": None,
        "empty object": {},
        "no JSON": b"ES256",
        "not UTF-8": b'{"alg": "\xff"}',
        "deep": b"[" * 700 + b"]" * 700,
    }
    return {
        **{
            f"payload {label}": lambda shop, payload=payload: pick(shop).with_payload(payload)
            for label, payload in payloads.items()
        },
        **{
            f"header {label}": lambda shop, header=header: put_together(header, pick(shop).claims, pick(shop).sign)
            for label, header in odd_headers.items()
        },
    }


def signatures(pick: Pick) -> Table:
    """A good token, and not quite its signature."""
    return {
        "header flipped": lambda shop: flipped_segment(pick(shop), 0),
        "payload flipped": lambda shop: flipped_segment(pick(shop), 1),
        "signature's first octet flipped": lambda shop: pick(shop).with_signature(flipped(0)),
        "signature's last octet flipped": lambda shop: pick(shop).with_signature(flipped(-1)),
        "signature cut": lambda shop: pick(shop).with_signature(lambda raw: raw[:-1]),
        "signature halved": lambda shop: pick(shop).with_signature(lambda raw: raw[: len(raw) // 2]),
        "signature longer": lambda shop: pick(shop).with_signature(lambda raw: raw + b"\x00"),
        "signature of zeros": lambda shop: pick(shop).with_signature(lambda raw: bytes(len(raw))),
        "signature of ones": lambda shop: pick(shop).with_signature(lambda raw: b"\xff" * len(raw)),
        "signature of another token": lambda shop: ".".join(
            [*pick(shop).segments[:2], pick(shop).with_claims(jti=str(uuid.uuid4())).split(".")[2]]
        ),
    }
