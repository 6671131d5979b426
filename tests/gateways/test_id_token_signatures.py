"""Who signed an ID token: the provider, by a key that it publishes, in a way that we have chosen (RFC 8725)."""

import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from stand_in.people import GMAIL
from tests.gateways.at_a_provider import Door, relying_party, show_id_token, sign_in
from tests.providers import forgeries
from tests.providers.forgeries import REFUSED, REMOVED, Draft, Forgery
from tests.providers.keys import rsa_key
from tests.providers.lying import LyingProvider
from webapp.errors import ProviderAnswerRefused
from webapp.gateways.relying_party import RelyingParty

Way = Callable[..., object]


@pytest.fixture(params=["code", "sdk"])
def way(request: pytest.FixtureRequest) -> Way:
    """A way in with an ID token."""
    return sign_in if request.param == "code" else show_id_token


@pytest.fixture
def party(provider: LyingProvider) -> RelyingParty:
    """One that knows the provider's keys already."""
    found = relying_party(provider)
    sign_in(provider, party=found)
    provider.received.clear()
    return found


def reason_of_refusal(door: Door | partial[object]) -> str:
    with pytest.raises(ProviderAnswerRefused) as refused:
        door()
    return str(refused.value.details["reason"])


@pytest.mark.asvs("6.8.2")
@pytest.mark.parametrize("forgery", REFUSED.values(), ids=REFUSED)
def test_a_forged_token_is_refused(provider: LyingProvider, way: Way, forgery: Forgery) -> None:
    provider.lie.sign = forgery
    assert reason_of_refusal(partial(way, provider)) in ("form", "header", "payload", "signature")
    assert provider.asked("foreign_keys") == []


@pytest.mark.asvs("6.8.2")
def test_the_clients_secret_is_no_key(provider: LyingProvider, way: Way) -> None:
    provider.lie.sign = forgeries.hs256_with_client_secret(provider.client_secret)
    assert reason_of_refusal(partial(way, provider)) == "header"


@pytest.mark.parametrize("forgery", [forgeries.alg_none, forgeries.hs256_with_jwk], ids=["none", "HS256"])
def test_metadata_that_lists_an_algorithm_makes_it_no_better(
    provider: LyingProvider, way: Way, forgery: Forgery
) -> None:
    provider.lie.metadata["id_token_signing_alg_values_supported"] = ["none", "HS256", "RS256"]
    provider.lie.sign = forgery
    assert reason_of_refusal(partial(way, provider)) == "header"


@pytest.mark.asvs("1.3.6")
@pytest.mark.parametrize("forgery", [forgeries.jku, forgeries.x5u, forgeries.embedded_jwk])
def test_where_a_token_says_its_key_is_nobody_goes(
    provider: LyingProvider, party: RelyingParty, way: Way, forgery: Forgery
) -> None:
    provider.lie.sign = forgery
    assert reason_of_refusal(partial(way, provider, party=party)) == "signature"
    asked = {request.endpoint for request in provider.received}
    assert asked <= {"authorize", "choose", "token", "keys"}


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"typ": "at+jwt"}, id="an access token"),
        pytest.param({"typ": "secevent+jwt"}, id="a security event token"),
        pytest.param({"typ": "logout+jwt"}, id="a logout token"),
        pytest.param({"typ": ["JWT"]}, id="a list of types"),
        pytest.param({"crit": ["exp"]}, id="something critical that is known"),
        pytest.param({"crit": []}, id="nothing critical, said aloud"),
        pytest.param({"crit": ["b64"], "b64": False}, id="an unencoded payload"),
        pytest.param({"alg": REMOVED}, id="no algorithm"),
        pytest.param({"alg": ["RS256"]}, id="a list of algorithms"),
        pytest.param({"alg": {}}, id="an object for an algorithm"),
        pytest.param({"alg": "rs256"}, id="an algorithm in small letters"),
        pytest.param({"alg": "RS512"}, id="an algorithm that we have not chosen"),
        pytest.param({"kid": 1}, id="a number for a key"),
        pytest.param({"kid": ["google"]}, id="a list of keys"),
        pytest.param({"enc": "A256GCM", "alg": "dir"}, id="an encrypted token"),
    ],
)
def test_another_kind_of_token_is_refused(provider: LyingProvider, way: Way, header: dict[str, Any]) -> None:
    provider.lie.header |= header
    assert reason_of_refusal(partial(way, provider)) == "header"


def test_no_type_is_as_good_as_jwt(provider: LyingProvider, way: Way) -> None:
    provider.lie.header["typ"] = REMOVED
    way(provider)


def as_header(value: bytes) -> Forgery:
    """The good token behind a header of these bytes."""

    def forge(draft: Draft) -> str:
        _, _, rest = forgeries.honest(draft).partition(".")
        return f"{base64.urlsafe_b64encode(value).decode().rstrip('=')}.{rest}"

    return forge


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b'"RS256"', id="a text"),
        pytest.param(b"null", id="null"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b"[" * 10_000, id="deep"),
        pytest.param(b'{"alg":"RS256"', id="broken off"),
        pytest.param('{"alg":"RS256","kid":"google"}'.encode("utf-16"), id="in another encoding"),
        pytest.param(b'{"alg":"RS256","kid":"google","n":' + b"9" * 5000 + b"}", id="a number without end"),
    ],
)
def test_a_header_that_is_none_is_refused(provider: LyingProvider, way: Way, header: bytes) -> None:
    provider.lie.sign = as_header(header)
    assert reason_of_refusal(partial(way, provider)) in ("form", "signature")


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b'"text"', id="a text"),
        pytest.param(b"[" * 9_000, id="deep"),
        pytest.param(b'{"sub": ' + b"9" * 5000 + b"}", id="a number without end"),
    ],
)
def test_a_good_signature_over_no_claims_is_refused(provider: LyingProvider, way: Way, payload: bytes) -> None:
    def sign(draft: Draft) -> str:
        signed = ".".join(
            base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (json.dumps(draft.header).encode(), payload)
        )
        signature = forgeries._signature(draft.key, signed.encode())
        return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    provider.lie.sign = sign
    assert reason_of_refusal(partial(way, provider)) == "payload"


@pytest.mark.parametrize("where", ["before", "after", "inside"])
def test_blanks_and_padding_are_not_overlooked(provider: LyingProvider, way: Way, where: str) -> None:
    forms = {"before": " {}", "after": "{}\n", "inside": "{}="}
    provider.lie.sign = lambda draft: forms[where].format(forgeries.honest(draft))
    assert reason_of_refusal(partial(way, provider)) in ("form", "signature", "header")


# Keys


def test_an_unknown_key_is_asked_for_once_and_no_more(provider: LyingProvider, party: RelyingParty, way: Way) -> None:
    provider.lie.sign = forgeries.unknown_kid
    assert reason_of_refusal(partial(way, provider, party=party)) == "signature"
    assert len(provider.asked("keys")) == 1


def test_keys_that_were_rotated_are_found(provider: LyingProvider, party: RelyingParty, way: Way) -> None:
    provider.rotate_keys()
    way(provider, party=party)
    way(provider, party=party)
    assert len(provider.asked("keys")) == 1


def test_a_new_key_under_the_old_name_is_found(provider: LyingProvider, party: RelyingParty, way: Way) -> None:
    provider.replace_key()
    way(provider, party=party)
    way(provider, party=party)
    assert len(provider.asked("keys")) == 1


def test_the_old_key_is_good_while_it_is_published(provider: LyingProvider, party: RelyingParty, way: Way) -> None:
    old = provider.signing_key
    provider.rotate_keys(keep_old=True)
    way(provider, party=party)
    provider.signing_key = old
    way(provider, party=party)
    provider.published_keys = [key for key in provider.published_keys if key is not old]
    assert reason_of_refusal(partial(way, provider)) == "signature"  # to whoever does not remember it


def test_es256_is_accepted(provider: LyingProvider, way: Way) -> None:
    provider.use_es256()
    assert getattr(way(provider), "subject", None) == GMAIL.sub


def test_a_token_without_the_name_of_its_key_needs_that_there_is_only_one(
    provider: LyingProvider, party: RelyingParty, way: Way
) -> None:
    provider.lie.sign = forgeries.no_kid
    way(provider, party=party)
    provider.published_keys.append(rsa_key("another"))
    assert reason_of_refusal(partial(way, provider)) == "signature"


def test_an_es256_key_does_not_stand_in_the_way_of_the_only_rsa_key(provider: LyingProvider, way: Way) -> None:
    provider.use_es256()
    provider.published_keys.append(rsa_key("another"))
    provider.lie.sign = forgeries.no_kid
    way(provider)
