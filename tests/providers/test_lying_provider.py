"""The provider of the tests lies where it is told to, and nowhere else."""

import json
import socket
import threading
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import requests
from joserfc.errors import JoseError

from stand_in.people import GMAIL
from tests.providers import faults, forgeries
from tests.providers.client import PlainClient, answer_in, verified
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider


@pytest.fixture
def client(provider: LyingProvider) -> PlainClient:
    """The client that the provider knows."""
    return PlainClient(provider.issuer, provider.client)


def fetched(url: str) -> requests.Response:
    return requests.get(url, timeout=60, allow_redirects=False)


def test_without_a_lie_somebody_signs_in(provider: LyingProvider, client: PlainClient, people: SimpleNamespace) -> None:
    callback = provider.approve(client.authorization_url(), people.company)
    assert answer_in(callback) == {"code": answer_in(callback)["code"], "state": client.state, "iss": provider.issuer}
    tokens = client.exchange(callback).json()
    claims = client.claims(tokens["id_token"])
    assert claims["iss"] == provider.issuer
    assert claims["aud"] == provider.client_id
    assert claims["nonce"] == client.nonce
    assert (claims["sub"], claims["hd"]) == (people.company.sub, "example.org")
    assert "refresh_token" not in tokens


def test_it_notes_what_it_was_asked(provider: LyingProvider, client: PlainClient) -> None:
    client.exchange(provider.approve(client.authorization_url(scope="openid")))
    asked = [request.endpoint for request in provider.received]
    assert asked == ["authorize", "choose", "token"]
    token_request = provider.asked("token")[0]
    assert token_request.form["code_verifier"] == client.verifier
    assert token_request.headers["Authorization"].startswith("Basic ")
    assert provider.asked("authorize")[0].args["scope"] == "openid"


def test_one_test_knows_nothing_of_the_lies_of_another(provider: LyingProvider) -> None:
    provider.lie.claims["aud"] = "other"
    provider.lie.answers["keys"] = faults.garbage()
    provider.rotate_keys()
    provider.reset()
    assert fetched(f"{provider.issuer}/keys").json() == {"keys": [provider.signing_key.as_dict(private=False)]}
    assert provider.lie.claims == {}
    assert provider.signing_key.kid == "google"


def test_two_providers_share_nothing(provider: LyingProvider, other_provider: LyingProvider) -> None:
    assert provider.issuer != other_provider.issuer
    assert provider.key_set() != other_provider.key_set()
    assert provider.client != other_provider.client
    assert other_provider.redirect_uri.endswith("/login/acme/callback")


# The way back


def test_the_callback_can_be_altered_by_the_browser_or_by_the_provider(
    provider: LyingProvider, client: PlainClient
) -> None:
    altered = answer_in(provider.approve(client.authorization_url(), state="other", iss=REMOVED))
    assert altered["state"] == "other"
    assert "iss" not in altered
    provider.lie.callback["iss"] = "https://evil.example"
    assert answer_in(provider.approve(client.authorization_url()))["iss"] == "https://evil.example"


def test_somebody_who_cancels_brings_back_an_error(provider: LyingProvider, client: PlainClient) -> None:
    cancelled = answer_in(provider.deny(client.authorization_url()))
    assert (cancelled["error"], cancelled["state"]) == ("access_denied", client.state)
    assert "code" not in cancelled
    assert "state" not in answer_in(provider.deny(client.authorization_url(), state=REMOVED))


def test_a_request_that_an_honest_provider_refuses_is_not_approved(
    provider: LyingProvider, client: PlainClient
) -> None:
    assert answer_in(provider.approve(client.authorization_url(code_challenge=None)))["error"] == "invalid_request"
    with pytest.raises(AssertionError, match="redirect_uri"):
        provider.approve(client.authorization_url(redirect_uri="https://evil.example/"))


def test_a_code_works_again_only_where_the_provider_forgets_codes(provider: LyingProvider, client: PlainClient) -> None:
    callback = provider.approve(client.authorization_url())
    assert client.exchange(callback).status_code == 200
    assert client.exchange(callback).status_code == 400
    provider.lie.forgets_used_codes = True
    assert client.exchange(callback).status_code == 200


# Tokens


def test_claims_headers_answers_and_userinfo_can_be_changed(provider: LyingProvider, client: PlainClient) -> None:
    provider.lie.claims |= {"aud": ["a", "b"], "nonce": REMOVED}
    provider.lie.header["typ"] = "other"
    provider.lie.token["expires_in"] = "soon"
    provider.lie.userinfo["sub"] = "mallory"
    tokens = client.exchange(provider.approve(client.authorization_url())).json()
    claims = client.claims(tokens["id_token"])
    assert claims["aud"] == ["a", "b"]
    assert "nonce" not in claims
    assert tokens["expires_in"] == "soon"
    who = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert requests.get(f"{provider.issuer}/userinfo", headers=who, timeout=60).json()["sub"] == "mallory"


@pytest.mark.parametrize("name", sorted(set(forgeries.REFUSED) - {"unknown_critical_header", "jku", "x5u"}))
def test_what_is_forged_does_not_verify(provider: LyingProvider, name: str) -> None:
    keys = provider.key_set()
    assert verified(provider.id_token(), keys)["sub"] == GMAIL.sub
    provider.lie.sign = forgeries.REFUSED[name]
    with pytest.raises((JoseError, ValueError)):
        verified(provider.id_token(), keys)


def test_a_key_can_be_rotated_or_replaced_or_of_another_kind(provider: LyingProvider, client: PlainClient) -> None:
    kids = [provider.signing_key.kid]
    for change in (provider.rotate_keys, provider.replace_key, provider.use_es256):
        before = provider.key_set()
        change()
        kids.append(provider.signing_key.kid)
        assert client.claims(provider.id_token())["aud"] == provider.client_id
        with pytest.raises((JoseError, ValueError)):
            verified(provider.id_token(), before)
    assert kids == ["google", "google-rotated", "google-rotated", "google-ec"]
    assert fetched(provider.metadata_url).json()["id_token_signing_alg_values_supported"] == ["ES256"]


def test_an_id_token_for_an_app_says_what_it_is_told(
    provider: LyingProvider, client: PlainClient, people: SimpleNamespace
) -> None:
    token = provider.id_token(nonce="n", person=people.korean, azp="android-app", exp=REMOVED)
    claims = client.claims(token)
    assert (claims["nonce"], claims["azp"], claims["name"]) == ("n", "android-app", "김서연")
    assert "exp" not in claims


def test_a_security_event_is_signed_by_the_same_keys(provider: LyingProvider, client: PlainClient) -> None:
    configuration = fetched(provider.risc_metadata_url).json()
    assert configuration["jwks_uri"] == f"{provider.issuer}/keys"
    revoked = "https://schemas.openid.net/secevent/risc/event-type/sessions-revoked"
    token = provider.security_event_token({revoked: {"subject": provider.subject()}}, jti="once")
    claims = client.claims(token)
    assert claims["iss"] == configuration["issuer"]
    assert claims["aud"] == provider.client_id
    assert claims["jti"] == "once"
    assert claims["events"][revoked]["subject"]["sub"]
    assert "exp" not in claims


# Faults


@pytest.mark.parametrize("endpoint", ["/.well-known/openid-configuration", "/keys", "/userinfo"])
@pytest.mark.parametrize(
    ("fault", "status"),
    [(faults.failing(503), 503), (faults.redirect("/elsewhere"), 302), (faults.error(), 400), (faults.garbage(), 200)],
)
def test_any_endpoint_can_answer_anything(
    provider: LyingProvider, endpoint: str, fault: faults.Fault, status: int
) -> None:
    provider.lie.answers = dict.fromkeys(("metadata", "keys", "userinfo"), fault)
    assert fetched(provider.issuer + endpoint).status_code == status


def test_a_fault_may_come_once_and_go(provider: LyingProvider) -> None:
    provider.lie.answers["keys"] = faults.then(None, faults.failing())
    answers = [fetched(f"{provider.issuer}/keys").status_code for _ in range(3)]
    assert answers == [200, 500, 200]


@pytest.mark.parametrize(
    "fault",
    [faults.huge(), faults.endless(), faults.endless_headers(), faults.slow_body(0.001), faults.slow_headers(0)],
)
def test_what_never_ends_goes_on_until_the_client_hangs_up(provider: LyingProvider, fault: faults.Fault) -> None:
    provider.lie.answers["keys"] = fault
    with connected(provider) as client:
        got = sum(len(client.recv(4096)) for _ in range(50))
    assert got > 50
    provider.lie.answers.clear()
    assert fetched(f"{provider.issuer}/keys").status_code == 200


@pytest.mark.parametrize(
    "fault", [faults.breaks_off(), faults.hangs_up(), faults.not_http(), faults.silent(), faults.deep()]
)
def test_what_no_client_can_read(provider: LyingProvider, fault: faults.Fault) -> None:
    provider.lie.answers["keys"] = fault
    with pytest.raises((requests.RequestException, ValueError, RecursionError)):
        requests.get(f"{provider.issuer}/keys", timeout=0.3).json()


def test_an_answer_can_be_held_until_the_test_lets_it_go(provider: LyingProvider) -> None:
    release = threading.Event()
    provider.lie.answers["keys"] = faults.held_until(release)
    with connected(provider) as client:
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        release.set()
        client.settimeout(10)
        received = b"".join(iter(lambda: client.recv(65536), b""))
    assert json.loads(received.partition(b"\r\n\r\n")[2]) == provider.key_set()


def connected(provider: LyingProvider) -> socket.socket:
    """A connection on which the keys have been asked for."""
    port = urlsplit(provider.issuer).port
    assert port
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(f"GET /keys HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return client
