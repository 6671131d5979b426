"""Somebody's first day: register, confirm, sign in, look around, leave."""

from tests.conftest import NewBrowser
from tests.people import PASSWORD, Browser, Mailbox


def test_registering_confirming_and_signing_out_and_in_again(browser: Browser, mailbox: Mailbox) -> None:
    answer = browser.submit("/register", email="alice@example.com", password=PASSWORD, name="Alice")
    assert answer.status_code == 200
    link = mailbox.link("alice@example.com", "/verify-email/")
    assert browser.get(link).status_code == 200
    assert not browser.is_signed_in, "a GET confirms nothing"
    assert browser.submit(link).status_code == 303
    assert browser.is_signed_in
    assert browser.sign_out().status_code == 303
    assert not browser.is_signed_in
    assert browser.sign_in("alice@example.com").status_code == 303
    assert browser.is_signed_in


def test_one_browser_ends_the_session_of_another(alice: str, new_browser: NewBrowser) -> None:
    here, there = new_browser(), new_browser()
    here.sign_in(alice)
    there.sign_in(alice)
    answer = here.submit("/account/sessions", "/account/sessions/revoke-others")
    assert answer.status_code == 303
    assert here.is_signed_in
    assert not there.is_signed_in


def test_every_account_page_opens(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    for page in ("", "/password", "/email", "/sessions", "/activity", "/data"):
        assert browser.get(f"/account{page}").status_code == 200, page
