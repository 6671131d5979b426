"""A workshop for broken tokens. Its forger has the real keys, so that in each token only the one thing is wrong."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import Algorithm, ECAlgorithm, HMACAlgorithm, RSAAlgorithm
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from webapp import clock
from webapp.models import SigningKey
from webapp.services.access_tokens import AccessTokens, Subject
from webapp.services.key_ring import Key, KeyRing, new_private_key
from webapp.services.refresh_tokens import RefreshToken, RefreshTokens
from webapp.services.sealing import Sealer

ISSUER = "http://127.0.0.1:8000"
ACCESS_AUDIENCE = f"{ISSUER}/api"
REFRESH_AUDIENCE = f"{ISSUER}/api/v1/auth/refresh"
LIFE = timedelta(minutes=10)
ABSENT = object()  # in place of a value: leave it out
ES256, ES384, HS256, HS512 = (
    ECAlgorithm(ECAlgorithm.SHA256, ec.SECP256R1),
    ECAlgorithm(ECAlgorithm.SHA384, ec.SECP384R1),
    HMACAlgorithm(HMACAlgorithm.SHA256),
    HMACAlgorithm(HMACAlgorithm.SHA512),
)
RS256 = RSAAlgorithm(RSAAlgorithm.SHA256)
Forgery = Callable[["Workshop"], str]


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def encode(octets: bytes) -> str:
    """Base64url as tokens have it."""
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def decode(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def changed(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**values, **changes}.items() if value is not ABSENT}


def put_together(header: object, payload: object, sign: Callable[[bytes], bytes]) -> str:
    """A token of any header and payload; octets stand as they are, everything else becomes JSON."""
    first, second = (
        encode(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (header, payload)
    )
    return f"{first}.{second}.{encode(sign(f'{first}.{second}'.encode()))}"


@dataclass
class Kind:
    """Tokens of one kind: a good one, what it is made of, and how it is signed."""

    good: str
    header: dict[str, Any]
    claims: dict[str, Any]
    algorithm: Algorithm
    key: Any

    def sign(self, message: bytes) -> bytes:
        return self.algorithm.sign(message, self.key)

    def with_header(self, **changes: Any) -> str:
        return put_together(changed(self.header, changes), self.claims, self.sign)

    def with_claims(self, **changes: Any) -> str:
        return put_together(self.header, changed(self.claims, changes), self.sign)

    def with_payload(self, payload: object) -> str:
        return put_together(self.header, payload, self.sign)

    def signed_by(self, algorithm: Algorithm, key: Any, **changes: Any) -> str:
        return put_together(
            changed(self.header, changes),
            self.claims,
            lambda message: algorithm.sign(message, algorithm.prepare_key(key)),
        )

    def unsigned(self, **changes: Any) -> str:
        return put_together(changed(self.header, changes), self.claims, lambda _: b"")

    @property
    def segments(self) -> list[str]:
        return self.good.split(".")

    def with_signature(self, change: Callable[[bytes], bytes]) -> str:
        header, payload, signature = self.segments
        return f"{header}.{payload}.{encode(change(decode(signature)))}"


@dataclass
class Workshop:
    """Keys in every state, and a good token of each kind."""

    engine: Engine
    sealer: Sealer
    ring: KeyRing
    subject: Subject
    access: Kind = field(init=False)
    refresh: Kind = field(init=False)
    gone: Key = field(init=False)
    withdrawn: Key = field(init=False)

    def __post_init__(self) -> None:
        now = clock.now()
        self.gone = self._add_key(1, now - timedelta(days=2))
        self.withdrawn = self._add_key(2, now - timedelta(hours=25))
        current = self._add_key(3, now - timedelta(days=1))
        with Session(self.engine) as session:
            row = session.get_one(SigningKey, self.withdrawn.kid)
            row.withdrawn_at, row.sealed = now, b""
            session.commit()
        self.ring.read()
        good = AccessTokens(self.ring, issuer=ISSUER, life=LIFE).issue(current, self.subject)
        self.access = Kind(good, *parts(good), ES256, current.private)
        refresh = RefreshToken(self.subject.login_session_id, 1)
        good = RefreshTokens(self.sealer, issuer=ISSUER).issue(refresh, expires_at=now + timedelta(days=30))
        mac_key = next(iter(self.sealer.mac_keys("refresh token").values()))
        self.refresh = Kind(good, *parts(good), HS256, mac_key)

    def _add_key(self, number: int, active_from: Any) -> Key:
        kid, sealed = self.ring.seal(new_private_key())
        with Session(self.engine) as session:
            session.add(
                SigningKey(kid=kid, number=number, sealed=sealed, created_at=active_from, active_from=active_from)
            )
            session.commit()
        self.ring.read()
        found = self.ring.find(kid)
        assert found is not None
        return found


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload, _ = token.split(".")
    return json.loads(decode(header)), json.loads(decode(payload))


def a_subject(user_id: uuid.UUID | None = None, login_session_id: uuid.UUID | None = None) -> Subject:
    return Subject(user_id or uuid.uuid4(), login_session_id or uuid.uuid4(), clock.now(), ("pwd",))


def pem(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def der(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def jwk(key: Any) -> dict[str, Any]:
    return dict(ECAlgorithm.to_jwk(key.public_key(), as_dict=True))


def der_signature(raw: bytes) -> bytes:
    half = len(raw) // 2
    return encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))


def keyed_by_text(kind: Kind, secret: bytes, algorithm: HMACAlgorithm = HS256, alg: str = "HS256") -> str:
    """A MAC under octets that anybody knows; the library's own `prepare_key` would refuse some of them."""
    header = {**kind.header, "alg": alg}
    return put_together(header, kind.claims, lambda message: algorithm.sign(message, secret))


def flipped(place: int) -> Callable[[bytes], bytes]:
    """Octets with one bit of the one at `place` flipped."""

    def flip(octets: bytes) -> bytes:
        forged = bytearray(octets)
        forged[place] ^= 1
        return bytes(forged)

    return flip


def flipped_segment(kind: Kind, number: int) -> str:
    """The token with one bit of its header or payload flipped, inside a value so that both stay JSON."""
    segments = kind.segments
    octets = decode(segments[number])
    letters = [place for place, octet in enumerate(octets) if chr(octet).isalnum() and chr(octet ^ 1).isalnum()]
    place = letters[-1]
    segments[number] = encode(flipped(place)(octets))
    return ".".join(segments)


def other_spelling(segment: str) -> str:
    """The same octets by Base64 that sets bits nobody reads."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    assert len(segment) % 4
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) ^ 1]
