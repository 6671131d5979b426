"""The relying party at a provider that others have written: oidc-provider-mock."""

import logging
import re
import warnings
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.gateways.at_a_provider import new_handshake
from tests.providers.fixtures import PUBLIC_URL
from webapp.errors import ProviderAnswerRefused
from webapp.gateways.relying_party import Handshake, RelyingParty
from webapp.provider_settings import DISCOVERY_PATH, ProviderConfig

# It stands on parts of Authlib that are on their way out.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

ALICE = {"email": "alice@example.com", "email_verified": True, "name": "Alice Elsewhere", "locale": "ko"}


@pytest.fixture
def mock(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """Its address on this machine, with Alice among its users."""
    caplog.set_level(logging.WARNING, "werkzeug")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from oidc_provider_mock import User, run_server_in_thread

    with run_server_in_thread(user_claims=[User(sub="alice", claims=dict(ALICE))], require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def party(mock: str) -> RelyingParty:
    return RelyingParty(ProviderConfig("mock", "Mock", mock + DISCOVERY_PATH, "any-client", "any-secret"), PUBLIC_URL)


def approved(url: str) -> dict[str, str]:
    """What Alice's browser brings back."""
    with requests.Session() as browser:
        assert re.search("alice", browser.get(url, timeout=60).text)
        answer = browser.post(url, {"sub": "alice"}, allow_redirects=False, timeout=60)
    assert answer.headers["Location"].startswith(f"{PUBLIC_URL}/login/mock/callback?")
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def test_somebody_signs_in(mock: str, party: RelyingParty) -> None:
    handshake = new_handshake()
    answer = approved(party.authorization_url(handshake))
    assert answer["state"] == handshake.state
    party.check_response_issuer(answer.get("iss"))  # it announces none and sends none
    proven = party.exchange(answer["code"], handshake)
    assert (proven.issuer, proven.subject) == (mock, "alice")
    # It has the address in UserInfo only.
    assert (proven.email, proven.email_verified) == (ALICE["email"], True)
    assert (proven.name, proven.locale) == (ALICE["name"], "ko")
    assert proven.tokens is not None
    assert party.renew(str(proven.tokens.refresh_token)).access_token != proven.tokens.access_token


def test_the_answer_to_another_request_is_refused(party: RelyingParty) -> None:
    handshake = new_handshake()
    code = approved(party.authorization_url(handshake))["code"]
    with pytest.raises(ProviderAnswerRefused) as refused:
        party.exchange(code, Handshake(handshake.state, new_handshake().nonce, handshake.code_verifier))
    assert refused.value.details == {"reason": "nonce"}
