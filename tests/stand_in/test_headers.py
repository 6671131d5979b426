"""What every answer of the stand-in carries, and what it says of itself."""

import pytest
import requests

from stand_in.clients import Client, form_targets
from stand_in.provider import Provider
from tests.providers.client import PATIENCE, PlainClient
from tests.stand_in.conftest import PersonAtBrowser


def policy_of(answer: requests.Response) -> dict[str, str]:
    directives = (
        directive.strip().partition(" ") for directive in answer.headers["Content-Security-Policy"].split(";")
    )
    return {name: value for name, _, value in directives}


@pytest.mark.parametrize(
    "path", ["/", "/authorize", "/keys", "/token", "/nowhere", "/static/stand_in.css", "/people/1.svg", "/choose"]
)
def test_every_answer_is_locked_down(provider: Provider, path: str) -> None:
    answer = requests.get(provider.issuer + path, timeout=PATIENCE)
    policy = policy_of(answer)
    assert policy["default-src"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert "Werkzeug" not in str(answer.headers)
    assert "Set-Cookie" not in answer.headers


def test_the_page_may_send_its_form_to_where_the_answer_goes(client: PlainClient, browser: PersonAtBrowser) -> None:
    page = browser.open(client.authorization_url())
    assert policy_of(page)["form-action"].split()[:2] == ["'self'", "http://127.0.0.1:8000"]
    assert page.headers["Cache-Control"] == "no-store"
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "no real Google account" in page.text


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("https://login.example.com/login/google/callback", "https://login.example.com"),
        ("http://[::1]:8000/callback", "http:"),
        ("com.example.app:/callback", "com.example.app:"),
    ],
)
def test_a_place_is_named_as_a_policy_can_name_it(uri: str, source: str) -> None:
    assert form_targets("http://127.0.0.1:8000/x", Client("c", "s", (), onward_uris=(uri,)))[1] == source


def test_the_cookie_is_of_no_use_to_scripts_and_is_not_another_providers(
    provider: Provider, client: PlainClient, browser: PersonAtBrowser
) -> None:
    cookie = browser.open(client.authorization_url()).headers["Set-Cookie"]
    assert cookie.startswith(f"stand_in_{provider.issuer.rpartition(':')[2]}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_a_foreign_name_for_this_machine_is_not_answered(provider: Provider) -> None:
    answer = requests.get(f"{provider.issuer}/keys", headers={"Host": "evil.example"}, timeout=PATIENCE)
    assert answer.status_code == 400


def test_it_says_of_itself_what_it_does(provider: Provider) -> None:
    answer = requests.get(f"{provider.issuer}/.well-known/openid-configuration", timeout=PATIENCE)
    metadata = answer.json()
    assert metadata["issuer"] == provider.issuer
    assert not metadata["issuer"].endswith("/")
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    assert metadata["id_token_signing_alg_values_supported"] == ["RS256"]
    assert metadata["authorization_response_iss_parameter_supported"] is True
    assert "auth_time" in metadata["claims_supported"]
    for endpoint in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint", "revocation_endpoint"):
        assert requests.get(metadata[endpoint], timeout=PATIENCE).status_code in (400, 401, 405)


def test_its_keys_may_be_kept_for_a_while_and_hold_nothing_secret(provider: Provider) -> None:
    answer = requests.get(f"{provider.issuer}/keys", timeout=PATIENCE)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    for key in answer.json()["keys"]:
        assert set(key) == {"kty", "n", "e", "kid", "use", "alg"}
