"""The pages between this site and a provider: what they say, where they lead, and what nobody can make of them."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from stand_in.people import ELSEWHERE, GMAIL, Person
from tests.browser.newcomers import trouble
from tests.browser.tour import TROUBLE, TROUBLES
from tests.conftest import NewApp
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import another_provider, come_back, google_settings, leave, sign_in_with
from tests.rows import on_sqlite
from webapp.blueprints.federation.errors import _TROUBLES
from webapp.http.headers import PAGE_CSP

pytestmark = on_sqlite

CONNECTIONS = "/account/connections"
LINK, UNLINK = f"{CONNECTIONS}/google/link", f"{CONNECTIONS}/google/unlink"
_PRIMARY = re.compile(r"button-primary")


def member(site: Flask, email: str) -> Browser:
    """Somebody with a password, signed in."""
    browser = Browser(site)
    browser.submit("/register", email=email, password=PASSWORD, name="Alice")
    browser.submit(Mailbox(site).link(email, "/verify-email/"))
    assert browser.is_signed_in
    return browser


def link(browser: Browser, provider: LyingProvider, person: Person = GMAIL) -> None:
    come_back(browser, provider.approve(leave(browser, page=CONNECTIONS, action=LINK), person))


# What went wrong


@pytest.mark.parametrize("intent", ["sign_in", "link", "reauthenticate", "app"])
def test_every_refusal_says_what_happened_in_words_and_leads_to_one_next_step(google: Flask, intent: str) -> None:
    google.before_request(trouble)
    for browser in (Browser(google), member(google, "alice@example.org")):
        for code, status in TROUBLES.items():
            answer = browser.get(TROUBLE.format(code, intent))
            main = answer.text.partition("<main")[2].partition("</main>")[0]
            assert answer.status_code == status, code
            assert len(_PRIMARY.findall(main)) == 1, (code, intent)
            assert main.count("<h1") == 1
            assert "%(" not in main
            assert code not in main
            assert answer.headers["Referrer-Policy"] == "strict-origin"


def test_the_tour_goes_to_every_refusal_there_is_a_page_for(google: Flask) -> None:
    assert set(TROUBLES) == {kind.code for kind in _TROUBLES}
    assert {kind.code: told.status for kind, told in _TROUBLES.items()} == TROUBLES


def test_an_app_is_led_back_to_whatever_went_wrong(google: Flask) -> None:
    google.before_request(trouble)
    browser = Browser(google)
    for code in TROUBLES:
        page = browser.get(TROUBLE.format(code, "app") + "&way_back=com.example.app:/callback?error=access_denied").text
        assert 'href="com.example.app:/callback?error=access_denied"' in page, code


def test_the_refusal_of_a_button_knows_where_the_button_stood(google: Flask, provider: LyingProvider) -> None:
    browser = member(google, "alice@example.org")
    provider.lie.metadata["issuer"] = "https://somebody-else.example"
    answer = browser.submit(CONNECTIONS, LINK)
    assert answer.status_code == 503
    assert f'href="{CONNECTIONS}"' in answer.text.partition("<main")[2]
    answer = Browser(google).submit("/login?next=/account/data", "/login/google")
    assert answer.status_code == 503
    assert 'href="/login?next=/account/data"' in answer.text
    assert 'name="next" value="/account/data"' in answer.text


def test_whoever_tries_again_is_asked_which_account_it_shall_be(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    assert "prompt" not in parse_qs(urlsplit(leave(browser)).query)
    again = browser.submit("/login/google/callback", "/login/google").headers["Location"]
    assert parse_qs(urlsplit(again).query)["prompt"] == ["select_account"]


def test_a_link_opened_in_the_mean_time_does_not_ask_whoever_is_signed_in_to_sign_in(google: Flask) -> None:
    page = member(google, "alice@example.org").get("/login/google/callback?state=x&code=y").text
    assert "Go to your account" in page
    assert "Try again" not in page


# Connected accounts


def test_the_last_way_in_stays_and_the_page_still_has_both_its_languages(
    google: Flask, provider: LyingProvider
) -> None:
    browser = Browser(google)
    sign_in_with(browser, provider)
    refused = browser.submit(CONNECTIONS, UNLINK)
    assert refused.status_code == 422
    assert "only way to sign in" in refused.text
    assert 'href="/account/password"' in refused.text.partition("<main")[2]
    languages = re.findall(r'href="([^"]*\?lang=ko)"', refused.text)
    assert languages == [f"{CONNECTIONS}?lang=ko"]
    assert browser.get(languages[0]).status_code == 303


def test_what_we_may_do_at_the_provider_is_named_without_what_signing_in_takes(
    new_app: NewApp, provider: LyingProvider
) -> None:
    site = new_app(**google_settings(provider), GOOGLE_EXTRA_SCOPES="https://www.googleapis.com/auth/calendar.readonly")
    browser = Browser(site)
    sign_in_with(browser, provider)
    page = browser.get(CONNECTIONS).text
    assert "calendar.readonly" in page
    assert "googleapis" not in page
    assert "openid" not in page


def test_another_address_at_the_provider_is_offered_and_nobody_elses_can_be(
    google: Flask, provider: LyingProvider
) -> None:
    browser = member(google, "alice@example.org")
    link(browser, provider)
    page = browser.get(CONNECTIONS).text
    assert 'href="/account/email?like=google"' in page
    assert f'value="{GMAIL.email}"' in browser.get("/account/email?like=google").text
    for other in ("acme", "mallory@example.net", "", "google%00"):
        assert 'value="mallory' not in browser.get(f"/account/email?like={other}").text
    stranger = member(google, "bob@example.org")
    assert GMAIL.email not in stranger.get("/account/email?like=google").text


def test_where_no_provider_is_known_no_page_speaks_of_one(new_app: NewApp) -> None:
    site = new_app()
    browser = member(site, "alice@example.org")
    assert CONNECTIONS not in browser.get("/account").text
    assert "nothing that could be connected" in browser.get(CONNECTIONS).text
    for path in ("/login", "/register"):
        page = Browser(site).get(path).text
        assert "Continue with" not in page
        assert 'class="or"' not in page


# An account that is there already


def test_the_page_of_a_conflict_asks_for_what_the_account_has(
    new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    site = new_app(**google_settings(provider), **another_provider(other_provider))
    sign_in_with(Browser(site), other_provider, ELSEWHERE, action="/login/acme")
    browser = Browser(site)
    assert sign_in_with(browser, provider, ELSEWHERE).location == "/login/google/connect"
    main = browser.get("/login/google/connect").text.partition("<main")[2]
    assert 'type="password"' not in main
    assert 'action="/login/acme"' in main
    assert 'action="/login/google"' not in main
    asked = browser.submit("/login/google/connect", "/password/forgot")
    assert ELSEWHERE.email in asked.text
    assert "/password/reset/" in Mailbox(site).link(ELSEWHERE.email, "/password/reset/")


# What browsers are told


@pytest.mark.asvs("3.4.3")
def test_forms_may_lead_to_the_providers_and_nowhere_else(
    new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    site = new_app(**google_settings(provider), **another_provider(other_provider))
    policy = Browser(site).get("/login").headers["Content-Security-Policy"]
    origins = f"{provider.issuer} {other_provider.issuer}"
    assert policy == PAGE_CSP.replace("form-action 'self'", f"form-action 'self' {origins}")
    assert Browser(new_app()).get("/login").headers["Content-Security-Policy"] == PAGE_CSP


def test_whoever_visits_this_machine_by_its_other_name_goes_on_by_the_one_it_comes_back_to(google: Flask) -> None:
    """The cookie of the way there would stay under the other name, and the way back would end at nothing."""
    browser = Browser(google)
    browser.base_url = "http://localhost:8000"
    page = browser.submit("/login", "/login/google", base_url="http://localhost:8000")
    assert page.status_code == 200
    assert 'href="http://127.0.0.1:8000/login"' in page.text
