"""Refresh tokens: one spelling, one answer to whatever else; they live by the secret keys and end with their row."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from tests.rows import stand_still
from tests.services.forged_tokens import ACCESS_AUDIENCE, ISSUER, REFRESH_AUDIENCE, Workshop, parts
from tests.services.forgeries_refresh import REFRESH
from tests.services.test_access_tokens import a_workshop
from webapp import clock
from webapp.errors import TokenExpired, TokenInvalid
from webapp.services.refresh_tokens import RefreshToken, RefreshTokens
from webapp.services.sealing import Sealer

TODAY, BEFORE, FOREIGN = "today" * 8, "before" * 8, "mallory" * 8
TOKEN = RefreshToken(uuid.uuid4(), 7)
SECOND = timedelta(seconds=1)
MONTH = timedelta(days=30)


@pytest.fixture(scope="module")
def shop() -> Iterator[Workshop]:
    made = a_workshop()
    yield made
    made.engine.dispose()


@pytest.fixture
def tokens(shop: Workshop) -> RefreshTokens:
    return RefreshTokens(shop.sealer, issuer=ISSUER)


def under(*secret_keys: str) -> RefreshTokens:
    """The tokens of a site with these secret keys, today's first."""
    return RefreshTokens(Sealer(secret_keys[0], secret_keys[1:]), issuer=ISSUER)


def issued(tokens: RefreshTokens, token: RefreshToken = TOKEN) -> str:
    return tokens.issue(token, expires_at=clock.now() + MONTH)


def test_there_are_many_ways_to_be_wrong() -> None:
    assert len(REFRESH) > 150


@pytest.mark.asvs("9.1.1", "9.2.3")
@pytest.mark.parametrize("label", [pytest.param(label, id=label) for label in REFRESH])
def test_what_is_not_exactly_ours_is_refused_and_not_told_why(
    shop: Workshop, tokens: RefreshTokens, label: str
) -> None:
    forged = REFRESH[label](shop)
    assert forged != shop.refresh.good
    with pytest.raises(TokenInvalid) as refusal:
        tokens.verify(forged)
    assert refusal.value.details == {}
    assert type(refusal.value) is TokenInvalid
    assert tokens.verify(shop.refresh.good) == RefreshToken(shop.subject.login_session_id, 1)


@pytest.mark.parametrize("generation", [1, 2, 1_000_000, 2**31 - 1])
def test_what_was_issued_comes_back(tokens: RefreshTokens, generation: int) -> None:
    token = RefreshToken(uuid.uuid4(), generation)
    assert tokens.verify(issued(tokens, token)) == token


@pytest.mark.asvs("9.2.4")
def test_no_token_of_one_kind_passes_as_the_other(shop: Workshop, tokens: RefreshTokens) -> None:
    header, claims = parts(shop.refresh.good)
    assert (header["alg"], header["typ"], claims["aud"]) == ("HS256", "rt+jwt", REFRESH_AUDIENCE)
    assert REFRESH_AUDIENCE != ACCESS_AUDIENCE
    with pytest.raises(TokenInvalid):
        tokens.verify(shop.access.good)


@pytest.mark.asvs("11.2.2")
def test_a_change_of_the_secret_key_signs_nobody_out(shop: Workshop) -> None:
    old = issued(under(BEFORE))
    assert under(TODAY, FOREIGN, BEFORE).verify(old) == TOKEN
    assert under(BEFORE, TODAY).verify(old) == TOKEN  # a worker that has not heard of the change
    for secret_keys in [(TODAY,), (FOREIGN,), (TODAY, FOREIGN)]:
        with pytest.raises(TokenInvalid):
            under(*secret_keys).verify(old)


def test_new_tokens_are_made_under_the_key_of_today() -> None:
    renewed = issued(under(TODAY, BEFORE))
    assert under(TODAY).verify(renewed) == TOKEN
    with pytest.raises(TokenInvalid):
        under(BEFORE).verify(renewed)


def test_a_token_of_another_site_under_the_same_secret_key_is_refused() -> None:
    elsewhere = RefreshTokens(Sealer(TODAY), issuer="https://other.example")
    with pytest.raises(TokenInvalid):
        under(TODAY).verify(issued(elsewhere))


def test_a_token_ends_with_its_login_session(tokens: RefreshTokens, at: time_machine.Traveller) -> None:
    stand_still(at)
    raw = issued(tokens)
    at.shift(MONTH - SECOND)
    assert tokens.verify(raw) == TOKEN
    at.shift(SECOND)
    with pytest.raises(TokenExpired):
        tokens.verify(raw)


@pytest.mark.parametrize("back", [timedelta(seconds=31), timedelta(hours=1), timedelta(days=400)])
def test_a_clock_that_was_put_back_signs_nobody_out(
    tokens: RefreshTokens, at: time_machine.Traveller, back: timedelta
) -> None:
    raw = issued(tokens)
    at.shift(-back)
    assert tokens.verify(raw) == TOKEN


@pytest.mark.parametrize("exp", [0, -1, -(10**30)])
def test_a_token_whose_end_is_long_past_has_expired(shop: Workshop, tokens: RefreshTokens, exp: int) -> None:
    with pytest.raises(TokenExpired):
        tokens.verify(shop.refresh.with_claims(exp=exp))


def test_a_token_says_which_row_and_which_generation_and_nothing_of_the_person(shop: Workshop) -> None:
    _, claims = parts(shop.refresh.good)
    assert claims.keys() == {"iss", "aud", "sid", "gen", "jti", "iat", "exp"}


def test_the_same_generation_is_never_the_same_text(tokens: RefreshTokens) -> None:
    assert len({issued(tokens) for _ in range(20)}) == 20
