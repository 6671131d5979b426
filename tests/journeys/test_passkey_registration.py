"""What the site takes for a new passkey, and what it does not."""

import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import cbor2
import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import NewApp
from tests.journeys.pages import csrf_token
from tests.passkeys.authenticator import (
    EDDSA,
    ES256,
    RS256,
    Authenticator,
    Credential,
    Lie,
    Options,
    cose_of,
    decoded,
    encoded,
    new_key,
)
from tests.passkeys.doors import LIST, add, options_at
from tests.people import Browser
from tests.rows import Rows, on_sqlite, stand_still
from webapp.models import Passkey
from webapp.services.passkey_challenges import CHALLENGE_LIFE

pytestmark = on_sqlite


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """The application without limits."""
    return new_app(RATELIMIT_ENABLED=False)


@pytest.fixture
def owner(app: Flask, alice: str) -> Browser:
    """Alice at her browser, signed in just now."""
    browser = Browser(app)
    browser.sign_in(alice)
    return browser


LIES = {
    "another site's page": Lie(client_data={"origin": "https://evil.example"}),
    "another port": Lie(client_data={"origin": "http://localhost:8001"}),
    "another site's passkey": Lie(rp_id="evil.example"),
    "what was signed to show one": Lie(client_data={"type": "webauthn.get"}),
    "in a frame of another site": Lie(client_data={"crossOrigin": True}),
    "below another site's page": Lie(client_data={"topOrigin": "https://evil.example"}),
    "a challenge of its own": Lie(client_data={"challenge": encoded(bytes(56))}),
    "nobody there": Lie(is_present=False),
    "not unlocked": Lie(is_unlocked=False),
    "backed up, but not able to be": Lie(is_backed_up=True),
    "no key in it": Lie(authenticator_data=bytes(37)),
    "an empty id": Lie(credential_id=b""),
    "an id that is too long": Lie(credential_id=b"x" * 1024),
    "two ids": Lie(members={"id": "AAAA"}),
    "a password": Lie(members={"type": "password"}),
    "no response": Lie(members={"response": {}}),
    "an attestation that is a number": Lie(response={"attestationObject": 5}),
    "an attestation that is nothing": Lie(response={"attestationObject": None}),
    "an attestation of odd letters": Lie(response={"attestationObject": "!?"}),
    "an attestation that is a list": Lie(response={"attestationObject": encoded(cbor2.dumps([]))}),
    "an attestation without data": Lie(response={"attestationObject": encoded(cbor2.dumps({"fmt": "none"}))}),
    "an attestation that claims to be huge": Lie(response={"attestationObject": encoded(b"\x5b" + b"\xff" * 8)}),
    "an attestation of a huge list": Lie(response={"attestationObject": encoded(b"\x9b" + b"\xff" * 8)}),
    "an attestation nested deep": Lie(response={"attestationObject": encoded(b"\x81" * 4000 + b"\x00")}),
    "an attestation that holds itself": Lie(response={"attestationObject": encoded(b"\xd8\x1c\x81\xd8\x1d\x00")}),
    "none, and yet something": Lie(statement={"sig": b"x"}),
    "a statement that is a number": Lie(
        response={"attestationObject": encoded(cbor2.dumps({"fmt": "none", "attStmt": 5, "authData": b""}))}
    ),
    "a format that is a list": Lie(
        response={"attestationObject": encoded(cbor2.dumps({"fmt": [], "attStmt": {}, "authData": b""}))}
    ),
    "a self-made attestation by another key": Lie(format="packed", signed_by=new_key()),
    "a self-made attestation of another algorithm": Lie(format="packed", statement={"alg": EDDSA, "sig": b"x"}),
}
FORMATS = ("packed", "tpm", "android-key", "android-safetynet", "fido-u2f", "apple", "compound", "nonsense", "")
LIES |= {
    f"attested by a maker: {name or 'of no name'}": Lie(format=name, statement={"x5c": [b"x"], "sig": b"x"})
    for name in FORMATS
}
POINT = cose_of(new_key())
P384 = ec.generate_private_key(ec.SECP384R1()).public_key().public_numbers()
RSA = cose_of(new_key(RS256))
ED = cose_of(new_key(EDDSA))
KEYS = {
    "of no kind": {},
    "a list": [0, 2, 0, ES256, b"", b"", 1],
    "a number": 4,
    "a text": "key",
    "a short list": [1],
    "without an algorithm": {key: value for key, value in POINT.items() if key != 3},
    "of an algorithm nobody asked for": {**POINT, 3: -47},
    "of the algorithm none": {**POINT, 3: 0},
    "of a signature with SHA-1": {**RSA, 3: -65535},
    "of a MAC": {1: 4, 3: 5, -1: bytes(32)},
    "a point said to be RSA": {**POINT, 3: RS256},
    "a point said to be EdDSA": {**POINT, 3: EDDSA},
    "RSA said to be a point's": {**RSA, 3: ES256},
    "EdDSA said to be a point's": {**ED, 3: ES256},
    "EdDSA said to be RSA": {**ED, 3: RS256},
    "a point of another curve": {**POINT, -1: 2, -2: P384.x.to_bytes(48, "big"), -3: P384.y.to_bytes(48, "big")},
    "a point of a curve nobody has": {**POINT, -1: 99},
    "a point off the curve": {**POINT, -3: bytes(32)},
    "no point": {**POINT, -2: b"", -3: b""},
    "half a point": {**POINT, -3: True},
    "Ed448": {**ED, -1: 7, -2: bytes(57)},
    "EdDSA cut short": {**ED, -2: bytes(31)},
    "RSA of 1024 bits": cose_of(new_key(RS256, bits=1024)),
    "RSA of 16384 bits": {**RSA, -1: b"\xff" * 2048},
    "RSA with the exponent 3": {**RSA, -2: b"\x03"},
    "RSA with the exponent 1": {**RSA, -2: b"\x01"},
    "RSA with a huge exponent": {**RSA, -2: b"\x7f" + b"\xff" * 255},
    "RSA without a modulus": {**RSA, -1: b""},
    "of a signature after quantum computers": {1: 7, 3: -48, -1: bytes(1312)},
}
LIES |= {f"a key {name}": Lie(public_key=key) for name, key in KEYS.items()}


@pytest.mark.parametrize("name", LIES)
def test_what_is_no_new_passkey_is_not_taken(owner: Browser, rows: Rows, name: str) -> None:
    answer = add(owner, Authenticator(), LIES[name])
    assert answer.status_code == 422
    assert "That passkey did not work here." in answer.text
    assert rows.count(Passkey) == 0
    assert rows.user().second_factor_since is None
    assert add(owner, Authenticator()).status_code == 303


@pytest.mark.parametrize("algorithm", [ES256, EDDSA, RS256])
def test_a_key_may_vouch_for_itself(owner: Browser, rows: Rows, algorithm: int) -> None:
    """As browsers leave it where no attestation is asked for, when the authenticator names no maker."""
    assert add(owner, Authenticator(algorithm=algorithm), Lie(format="packed")).status_code == 303
    assert rows.count(Passkey) == 1


def test_one_that_its_makers_certificate_vouches_for_is_not_taken(owner: Browser, rows: Rows) -> None:
    """It is in order. But none was asked for, and certificates of strangers are not read."""
    maker = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Authenticator Attestation")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, maker.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(maker, SHA256())
    )
    attested = Lie(format="packed", signed_by=maker, statement={"x5c": [certificate.public_bytes(Encoding.DER)]})
    assert add(owner, Authenticator(), attested).status_code == 422
    assert rows.count(Passkey) == 0


@pytest.mark.asvs("6.7.2")
def test_what_was_asked_once_makes_one(owner: Browser, rows: Rows) -> None:
    options = options_at(owner, f"{LIST}/options")
    assert [_send(owner, Authenticator().make(options)) for _ in range(2)] == [303, 422]
    assert rows.count(Passkey) == 1


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (["nfc", "usb", "usb", "carrier-pigeon"], "usb nfc"),
        ([["usb"], {"a": 1}, None, 5, True, "hybrid"], "hybrid"),
        ("usb", ""),
        ({"usb": 1}, ""),
        (None, ""),
    ],
)
def test_of_how_it_is_reached_what_is_known_is_kept(owner: Browser, rows: Rows, told: object, kept: str) -> None:
    assert add(owner, Authenticator(), Lie(response={"transports": told})).status_code == 303
    assert [row.transports for row in rows.all(Passkey)] == [kept]


@pytest.mark.asvs("6.7.2")
def test_it_has_to_be_made_within_five_minutes(owner: Browser, at: time_machine.Traveller) -> None:
    stand_still(at)
    late, in_time = (options_at(owner, f"{LIST}/options") for _ in range(2))
    at.shift(CHALLENGE_LIFE - timedelta(seconds=2))
    assert _send(owner, Authenticator().make(in_time)) == 303
    at.shift(timedelta(seconds=2))
    assert _send(owner, Authenticator().make(late)) == 422


def test_a_page_that_was_left_behind_by_a_sign_out_adds_nothing(app: Flask, alice: str, rows: Rows) -> None:
    browser, other = Browser(app), Browser(app)
    browser.sign_in(alice)
    other.sign_in(alice)
    made = Authenticator().make(options_at(browser, f"{LIST}/options"))
    form = {"csrf_token": csrf_token(browser.get(LIST))}
    other.submit("/account/sessions", "/account/sessions/revoke-others")
    answer = browser.post(LIST, {**form, "credential": json.dumps(made)})
    assert answer.headers.get("Location", "").startswith("/login")
    assert rows.count(Passkey) == 0


def _send(browser: Browser, made: object) -> int:
    return browser.submit(LIST, LIST, credential=json.dumps(made), name="").status_code


# What a stranger's program may send in place of CBOR: anything.


def _cut(data: bytes, where: int, put: bytes) -> bytes:
    return data[: where % (len(data) + 1)] + put + data[where % (len(data) + 1) + len(put) :]


def _attested(credential: Credential, options: Options, change: Callable[[bytes], bytes]) -> dict[str, object]:
    authenticator = Authenticator()
    made = authenticator.show_again(credential, options)
    whole = change(decoded(made["response"]["attestationObject"]))
    made["response"]["attestationObject"] = encoded(whole)
    return made


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.binary(max_size=70)
SOMETHING = st.recursive(
    _LEAVES | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from([1, 3, -1, -2, -3]), inner, max_size=5),
    max_leaves=8,
)


@pytest.mark.timeout(300)
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(where=st.integers(0, 400), put=st.binary(min_size=1, max_size=12), key=SOMETHING)
def test_whatever_stands_in_an_attestation_the_answer_is_calm(
    owner: Browser, rows: Rows, where: int, put: bytes, key: object
) -> None:
    options = options_at(owner, f"{LIST}/options")
    credential = Credential(new_key(), b"x")
    token = csrf_token(owner.get(LIST))
    changed = _attested(credential, options, lambda whole: _cut(whole, where, put))
    strange = Authenticator().make(options, Lie(public_key=key))
    for made in (changed, strange):
        answer = owner.post(LIST, {"csrf_token": token, "credential": json.dumps(made)})
        assert answer.status_code in (303, 422), (where, put, key)
        if answer.status_code == 303:  # a byte of the id, or of the count
            rows.delete(Passkey)
            token = csrf_token(owner.get(LIST))


def test_a_counter_may_be_as_high_as_it_gets(app: Flask, owner: Browser) -> None:
    (highest,) = struct.unpack(">I", b"\xff" * 4)
    assert add(owner, Authenticator(), Lie(count=highest)).status_code == 303
