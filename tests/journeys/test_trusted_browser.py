"""A browser in which its owner is not asked for the second factor for a while."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.apps import App
from tests.conftest import NewApp, NewBrowser
from tests.factors import Phone, set_up_totp, soft_key, verify, with_totp
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.rows import Rows, on_sqlite
from webapp.models import TrustedBrowser
from webapp.services import housekeeping
from webapp.services.one_time import digest
from webapp.services.trusted_browsers import TRUST_LIFE

ALICE, VERIFY = "alice@example.com", "/login/verify"


def trusting(app: Flask, browser: Browser, email: str = ALICE) -> Phone:
    """An account with an app, signed in and out once in a browser that it trusts."""
    phone = with_totp(app, email)
    browser.sign_in(email)
    assert verify(browser, phone.fresh_code(), trust="y").status_code == 303
    browser.sign_out()
    return phone


def is_asked(browser: Browser, email: str = ALICE, password: str = PASSWORD) -> bool:
    answer = browser.sign_in(email, password)
    assert answer.status_code == 303, answer.text[-300:]
    return answer.headers["Location"] == VERIFY


@on_sqlite
def test_only_who_wants_it_is_not_asked_again(app: Flask, alice: str, new_browser: NewBrowser, rows: Rows) -> None:
    phone, browser = with_totp(app, alice), new_browser()
    browser.sign_in(alice)
    verify(browser, phone.fresh_code())
    browser.sign_out()
    assert rows.count(TrustedBrowser) == 0
    assert is_asked(browser)
    verify(browser, phone.fresh_code(), trust="y")
    browser.sign_out()
    assert rows.count(TrustedBrowser) == 1
    assert not is_asked(browser)
    assert is_asked(new_browser())


@on_sqlite
@pytest.mark.asvs("11.5.1", "3.3.1", "3.3.2", "3.3.4")
def test_its_secret_is_long_hashed_and_in_a_cookie_that_no_script_reads(
    new_app: NewApp, alice: str, rows: Rows
) -> None:
    app = new_app(PUBLIC_URL="https://login.example.com")
    browser, phone = Browser(app), with_totp(app, alice)
    browser.sign_in(alice)
    answer = verify(browser, phone.fresh_code(), trust="y")
    (cookie,) = [line for line in answer.headers.getlist("Set-Cookie") if "trust=" in line]
    name, _, rest = cookie.partition("=")
    secret = rest.partition(";")[0]
    attributes = {part.strip() for part in rest.split(";")[1:]}
    assert name == "__Host-trust"
    assert attributes >= {"Secure", "HttpOnly", "Path=/", "SameSite=Lax", f"Max-Age={int(TRUST_LIFE.total_seconds())}"}
    assert not any(part.startswith("Domain") for part in attributes)
    assert len(secret) >= 43
    (row,) = rows.all(TrustedBrowser)
    assert row.secret_hash == digest(secret)
    assert secret not in "".join(value for _, value in rows.texts())


@on_sqlite
def test_it_ends_after_thirty_days_whatever_the_browser_keeps(
    app: Flask, alice: str, browser: Browser, at: time_machine.Traveller, rows: Rows
) -> None:
    trusting(app, browser)
    secret = browser.cookie("trust")
    at.shift(TRUST_LIFE - timedelta(minutes=5))
    assert not is_asked(browser)
    at.shift(timedelta(minutes=5))
    later = Browser(app)
    later.set_cookie("trust", str(secret))
    assert is_asked(later)
    with app.app_context():
        housekeeping.purge()
    assert rows.count(TrustedBrowser) == 0


@on_sqlite
@pytest.mark.asvs("8.2.2")
def test_it_is_worth_nothing_for_another_account(
    app: Flask, alice: str, browser: Browser, new_user: Callable[..., str]
) -> None:
    trusting(app, browser)
    bob = new_user("bob@example.com", name="Bob")
    with_totp(app, bob)
    assert is_asked(browser, bob)


@on_sqlite
@pytest.mark.asvs("7.5.1", "8.2.4")
@pytest.mark.parametrize("page", ["/account/password", "/account/email", "/account/security/recovery-codes"])
def test_it_is_no_proof_for_a_change_of_credentials(
    app: Flask, alice: str, browser: Browser, rows: Rows, page: str
) -> None:
    phone = trusting(app, browser)
    assert not is_asked(browser)
    (row,) = rows.live()
    assert row.methods == "pwd", "what was shown, and no more"
    assert browser.get("/account").status_code == 200
    assert browser.get(page).headers["Location"].startswith("/reauthenticate")
    factor = browser.submit("/reauthenticate", password=PASSWORD, next=page).headers["Location"]
    assert factor.startswith("/reauthenticate/verify")
    assert browser.get(page).status_code == 303, "the password alone is not enough"
    assert browser.submit(factor, code=phone.fresh_code(), method="totp").headers["Location"] == page
    assert browser.get(page).status_code == 200
    (row,) = rows.live()
    assert row.methods.split() == ["pwd", "otp", "mfa"]


@on_sqlite
@pytest.mark.asvs("8.2.2")
def test_it_stands_in_the_list_and_can_be_taken_back_by_its_owner_alone(
    app: Flask, alice: str, new_browser: NewBrowser, new_user: Callable[..., str], rows: Rows
) -> None:
    browser = new_browser()
    trusting(app, browser)
    is_asked(browser)
    page = browser.get("/account/security").text
    assert "Trusted browsers" in page
    assert "This browser" in page
    (row,) = rows.all(TrustedBrowser)
    path = f"/account/security/browsers/{row.id}/revoke"
    bob = new_browser()
    bob.sign_in(new_user("bob@example.com", name="Bob"))
    token = bob.get("/account/data").text.split('name="csrf_token" value="')[1].split('"')[0]
    assert bob.post(path, {"csrf_token": token}).status_code == 404
    assert rows.count(TrustedBrowser) == 1
    assert browser.submit("/account/security", path).status_code == 303
    browser.sign_out()
    assert is_asked(browser)


def the_password_is_changed(browser: Browser, phone: Phone, app: Flask) -> str:
    browser.sign_in(ALICE)
    browser.submit("/reauthenticate", password=PASSWORD)
    browser.submit("/reauthenticate/verify", code=phone.fresh_code(), method="totp")
    answer = browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert answer.status_code == 303, answer.text[-300:]
    browser.sign_out()
    return NEW_PASSWORD


def the_password_is_reset_by_mail(browser: Browser, phone: Phone, app: Flask) -> str:
    browser.submit("/password/forgot", email=ALICE)
    browser.submit(Mailbox(app).link(ALICE, "/password/reset/"), password=NEW_PASSWORD)
    return NEW_PASSWORD


def a_factor_is_removed(browser: Browser, phone: Phone, app: Flask) -> str:
    soft_key(app).belongs_to(Rows(app), ALICE)  # so that one is left to be asked for
    other = Browser(app)
    other.sign_in(ALICE)
    verify(other, phone.fresh_code())
    assert other.submit("/account/security", "/account/security/totp/remove").status_code == 303
    return PASSWORD


@on_sqlite
@pytest.mark.asvs("7.4.3", "6.5.6")
@pytest.mark.parametrize("happens", [the_password_is_changed, the_password_is_reset_by_mail, a_factor_is_removed])
def test_it_is_over_when(
    app: Flask, alice: str, browser: Browser, rows: Rows, happens: Callable[[Browser, Phone, Flask], str]
) -> None:
    phone = trusting(app, browser)
    password = happens(browser, phone, app)
    assert rows.count(TrustedBrowser) == 0
    assert is_asked(browser, password=password)


@on_sqlite
def test_this_was_not_me_distrusts_every_browser(app: Flask, alice: str, browser: Browser, rows: Rows) -> None:
    trusting(app, browser)
    is_asked(browser)
    browser.submit("/account/activity", "/account/activity/not-me")
    assert rows.count(TrustedBrowser) == 0


@on_sqlite
def test_a_browser_that_is_trusted_again_has_one_row(
    app: Flask, alice: str, browser: Browser, rows: Rows, at: time_machine.Traveller
) -> None:
    phone = trusting(app, browser)
    rows.set(TrustedBrowser, {}, expires_at=rows.all(TrustedBrowser)[0].created_at)
    assert is_asked(browser)
    verify(browser, phone.fresh_code(), trust="y")
    assert rows.count(TrustedBrowser) == 1


@on_sqlite
@pytest.mark.parametrize("value", ["", "x", "x" * 43, "x" * 4000, "../../etc", "\u00e9" * 40])
def test_a_cookie_that_somebody_made_up_spares_nothing(app: Flask, alice: str, browser: Browser, value: str) -> None:
    with_totp(app, alice)
    browser.set_cookie("trust", value)
    assert is_asked(browser)


@on_sqlite
def test_an_app_cannot_ask_to_be_trusted(app: Flask, alice: str, rows: Rows) -> None:
    phone, api = with_totp(app, alice), App(app, cookies=True)
    token = api.sign_in(alice).json["mfa_token"]
    body = {"mfa_token": token, "method": "totp", "code": phone.fresh_code()}
    assert api.post("/auth/mfa", body).status_code == 200
    assert rows.count(TrustedBrowser) == 0
    assert api.sign_in(alice).json["code"] == "mfa_required"


@on_sqlite
def test_trust_comes_with_a_factor_that_was_shown_and_never_before(alice: str, browser: Browser, rows: Rows) -> None:
    browser.sign_in(alice, trust="y")
    set_up_totp(browser)
    browser.sign_out()
    assert rows.count(TrustedBrowser) == 0
    assert is_asked(browser)
