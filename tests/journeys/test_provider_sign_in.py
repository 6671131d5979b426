"""Somebody signs in with Google: a user is provisioned, and the session is ours."""

from flask import Flask

from stand_in.people import ELSEWHERE, GMAIL, KOREAN, UNVERIFIED
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import leave, sign_in_with


def test_somebody_new_gets_an_account_and_a_page_that_says_what_was_made(
    google: Flask, provider: LyingProvider
) -> None:
    browser = Browser(google)
    answer = sign_in_with(browser, provider)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/welcome")
    page = browser.get("/account/welcome").text
    assert GMAIL.email in page
    assert GMAIL.name in page
    assert "ready" in Mailbox(google).text(GMAIL.email)
    assert browser.get("/account/connections").status_code == 200


def test_whoever_comes_again_is_the_same_user(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    sign_in_with(browser, provider)
    browser.sign_out()
    answer = sign_in_with(browser, provider)
    assert answer.headers["Location"] == "/account"
    assert browser.is_signed_in


def test_a_conflict_is_solved_by_the_password_right_there(google: Flask, provider: LyingProvider) -> None:
    owner = Browser(google)
    owner.submit("/register", email=ELSEWHERE.email, password=PASSWORD, name="Alice")
    owner.submit(Mailbox(google).link(ELSEWHERE.email, "/verify-email/"))
    owner.sign_out()
    browser = Browser(google)
    answer = sign_in_with(browser, provider, ELSEWHERE)
    assert answer.headers["Location"] == "/login/google/connect"
    assert not browser.is_signed_in
    assert "already" in browser.get("/login/google/connect").text
    done = browser.submit("/login/google/connect", password=PASSWORD)
    assert done.status_code == 303
    assert browser.is_signed_in
    assert ELSEWHERE.email in browser.get("/account/connections").text


def test_an_unverified_address_is_refused_with_a_way_forward(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    answer = sign_in_with(browser, provider, UNVERIFIED)
    assert answer.status_code == 403
    assert "/register" in answer.text
    assert not browser.is_signed_in


def test_korean(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    assert sign_in_with(browser, provider, KOREAN).status_code == 303
    assert 'lang="ko"' in browser.get("/account").text


def test_state_of_nobody(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    assert leave(browser).startswith(provider.issuer)
    assert browser.get("/login/google/callback?state=x&code=y").status_code == 400
    assert browser.get("/login/google/callback").status_code == 400
    assert browser.get("/login/nobody/callback").status_code == 404
