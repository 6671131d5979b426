"""What an app and its person are told where a sign-in with a provider leads to nothing, and where they are left."""

from html import unescape
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from stand_in.people import UNVERIFIED
from tests.apps import App, problem, refusal
from tests.conftest import NewApp
from tests.journeys.provider_apps import (
    CUSTOM,
    LISTED,
    PAGE,
    STATE,
    VERIFIER,
    WEB,
    answer_to,
    authorize_path,
    exchange,
    new_nonce,
    parameters,
    sent_back,
    sent_to_provider,
    show,
)
from tests.people import Browser
from tests.providers import faults
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, google_settings
from tests.rows import Rows, on_sqlite
from webapp.models import AuthorizationRequest, OneTimeToken, SigningKey, User
from webapp.policy.throttling import Limit

UNLISTED = "https://evil.example/callback"


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider) -> Flask:
    return new_app(**google_settings(provider), API_REDIRECT_URIS=LISTED)


def way_back(answer: TestResponse, redirect_uri: str = CUSTOM) -> dict[str, str]:
    """What the button of a page tells the app."""
    page = unescape(answer.text)
    start = page.index(f'href="{redirect_uri}') + len('href="')
    return answer_to(redirect_uri, page[start : page.index('"', start)])


# Back from the provider


@on_sqlite
@pytest.mark.parametrize("redirect_uri", [CUSTOM, WEB, "http://127.0.0.1:49152/callback"])
def test_somebody_who_changes_their_mind_is_sent_back_to_the_app(
    site: Flask, provider: LyingProvider, redirect_uri: str
) -> None:
    browser = Browser(site)
    back = sent_back(browser, provider, redirect_uri, None)
    assert back.status_code == 303
    answer = answer_to(redirect_uri, back.headers["Location"])
    assert answer == {"error": "access_denied", "state": STATE, "iss": browser.base_url}
    assert Rows(site).count(User) == Rows(site).count(OneTimeToken) == 0


@on_sqlite
def test_what_the_provider_says_of_a_denial_is_shown_to_nobody(site: Flask, provider: LyingProvider) -> None:
    browser = Browser(site)
    callback = provider.deny(sent_to_provider(browser), error="server_error", error_description="Call+1-800-EVIL")
    back = come_back(browser, callback)
    assert answer_to(CUSTOM, back.headers["Location"])["error"] == "access_denied"
    assert "EVIL" not in back.text + str(back.headers)


@on_sqlite
@pytest.mark.asvs("10.5.1", "10.5.4", "6.8.2")
@pytest.mark.parametrize("claims", [{"aud": "somebody-else"}, {"nonce": "another"}, {"nonce": REMOVED}, {"iss": "x"}])
def test_what_cannot_be_believed_gives_no_code_but_a_page_with_a_way_back(
    site: Flask, provider: LyingProvider, claims: dict[str, Any]
) -> None:
    browser = Browser(site)
    provider.lie.claims = claims
    page = sent_back(browser, provider)
    assert page.status_code == 400
    assert way_back(page) == {"error": "access_denied", "state": STATE, "iss": browser.base_url}
    assert Rows(site).count(User) == Rows(site).count(OneTimeToken) == 0


@on_sqlite
@pytest.mark.asvs("10.2.2")
def test_an_answer_of_another_issuer_is_refused_before_anything_is_asked_for_it(
    site: Flask, provider: LyingProvider
) -> None:
    browser = Browser(site)
    provider.lie.callback = {"iss": "https://evil.example"}
    page = sent_back(browser, provider)
    assert page.status_code == 400
    assert way_back(page)["error"] == "access_denied"
    assert provider.asked("token") == []


@on_sqlite
def test_an_address_that_the_provider_has_not_confirmed_gives_a_page_with_a_way_back(
    site: Flask, provider: LyingProvider
) -> None:
    page = sent_back(Browser(site), provider, person=UNVERIFIED)
    assert page.status_code == 403
    assert way_back(page)["error"] == "access_denied"


@on_sqlite
def test_a_provider_that_goes_away_in_between_is_told_apart_from_one_that_refuses(
    site: Flask, provider: LyingProvider
) -> None:
    browser = Browser(site)
    provider.lie.answers["token"] = faults.failing(503)
    page = sent_back(browser, provider, WEB)
    assert page.status_code == 503
    assert way_back(page, WEB) == {"error": "temporarily_unavailable", "state": STATE, "iss": browser.base_url}


# Not even sent to the provider


@on_sqlite
def test_a_provider_that_is_away_is_told_to_the_person_with_a_way_back(site: Flask, provider: LyingProvider) -> None:
    browser = Browser(site)
    provider.lie.answers["metadata"] = faults.failing(503)
    page = browser.get(authorize_path(WEB), headers=PAGE)
    assert (page.status_code, page.mimetype) == (503, "text/html")
    assert int(page.headers["Retry-After"]) >= 1
    assert way_back(page, WEB) == {"error": "temporarily_unavailable", "state": STATE, "iss": browser.base_url}
    assert Rows(site).count(AuthorizationRequest) == 0
    provider.lie.answers.clear()
    assert browser.get(authorize_path(), headers=PAGE).status_code == 302


@on_sqlite
def test_a_provider_that_is_away_is_told_to_a_program_as_a_problem(site: Flask, provider: LyingProvider) -> None:
    provider.lie.answers["metadata"] = faults.failing(503)
    answer = App(site).get(authorize_path().removeprefix("/api/v1"))
    assert refusal(answer) == (503, "provider_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1


@on_sqlite
@pytest.mark.parametrize("uri", [UNLISTED, CUSTOM + "/", "http://localhost:8000/callback", "javascript:alert(1)"])
def test_nobody_is_sent_to_an_address_that_is_not_listed_nor_shown_a_way_there(site: Flask, uri: str) -> None:
    browser, path = Browser(site), authorize_path(uri)
    answer = browser.get(path)
    assert refusal(answer) == (422, "redirect_refused")
    assert [error["parameter"] for error in problem(answer)["errors"]] == ["redirect_uri"]
    page = browser.get(path, headers=PAGE)
    assert (page.status_code, page.mimetype) == (422, "text/html")
    for refused in (answer, page):
        assert "Location" not in refused.headers
        assert uri not in unescape(refused.text)
    assert Rows(site).count(AuthorizationRequest) == 0
    assert browser.cookie("handshake") is None


@on_sqlite
@pytest.mark.parametrize("changes", [{"code_challenge_method": "plain"}, {"code_challenge": "x" * 42}, {"state": ""}])
def test_an_app_without_a_proper_challenge_is_told_so_on_a_page_that_sends_nobody_anywhere(
    site: Flask, changes: dict[str, str]
) -> None:
    page = Browser(site).get(authorize_path(**changes), headers=PAGE)
    assert (page.status_code, page.mimetype) == (422, "text/html")
    (parameter,) = changes
    assert f"<code>{parameter}</code>" in page.text
    assert CUSTOM not in page.text
    assert "Location" not in page.headers


@on_sqlite
@pytest.mark.parametrize("configured", [False, True])
def test_where_there_is_no_such_provider_there_are_no_such_calls(
    new_app: NewApp, provider: LyingProvider, configured: bool
) -> None:
    site = new_app(**google_settings(provider)) if configured else new_app()
    app, browser, absent = App(site), Browser(site), "acme" if configured else "google"
    for path, method in (("authorize", "GET"), ("token", "POST"), ("nonce", "POST"), ("id-token", "POST")):
        for body in (None, {}, {"x": 1}):
            assert refusal(app.call(method, f"/auth/{absent}/{path}", body)) == (404, "not_found")
    page = browser.get(authorize_path(name=absent), headers=PAGE)
    assert (page.status_code, page.mimetype) == (404, "text/html")


# How often


HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def is_limited(answer: TestResponse) -> bool:
    """Whether an answer is the refusal of one who asks too often, whole."""
    assert refusal(answer) == (429, "too_many_attempts")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert set(HEADERS) <= set(answer.headers.keys())
    return True


@on_sqlite
@pytest.mark.asvs("2.4.1")
def test_codes_nonces_and_id_tokens_are_counted_together(site: Flask, provider: LyingProvider) -> None:
    amount, app = Limit.APP_PROOF_NETWORK.windows[0].amount, App(site, ip="203.0.113.7")
    answers = [app.post("/auth/google/nonce") for _ in range(amount - 2)]
    assert {answer.status_code for answer in answers} == {200}
    assert answers[-1].headers["X-RateLimit-Remaining"] == "2"
    assert exchange(app, "x" * 43).status_code == 400
    assert show(app, "x.y.z", "x").status_code == 401
    assert is_limited(app.post("/auth/google/nonce"))
    assert is_limited(exchange(app, "x" * 43))
    assert is_limited(show(app, "x.y.z", "x"))
    assert App(site, ip="203.0.113.8").post("/auth/google/nonce").status_code == 200


@on_sqlite
@pytest.mark.asvs("2.4.1")
def test_starts_are_counted_and_the_person_reads_a_page(site: Flask, provider: LyingProvider) -> None:
    browser = Browser(site, ip="203.0.113.7")
    for _ in range(Limit.AUTHORIZATION_NETWORK.windows[0].amount):
        assert browser.get(authorize_path(), headers=PAGE).status_code == 302
    assert is_limited(browser.get(authorize_path()))
    page = browser.get(authorize_path(), headers=PAGE)
    assert (page.status_code, page.mimetype) == (429, "text/html")
    assert int(page.headers["Retry-After"]) >= 1
    assert Rows(site).count(AuthorizationRequest) == 3, "abandoned ones do not pile up"


# What is written down


@on_sqlite
@pytest.mark.asvs("10.1.1", "16.2.4", "16.2.5", "14.2.1")
def test_nothing_of_a_code_a_token_a_nonce_or_a_verifier_is_in_a_log_or_in_an_address(
    new_app: NewApp, provider: LyingProvider, capsys: pytest.CaptureFixture[str]
) -> None:
    site = new_app(**google_settings(provider), API_REDIRECT_URIS=LISTED, LOG_LEVEL="DEBUG")
    browser, app = Browser(site), App(site)
    sent = sent_to_provider(browser)
    callback = provider.approve(sent)
    back = come_back(browser, callback).headers["Location"]
    code = answer_to(CUSTOM, back)["code"]
    secrets = {VERIFIER, STATE, code, *parameters(callback).values(), *parameters(sent).values()}
    for _ in range(2):
        exchange(app, code)
        secrets |= {app.access_token, app.refresh_token}
    exchange(App(site), code, code_verifier="v" * 43)
    nonce = new_nonce(app)
    for id_token in (provider.id_token(nonce="another"), provider.id_token(nonce=nonce)):
        show(app, id_token, nonce)
        secrets |= {id_token, app.access_token, app.refresh_token}
    show(app, id_token, nonce)
    secrets |= {nonce, str(provider.received[-1].form.get("code", ""))}
    secrets -= {"openid email profile", "code", "S256", provider.client_id, provider.redirect_uri, provider.issuer}
    addresses = [sent, callback, back]
    assert not [url for url in addresses if "token" in url or app.access_token in url or app.refresh_token in url]
    written = capsys.readouterr().err
    assert "app_code_reused" in written
    assert "provider_answer_refused" in written
    assert sorted(secret for secret in secrets if len(secret) > 7 and secret in written) == []
    for key in Rows(site).all(SigningKey):
        written = written.replace(key.kid, "")  # where chance may write anything
    assert "eyJ" not in written
    stored = {text for _table, text in Rows(site).texts()}
    assert not [secret for secret in secrets if len(secret) > 7 and any(secret in text for text in stored)], "by hash"
