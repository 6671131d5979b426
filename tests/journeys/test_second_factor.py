"""The second step of signing in, on pages: asked for, shown, guessed at, over."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import segno
import time_machine
from flask import Flask

from tests.apps import App, mailed_token
from tests.conftest import NewBrowser
from tests.factors import (
    CODES,
    TOTP,
    VERIFY,
    Phone,
    make_codes,
    secret_on,
    set_up_totp,
    sign_in_fully,
    soft_key,
    verify,
    with_totp,
    with_totp_and_codes,
)
from tests.journeys.pages import says, words
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import LoginSession, SignInInProgress, TotpFactor, User
from webapp.policy.sign_in import STEP_LIFE
from webapp.policy.throttling import Limit
from webapp.services import users

ALICE = "alice@example.com"
WRONG = "This code is not right, or was used before. Please try the newest one."


def wrong(phone: Phone) -> str:
    """Six digits that are no code of these minutes."""
    good = {phone.code(steps_ago=ago) for ago in range(-3, 4)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in good)


# Setting up, on the page


@on_sqlite
@pytest.mark.asvs("3.4.3")
def test_the_page_shows_the_secret_as_a_picture_without_a_style_and_as_text(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    page = browser.get(TOTP).text
    svg = re.search(r"<svg.*?</svg>", page, re.DOTALL)
    assert svg
    assert "style" not in svg[0]
    assert "<script" not in svg[0]
    assert not re.search(r"\son\w+=", svg[0])
    assert secret_on(page) not in svg[0]
    assert page.count(secret_on(page)) == 1
    assert browser.get(TOTP).headers["Cache-Control"] == "no-store"
    drawn = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", svg[0])}
    address = f"otpauth://totp/Doorway:alice%40example.com?secret={secret_on(page)}&issuer=Doorway"
    meant = segno.make(address, error="m").matrix_iter(border=4)
    assert drawn == {(x, y) for y, row in enumerate(meant) for x, module in enumerate(row) if module}


@on_sqlite
def test_a_first_factor_signs_every_other_device_out_and_tells_by_mail(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    """Whoever is in elsewhere was never asked for it."""
    elsewhere, phone, here = new_browser(), App(app), new_browser()
    elsewhere.sign_in(alice)
    phone.sign_in(alice)
    here.sign_in(alice)
    before = here.cookie("session")
    set_up_totp(here)
    assert here.is_signed_in
    assert here.cookie("session") != before, "a new id after a change of privilege"
    assert says(elsewhere.get("/login"), "Your second factor was changed, so you were signed out.")
    assert not elsewhere.is_signed_in
    assert phone.get("/me").status_code == 401
    assert "An authenticator app was set up" in text_of(mailbox.newest(alice))
    assert "factor_added" in rows.events()
    (row,) = rows.live()
    assert row.methods.split() == ["pwd", "otp", "mfa"]


@on_sqlite
def test_an_app_that_was_never_confirmed_stands_in_nobodys_way(alice: str, new_browser: NewBrowser) -> None:
    browser = new_browser()
    browser.sign_in(alice)
    browser.get(TOTP)
    browser.sign_out()
    assert browser.sign_in(alice).headers["Location"] == "/account"
    set_up_totp(browser)


@on_sqlite
def test_recovery_codes_are_shown_once_each_alone_in_its_element(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    set_up_totp(browser)
    codes = make_codes(browser)
    assert len(codes) == 10
    again = browser.get(CODES)
    assert not any(code in again.text for code in codes)
    assert says(again, "10 codes are left. New ones make the old void.")
    assert says(browser.get("/account/security"), "10 codes are left.")


@on_sqlite
def test_codes_without_a_factor_are_not_offered(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    assert browser.get(CODES).headers["Location"] == "/account/security"


# The step


@on_sqlite
@pytest.mark.asvs("6.3.3", "6.6.2", "7.2.4")
def test_a_password_alone_opens_nothing_once_there_is_an_app(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    phone = with_totp(app, alice)
    assert browser.sign_in(alice, remember="y", next="/account/sessions").headers["Location"] == VERIFY
    assert not browser.is_signed_in
    assert rows.live() == []
    refused = verify(browser, wrong(phone))
    assert (refused.status_code, says(refused, WRONG)) == (422, True)
    done = verify(browser, phone.fresh_code())
    assert done.headers["Location"] == "/account/sessions", "where they wanted to go"
    assert browser.is_signed_in
    (row,) = rows.live()
    assert (row.methods, row.persistent) == ("pwd otp mfa", True)


@on_sqlite
@pytest.mark.asvs("6.5.1")
def test_wrong_used_and_nonsense_get_one_answer(app: Flask, alice: str, new_browser: NewBrowser) -> None:
    phone, codes = with_totp_and_codes(app, alice)
    first = new_browser()
    first.sign_in(alice)
    used = phone.fresh_code()
    verify(first, used)
    other = new_browser()
    other.sign_in(alice)
    verify(other, codes[0], "recovery")
    second = new_browser()
    second.sign_in(alice)
    tries = [(used, "totp"), (wrong(phone), "totp"), ("１２３４５６", "totp"), ("", "totp"), ("x" * 5000, "totp")]
    tries += [(codes[0], "recovery"), ("AAAAAA-AAAAAA-AAAAAA-AAAAAA", "recovery"), (used, "bogus"), ("", "passkey")]
    for code, method in tries:
        answer = second.submit(VERIFY, code=code, method=method)
        assert answer.status_code == 422, (code, method)
        if method != "passkey":
            assert says(answer, WRONG), (code, method)
    assert not second.is_signed_in


@on_sqlite
@pytest.mark.asvs("6.6.2")
def test_the_code_of_one_sign_in_completes_no_other(app: Flask, alice: str, new_user: Callable[..., str]) -> None:
    with_totp(app, alice)
    bobs = with_totp(app, new_user("bob@example.com", name="Bob"))
    browser = Browser(app)
    browser.sign_in(alice)
    assert verify(browser, bobs.fresh_code()).status_code == 422


@on_sqlite
@pytest.mark.asvs("6.6.2")
def test_the_step_lives_in_the_browser_it_began_in_and_ends_in_pages_only(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    phone = with_totp(app, alice)
    began, elsewhere, api = new_browser(), new_browser(), App(app)
    began.sign_in(alice)
    assert elsewhere.get(VERIFY).headers["Location"] == "/login"
    assert elsewhere.post(VERIFY, {"code": phone.fresh_code(), "method": "totp"}).status_code in (302, 400)
    token = api.sign_in(alice).json["mfa_token"]
    with elsewhere.client.session_transaction(base_url=elsewhere.base_url) as bag:
        bag["sign_in_step"] = token
    assert elsewhere.get(VERIFY).headers["Location"] == "/login", "what an app began goes on in that app"
    assert rows.live() == []


@on_sqlite
def test_the_step_opens_no_page_and_says_nothing_of_the_account(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    with_totp(app, alice)
    rows.set(User, {"email": alice}, deletion_due_at=clock.now() + timedelta(days=3))
    browser.sign_in(alice)
    assert alice not in browser.get(VERIFY).text
    assert browser.get("/login/keep").headers["Location"] == "/login", "who has shown half is told of no deletion"
    for page in ("/account", "/account/security", "/reauthenticate"):
        assert browser.get(page).headers["Location"].startswith("/login?next=")
    assert rows.user().deletion_due_at is not None


@on_sqlite
def test_two_steps_stand_one_after_the_other_and_then_it_goes_where_it_was_meant_to(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    phone = with_totp(app, alice)
    rows.set(User, {"email": alice}, deletion_due_at=clock.now() + timedelta(days=3))
    browser.sign_in(alice, next="/account/activity")
    assert verify(browser, phone.fresh_code()).headers["Location"] == "/login/keep"
    assert rows.live() == []
    assert browser.submit("/login/keep").headers["Location"] == "/account/activity"
    (row,) = rows.live()
    assert row.methods == "pwd otp mfa"


# When it is over


def ten_minutes_pass(app: Flask, at: time_machine.Traveller, _phone: Phone) -> None:
    at.shift(STEP_LIFE)


def a_new_password_is_set(app: Flask, at: time_machine.Traveller, _phone: Phone) -> None:
    api = App(app)
    api.post("/auth/password/forgot", {"email": ALICE})
    body = {"token": mailed_token(app, ALICE, "/password/reset/"), "password": NEW_PASSWORD}
    assert api.post("/auth/password/reset", body).status_code == 204


def the_account_is_closed(app: Flask, at: time_machine.Traveller, _phone: Phone) -> None:
    with app.app_context():
        users.disable_user(ALICE)


def the_owner_says_it_was_not_them(app: Flask, at: time_machine.Traveller, phone: Phone) -> None:
    Rows(app).set(TotpFactor, {}, confirmed_at=clock.now() - timedelta(days=8))
    browser = Browser(app)
    sign_in_fully(browser, ALICE, phone)
    browser.submit("/account/activity", "/account/activity/not-me")


def the_factor_is_removed(app: Flask, at: time_machine.Traveller, phone: Phone) -> None:
    browser = Browser(app)
    sign_in_fully(browser, ALICE, phone)
    assert browser.submit("/account/security", "/account/security/totp/remove").status_code == 303


def an_operator_resets_the_factors(app: Flask, at: time_machine.Traveller, _phone: Phone) -> None:
    with app.app_context():
        users.reset_factors_of(ALICE)


@on_sqlite
@pytest.mark.asvs("8.3.2", "6.5.6")
@pytest.mark.parametrize(
    "happens",
    [
        ten_minutes_pass,
        a_new_password_is_set,
        the_account_is_closed,
        the_owner_says_it_was_not_them,
        the_factor_is_removed,
        an_operator_resets_the_factors,
    ],
)
def test_the_step_is_over_when(
    app: Flask,
    alice: str,
    at: time_machine.Traveller,
    rows: Rows,
    happens: Callable[[Flask, time_machine.Traveller, Phone], None],
) -> None:
    phone = with_totp(app, alice)
    browser, api = Browser(app), App(app)
    browser.sign_in(alice)
    token = api.sign_in(alice).json["mfa_token"]
    happens(app, at, phone)
    sessions = rows.count(LoginSession)
    assert browser.get(VERIFY).headers["Location"] == "/login"
    refused = api.post("/auth/mfa", {"mfa_token": token, "method": "totp", "code": phone.code()})
    assert (refused.status_code, refused.json["code"]) == (401, "sign_in_expired")
    assert rows.count(LoginSession) == sessions


@on_sqlite
def test_a_step_that_is_over_while_its_page_is_open_says_so(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    phone = with_totp(app, alice)
    browser.sign_in(alice)
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(VERIFY).text)
    assert token
    rows.delete(SignInInProgress)
    answer = browser.post(VERIFY, {"csrf_token": token[1], "code": phone.fresh_code(), "method": "totp"})
    assert answer.headers["Location"] == "/login"


# Guessing


@on_sqlite
@pytest.mark.asvs("6.3.1", "6.6.3", "6.3.5")
def test_guesses_end_in_a_wait_that_a_new_password_step_does_not_shorten_and_the_owner_is_told(
    app: Flask, alice: str, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    phone = with_totp(app, alice)
    thief = new_browser(ip="203.0.113.66")
    thief.sign_in(alice)
    statuses = [verify(thief, wrong(phone)).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]
    assert "Retry-After" in verify(thief, phone.fresh_code()).headers, "the right one comes too late"
    thief.sign_in(alice)
    assert verify(thief, phone.fresh_code()).status_code == 429
    told = [mail for mail in mailbox.mails(alice) if "Wrong codes" in str(mail["Subject"])]
    assert len(told) == 1, "once a day"
    assert "knows your password" in text_of(told[0])
    assert rows.events().count("second_factor_slowed") == 1
    assert rows.live() == []


@on_sqlite
@pytest.mark.asvs("6.1.1", "6.3.1")
def test_the_owner_gets_in_on_a_known_browser_and_on_a_new_one_elsewhere(
    app: Flask, alice: str, new_browser: NewBrowser
) -> None:
    phone = with_totp(app, alice)
    known = new_browser(ip="198.51.100.1")
    sign_in_fully(known, alice, phone)
    known.sign_out()
    thief = new_browser(ip="203.0.113.66")
    thief.sign_in(alice)
    for _ in range(12):
        verify(thief, wrong(phone))
    elsewhere = new_browser(ip="198.51.100.7")
    sign_in_fully(elsewhere, alice, phone)
    for ip in ("203.0.113.67", "203.0.113.68", "203.0.113.69"):  # until all together have to wait
        thief = new_browser(ip=ip)
        thief.sign_in(alice)
        for _ in range(10):
            verify(thief, wrong(phone))
    stranger = new_browser(ip="198.51.100.9")
    stranger.sign_in(alice)
    assert verify(stranger, phone.fresh_code()).status_code == 429
    sign_in_fully(known, alice, phone)
    assert known.is_signed_in


@on_sqlite
@pytest.mark.asvs("6.6.3")
def test_pages_apps_recovery_codes_and_passkeys_are_guessed_at_on_one_counter(
    app: Flask, alice: str, new_browser: NewBrowser
) -> None:
    phone, _codes = with_totp_and_codes(app, alice)
    thief, api = new_browser(ip="203.0.113.66"), App(app, ip="203.0.113.66")
    thief.sign_in(alice)
    token = api.sign_in(alice).json["mfa_token"]
    for method in ("totp", "recovery", "passkey"):
        assert thief.submit(VERIFY, code=wrong(phone), method=method, credential="{}").status_code == 422
    for method in ("totp", "recovery"):
        for _ in range(3):
            body = {"mfa_token": token, "method": method, "code": wrong(phone)}
            assert api.post("/auth/mfa", body).json["code"] == "factor_refused"
    passkey = {"mfa_token": token, "method": "passkey", "credential": soft_key(app).signed({"challenge": "AAAA"})}
    assert api.post("/auth/mfa", passkey).status_code == 401
    assert api.post("/auth/mfa", {"mfa_token": token, "method": "totp", "code": phone.fresh_code()}).status_code == 429
    assert Limit.SECOND_FACTOR_NETWORK.windows[0].amount == 10


@on_sqlite
def test_a_right_code_forgets_the_slips_before_it(app: Flask, alice: str, new_browser: NewBrowser) -> None:
    phone = with_totp(app, alice)
    browser = new_browser()
    for _ in range(2):
        browser.sign_in(alice, PASSWORD)
        for _ in range(9):
            assert verify(browser, wrong(phone)).status_code == 422
        assert verify(browser, phone.fresh_code()).status_code == 303
        assert "many" not in words(browser.get("/account"))
        browser.sign_out()


def test_the_owner_reads_of_guesses_that_went_before_also_where_a_second_factor_follows(
    app: Flask, alice: str, mailbox: Mailbox
) -> None:
    phone, browser = with_totp(app, alice), Browser(app)
    before = len(mailbox.mails(alice))
    browser.sign_in(alice)
    browser.submit(VERIFY, code=phone.fresh_code(), method="totp")
    browser.sign_out()
    for _ in range(5):
        browser.sign_in(alice, "not this one at all")
    browser.sign_in(alice)
    browser.submit(VERIFY, code=phone.fresh_code(), method="totp")
    told = [str(mail["Subject"]) for mail in mailbox.mails(alice)[before:]]
    assert any("Wrong passwords" in subject for subject in told), told
