"""Security event tokens: from whom, for whom, signed by whose keys (RFC 8417)."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.gateways.at_a_provider import now, shown
from tests.providers import faults
from tests.providers.forgeries import REFUSED, REMOVED, Forgery, changed
from tests.providers.lying import LyingProvider
from webapp.errors import ProviderAnswerRefused, ProviderUnavailable
from webapp.gateways import event_issuer
from webapp.gateways.event_issuer import EventIssuer

DISABLED = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"


@pytest.fixture
def issuer(provider: LyingProvider) -> EventIssuer:
    return EventIssuer(provider.risc_metadata_url, (provider.client_id, "our-app-on-android"))


def event_token(provider: LyingProvider, **claims: Any) -> str:
    about = {
        "iss": provider.event_issuer,
        "aud": provider.client_id,
        "iat": now(),
        "jti": "one of its own",
        "events": {DISABLED: {"subject": provider.subject()}},
    }
    return provider.signed(changed(about, claims), typ="secevent+jwt")


def reason_of_refusal(issuer: EventIssuer, token: str) -> object:
    with pytest.raises(ProviderAnswerRefused) as refused:
        issuer.verify(token)
    return refused.value.details["reason"]


def test_an_event_for_us_is_believed(provider: LyingProvider, issuer: EventIssuer) -> None:
    for audience in (provider.client_id, "our-app-on-android", ["another", provider.client_id]):
        assert issuer.verify(event_token(provider, aud=audience))["events"][DISABLED]["subject"] == provider.subject()
    assert [request.endpoint for request in provider.received] == ["risc", "keys"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("iss", value) for value in (REMOVED, None, "https://evil.example", "{issuer}", ["{issuer}/"])),
        *(("aud", value) for value in (REMOVED, None, "", "another", ["another"], [], {}, [["our-app-on-android"]])),
        *(("jti", value) for value in (REMOVED, None, "", 1, "j" * 256)),
        *(("iat", value) for value in (REMOVED, None, "now", True, float("nan"), float("inf"), -1)),
        *(("events", value) for value in (REMOVED, None, {}, [], DISABLED, [DISABLED])),
    ],
    ids=shown,
)
def test_an_event_that_is_not_whole_is_refused(
    provider: LyingProvider, issuer: EventIssuer, name: str, value: object
) -> None:
    told = value.format(issuer=provider.issuer) if isinstance(value, str) else value
    assert reason_of_refusal(issuer, event_token(provider, **{name: told})) == name


def test_an_event_of_tomorrow_is_refused(provider: LyingProvider, issuer: EventIssuer) -> None:
    assert reason_of_refusal(issuer, event_token(provider, iat=now() + 60)) == "iat"
    # It does not expire (section 2.2): how old it may be is not the signature's matter.
    assert issuer.verify(event_token(provider, iat=now() - 86400))


@pytest.mark.parametrize("forgery", REFUSED.values(), ids=REFUSED)
def test_a_forged_event_is_refused(provider: LyingProvider, issuer: EventIssuer, forgery: Forgery) -> None:
    provider.lie.sign = forgery
    assert reason_of_refusal(issuer, event_token(provider)) in ("form", "header", "payload", "signature")
    assert provider.asked("foreign_keys") == []


def test_an_id_token_is_no_event(provider: LyingProvider, issuer: EventIssuer) -> None:
    token = provider.id_token(nonce="n", iss=provider.event_issuer, jti="j")
    assert reason_of_refusal(issuer, token) == "events"
    provider.lie.header["typ"] = "at+jwt"
    assert reason_of_refusal(issuer, event_token(provider)) == "header"


def test_new_keys_are_found(provider: LyingProvider, issuer: EventIssuer) -> None:
    issuer.verify(event_token(provider))
    for change in (provider.rotate_keys, provider.replace_key):
        change()
        issuer.verify(event_token(provider))


Document = Callable[[LyingProvider], object]


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(lambda _p: [], id="a list"),
        pytest.param(lambda _p: {}, id="nothing"),
        pytest.param(lambda p: {"issuer": "https://evil.example", "jwks_uri": f"{p.issuer}/keys"}, id="another issuer"),
        pytest.param(lambda p: {"issuer": f"{p.issuer}.evil.example", "jwks_uri": f"{p.issuer}/keys"}, id="its likes"),
        pytest.param(lambda p: {"issuer": [p.issuer], "jwks_uri": f"{p.issuer}/keys"}, id="a list of issuers"),
        pytest.param(lambda p: {"issuer": "http://[", "jwks_uri": f"{p.issuer}/keys"}, id="an address that is none"),
        pytest.param(lambda p: {"issuer": f"{p.issuer}/"}, id="no keys"),
        pytest.param(lambda p: {"issuer": f"{p.issuer}/", "jwks_uri": "file:///etc/passwd"}, id="keys in a file"),
        pytest.param(lambda p: {"issuer": f"{p.issuer}/", "jwks_uri": "/keys"}, id="keys nowhere"),
        pytest.param(lambda p: {"issuer": f"{p.issuer}/", "jwks_uri": "http://a@b.example/k"}, id="keys of somebody"),
    ],
)
def test_a_configuration_that_does_not_fit_is_not_used(
    provider: LyingProvider, issuer: EventIssuer, document: Document
) -> None:
    provider.lie.answers["risc"] = faults.json(document(provider))
    with pytest.raises(ProviderUnavailable):
        issuer.verify(event_token(provider))
    assert provider.asked("keys") == []
    del provider.lie.answers["risc"]
    assert issuer.verify(event_token(provider))


def test_the_configuration_is_asked_for_once_an_hour(
    provider: LyingProvider, issuer: EventIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        issuer.verify(event_token(provider))
    assert len(provider.asked("risc")) == 1
    monkeypatch.setattr(event_issuer, "CONFIGURATION_FRESH", 0.0)
    issuer.verify(event_token(provider))
    assert len(provider.asked("risc")) == 2
