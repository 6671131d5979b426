"""Whatever claims to be signed, sealed or published by somebody we know."""

import base64
import json
import re
import time
from contextlib import suppress
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import SECRET_KEY
from tests.fuzz.mutations import JSON_VALUES, fuzzed, mutated, mutated_object, mutated_text
from tests.people import runtime_of
from tests.providers.keys import ec_key, rsa_key
from tests.rows import on_sqlite
from webapp import clock
from webapp.errors import ProviderAnswerRefused, ProviderUnavailable, TokenExpired, TokenInvalid
from webapp.gateways import event_issuer, id_token
from webapp.gateways.provider_keys import count_keys
from webapp.gateways.provider_metadata import _checked
from webapp.http.browser_session import BrowserSession, packed, unpacked
from webapp.http.visitor_cookie import VisitorCookie
from webapp.ids import new_id
from webapp.services.access_tokens import Subject
from webapp.services.refresh_tokens import RefreshToken
from webapp.services.sealing import SealBroken, Sealer
from webapp.services.signing_keys import current_key
from webapp.settings import Settings

HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": "x"}


def segment(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.fixture
def tokens(app: Flask) -> list[str]:
    """An access token and a refresh token that are good."""
    runtime = runtime_of(app)
    with app.app_context():
        access = runtime.access_tokens.issue(current_key(), Subject(new_id(), new_id(), clock.now(), ("pwd",)))
        refresh = runtime.refresh_tokens.issue(RefreshToken(new_id(), 1), expires_at=clock.now() + timedelta(days=1))
    return [access, refresh]


@on_sqlite
@fuzzed
@given(st.data())
def test_a_token_of_ours_is_whole_or_refused(app: Flask, tokens: list[str], data: st.DataObject) -> None:
    raw = data.draw(st.one_of(mutated_text([*tokens, f"{segment(HEADER)}.{segment({})}.AAAA"]), _forged()))
    runtime = runtime_of(app)
    with app.app_context():
        for verify in (runtime.access_tokens.verify, runtime.refresh_tokens.verify):
            with suppress(TokenInvalid, TokenExpired):
                verify(raw)
                assert raw in tokens


def _forged() -> st.SearchStrategy[str]:
    """Well-formed parts with anything in them."""
    parts = st.tuples(mutated_object(HEADER), JSON_VALUES, st.binary(max_size=70))
    return parts.map(
        lambda part: f"{segment(part[0])}.{segment(part[1])}.{base64.urlsafe_b64encode(part[2]).decode().rstrip('=')}"
    )


@fuzzed
@given(st.data())
def test_a_seal_opens_what_was_sealed_and_nothing_else(data: st.DataObject) -> None:
    sealer = Sealer(SECRET_KEY)
    sealed = sealer.seal(b"plain", purpose="fuzz")
    value = data.draw(mutated([sealed, sealed[:20]]))
    with suppress(SealBroken):
        assert sealer.open(value, purpose="fuzz") == b"plain"
        assert value == sealed


@fuzzed
@given(st.data())
def test_a_visitors_cookie_is_ours_or_nothing(data: st.DataObject) -> None:
    cookie = VisitorCookie(Settings.checked(SECRET_KEY=SECRET_KEY))
    value = cookie.seal({"a": 1}) or ""
    shown = data.draw(mutated_text([value, value.replace(".", "..")]))
    opened = cookie.open(shown)
    assert opened == {"a": 1} if shown == value else opened in (None, {"a": 1}), "spelled otherwise it may be ours"


@fuzzed
@given(st.data())
def test_a_bag_from_the_store_is_read_or_is_none(data: st.DataObject) -> None:
    bag = BrowserSession({"a": 1})
    bag.keep_until = clock.now()
    unpacked(data.draw(mutated([packed(bag)])))


class _Keys:
    """A provider's keys, as one looks them up."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def suiting(self, _kid: str | None, algorithm: str) -> list[Any]:
        return [self._key] if self._key.key_type == id_token.ALGORITHMS[algorithm] else []

    suiting_anew = suiting


@fuzzed
@given(st.data())
def test_an_id_token_is_verified_or_refused(data: st.DataObject) -> None:
    key = ec_key("fuzz")
    now = int(time.time())
    claims = {"iss": "https://id.example", "aud": "us", "sub": "1", "iat": now, "exp": now + 60, "nonce": "n"}
    header = data.draw(st.one_of(st.just({"alg": "ES256", "kid": "x"}), mutated_object({"alg": "ES256", "kid": "x"})))
    content = data.draw(st.one_of(st.just(claims), mutated_object(claims), JSON_VALUES))
    signed = jwt.api_jws.encode(json.dumps(content).encode(), key.private_key, "ES256", headers={"kid": "x"})
    lied = f"{segment(header)}.{signed.split('.', 1)[1]}"
    raw = data.draw(st.one_of(st.just(signed), st.just(lied), mutated_text([signed, lied]), JSON_VALUES))
    expected = id_token.Expected(issuer="https://id.example", client_id="us", nonce="n")
    try:
        taken = bool(id_token.verify_id_token(raw, _Keys(key), expected))  # type: ignore[arg-type]
    except ProviderAnswerRefused:
        taken = False
    assert taken or raw != signed or content != claims
    assert not taken or str(raw).rpartition(".")[0] == signed.rpartition(".")[0], "what is taken was signed"
    with suppress(ProviderAnswerRefused):
        id_token.verify_event_token(str(raw), _Keys(key), issuer="https://id.example", client_ids=("us",))  # type: ignore[arg-type]


@fuzzed
@given(st.data())
def test_what_a_provider_publishes_is_used_or_passed_over(data: st.DataObject) -> None:
    keys = [ec_key("fuzz").as_dict(private=False), rsa_key("fuzz").as_dict(private=False)]
    listed = data.draw(st.lists(st.one_of(JSON_VALUES, *map(mutated_object, keys)), max_size=3))
    assert 0 <= count_keys({"keys": listed}) <= len(listed)
    count_keys({"keys": data.draw(JSON_VALUES)})
    document = {
        "issuer": "https://id.example",
        **{
            name: f"https://id.example/{name}"
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
        },
    }
    with suppress(ProviderUnavailable):
        _checked(data.draw(mutated_object(document)), "https://id.example", is_secure=True)


@fuzzed
@given(st.data())
def test_what_an_issuer_of_events_publishes_is_its_own_or_passed_over(data: st.DataObject) -> None:
    document = {"issuer": "https://id.example/", "jwks_uri": "https://keys.example/keys"}
    foreign = ["https://evil.example/", "https://id.example.evil/", "http://id.example/", "https://id.example:8443/"]
    lied = st.sampled_from(
        [{**document, "issuer": issuer} for issuer in [*foreign, "https://a@id.example", "https://["]]
    )
    told = data.draw(st.one_of(st.just(document), lied, lied.flatmap(mutated_object), mutated_object(document)))
    try:
        taken = event_issuer._checked(told, "https://id.example/.well-known/risc-configuration")
    except ProviderUnavailable:
        assert told != document
        return
    assert re.match(r"https://id\.example([/?]|$)", taken["issuer"], re.I), taken
    assert taken["jwks_uri"].lower().startswith("https://")
