"""The keys of access tokens: one for all who need the first, kept sealed, and nobody else's."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from tests.apps import stop_the_clock
from tests.conftest import SECRET_KEY, NewApp
from tests.journeys.crowds import CROWD, all_at_once
from tests.people import Browser, runtime_of
from tests.rows import Rows, on_sqlite, statements
from tests.services.forged_tokens import a_subject
from webapp import clock
from webapp.errors import TokenInvalid
from webapp.models import SigningKey
from webapp.policy.signing_keys import ANNOUNCED_FOR
from webapp.services import signing_keys
from webapp.services.key_ring import Key, new_private_key
from webapp.services.sealing import Sealer

NEW_SECRET_KEY, FOREIGN_SECRET_KEY = "n" * 40, "f" * 40
JWKS = "/.well-known/jwks.json"


def current_key(app: Flask) -> Key:
    with app.app_context():
        return signing_keys.current_key()


def issued(app: Flask) -> str:
    """An access token, by whichever key signs now."""
    return runtime_of(app).access_tokens.issue(current_key(app), a_subject())


def verify(app: Flask, raw: str) -> None:
    runtime_of(app).access_tokens.verify(raw)


def listed(app: Flask) -> list[str]:
    """The lines of `flask keys list`, by the words in them."""
    result = app.test_cli_runner().invoke(args=["keys", "list"])
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def add_row(rows: Rows, kid: str, sealed: bytes, number: int = 7, **values: Any) -> None:
    now = clock.now()
    times = {"created_at": now, "active_from": now - timedelta(hours=1), **values}
    rows.add(SigningKey(kid=kid, number=number, sealed=sealed, **times))


# Made


@pytest.mark.asvs("15.4.2")
def test_of_many_workers_that_need_the_first_key_at_once_one_makes_it(new_app: NewApp, rows: Rows) -> None:
    """Four processes, five threads in each; every one signs with the same key, and each verifies the others' tokens."""
    workers = [new_app() for _ in range(4)]
    tokens = all_at_once([lambda worker=worker: issued(worker) for worker in workers * (CROWD // 4)])
    assert rows.count(SigningKey) == 1
    assert {jwt.get_unverified_header(raw)["kid"] for raw in tokens} == {rows.all(SigningKey)[0].kid}
    for worker in workers:
        for raw in tokens:
            verify(worker, raw)


def test_no_key_is_made_before_one_is_needed(app: Flask, rows: Rows, browser: Browser) -> None:
    browser.get("/login")
    assert rows.count(SigningKey) == 0
    assert listed(app) == []


def test_the_keys_are_not_read_anew_for_each_token(app: Flask) -> None:
    stop_the_clock(app)
    raw = issued(app)
    with statements(runtime_of(app).engine) as sent:
        for _ in range(20):
            verify(app, raw)
            verify(app, issued(app))
    assert sent == []


@on_sqlite
def test_unknown_key_ids_make_nobody_read_for_each(app: Flask) -> None:
    """Whoever sends nonsense gets one look a second out of us, however much it is."""
    now = 1_000.0
    ring = runtime_of(app).key_ring
    current_key(app)
    ring._monotonic = lambda: now
    ring.read()
    with statements(runtime_of(app).engine) as sent:
        for number in range(50):
            assert ring.find(f"unknown {number}") is None
        assert len(sent) == 0
        now += 1
        for number in range(50):
            assert ring.find(f"unknown {number}") is None
    assert len(sent) == 1


# Kept


def test_the_private_half_stands_nowhere_in_clear(app: Flask, rows: Rows) -> None:
    private = current_key(app).private
    scalar = private.private_numbers().private_value.to_bytes(32)
    der = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    secrets = [scalar, scalar.hex().encode(), base64.b64encode(scalar)[:-2], base64.urlsafe_b64encode(scalar)[:-2]]
    secrets += [der, pem, b"PRIVATE KEY", str(private.private_numbers().private_value).encode()]
    stored = [value for _, value in rows.texts()]
    assert any(current_key(app).kid in value for value in stored)
    for secret in secrets:
        assert not any(secret.decode("latin-1") in value for value in stored)
    assert "private" not in repr(current_key(app))


@pytest.mark.asvs("11.2.2")
def test_after_a_change_of_the_secret_key_the_same_key_goes_on(app: Flask, new_app: NewApp, rows: Rows) -> None:
    old = issued(app)
    renewed = new_app(SECRET_KEY=NEW_SECRET_KEY, SECRET_KEY_FALLBACKS=f"{FOREIGN_SECRET_KEY},{SECRET_KEY}")
    assert current_key(renewed).kid == current_key(app).kid
    verify(renewed, old)
    assert rows.count(SigningKey) == 1
    assert "unreadable" not in "".join(listed(renewed))


def test_without_the_old_secret_key_the_site_goes_on_with_a_new_key_and_says_so(
    app: Flask, new_app: NewApp, rows: Rows
) -> None:
    old, lost = issued(app), current_key(app).kid
    renewed = new_app(SECRET_KEY=NEW_SECRET_KEY)
    (line,) = listed(renewed)
    assert line.startswith(lost)
    assert line.endswith("unreadable: its SECRET_KEY is missing")
    verify(renewed, issued(renewed))
    assert current_key(renewed).kid != lost
    with pytest.raises(TokenInvalid):
        verify(renewed, old)
    assert rows.count(SigningKey) == 2
    first, second = listed(renewed)
    assert "unreadable" in first
    assert "active" in second
    assert "unreadable" not in second


# Nobody else's


def in_clear(private: Any) -> bytes:
    return bytes(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))


def sealed_by(secret_key: str, private: Any, *, purpose: str = "signing key", bound_to: str) -> bytes:
    return Sealer(secret_key).seal(in_clear(private), purpose=purpose, bound_to=bound_to)


FORGED_ROWS: dict[str, Callable[[Flask, Any, str], bytes]] = {
    "in clear": lambda _app, private, _kid: in_clear(private),
    "nothing": lambda *_: b"",
    "nonsense": lambda *_: b"\x01" + b"A" * 200,
    "sealed by somebody else": lambda _, private, kid: sealed_by(FOREIGN_SECRET_KEY, private, bound_to=kid),
    "our own key under another id": lambda app, _private, _kid: Rows(app).all(SigningKey, number=1)[0].sealed,
    "sealed by us for another purpose": lambda app, private, kid: runtime_of(app).sealer.seal(
        in_clear(private), purpose="outbox", bound_to=kid
    ),
    "sealed by us, and no key": lambda app, _, kid: runtime_of(app).sealer.seal(
        b"not a key", purpose="signing key", bound_to=kid
    ),
}


@pytest.mark.parametrize("forge", FORGED_ROWS.values(), ids=FORGED_ROWS)
@pytest.mark.parametrize("number", [0, 7])
def test_who_can_write_into_the_database_makes_no_key_that_anybody_trusts(
    app: Flask, rows: Rows, browser: Browser, forge: Callable[[Flask, Any, str], bytes], number: int
) -> None:
    good, ring = issued(app), runtime_of(app).key_ring
    ours, theirs = current_key(app), new_private_key()
    kid, _ = ring.seal(theirs)
    add_row(rows, kid, forge(app, theirs, kid), number)
    ring.read()
    forged = jwt.encode(
        jwt.decode(good, options={"verify_signature": False}), theirs, "ES256", headers={"typ": "at+jwt", "kid": kid}
    )
    with pytest.raises(TokenInvalid):
        verify(app, forged)
    verify(app, good)
    assert current_key(app).kid == ours.kid
    assert [key["kid"] for key in browser.get(JWKS).json["keys"]] == [ours.kid]


# Published


@pytest.fixture
def two_keys(app: Flask) -> tuple[str, str]:
    """The ids of the key that signs and of the one that is announced."""
    with app.app_context():
        first = signing_keys.current_key().kid
        second = signing_keys.rotate_keys().kid
    return first, second


@pytest.mark.asvs("11.6.1")
def test_the_key_set_holds_the_public_halves_and_nothing_else(browser: Browser, two_keys: tuple[str, str]) -> None:
    keys = browser.get(JWKS).json["keys"]
    assert tuple(key["kid"] for key in keys) == two_keys
    for key in keys:
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")


def test_the_key_set_may_be_read_and_kept_by_anybody_for_less_than_a_key_is_announced(browser: Browser) -> None:
    answer = browser.get(JWKS)
    assert answer.status_code == 200
    assert answer.mimetype == "application/jwk-set+json"
    assert answer.cache_control.public
    assert 0 < answer.cache_control.max_age < ANNOUNCED_FOR.total_seconds()
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers.getlist("Set-Cookie") == []


@pytest.mark.asvs("9.1.1")
def test_another_service_verifies_our_tokens_by_the_key_set_alone(
    app: Flask, browser: Browser, two_keys: tuple[str, str]
) -> None:
    raw = issued(app)
    key_set = jwt.PyJWKSet.from_json(browser.get(JWKS).text)
    key = key_set[jwt.get_unverified_header(raw)["kid"]]
    claims = jwt.decode(raw, key, ["ES256"], audience="http://127.0.0.1:8000/api", issuer="http://127.0.0.1:8000")
    assert claims == runtime_of(app).access_tokens.verify(raw)
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(raw, key_set[two_keys[1]], ["ES256"], audience="http://127.0.0.1:8000/api")
