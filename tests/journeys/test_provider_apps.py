"""Apps sign in with a provider: by the system's browser, or with an ID token of the provider's SDK."""

import base64
import hashlib
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask

from tests.apps import App, refusal
from tests.conftest import NewApp
from tests.people import Browser
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, google_settings

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
CUSTOM, LOOPBACK = "com.example.app:/callback", "http://127.0.0.1/callback"


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider) -> Flask:
    return new_app(**google_settings(provider), API_REDIRECT_URIS=f"{CUSTOM},{LOOPBACK}")


def authorize(browser: Browser, redirect_uri: str = CUSTOM, **changes: str) -> str:
    query = {
        "redirect_uri": redirect_uri,
        "state": "app state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    answer = browser.get(f"/api/v1/auth/google/authorize?{urlencode(query | changes)}")
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


@pytest.mark.parametrize("redirect_uri", [CUSTOM, "http://127.0.0.1:49152/callback"])
def test_an_app_gets_tokens_for_the_code_that_comes_back(
    site: Flask, provider: LyingProvider, redirect_uri: str
) -> None:
    browser, app = Browser(site), App(site)
    back = come_back(browser, provider.approve(authorize(browser, redirect_uri))).headers["Location"]
    assert back.startswith(redirect_uri + "?")
    answer = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    assert answer["state"] == "app state"
    assert answer["iss"] == browser.base_url
    tokens = app.post(
        "/auth/google/token", {"code": answer["code"], "code_verifier": VERIFIER, "redirect_uri": redirect_uri}
    )
    assert tokens.status_code == 200, tokens.text
    app.access_token = tokens.json["access_token"]
    assert app.get("/me").json["email_verified"] is True
    assert app.get("/auth/session").json["amr"] == ["google"]
    again = app.post(
        "/auth/google/token", {"code": answer["code"], "code_verifier": VERIFIER, "redirect_uri": redirect_uri}
    )
    assert refusal(again) == (400, "code_invalid")


def test_an_id_token_of_the_sdk_signs_in_once(site: Flask, provider: LyingProvider) -> None:
    app = App(site)
    nonce = app.post("/auth/google/nonce").json
    assert nonce["expires_in"] == 300
    body = {"id_token": provider.id_token(nonce=nonce["nonce"]), "nonce": nonce["nonce"]}
    assert app.post("/auth/google/id-token", body).status_code == 200
    assert refusal(app.post("/auth/google/id-token", body)) == (401, "provider_answer_refused")
