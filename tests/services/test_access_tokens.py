"""Access tokens: one spelling, one answer to whatever else, and a memory that keeps nothing alive."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import timedelta

import jwt
import pytest
import time_machine
from jwt.algorithms import ECAlgorithm
from sqlalchemy import StaticPool, create_engine

from tests.rows import stand_still
from tests.services.forged_tokens import ACCESS_AUDIENCE, ISSUER, LIFE, Workshop, a_subject, decode, parts
from tests.services.forgeries import Table
from tests.services.forgeries_access import ACCESS
from webapp import clock
from webapp.errors import TokenExpired, TokenInvalid
from webapp.models import SigningKey
from webapp.policy.signing_keys import CLOCK_SKEW
from webapp.services.access_tokens import AccessTokens
from webapp.services.key_ring import KeyRing
from webapp.services.sealing import Sealer
from webapp.services.strict_jwt import LONGEST

SECOND = timedelta(seconds=1)
KEY_HEADERS = ("jwk", "jku", "x5u", "x5c", "kid")


def a_workshop() -> Workshop:
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    SigningKey.metadata.tables[SigningKey.__tablename__].create(engine)
    sealer = Sealer("a secret of forty characters or more, ok")
    return Workshop(engine, sealer, KeyRing(engine, sealer, token_life=LIFE), a_subject())


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    made = a_workshop()
    yield made
    made.engine.dispose()


@pytest.fixture
def tokens(shop: Workshop) -> AccessTokens:
    """A verifier that remembers nothing yet."""
    return AccessTokens(shop.ring, issuer=ISSUER, life=LIFE)


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The signatures that were computed."""
    computed: list[bytes] = []
    verify = ECAlgorithm.verify

    def count(self: ECAlgorithm, msg: bytes, key: object, sig: bytes) -> bool:
        computed.append(sig)
        return verify(self, msg, key, sig)

    monkeypatch.setattr(ECAlgorithm, "verify", count)
    return computed


def those(*words: str) -> Table:
    return {label: forge for label, forge in ACCESS.items() if any(word in label for word in words)}


def test_there_are_many_ways_to_be_wrong() -> None:
    assert len(ACCESS) > 200


@pytest.mark.asvs("9.1.1", "10.3.1")
@pytest.mark.parametrize("label", [pytest.param(label, id=label) for label in ACCESS])
def test_what_is_not_exactly_ours_is_refused_and_not_told_why(shop: Workshop, tokens: AccessTokens, label: str) -> None:
    """Twice: what was refused once is not remembered as good."""
    forged = ACCESS[label](shop)
    assert forged != shop.access.good
    for _ in range(2):
        with pytest.raises(TokenInvalid) as refusal:
            tokens.verify(forged)
        assert refusal.value.details == {}
        assert type(refusal.value) is TokenInvalid
    assert tokens.verify(shop.access.good)["sub"] == str(shop.subject.user_id)


@pytest.mark.asvs("9.1.2")
def test_no_algorithm_but_ours_is_ever_tried(
    shop: Workshop, tokens: AccessTokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []
    find = jwt.PyJWS.get_algorithm_by_name
    monkeypatch.setattr(jwt.PyJWS, "get_algorithm_by_name", lambda self, name: (used.append(name), find(self, name))[1])
    for forge in those("alg ", "HS256", "HS512", "RS256", "EdDSA", "curve", "another key").values():
        with pytest.raises(TokenInvalid):
            tokens.verify(forge(shop))
    assert set(used) == {"ES256"}


@pytest.mark.asvs("9.1.3")
def test_no_key_is_taken_from_a_token(shop: Workshop, tokens: AccessTokens, signatures: list[bytes]) -> None:
    """Nor is any looked for: the tests have no way out of this machine, and nothing is computed at all."""
    named = those(*(f"header {name} " for name in KEY_HEADERS), "that key in the header")
    assert len(named) > 12
    for forge in named.values():
        with pytest.raises(TokenInvalid):
            tokens.verify(forge(shop))
    assert signatures == []


@pytest.mark.asvs("9.2.3", "9.2.4")
def test_a_token_is_for_this_api_alone(shop: Workshop, tokens: AccessTokens) -> None:
    assert parts(shop.access.good)[1]["aud"] == ACCESS_AUDIENCE
    assert parts(shop.refresh.good)[1]["aud"] != ACCESS_AUDIENCE
    elsewhere = AccessTokens(shop.ring, issuer="https://other.example", life=LIFE)
    with pytest.raises(TokenInvalid):
        elsewhere.verify(shop.access.good)
    for forge in those("claim aud", "a refresh token").values():
        with pytest.raises(TokenInvalid):
            tokens.verify(forge(shop))


def test_a_long_text_is_not_even_read(
    shop: Workshop, tokens: AccessTokens, signatures: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwt, "get_unverified_header", lambda _: pytest.fail("it was read"))
    with pytest.raises(TokenInvalid):
        tokens.verify(shop.access.good + "A" * (LONGEST - len(shop.access.good) + 1))
    assert signatures == []


# The times


@pytest.mark.asvs("9.2.1")
def test_a_token_is_good_for_its_life_and_not_a_second_longer(shop: Workshop, at: time_machine.Traveller) -> None:
    stand_still(at)
    tokens = AccessTokens(shop.ring, issuer=ISSUER, life=LIFE)
    raw = tokens.issue(shop.ring.find_signing(), shop.subject)
    fresh = AccessTokens(shop.ring, issuer=ISSUER, life=LIFE)
    at.shift(LIFE - SECOND)
    assert tokens.verify(raw) == fresh.verify(raw)
    at.shift(SECOND)
    for verifier in (tokens, fresh, AccessTokens(shop.ring, issuer=ISSUER, life=LIFE)):
        with pytest.raises(TokenExpired):
            verifier.verify(raw)


@pytest.mark.parametrize("exp", [0, -1, -(10**30)])
def test_a_token_whose_end_is_long_past_has_expired(shop: Workshop, tokens: AccessTokens, exp: int) -> None:
    with pytest.raises(TokenExpired):
        tokens.verify(shop.access.with_claims(exp=exp))


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_the_clock_of_the_machine_that_issued_may_be_a_little_ahead(
    shop: Workshop, tokens: AccessTokens, at: time_machine.Traveller, name: str
) -> None:
    stand_still(at)
    latest = int((clock.now() + CLOCK_SKEW).timestamp())
    assert tokens.verify(shop.access.with_claims(**{name: latest}))[name] == latest
    with pytest.raises(TokenInvalid):
        tokens.verify(shop.access.with_claims(**{name: latest + 1}))


def test_no_token_outlives_the_life_that_tokens_have_today(shop: Workshop, at: time_machine.Traveller) -> None:
    """Whoever set a shorter life set it for what is out there, too: the news of an ended login session goes round for
    that life only. One that others can be told of by a longer `exp` gets no longer one here.
    """
    raw = AccessTokens(shop.ring, issuer=ISSUER, life=timedelta(hours=10)).issue(shop.ring.find_signing(), shop.subject)
    endless = shop.access.with_claims(exp=10**30)
    tokens = AccessTokens(shop.ring, issuer=ISSUER, life=LIFE)
    assert tokens.verify(raw)
    assert tokens.verify(endless)
    at.shift(LIFE + SECOND)
    for old in (raw, endless):
        with pytest.raises(TokenExpired):
            tokens.verify(old)


# The memory


def test_the_same_token_is_computed_once(shop: Workshop, tokens: AccessTokens, signatures: list[bytes]) -> None:
    first = tokens.verify(shop.access.good)
    assert [tokens.verify(shop.access.good) for _ in range(5)] == [first] * 5
    assert len(signatures) == 1
    tokens.verify(shop.access.with_claims(jti=str(uuid.uuid4())))
    assert len(signatures) == 2


def test_what_was_refused_is_not_remembered(shop: Workshop, tokens: AccessTokens, signatures: list[bytes]) -> None:
    """Or whoever sends nonsense would fill the memory."""
    forged = ACCESS["signature's last octet flipped"](shop)
    for _ in range(3):
        with pytest.raises(TokenInvalid):
            tokens.verify(forged)
    assert len(signatures) == 3


def test_the_memory_is_bounded_and_forgets_the_first(shop: Workshop, signatures: list[bytes]) -> None:
    tokens = AccessTokens(shop.ring, issuer=ISSUER, life=LIFE, most_remembered=3)
    several = [shop.access.with_claims(jti=str(uuid.uuid4())) for _ in range(20)]
    for raw in several:
        tokens.verify(raw)
        assert len(tokens._remembered) <= 3
    signatures.clear()
    for raw in several[-3:]:
        tokens.verify(raw)
    assert signatures == []
    tokens.verify(several[0])
    assert len(signatures) == 1


def test_the_memory_does_not_outlive_the_key() -> None:
    shop = a_workshop()
    tokens = AccessTokens(shop.ring, issuer=ISSUER, life=LIFE)
    assert tokens.verify(shop.access.good)
    with shop.engine.begin() as connection:
        table = SigningKey.metadata.tables[SigningKey.__tablename__]
        connection.execute(
            table.update().where(table.c.kid == shop.access.header["kid"]).values(withdrawn_at=clock.now())
        )
    shop.ring.read()
    with pytest.raises(TokenInvalid):
        tokens.verify(shop.access.good)
    shop.engine.dispose()


def test_what_is_remembered_is_no_key_to_anything(shop: Workshop, tokens: AccessTokens) -> None:
    """A dump of the process's memory of tokens has digests in it, not tokens."""
    tokens.verify(shop.access.good)
    (digest,) = tokens._remembered
    assert len(digest) == 32
    assert shop.access.good not in repr(tokens._remembered)


# What is in them


@pytest.mark.asvs("10.4.11")
def test_a_token_holds_ids_times_and_methods_and_nothing_else(shop: Workshop) -> None:
    header, payload, _ = shop.access.segments
    assert json.loads(decode(header)) == {"alg": "ES256", "typ": "at+jwt", "kid": shop.ring.find_signing().kid}
    claims = json.loads(decode(payload))
    assert claims.keys() == {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "auth_time", "amr"}
    assert claims["exp"] - claims["iat"] == LIFE.total_seconds()


def test_no_two_tokens_are_alike(shop: Workshop, tokens: AccessTokens) -> None:
    key = shop.ring.find_signing()
    issued = [tokens.issue(key, shop.subject) for _ in range(50)]
    assert len({tokens.verify(raw)["jti"] for raw in issued}) == 50
