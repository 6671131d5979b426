"""Apps sign in with a provider by the system's browser: there, back to the app with a code, and tokens for the code."""

from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest
import requests
from flask import Flask

from stand_in.people import ELSEWHERE, GMAIL
from tests.apps import App, problem, refusal
from tests.conftest import NewApp
from tests.journeys.provider_apps import (
    BARE,
    CUSTOM,
    LISTED,
    LOOPBACK,
    PAGE,
    STATE,
    WEB,
    answer_to,
    authorize_path,
    claims_of,
    code_for,
    exchange,
    parameters,
    sent_back,
    sent_to_provider,
    signed_in_app,
)
from tests.journeys.provider_people import registered
from tests.people import PASSWORD, Browser
from tests.providers.lying import LyingProvider
from tests.providers.site import another_provider, come_back, google_settings
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import LoginSession


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider) -> Flask:
    return new_app(**google_settings(provider), API_REDIRECT_URIS=LISTED)


@pytest.mark.parametrize(
    "redirect_uri", [CUSTOM, BARE, WEB, LOOPBACK, "http://127.0.0.1:49152/callback", "http://[::1]:49152/callback"]
)
def test_an_app_gets_tokens_for_the_code_that_comes_back_to_where_it_waits(
    site: Flask, provider: LyingProvider, redirect_uri: str
) -> None:
    browser, app = Browser(site), App(site)
    back = sent_back(browser, provider, redirect_uri)
    assert back.status_code == 303
    answer = answer_to(redirect_uri, back.headers["Location"])
    assert answer.keys() == {"code", "state", "iss"}, "and no token"
    assert (answer["state"], answer["iss"]) == (STATE, browser.base_url)
    tokens = exchange(app, answer["code"], redirect_uri=redirect_uri)
    assert tokens.status_code == 200
    assert tokens.json.keys() == {
        *("access_token", "token_type", "expires_in"),
        *("refresh_token", "refresh_expires_in", "session_id"),
    }
    assert app.get("/me").json["email"] == GMAIL.email
    assert app.refresh().status_code == 200


@on_sqlite
@pytest.mark.parametrize("state", ["a b&code=stolen&c=d#é/+%20", "=&=", "<script>", "s" * 512, '"', "\\"])
def test_the_state_of_an_app_comes_back_as_it_was(site: Flask, provider: LyingProvider, state: str) -> None:
    back = sent_back(Browser(site), provider, state=state)
    assert answer_to(CUSTOM, back.headers["Location"])["state"] == state


@on_sqlite
def test_nobody_on_the_way_keeps_or_hands_on_what_the_address_holds(site: Flask, provider: LyingProvider) -> None:
    browser = Browser(site)
    sent = browser.get(authorize_path(), headers=PAGE)
    back = come_back(browser, provider.approve(sent.headers["Location"]))
    for answer in (sent, back):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] in ("same-origin", "strict-origin", "no-referrer")
        assert "code=" not in answer.text.replace("code=" + answer_to(CUSTOM, back.headers["Location"])["code"], "")


@on_sqlite
@pytest.mark.asvs("10.1.2", "10.2.1", "10.2.3")
def test_the_site_has_state_nonce_and_verifier_of_its_own_at_the_provider(site: Flask, provider: LyingProvider) -> None:
    asked = [parameters(sent_to_provider(Browser(site))) for _ in range(2)]
    for query in asked:
        assert query["scope"] == "openid email profile"
        assert query["code_challenge_method"] == "S256"
        assert "access_type" not in query
        assert STATE not in query.values()
        assert query["redirect_uri"].endswith("/login/google/callback")
    for name in ("state", "nonce", "code_challenge"):
        assert len({query[name] for query in asked}) == 2
        assert all(len(query[name]) >= 43 for query in asked)


@on_sqlite
def test_an_app_that_anybody_could_pass_for_is_not_let_in_without_its_person_doing_something(
    site: Flask, provider: LyingProvider
) -> None:
    """Mallory's app claims the same scheme, and opens the browser while its person is signed in at the provider."""
    with requests.Session() as signed_in_there:
        browser = Browser(site)
        come_back(browser, provider.approve(sent_to_provider(browser), browser=signed_in_there))
        for address in (CUSTOM, "http://127.0.0.1:49152/callback"):
            url = sent_to_provider(browser, address)
            assert parameters(url)["prompt"] == "select_account"
            assert not signed_in_there.get(url, allow_redirects=False, timeout=60).is_redirect
        assert "prompt" not in parameters(sent_to_provider(browser, WEB)), "only one site has this address"


@on_sqlite
@pytest.mark.asvs("10.1.2")
def test_the_way_back_works_once_and_only_in_the_browser_that_the_app_has_opened(
    site: Flask, provider: LyingProvider
) -> None:
    browser, other = Browser(site), Browser(site)
    callback = provider.approve(sent_to_provider(browser))
    assert come_back(other, callback).status_code == 400
    assert come_back(browser, callback).status_code == 303
    again = come_back(browser, callback)
    assert again.status_code == 400
    assert CUSTOM not in again.text


@on_sqlite
def test_the_browser_is_not_signed_in_by_an_app_and_stays_signed_in_as_it_was(
    site: Flask, provider: LyingProvider
) -> None:
    browser = registered(site, ELSEWHERE.email)
    before = browser.cookie("session")
    app = signed_in_app(App(site), browser, provider, GMAIL)
    assert browser.cookie("session") == before
    assert ELSEWHERE.email in browser.get("/account").text
    assert app.get("/me").json["email"] == GMAIL.email
    stranger = Browser(site)
    code_for(stranger, provider)
    assert not stranger.is_signed_in
    assert Rows(site).count(LoginSession, kind="web", ended_at=None) == 1


@on_sqlite
def test_three_apps_may_be_under_way_in_one_browser(site: Flask, provider: LyingProvider) -> None:
    browser = Browser(site)
    addresses = (CUSTOM, BARE, "http://127.0.0.1:49152/callback")
    ways = {address: sent_to_provider(browser, address, state=address) for address in addresses}
    codes = {}
    for address in reversed(addresses):
        back = come_back(browser, provider.approve(ways[address])).headers["Location"]
        answer = answer_to(address, back)
        assert answer["state"] == address
        codes[address] = answer["code"]
    answers = [exchange(App(site), codes[address], redirect_uri=address) for address in addresses]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


@on_sqlite
def test_an_app_of_another_provider_has_calls_of_its_own(
    new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    site = new_app(**google_settings(provider), **another_provider(other_provider), API_REDIRECT_URIS=CUSTOM)
    app = App(site)
    code = code_for(Browser(site), other_provider, name="acme")
    assert exchange(app, code, name="acme").status_code == 200
    assert app.get("/auth/session").json["amr"] == ["acme"]


# What the tokens and the list of sessions say


@on_sqlite
@pytest.mark.asvs("10.3.4")
def test_the_tokens_tell_the_truth_about_how_and_when_it_was_proven(site: Flask, provider: LyingProvider) -> None:
    """RFC 9068, section 2.2.1: not when we were told, but when the person proved it, where the provider says so."""
    app, long_ago = App(site), int((clock.now() - timedelta(hours=5)).timestamp())
    provider.lie.claims = {"auth_time": long_ago}
    signed_in_app(app, Browser(site), provider)
    claims = claims_of(app.access_token)
    assert (claims["auth_time"], claims["amr"]) == (long_ago, ["google"])
    app.refresh()
    claims = claims_of(app.access_token)
    assert (claims["auth_time"], claims["amr"]) == (long_ago, ["google"])
    assert GMAIL.email not in str(claims)
    assert GMAIL.sub not in str(claims)
    delete = app.call("DELETE", "/me")
    assert refusal(delete) == (401, "reauthentication_required")


@on_sqlite
def test_a_proof_of_the_future_is_one_of_now(site: Flask, provider: LyingProvider) -> None:
    app = App(site)
    provider.lie.claims = {"auth_time": int((clock.now() + timedelta(seconds=20)).timestamp())}
    signed_in_app(app, Browser(site), provider)
    assert claims_of(app.access_token)["auth_time"] <= claims_of(app.access_token)["iat"]


@on_sqlite
def test_the_app_stands_in_the_list_of_sessions_under_the_name_it_gave(site: Flask, provider: LyingProvider) -> None:
    app = App(site, ip="203.0.113.7")
    exchange(app, code_for(Browser(site), provider), device_name="Gwen's  phone\u202e")
    (listed,) = app.get("/sessions").json
    assert (listed["kind"], listed["current"], listed["methods"]) == ("api", True, ["google"])
    assert (listed["device_name"], listed["ip"]) == ("Gwen's phone", "203.0.113.7")
    assert listed["id"] == app.session_id


# An app in a browser


OWN, SPA, EVIL = "https://login.example.com", "https://app.example.com", "https://evil.example"
SPA_CALLBACK = f"{SPA}/callback"


@pytest.fixture
def https_site(new_app: NewApp, provider: LyingProvider) -> Flask:
    client = replace(provider.client, redirect_uris=(f"{OWN}/login/google/callback",))
    provider.clients = {client.client_id: client}
    return new_app(PUBLIC_URL=OWN, CORS_ORIGINS=(SPA,), API_REDIRECT_URIS=SPA_CALLBACK, **google_settings(provider))


@on_sqlite
@pytest.mark.asvs("3.4.2")
def test_an_app_in_a_browser_has_its_refresh_token_in_the_cookie(https_site: Flask, provider: LyingProvider) -> None:
    page = App(https_site, cookies=True, origin=SPA)
    code = code_for(Browser(https_site), provider, SPA_CALLBACK)
    answer = exchange(page, code, redirect_uri=SPA_CALLBACK, refresh_transport="cookie")
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json
    assert answer.headers["Access-Control-Allow-Origin"] == SPA
    assert page.cookie("__Secure-refresh")
    assert page.refresh(token="").status_code == 200
    assert page.get("/me").json["email"] == GMAIL.email


@on_sqlite
def test_another_site_signs_nobody_in_here_by_a_code_and_does_not_use_it_up(
    https_site: Flask, provider: LyingProvider
) -> None:
    """Mallory's code in Alice's browser would sign Alice in as Mallory."""
    evil = App(https_site, cookies=True, origin=EVIL)
    code = code_for(Browser(https_site), provider, SPA_CALLBACK)
    wanted = {"redirect_uri": SPA_CALLBACK, "refresh_transport": "cookie"}
    refused = exchange(evil, code, **wanted)
    assert refusal(refused) == (403, "origin_refused")
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert evil.cookie("__Secure-refresh") is None
    assert exchange(App(https_site, cookies=True, origin=SPA), code, **wanted).status_code == 200


# An account that is there already, or about to go


@on_sqlite
def test_whoever_has_an_account_links_it_on_the_way_and_the_app_gets_its_code(
    site: Flask, provider: LyingProvider
) -> None:
    registered(site, ELSEWHERE.email)
    browser, app = Browser(site), App(site)
    conflict = sent_back(browser, provider, person=ELSEWHERE)
    page = conflict.headers["Location"]
    assert page.startswith("/login/google/connect?next=")
    linked = browser.submit(page, password=PASSWORD)
    assert authorize_path() in unescape(linked.text), "back to the beginning, by a page: no form may lead to an app"
    assert exchange(app, code_for(browser, provider, person=ELSEWHERE)).status_code == 200
    assert app.get("/me").json["email"] == ELSEWHERE.email


@on_sqlite
def test_whoever_waits_to_be_deleted_may_stay(site: Flask, provider: LyingProvider) -> None:
    browser, app = Browser(site), App(site)
    signed_in_app(app, browser, provider)
    assert app.call("DELETE", "/me").status_code == 202
    refused = exchange(app, code_for(browser, provider), device_name="Gwen's phone")
    assert refusal(refused) == (403, "account_deletion_pending")
    assert app.keep_account(problem(refused)["step_token"]).status_code == 200
    (listed,) = app.get("/sessions").json
    assert (listed["device_name"], listed["methods"]) == ("Gwen's phone", ["google"])
