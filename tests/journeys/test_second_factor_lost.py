"""Losing a factor: no mail alone brings anybody in; codes, another factor or an operator do. What an alarm takes."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.apps import App, mailed_token, refusal
from tests.conftest import NewBrowser
from tests.factors import (
    make_codes,
    set_up_totp,
    sign_in_app_fully,
    sign_in_fully,
    soft_key,
    verify,
    with_totp,
    with_totp_and_codes,
)
from tests.people import NEW_PASSWORD, Browser, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import Passkey, RecoveryCode, TotpFactor, TrustedBrowser, User
from webapp.services.factors import RECENT

pytestmark = on_sqlite
VERIFY = "/login/verify"


def older(rows: Rows, age: timedelta = RECENT + timedelta(days=1)) -> None:
    """Let the app have been set up a while ago."""
    rows.set(TotpFactor, {}, created_at=clock.now() - age, confirmed_at=clock.now() - age)


@pytest.mark.asvs("6.4.3", "6.4.4")
def test_a_reset_by_mail_neither_removes_a_factor_nor_steps_over_it(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    phone, codes = with_totp_and_codes(app, alice)
    browser.submit("/password/forgot", email=alice)
    link = Mailbox(app).link(alice, "/password/reset/")
    assert browser.submit(link, password=NEW_PASSWORD).headers["Location"] == "/login"
    assert not browser.is_signed_in
    assert (rows.count(TotpFactor), rows.count(RecoveryCode)) == (1, 10)
    assert browser.sign_in(alice, NEW_PASSWORD).headers["Location"] == VERIFY
    assert verify(browser, codes[0], "recovery").status_code == 303
    api = App(app)
    api.post("/auth/password/forgot", {"email": alice})
    body = {"token": mailed_token(app, alice, "/password/reset/"), "password": "nine slower cranes departing"}
    assert api.post("/auth/password/reset", body).status_code == 204
    assert api.sign_in(alice, "nine slower cranes departing").json["code"] == "mfa_required"
    assert phone


@pytest.mark.asvs("6.4.4")
def test_another_factor_or_a_code_is_the_way_in_and_the_lost_one_can_be_removed(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    phone, codes = with_totp_and_codes(app, alice)
    browser.sign_in(alice)
    assert verify(browser, codes[0], "recovery").status_code == 303
    assert browser.submit("/account/security", "/account/security/totp/remove").status_code == 303
    again = set_up_totp(browser)
    assert again.secret != phone.secret
    browser.sign_out()
    browser.sign_in(alice)
    assert verify(browser, codes[1], "recovery").status_code == 422, "the codes went with the last factor"
    assert verify(browser, again.fresh_code()).status_code == 303


@pytest.mark.asvs("6.4.4", "6.5.6", "7.4.5", "6.3.7")
def test_an_operator_takes_all_of_them_and_everybody_out(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    phone, codes = with_totp_and_codes(app, alice)
    soft_key(app).belongs_to(rows, alice)
    browser, api, trusted = new_browser(), App(app), new_browser()
    trusted.sign_in(alice)
    verify(trusted, phone.fresh_code(), trust="y")
    trusted.sign_out()
    sign_in_fully(browser, alice, phone)
    sign_in_app_fully(api, alice, phone)
    runner = app.test_cli_runner()
    done = runner.invoke(args=["users", "reset-factors", alice])
    assert done.exit_code == 0, done.output
    assert "second factors are gone" in done.output
    for table in (TotpFactor, RecoveryCode, Passkey, TrustedBrowser):
        assert rows.count(table) == 0
    assert rows.live() == []
    assert not browser.is_signed_in
    assert refusal(api.get("/me"))[0] == 401
    assert rows.events()[-1] == "factors_reset"
    assert "We removed all second factors" in text_of(mailbox.newest(alice))
    assert browser.sign_in(alice).headers["Location"] == "/account"
    assert runner.invoke(args=["users", "reset-factors", alice]).exit_code == 0, "safe to repeat"
    unknown = runner.invoke(args=["users", "reset-factors", "nobody@example.com"])
    assert unknown.exit_code == 1
    assert unknown.stderr.endswith("Error: there is no account with that address\n")
    assert codes


@pytest.mark.asvs("6.4.4")
def test_this_was_not_me_takes_what_a_thief_set_up_and_leaves_what_is_older(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    phone = with_totp(app, alice)
    older(rows)
    thief = new_browser()
    sign_in_fully(thief, alice, phone)  # with a code that Alice told on the telephone
    soft_key(app).belongs_to(rows, alice)
    planted = make_codes(thief)
    owner = new_browser()
    sign_in_fully(owner, alice, phone)
    owner.submit("/account/activity", "/account/activity/not-me")
    assert not thief.is_signed_in
    assert (rows.count(TotpFactor), rows.count(Passkey), rows.count(RecoveryCode)) == (1, 0, 0)
    owner.submit(Mailbox(app).link(alice, "/password/reset/"), password=NEW_PASSWORD)
    owner.sign_in(alice, NEW_PASSWORD)
    assert verify(owner, planted[0], "recovery").status_code == 422
    assert verify(owner, phone.fresh_code()).status_code == 303


@pytest.mark.asvs("6.4.4")
def test_this_was_not_me_is_no_way_round_a_factor(app: Flask, alice: str, browser: Browser, rows: Rows) -> None:
    """Whoever has the mailbox, and a browser that is trusted, still lacks what its owner has had for long."""
    phone = with_totp(app, alice)
    older(rows)
    browser.sign_in(alice)
    verify(browser, phone.fresh_code(), trust="y")
    browser.submit("/account/activity", "/account/activity/not-me")
    browser.submit(Mailbox(app).link(alice, "/password/reset/"), password=NEW_PASSWORD)
    assert browser.sign_in(alice, NEW_PASSWORD).headers["Location"] == VERIFY


def test_an_owner_whose_only_factor_was_planted_comes_in_by_mail(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    owner, thief = new_browser(), new_browser()
    thief.sign_in(alice)
    set_up_totp(thief)
    assert owner.sign_in(alice).headers["Location"] == VERIFY, "the mail told the owner of it"
    thief.submit("/account/activity", "/account/activity/not-me")
    owner.submit(Mailbox(app).link(alice, "/password/reset/"), password=NEW_PASSWORD)
    assert owner.sign_in(alice, NEW_PASSWORD).headers["Location"] == "/account"


@pytest.mark.asvs("6.4.4")
def test_undoing_a_change_of_address_takes_young_factors_too(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows
) -> None:
    thief, owner = new_browser(), new_browser()
    thief.sign_in(alice)
    set_up_totp(thief)
    thief.submit("/account/email", email="mallory@example.org")
    thief.submit(Mailbox(app).link("mallory@example.org", "/email/confirm/"))
    owner.submit(Mailbox(app).link(alice, "/email/undo/"))
    assert rows.count(TotpFactor) == 0
    assert rows.user(alice).second_factor_since is None
    owner.submit(Mailbox(app).link(alice, "/password/reset/"), password=NEW_PASSWORD)
    assert owner.sign_in(alice, NEW_PASSWORD).headers["Location"] == "/account"


@pytest.mark.parametrize(("age", "stays"), [(RECENT - timedelta(minutes=5), 0), (RECENT + timedelta(minutes=5), 1)])
def test_young_is_what_is_younger_than_a_week(
    app: Flask, alice: str, browser: Browser, rows: Rows, at: time_machine.Traveller, age: timedelta, stays: int
) -> None:
    phone = with_totp(app, alice)
    older(rows, age)
    sign_in_fully(browser, alice, phone)
    browser.submit("/account/activity", "/account/activity/not-me")
    assert rows.count(TotpFactor) == stays


@pytest.mark.asvs("6.5.6")
def test_with_one_of_two_factors_gone_the_other_is_asked_for(
    app: Flask, alice: str, browser: Browser, rows: Rows
) -> None:
    phone, codes = with_totp_and_codes(app, alice)
    soft_key(app).belongs_to(rows, alice)
    sign_in_fully(browser, alice, phone)
    browser.submit("/account/security", "/account/security/totp/remove")
    assert rows.count(RecoveryCode) == 10, "there is still something for which they stand in"
    browser.sign_out()
    assert browser.sign_in(alice).headers["Location"] == VERIFY
    assert verify(browser, phone.code()).status_code == 422
    assert verify(browser, codes[0], "recovery").status_code == 303


def test_an_account_that_goes_takes_everything_with_it(app: Flask, alice: str, rows: Rows, browser: Browser) -> None:
    phone, _ = with_totp_and_codes(app, alice)
    soft_key(app).belongs_to(rows, alice)
    browser.sign_in(alice)
    verify(browser, phone.fresh_code(), trust="y")
    rows.delete(User, email=alice)
    for table in (TotpFactor, RecoveryCode, Passkey, TrustedBrowser):
        assert rows.count(table) == 0
