"""What an ID token has to say (OpenID Connect Core 1.0, section 3.1.3.7), whichever way it comes."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from stand_in.people import GMAIL
from tests.gateways.at_a_provider import Door, Lie, now, relying_party, show_id_token, shown, sign_in
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from webapp.errors import ProviderAnswerRefused

NAN, INFINITE = float("nan"), float("inf")


@pytest.fixture(params=["code", "sdk"])
def door(request: pytest.FixtureRequest, provider: LyingProvider) -> Door:
    """A way in with an ID token."""
    return partial(sign_in if request.param == "code" else show_id_token, provider)


def reason_of_refusal(door: Door) -> str:
    with pytest.raises(ProviderAnswerRefused) as refused:
        door()
    return str(refused.value.details["reason"])


def told(**claims: Any) -> Lie:
    return lambda _provider: claims


def table(cases: Mapping[str, Lie]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("lie", [pytest.param(lie, id=name) for name, lie in cases.items()])


@pytest.mark.asvs("10.5.4")
@table(
    {
        "of another client": told(aud="another-client"),
        "of another client, with azp ours": lambda p: {"aud": "another-client", "azp": p.client_id},
        "a list of another client": told(aud=["another-client"]),
        "ours and another": lambda p: {"aud": [p.client_id, "another-client"]},
        "another and ours": lambda p: {"aud": ["another-client", p.client_id]},
        "ours twice": lambda p: {"aud": [p.client_id, p.client_id]},
        "ours in a list of lists": lambda p: {"aud": [[p.client_id]]},
        "ours as the name of an object": lambda p: {"aud": {p.client_id: True}},
        "ours in capitals": lambda p: {"aud": p.client_id.upper()},
        "ours with a blank": lambda p: {"aud": f"{p.client_id} "},
        "missing": told(aud=REMOVED),
        "null": told(aud=None),
        "empty": told(aud=""),
        "an empty list": told(aud=[]),
        "true": told(aud=True),
    }
)
def test_an_audience_that_is_not_us_alone_is_refused(provider: LyingProvider, door: Door, lie: Lie) -> None:
    provider.lie.claims |= lie(provider)
    assert reason_of_refusal(door) == "aud"


@pytest.mark.asvs("10.5.4")
@table(
    {
        "another client": told(azp="another-client"),
        "null": told(azp=None),
        "empty": told(azp=""),
        "a list with ours": lambda p: {"azp": [p.client_id]},
        "a number": told(azp=1),
    }
)
def test_a_token_that_was_given_to_another_party_is_refused(provider: LyingProvider, door: Door, lie: Lie) -> None:
    provider.lie.claims |= lie(provider)
    assert reason_of_refusal(door) == "azp"


@table(
    {
        "another issuer": told(iss="https://evil.example"),
        "a host that only begins like it": lambda p: {"iss": f"{p.issuer}.evil.example"},
        "with a slash at its end": lambda p: {"iss": f"{p.issuer}/"},
        "another scheme": lambda p: {"iss": p.issuer.replace("http:", "https:")},
        "without its scheme": lambda p: {"iss": p.issuer.removeprefix("http://")},
        "Google's other name, where Google is not the issuer": told(iss="accounts.google.com"),
        "a list with it": lambda p: {"iss": [p.issuer]},
        "missing": told(iss=REMOVED),
        "null": told(iss=None),
    }
)
def test_another_issuer_is_refused(provider: LyingProvider, door: Door, lie: Lie) -> None:
    provider.lie.claims |= lie(provider)
    assert reason_of_refusal(door) == "iss"


# Whatever a time may be instead of a number of seconds.
NO_TIMES: Mapping[str, Any] = {
    "missing": REMOVED,
    "null": None,
    "text": "1800000000",
    "true": True,
    "a list": [1800000000],
    "an object": {},
    "not a number": NAN,
    "infinite": INFINITE,
    "minus infinite": -INFINITE,
    "below zero": -1,
    "milliseconds": 1_800_000_000_000,
    "huge": 10**300,
    "longer than a number can be": 10**4000,
}


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize("value", [pytest.param(value, id=name) for name, value in NO_TIMES.items()])
def test_a_time_that_has_to_be_there_is_a_number(provider: LyingProvider, door: Door, name: str, value: Any) -> None:
    provider.lie.claims[name] = value
    assert reason_of_refusal(door) == name


@pytest.mark.parametrize("name", ["nbf", "auth_time"])
@pytest.mark.parametrize(
    "value", [pytest.param(value, id=name) for name, value in NO_TIMES.items() if name not in ("missing", "null")]
)
def test_a_time_that_may_be_there_is_a_number(provider: LyingProvider, door: Door, name: str, value: Any) -> None:
    provider.lie.claims[name] = value
    assert reason_of_refusal(door) == name


@pytest.mark.parametrize(
    ("reason", "claims"),
    [
        pytest.param("exp", {"iat": -300, "exp": -35}, id="expired"),
        pytest.param("exp", {"iat": -86400, "exp": -82800}, id="expired yesterday"),
        pytest.param("exp", {"iat": 0, "exp": -10}, id="over before it began"),
        pytest.param("exp", {"iat": 10, "exp": 10}, id="over when it began"),
        pytest.param("iat", {"iat": 300}, id="made in the future"),
        pytest.param("iat", {"iat": -660}, id="made long before anybody asked"),
        pytest.param("nbf", {"nbf": 300}, id="not yet good"),
        pytest.param("auth_time", {"auth_time": 300}, id="signed in in the future"),
    ],
)
def test_a_token_out_of_its_time_is_refused(
    provider: LyingProvider, door: Door, reason: str, claims: dict[str, int]
) -> None:
    provider.lie.claims |= {name: now() + seconds for name, seconds in claims.items()}
    assert reason_of_refusal(door) == reason


@table(
    {
        "missing": told(sub=REMOVED),
        "null": told(sub=None),
        "empty": told(sub=""),
        "a number": told(sub=100000000000000000001),
        "true": told(sub=True),
        "a list": told(sub=[GMAIL.sub]),
        "of 256 characters": told(sub="1" * 256),
        "of 16,000 characters": told(sub="1" * 11_000),
        "not ASCII": told(sub="１００"),
        "with a null character": told(sub="1\x00"),
        "with a line break": told(sub="1\n2"),
        "half a character": told(sub="\ud800"),
    }
)
def test_a_subject_that_is_no_short_text_is_refused(provider: LyingProvider, door: Door, lie: Lie) -> None:
    provider.lie.claims |= lie(provider)
    assert reason_of_refusal(door) in ("sub", "form")  # or the token is too long altogether


@pytest.mark.asvs("10.5.1")
@pytest.mark.parametrize(
    "nonce",
    [
        pytest.param(REMOVED, id="missing"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param("of somebody else", id="foreign"),
        pytest.param(True, id="true"),
        pytest.param(["of this app"], id="a list"),
        pytest.param("of this app\x00", id="with more behind it"),
        pytest.param("OF THIS APP", id="in capitals"),
        pytest.param("\ud800", id="half a character"),
    ],
)
def test_a_token_without_this_very_nonce_is_refused(provider: LyingProvider, door: Door, nonce: object) -> None:
    provider.lie.claims["nonce"] = nonce
    assert reason_of_refusal(door) == "nonce"


@pytest.mark.parametrize(
    "at_hash",
    [
        pytest.param("77QmUPtjPfzWtF2AnpK9RQ", id="of another access token"),
        pytest.param("", id="empty"),
        pytest.param(None, id="null"),
        pytest.param(0, id="a number"),
        pytest.param([], id="a list"),
        pytest.param("ü", id="not ASCII"),
    ],
)
def test_an_id_token_for_another_access_token_is_refused(provider: LyingProvider, at_hash: object) -> None:
    provider.lie.claims["at_hash"] = at_hash
    assert reason_of_refusal(partial(sign_in, provider)) in ("at_hash", "claims")


@table(
    {
        "says what happened": told(events={"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {}}),
        "says nothing that happened": told(events={}),
    }
)
def test_a_security_event_token_is_no_id_token(provider: LyingProvider, door: Door, lie: Lie) -> None:
    provider.lie.claims |= lie(provider)
    assert reason_of_refusal(door) == "kind"


def test_methods_of_signing_in_are_a_list(provider: LyingProvider, door: Door) -> None:
    provider.lie.claims["amr"] = "pwd"
    assert reason_of_refusal(door) == "claims"


@table(
    {
        "audience in a list": lambda p: {"aud": [p.client_id]},
        "no azp": told(azp=REMOVED),
        "a clock that is behind": lambda _p: {"iat": now() - 300, "exp": now() - 5},
        "a clock that is ahead": lambda _p: {"iat": now() + 20, "nbf": now() + 20},
        "parts of seconds": lambda _p: {"iat": now() - 0.5, "exp": now() + 60.5, "auth_time": now() - 9.5},
        "no auth_time": told(auth_time=REMOVED),
        "null for auth_time": told(auth_time=None),
        "subject of 255 characters": told(sub="s" * 255),
        "claims that nobody knows": told(acr="0", address={"country": "KR"}, sid="1"),
    }
)
def test_what_the_specification_allows_is_accepted(provider: LyingProvider, door: Door, lie: Lie) -> None:
    provider.lie.claims |= lie(provider)
    assert door().email == GMAIL.email


def test_an_app_of_ours_may_be_the_party_that_a_token_was_given_to(provider: LyingProvider) -> None:
    provider.lie.claims["azp"] = "our-app-on-android"
    assert show_id_token(provider, native_client_ids=("our-app-on-android",)).subject == GMAIL.sub
    assert reason_of_refusal(partial(show_id_token, provider, native_client_ids=("another",))) == "azp"
    # In the code flow there is no app between.
    assert reason_of_refusal(partial(sign_in, provider, native_client_ids=("our-app-on-android",))) == "azp"


@pytest.mark.parametrize("verified", [False, "true", "false", 1, 0, None, REMOVED, ["true"]], ids=shown)
def test_only_true_says_that_an_address_is_verified(provider: LyingProvider, door: Door, verified: object) -> None:
    provider.lie.claims["email_verified"] = verified
    assert door().email_verified is False


@pytest.mark.parametrize("name", ["name", "picture", "locale", "hd"])
@pytest.mark.parametrize("value", [None, 1, ["x"], {"x": 1}, "x" * 1025], ids=shown)
def test_what_is_no_short_text_is_left_out(provider: LyingProvider, door: Door, name: str, value: object) -> None:
    provider.lie.claims[name] = value
    proven = door()
    kept = {"name": proven.name, "picture": proven.picture_url, "locale": proven.locale, "hd": proven.hosted_domain}
    assert not kept[name]


def test_without_an_id_token_nobody_is_proven(provider: LyingProvider) -> None:
    for nothing in (REMOVED, None, "", 1, ["x"], {}):
        provider.lie.token["id_token"] = nothing
        assert reason_of_refusal(partial(sign_in, provider)) == "form"
    for nothing in ("", ".", "..", "a.b", "a" * 20_000):
        with pytest.raises(ProviderAnswerRefused):
            relying_party(provider).identify(nothing, "of this app")
