"""What the stand-in gives for a code, to whom, and how often."""

from datetime import UTC, datetime, timedelta

import pytest
import requests
import time_machine
from authlib.integrations.requests_client import OAuth2Session

from stand_in.people import COMPANY, ELSEWHERE, GMAIL, KOREAN, PEOPLE, UNVERIFIED, Person
from stand_in.provider import Provider
from tests.providers.client import PATIENCE, PlainClient, answer_in
from tests.stand_in.conftest import CALLBACK, OTHER_CALLBACK, PersonAtBrowser


def error_of(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()["error"]


def userinfo(client: PlainClient, access_token: str) -> requests.Response:
    who = {"Authorization": f"Bearer {access_token}"}
    return requests.get(f"{client.issuer}/userinfo", headers=who, timeout=PATIENCE)


@pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.email)
def test_the_id_token_says_who_it_is(client: PlainClient, browser: PersonAtBrowser, person: Person) -> None:
    tokens = client.exchange(browser.sign_in(client.authorization_url(), person)).json()
    claims = client.claims(tokens["id_token"])
    assert (claims["iss"], claims["aud"], claims["nonce"]) == (client.issuer, "app", client.nonce)
    assert claims["iat"] < claims["exp"]
    assert (claims["sub"], claims["email"], claims["name"]) == (person.sub, person.email, person.name)
    assert claims["email_verified"] is person.email_verified
    assert claims.get("hd") == person.hd
    told = userinfo(client, tokens["access_token"]).json()
    assert told == {name: claims[name] for name in told}
    assert requests.get(claims["picture"], timeout=PATIENCE).headers["Content-Type"].startswith("image/svg+xml")


def test_the_people_show_the_cases_of_linking() -> None:
    assert GMAIL.email.endswith("@gmail.com")
    assert COMPANY.hd == COMPANY.email.partition("@")[2]
    assert (ELSEWHERE.hd, ELSEWHERE.email_verified) == (None, True)
    assert UNVERIFIED.email_verified is False
    assert (KOREAN.locale, KOREAN.name.isascii()) == ("ko", False)
    assert len({person.sub for person in PEOPLE}) == len(PEOPLE)


def test_scopes_decide_what_is_told(client: PlainClient, browser: PersonAtBrowser) -> None:
    tokens = client.exchange(browser.sign_in(client.authorization_url(scope="openid calendar.read"))).json()
    assert tokens["scope"] == "openid calendar.read"
    assert not {"email", "name", "picture"} & set(client.claims(tokens["id_token"]))
    assert set(userinfo(client, tokens["access_token"]).json()) == {"sub"}


def test_a_library_for_clients_gets_along_with_it(provider: Provider, browser: PersonAtBrowser) -> None:
    app = provider.clients["app"]
    verifier = "a" * 64
    with OAuth2Session(
        app.client_id, app.secret, scope="openid email", redirect_uri=CALLBACK, code_challenge_method="S256"
    ) as library:
        url, state = library.create_authorization_url(
            f"{provider.issuer}/authorize", code_verifier=verifier, nonce="n", access_type="offline"
        )
        callback = browser.sign_in(url)
        library.fetch_token(
            f"{provider.issuer}/token", authorization_response=callback, code_verifier=verifier, state=state
        )
        assert library.get(f"{provider.issuer}/userinfo").json()["email"] == GMAIL.email
        first = library.token["refresh_token"]
        library.refresh_token(f"{provider.issuer}/token")
        assert library.token["refresh_token"] != first
        library.revoke_token(f"{provider.issuer}/revoke", token=library.token["refresh_token"])
        assert library.get(f"{provider.issuer}/userinfo").status_code == 401


# Codes


def test_a_code_is_good_once_and_what_it_gave_ends_when_it_comes_again(
    client: PlainClient, browser: PersonAtBrowser
) -> None:
    callback = browser.sign_in(client.authorization_url())
    access_token = client.exchange(callback).json()["access_token"]
    assert userinfo(client, access_token).status_code == 200
    assert error_of(client.exchange(callback)) == (400, "invalid_grant")
    assert userinfo(client, access_token).status_code == 401


def test_a_code_is_good_for_a_minute(client: PlainClient, browser: PersonAtBrowser) -> None:
    callback = browser.sign_in(client.authorization_url())
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=61)):
        assert error_of(client.exchange(callback)) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_verifier": "b" * 64}, "invalid_grant"),
        ({"code_verifier": None}, "invalid_request"),
        ({"redirect_uri": OTHER_CALLBACK}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
    ],
    ids=str,
)
def test_a_code_needs_all_that_belongs_to_it(
    client: PlainClient, browser: PersonAtBrowser, changes: dict[str, str | None], error: str
) -> None:
    assert error_of(client.exchange(browser.sign_in(client.authorization_url()), **changes)) == (400, error)


def test_a_code_is_of_no_use_to_another_client(
    provider: Provider, client: PlainClient, browser: PersonAtBrowser
) -> None:
    callback = browser.sign_in(client.authorization_url())
    thief = PlainClient(provider.issuer, provider.clients["other"], verifier=client.verifier)
    assert error_of(thief.exchange(callback, redirect_uri=CALLBACK)) == (400, "invalid_grant")
    assert client.exchange(callback).status_code == 200


# Who asks


def asked(client: PlainClient, form: dict[str, str], auth: tuple[str, str] | None = None) -> requests.Response:
    form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": CALLBACK, "code_verifier": "y", **form}
    return requests.post(f"{client.issuer}/token", form, auth=auth, timeout=PATIENCE)


def test_a_client_shows_its_secret_in_one_of_two_ways(client: PlainClient) -> None:
    good = ("app", "secret of the app")
    in_form = {"client_id": good[0], "client_secret": good[1]}
    unknown_code = (400, "invalid_grant")
    assert error_of(asked(client, {}, good)) == unknown_code
    assert error_of(asked(client, in_form)) == unknown_code
    assert error_of(asked(client, in_form, good)) == (400, "invalid_request")
    refused = asked(client, {}, ("app", "guess"))
    assert error_of(refused) == (401, "invalid_client")
    assert refused.headers["WWW-Authenticate"].startswith("Basic")
    for form in ({}, {"client_id": "app"}, in_form | {"client_secret": "guess"}, in_form | {"client_id": "nobody"}):
        assert error_of(asked(client, form)) == (401, "invalid_client")


# Refresh tokens


def offline_tokens(client: PlainClient, browser: PersonAtBrowser) -> dict[str, str]:
    tokens: dict[str, str] = client.exchange(browser.sign_in(client.authorization_url(access_type="offline"))).json()
    return tokens


def test_a_refresh_token_is_for_who_asked_to_come_back(client: PlainClient, browser: PersonAtBrowser) -> None:
    assert "refresh_token" in offline_tokens(client, browser)
    for scope, given in (("openid", False), ("openid offline_access", True)):
        tokens = client.exchange(browser.sign_in(client.authorization_url(scope=scope))).json()
        assert ("refresh_token" in tokens) is given


def test_a_refresh_token_is_used_up_and_one_that_comes_again_ends_the_line(
    client: PlainClient, browser: PersonAtBrowser
) -> None:
    first = offline_tokens(client, browser)["refresh_token"]
    second = client.post("/token", grant_type="refresh_token", refresh_token=first).json()
    assert second["refresh_token"] != first
    assert "nonce" not in client.claims(second["id_token"])
    again = client.post("/token", grant_type="refresh_token", refresh_token=first)
    assert error_of(again) == (400, "invalid_grant")
    assert userinfo(client, second["access_token"]).status_code == 401
    refused = client.post("/token", grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert error_of(refused) == (400, "invalid_grant")


def test_a_refresh_token_is_of_no_use_to_another_client(
    provider: Provider, client: PlainClient, browser: PersonAtBrowser
) -> None:
    token = offline_tokens(client, browser)["refresh_token"]
    thief = PlainClient(provider.issuer, provider.clients["other"])
    for path in ("/token", "/revoke"):
        thief.post(path, grant_type="refresh_token", refresh_token=token, token=token)
    assert client.post("/token", grant_type="refresh_token", refresh_token=token).status_code == 200


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
@pytest.mark.parametrize("says_who_it_is", [True, False])
def test_revoking_one_token_ends_all_of_the_grant(
    client: PlainClient, browser: PersonAtBrowser, kind: str, says_who_it_is: bool
) -> None:
    tokens = offline_tokens(client, browser)
    if says_who_it_is:
        answer = client.post("/revoke", token=tokens[kind], token_type_hint=kind)
    else:
        answer = requests.post(f"{client.issuer}/revoke", {"token": tokens[kind]}, timeout=PATIENCE)
    assert answer.status_code == 200
    assert userinfo(client, tokens["access_token"]).status_code == 401
    refused = client.post("/token", grant_type="refresh_token", refresh_token=tokens["refresh_token"])
    assert error_of(refused) == (400, "invalid_grant")
    assert client.post("/revoke", token="never given").status_code == 200


def test_userinfo_wants_a_token_that_is_good(client: PlainClient, browser: PersonAtBrowser) -> None:
    access_token = client.exchange(browser.sign_in(client.authorization_url())).json()["access_token"]
    assert userinfo(client, access_token).status_code == 200
    refused = userinfo(client, "guess")
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert requests.get(f"{client.issuer}/userinfo", timeout=PATIENCE).status_code == 401
    with time_machine.travel(datetime.now(UTC) + timedelta(hours=2)):
        assert userinfo(client, access_token).status_code == 401


def test_a_code_in_a_callback_is_nothing_that_can_be_guessed(client: PlainClient, browser: PersonAtBrowser) -> None:
    codes = {answer_in(browser.sign_in(client.authorization_url()))["code"] for _ in range(3)}
    assert len(codes) == 3
    assert all(len(code) >= 43 for code in codes)
