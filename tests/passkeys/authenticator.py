"""An authenticator in software, and the browser around it: makes what real ones make, and lies where it is told to."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

ES256, EDDSA, RS256 = -7, -8, -257
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
Options = Mapping[str, Any]


def encoded(value: bytes) -> str:
    """base64url without padding."""
    return urlsafe_b64encode(value).decode().rstrip("=")


def decoded(value: str) -> bytes:
    """The other way round."""
    return urlsafe_b64decode(value + "=" * (-len(value) % 4))


@dataclass
class Credential:
    """One passkey, as its authenticator keeps it."""

    key: PrivateKey
    user_handle: bytes
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    count: int = 7  # of the uses before: keys are made with all the others of the same device


@dataclass(frozen=True)
class Lie:
    """What an answer says in place of the truth; what is left out is true."""

    client_data: Mapping[str, Any] = field(default_factory=dict)  # members over the true ones
    raw_client_data: bytes | None = None
    rp_id: str | None = None
    is_present: bool = True
    is_unlocked: bool = True
    is_synced: bool | None = None
    is_backed_up: bool | None = None
    count: int | None = None
    signed_by: PrivateKey | None = None
    credential_id: bytes | None = None
    user_handle: bytes | None = None
    names_nobody: bool = False  # leaves the user handle out
    authenticator_data: bytes | None = None
    format: str = "none"
    statement: Mapping[str, Any] = field(default_factory=dict)
    public_key: Any = None  # CBOR, in place of the key's own
    members: Mapping[str, Any] = field(default_factory=dict)  # of the credential, over the true ones
    response: Mapping[str, Any] = field(default_factory=dict)  # of its response


TRUTH = Lie()


class Authenticator:
    """One device or password manager, used in a browser at `origin`."""

    def __init__(
        self,
        origin: str = "http://localhost:8000",
        *,
        synced: bool = False,
        counts: bool = True,
        transports: tuple[str, ...] = ("internal",),
        algorithm: int = ES256,
    ) -> None:
        self.origin, self.synced, self.counts = origin, synced, counts
        self.transports, self.algorithm = transports, algorithm
        self.credentials: list[Credential] = []

    def make(self, options: Options, lie: Lie = TRUTH) -> dict[str, Any]:
        """A new passkey, as PublicKeyCredential.toJSON() gives it to the page."""
        credential = Credential(new_key(self.algorithm), decoded(options["user"]["id"]))
        if lie.credential_id is not None:
            credential.id = lie.credential_id
        self.credentials.append(credential)
        return self.show_again(credential, options, lie)

    def show_again(self, credential: Credential, options: Options, lie: Lie = TRUTH) -> dict[str, Any]:
        """A passkey that was made before, as if it were made now."""
        public_key = lie.public_key if lie.public_key is not None else cose_of(credential.key)
        attested = bytes(16) + len(credential.id).to_bytes(2, "big") + credential.id + cbor2.dumps(public_key)
        data = self._data(credential, options["rp"]["id"], lie, attested)
        client_data = self._client_data("webauthn.create", options, lie)
        statement = dict(lie.statement)
        if lie.format == "packed" and "sig" not in statement:
            by = lie.signed_by or credential.key
            statement |= {"alg": self.algorithm, "sig": signature(by, data + hashlib.sha256(client_data).digest())}
        attestation = cbor2.dumps({"fmt": lie.format, "attStmt": statement, "authData": data})
        response = {
            "clientDataJSON": encoded(client_data),
            "attestationObject": encoded(attestation),
            "transports": list(self.transports),
        }
        return self._told(credential, {**response, **lie.response}, lie)

    def sign(self, options: Options, lie: Lie = TRUTH, *, credential: Credential | None = None) -> dict[str, Any]:
        """What one of its passkeys signs: the one that is given, else the newest that may be used."""
        credential = credential or self._choice(options)
        credential.count += 1
        data = self._data(credential, options["rpId"], lie)
        client_data = self._client_data("webauthn.get", options, lie)
        by = lie.signed_by or credential.key
        response: dict[str, Any] = {
            "clientDataJSON": encoded(client_data),
            "authenticatorData": encoded(data),
            "signature": encoded(signature(by, data + hashlib.sha256(client_data).digest())),
        }
        if not lie.names_nobody:
            response["userHandle"] = encoded(credential.user_handle if lie.user_handle is None else lie.user_handle)
        return self._told(credential, {**response, **lie.response}, lie)

    def _choice(self, options: Options) -> Credential:
        allowed = {decoded(told["id"]) for told in options.get("allowCredentials") or ()}
        return next(one for one in reversed(self.credentials) if not allowed or one.id in allowed)

    def _client_data(self, kind: str, options: Options, lie: Lie) -> bytes:
        if lie.raw_client_data is not None:
            return lie.raw_client_data
        true = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps({**true, **lie.client_data}).encode()

    def _data(self, credential: Credential, rp_id: str, lie: Lie, attested: bytes = b"") -> bytes:
        if lie.authenticator_data is not None:
            return lie.authenticator_data
        is_synced = self.synced if lie.is_synced is None else lie.is_synced
        is_backed_up = self.synced if lie.is_backed_up is None else lie.is_backed_up
        flags = lie.is_present | lie.is_unlocked << 2 | is_synced << 3 | is_backed_up << 4 | bool(attested) << 6
        count = (credential.count if self.counts else 0) if lie.count is None else lie.count
        rp_id_hash = hashlib.sha256((rp_id if lie.rp_id is None else lie.rp_id).encode()).digest()
        return rp_id_hash + bytes([flags]) + count.to_bytes(4, "big") + attested

    def _told(self, credential: Credential, response: Mapping[str, Any], lie: Lie) -> dict[str, Any]:
        shown = encoded(credential.id if lie.credential_id is None else lie.credential_id)
        true = {
            "id": shown,
            "rawId": shown,
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": dict(response),
        }
        return {**true, **lie.members}


def new_key(algorithm: int = ES256, *, bits: int = 2048) -> PrivateKey:
    """A new key for an algorithm of COSE."""
    if algorithm == ES256:
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == EDDSA else rsa.generate_private_key(65537, bits)


def cose_of(key: PrivateKey) -> dict[int, Any]:
    """The public half, as authenticators write it (RFC 9053)."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        return {1: 2, 3: ES256, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return {1: 1, 3: EDDSA, -1: 6, -2: key.public_key().public_bytes_raw()}
    numbers = key.public_key().public_numbers()
    return {1: 3, 3: RS256, -1: numbers.n.to_bytes(key.key_size // 8, "big"), -2: numbers.e.to_bytes(3, "big")}


def signature(key: PrivateKey, data: bytes) -> bytes:
    """`data`, signed as the key's algorithm says."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(data, ec.ECDSA(SHA256()))
    return key.sign(data) if isinstance(key, ed25519.Ed25519PrivateKey) else key.sign(data, PKCS1v15(), SHA256())
