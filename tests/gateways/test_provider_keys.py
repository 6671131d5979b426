"""The provider's keys: fetched when they are needed, remembered as long as it says, and only those that may sign."""

import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.gateways.at_a_provider import new_handshake, relying_party, show_id_token, shown
from tests.providers import faults, forgeries
from tests.providers.keys import ec_key, rsa_key
from tests.providers.lying import LyingProvider
from webapp.errors import ProviderAnswerRefused, ProviderUnavailable
from webapp.gateways import provider_keys
from webapp.gateways.relying_party import RelyingParty


@pytest.fixture
def party(provider: LyingProvider) -> RelyingParty:
    """One that has asked for nothing yet."""
    return relying_party(provider)


def key_set(*keys: Any, **headers: str) -> faults.Fault:
    """An answer with these keys."""
    return faults.answer(200, json.dumps({"keys": list(keys)}).encode(), **headers)


def public(provider: LyingProvider, **changes: Any) -> dict[str, Any]:
    """The provider's own key as it is published."""
    return forgeries.changed(provider.signing_key.as_dict(private=False), changes)


def is_accepted(provider: LyingProvider) -> bool:
    try:
        show_id_token(provider)
    except ProviderAnswerRefused as refused:
        if refused.details["reason"] == "signature":
            return False
        raise
    return True


def test_they_are_fetched_once_and_not_before_a_token_is_there(provider: LyingProvider, party: RelyingParty) -> None:
    party.authorization_url(new_handshake())
    assert provider.asked("keys") == []
    for _ in range(3):
        show_id_token(provider, party=party)
    assert len(provider.asked("keys")) == 1


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("max-age=1000", 1000),
        ("public, max-age=19845, must-revalidate, no-transform", 19845),
        ("max-age=0", 300),
        ("no-store", 300),
        ("", 300),
        ("s-maxage=7000", 300),
        ("max-age=999999999", 86400),
        ("max-age=99999999999999999999", 86400),
        ("max-age=-5", 300),
        ("max-age=soon", 300),
    ],
)
def test_they_are_good_for_as_long_as_the_provider_says_within_reason(
    provider: LyingProvider, party: RelyingParty, monkeypatch: pytest.MonkeyPatch, cache_control: str, seconds: int
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(provider_keys, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    provider.lie.answers["keys"] = key_set(public(provider), cache_control=cache_control)
    show_id_token(provider, party=party)
    clock[0] += seconds - 1
    show_id_token(provider, party=party)
    assert len(provider.asked("keys")) == 1
    clock[0] += 2
    show_id_token(provider, party=party)
    assert len(provider.asked("keys")) == 2


def test_forged_tokens_make_nobody_ask_without_end(
    provider: LyingProvider, party: RelyingParty, monkeypatch: pytest.MonkeyPatch
) -> None:
    most, _ = provider_keys.SOONEST_REFETCHES
    show_id_token(provider, party=party)
    provider.lie.sign = forgeries.unknown_kid
    for _ in range(most + 5):
        with pytest.raises(ProviderAnswerRefused):
            show_id_token(provider, party=party)
    assert len(provider.asked("keys")) == 1 + most
    # Good tokens are not held up by that, and after a while a new key is found again.
    provider.lie.sign = forgeries.honest
    show_id_token(provider, party=party)
    provider.rotate_keys()
    monkeypatch.setattr(provider_keys, "SOONEST_REFETCHES", (most, 0.0))
    show_id_token(provider, party=party)


def test_many_forged_tokens_at_once_share_what_may_be_asked(provider: LyingProvider, party: RelyingParty) -> None:
    show_id_token(provider, party=party)
    provider.lie.sign = forgeries.unknown_kid
    token = provider.id_token(nonce="n")
    start = threading.Barrier(12)

    def show() -> None:
        start.wait()
        with pytest.raises((ProviderAnswerRefused, ProviderUnavailable)):
            party.identify(token, "n")

    crowd = [threading.Thread(target=show) for _ in range(12)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    assert len(provider.asked("keys")) <= 1 + provider_keys.SOONEST_REFETCHES[0]


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param(lambda _p: [], id="none"),
        pytest.param(lambda p: [public(p, use="enc")], id="one for encryption"),
        pytest.param(lambda p: [public(p, use=["sig"])], id="a list of uses"),
        pytest.param(lambda p: [public(p, alg="PS256")], id="one for another algorithm"),
        pytest.param(lambda p: [public(p, key_ops=["encrypt"])], id="one that may not verify"),
        pytest.param(lambda p: [public(p, kid="other")], id="one of another name"),
        pytest.param(lambda p: [public(p, kid=1)], id="one named by a number"),
        pytest.param(lambda p: [rsa_key("another", str(p.signing_key.kid)).as_dict(private=False)], id="another"),
        pytest.param(lambda p: [ec_key("another", str(p.signing_key.kid)).as_dict(private=False)], id="another kind"),
        pytest.param(lambda p: [{**OctKey.generate_key(256).as_dict(), "kid": p.signing_key.kid}], id="a shared one"),
    ],
)
def test_a_key_that_does_not_fit_is_not_used(provider: LyingProvider, keys: Any) -> None:
    provider.lie.answers["keys"] = key_set(*keys(provider))
    assert not is_accepted(provider)


def test_a_weak_key_is_not_used(provider: LyingProvider) -> None:
    with pytest.warns(match="2048"):  # says joserfc
        weak = RSAKey.generate_key(1024, {"kid": "weak", "use": "sig", "alg": "RS256"})
    provider.signing_key, provider.published_keys = weak, [weak]
    with pytest.warns(match="2048"):
        assert not is_accepted(provider)


def test_another_curve_is_not_used(provider: LyingProvider) -> None:
    other = ECKey.generate_key("P-384", {"kid": "p384", "use": "sig"})
    provider.lie.answers["keys"] = key_set(other.as_dict(private=False))
    provider.lie.header |= {"alg": "ES256", "kid": "p384"}
    assert not is_accepted(provider)


@pytest.mark.parametrize(
    "junk",
    [
        *(None, 1, "key", [], {}, {"kty": "RSA"}, {"kty": "EC", "crv": "P-256"}, {"kty": ["RSA"]}, {"kty": "new"}),
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "google"},
        {"kty": "RSA", "n": 5, "e": None, "kid": "google"},
        {"kty": "RSA", "n": "!", "e": "ü", "kid": "google"},
        {"kty": "RSA", "n": "A" * 100_000, "e": "AQAB", "kid": "google"},
        {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA", "kid": "google"},
    ],
    ids=shown,
)
def test_what_is_no_key_is_passed_over(provider: LyingProvider, junk: object) -> None:
    provider.lie.answers["keys"] = key_set(junk, public(provider))
    assert is_accepted(provider)


def test_a_key_without_a_name_is_for_tokens_without_one(provider: LyingProvider) -> None:
    provider.lie.answers["keys"] = key_set(public(provider, kid=forgeries.REMOVED))
    for forgery, accepted in ((forgeries.no_kid, True), (forgeries.honest, False)):
        provider.lie.sign = forgery
        assert is_accepted(provider) is accepted
    provider.lie.header["kid"] = "\x000"
    provider.lie.sign = forgeries.honest
    assert not is_accepted(provider)


@pytest.mark.parametrize("document", [[], {}, {"keys": None}, {"keys": {}}, {"keys": "RSA"}], ids=shown)
def test_a_document_without_a_list_of_keys_is_no_answer(provider: LyingProvider, document: object) -> None:
    provider.lie.answers["keys"] = faults.json(document)
    with pytest.raises(ProviderUnavailable):
        show_id_token(provider)


def test_a_provider_whose_keys_cannot_be_had_proves_nobody_and_recovers(
    provider: LyingProvider, party: RelyingParty
) -> None:
    provider.lie.answers["keys"] = faults.then(faults.failing(), faults.garbage())
    for _ in range(2):
        with pytest.raises(ProviderUnavailable):
            show_id_token(provider, party=party)
    show_id_token(provider, party=party)


def test_what_was_known_stays_known_when_asking_anew_fails(provider: LyingProvider, party: RelyingParty) -> None:
    show_id_token(provider, party=party)
    provider.lie.answers["keys"] = faults.failing()
    provider.lie.sign = forgeries.unknown_kid
    with pytest.raises(ProviderUnavailable):
        show_id_token(provider, party=party)
    provider.lie.sign = forgeries.honest
    show_id_token(provider, party=party)
