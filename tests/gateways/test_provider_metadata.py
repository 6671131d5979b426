"""What the provider says of itself: believed only where it is the provider that we are set up for."""

from typing import Any

import pytest

from tests.gateways.at_a_provider import new_handshake, relying_party, shown, sign_in
from tests.providers import faults
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from webapp.errors import ProviderUnavailable
from webapp.gateways import provider_metadata
from webapp.gateways.provider_metadata import METADATA_FRESH, METADATA_KEPT, METADATA_RETRY, _checked
from webapp.gateways.relying_party import RelyingParty

ISSUER = "https://issuer.example"


class Hours:
    """A clock for the age of the metadata."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    clock = Hours()
    monkeypatch.setattr(provider_metadata, "time", clock)
    return clock


@pytest.fixture
def party(provider: LyingProvider) -> RelyingParty:
    return relying_party(provider)


def start(party: RelyingParty) -> str:
    return party.authorization_url(new_handshake())


def reason_of(party: RelyingParty) -> object:
    with pytest.raises(ProviderUnavailable) as unavailable:
        start(party)
    return unavailable.value.details["reason"]


@pytest.mark.asvs("10.5.3")
@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("https://evil.example", id="another"),
        pytest.param(REMOVED, id="missing"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param(lambda p: [p.issuer], id="a list with it"),
        pytest.param(lambda p: p.issuer + ".evil.example", id="one that only begins like it"),
        pytest.param(lambda p: p.issuer + "/tenant", id="one behind it"),
        pytest.param(lambda p: p.issuer + "//", id="with two slashes"),
        pytest.param(lambda p: p.issuer.upper(), id="in capitals"),
        pytest.param(lambda p: p.metadata_url, id="the address of the document"),
    ],
)
def test_metadata_of_another_issuer_is_not_used(provider: LyingProvider, party: RelyingParty, issuer: Any) -> None:
    provider.lie.metadata["issuer"] = issuer(provider) if callable(issuer) else issuer
    assert reason_of(party) == "issuer"
    assert [request.endpoint for request in provider.received] == ["metadata"]


def test_an_issuer_that_ends_in_a_slash_is_taken_at_its_word(provider: LyingProvider) -> None:
    with_slash = f"{provider.issuer}/"
    provider.lie.metadata["issuer"] = provider.lie.claims["iss"] = provider.lie.callback["iss"] = with_slash
    assert sign_in(provider).issuer == with_slash


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "address",
    [
        *(REMOVED, None, "", 1, ["https://issuer.example/"], "/token", "//issuer.example/token", "javascript:alert(1)"),
        *("file:///etc/passwd", "ftp://issuer.example/", "https://", "https://user@issuer.example/", "https://[::1"),
        *("https://issuer.example/#part", "https://issuer.example:port/", "https://issuer.example/\n", "https://ü.com"),
    ],
    ids=shown,
)
def test_an_address_that_is_none_is_not_used(
    provider: LyingProvider, party: RelyingParty, name: str, address: object
) -> None:
    provider.lie.metadata[name] = address
    assert reason_of(party) == name


@pytest.mark.parametrize("name", ["userinfo_endpoint", "revocation_endpoint"])
def test_addresses_that_may_be_missing_are_checked_where_they_are_there(provider: LyingProvider, name: str) -> None:
    for nothing in (REMOVED, None):
        provider.lie.metadata[name] = nothing
        start(relying_party(provider))
    for wrong in ("", "javascript:alert(1)", 1):
        provider.lie.metadata[name] = wrong
        assert reason_of(relying_party(provider)) == name


HONEST = {
    "issuer": ISSUER,
    **{name: f"{ISSUER}/{name}" for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")},
}


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
def test_a_provider_on_https_leads_nowhere_without(name: str) -> None:
    assert _checked(HONEST, ISSUER, is_secure=True).issuer == ISSUER
    with pytest.raises(ProviderUnavailable):
        _checked({**HONEST, name: "http://issuer.example/"}, ISSUER, is_secure=True)


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        (["client_secret_basic", "client_secret_post"], "client_secret_post"),
        (["private_key_jwt", "client_secret_post"], "client_secret_post"),
        (["client_secret_basic"], "client_secret_basic"),
        (["private_key_jwt"], "client_secret_basic"),
        (REMOVED, "client_secret_basic"),  # OpenID Connect Discovery 1.0, section 3
        *((nonsense, "client_secret_basic") for nonsense in (None, [], 5, True, "client_secret_post", {})),
    ],
    ids=shown,
)
def test_how_we_say_who_we_are_is_what_the_provider_offers(offered: object, used: str) -> None:
    told = {} if offered is REMOVED else {"token_endpoint_auth_methods_supported": offered}
    assert _checked({**HONEST, **told}, ISSUER, is_secure=True).client_auth == used


@pytest.mark.parametrize("announced", [REMOVED, None, False, "true", 1, [True]], ids=shown)
def test_only_true_announces_an_issuer_in_the_answer(announced: object) -> None:
    told = {} if announced is REMOVED else {"authorization_response_iss_parameter_supported": announced}
    assert _checked({**HONEST, **told}, ISSUER, is_secure=True).sends_issuer is False


# How long it is remembered


def test_it_is_asked_for_once_an_hour(provider: LyingProvider, party: RelyingParty, hours: Hours) -> None:
    for _ in range(3):
        start(party)
    hours.now += METADATA_FRESH - 1
    start(party)
    assert len(provider.asked("metadata")) == 1
    hours.now += 1
    start(party)
    assert len(provider.asked("metadata")) == 2


def test_a_provider_that_is_away_is_known_for_a_day_and_asked_now_and_then(
    provider: LyingProvider, party: RelyingParty, hours: Hours
) -> None:
    start(party)
    provider.lie.answers["metadata"] = faults.failing()
    hours.now += METADATA_FRESH
    for _ in range(5):
        assert start(party).startswith(f"{provider.issuer}/authorize?")
    assert len(provider.asked("metadata")) == 2
    hours.now += METADATA_RETRY
    start(party)
    assert len(provider.asked("metadata")) == 3


def test_what_a_provider_once_said_is_forgotten_after_a_day(
    provider: LyingProvider, party: RelyingParty, hours: Hours
) -> None:
    start(party)
    provider.lie.answers["metadata"] = faults.failing()
    hours.now += METADATA_KEPT
    assert reason_of(party) == "status_500"
    del provider.lie.answers["metadata"]
    start(party)


def test_a_provider_that_turns_into_another_is_as_good_as_away(
    provider: LyingProvider, party: RelyingParty, hours: Hours
) -> None:
    start(party)
    provider.lie.metadata |= {"issuer": "https://evil.example", "token_endpoint": "https://evil.example/token"}
    hours.now += METADATA_FRESH
    assert start(party).startswith(f"{provider.issuer}/authorize?")
    hours.now += METADATA_KEPT
    assert reason_of(party) == "issuer"


def test_whoever_never_answered_is_asked_again_at_once(provider: LyingProvider, party: RelyingParty) -> None:
    provider.lie.answers["metadata"] = faults.then(faults.hangs_up(), faults.garbage())
    for _ in range(2):
        reason_of(party)
    assert start(party).startswith(f"{provider.issuer}/authorize?")


def test_one_provider_that_is_away_leaves_the_other_alone(
    provider: LyingProvider, other_provider: LyingProvider
) -> None:
    provider.lie.answers["metadata"] = faults.failing()
    other = relying_party(other_provider, name="acme")
    reason_of(relying_party(provider))
    assert start(other).startswith(f"{other_provider.issuer}/authorize?")
