"""The calls as somebody outside knows them: by nothing but the names in the contract, over real HTTP."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.journeys.provider_apps import challenge_of, claims_of
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings
from tests.servers.fixtures import NewSite
from tests.servers.site import LiveSite

CUSTOM, LOOPBACK = "com.example.app:/callback", "http://127.0.0.1/callback"
TOKENS = {"access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "session_id"}


@pytest.fixture(scope="module")
def running_site(new_site: NewSite, _google_provider: LyingProvider) -> LiveSite:
    return new_site(**google_settings(_google_provider), API_REDIRECT_URIS=f"{CUSTOM},{LOOPBACK}")


@pytest.fixture
def site(running_site: LiveSite, provider: LyingProvider) -> LiveSite:
    client = replace(provider.client, redirect_uris=(f"{running_site.url}/login/google/callback",))
    provider.clients = {client.client_id: client}
    return running_site


@pytest.fixture
def post(site: LiveSite) -> Callable[..., requests.Response]:
    def call(path: str, json: dict[str, Any] | None = None) -> requests.Response:
        return requests.post(f"{site.url}/api/v1/auth/google/{path}", json=json, timeout=60)

    return call


def code_of(site: LiveSite, provider: LyingProvider, redirect_uri: str, verifier: str) -> str:
    """Through the browser: to the provider, back to the site, and on to the app."""
    state = secrets.token_urlsafe()
    query = {
        "redirect_uri": redirect_uri,
        "state": state,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    with requests.Session() as browser:
        address = f"{site.url}/api/v1/auth/google/authorize"
        sent = browser.get(address, params=query, allow_redirects=False, timeout=60)
        assert sent.status_code == 302
        assert sent.headers["Location"].startswith(provider.issuer)
        callback = provider.approve(sent.headers["Location"])
        assert callback.startswith(f"{site.url}/login/google/callback?")
        back = browser.get(callback, allow_redirects=False, timeout=60)
    assert back.is_redirect
    assert back.headers["Location"].startswith(f"{redirect_uri}?")
    answer = parse_qs(urlsplit(back.headers["Location"]).query)
    assert answer["state"] == [state]
    assert answer["iss"] == [site.url]
    return answer["code"][0]


def assert_tokens(site: LiveSite, answer: requests.Response) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.json().keys() == TOKENS
    claims = claims_of(answer.json()["access_token"])
    assert claims.keys() == {"iss", "aud", "sub", "sid", "jti", "iat", "nbf", "exp", "auth_time", "amr"}
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    me = requests.get(f"{site.url}/api/v1/me", headers=bearer, timeout=60).json()
    assert me["email_verified"] is True
    refreshed = requests.post(
        f"{site.url}/api/v1/auth/refresh", json={"refresh_token": answer.json()["refresh_token"]}, timeout=60
    )
    assert refreshed.status_code == 200
    assert refreshed.json().keys() == TOKENS


@pytest.mark.parametrize("redirect_uri", [CUSTOM, "http://127.0.0.1:49152/callback"])
def test_authorize_and_token(
    site: LiveSite, provider: LyingProvider, post: Callable[..., requests.Response], redirect_uri: str
) -> None:
    verifier = secrets.token_urlsafe(48)
    code = code_of(site, provider, redirect_uri, verifier)
    body = {"code": code, "code_verifier": verifier, "redirect_uri": redirect_uri}
    assert_tokens(site, post("token", body))
    again = post("token", body)
    assert again.status_code == 400
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.json()["code"]


def test_nonce_and_id_token(site: LiveSite, provider: LyingProvider, post: Callable[..., requests.Response]) -> None:
    answer = post("nonce")
    assert answer.status_code == 200
    assert answer.json().keys() == {"nonce", "expires_in"}
    assert answer.json()["expires_in"] == 300
    nonce = answer.json()["nonce"]
    body = {"id_token": provider.id_token(nonce=nonce), "nonce": nonce}
    assert_tokens(site, post("id-token", body))
    assert post("id-token", body).status_code == 401
    assert code_of(site, provider, CUSTOM, secrets.token_urlsafe(48)) not in site.log_text
    assert nonce not in site.log_text
