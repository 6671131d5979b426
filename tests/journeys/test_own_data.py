"""Taking everything along, and leaving: nothing of a person stays."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.conftest import NewBrowser
from tests.factors import make_codes, set_up_totp, soft_key, verify
from tests.journeys.pages import csrf_token
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp.models import Base, OneTimeToken, RecoveryCode, TrustedBrowser, User
from webapp.policy.sign_in import STEP_LIFE
from webapp.services import housekeeping, users
from webapp.services.account_data import SECRET_COLUMNS
from webapp.services.account_deletion import UNCONFIRMED_FOR, WAITING_TIME

ALICE, IP = "alice@example.com", "203.0.113.77"
NOT_ABOUT_A_PERSON = {
    *("cookie_sessions", "rate_limits", "outbox_messages", "sign_ins_in_progress", "signing_keys"),
    *("authorization_requests", "spent_values", "provider_revocations"),
}


def export(browser: Browser) -> dict[str, object]:
    answer = browser.submit("/account/data", "/account/data/export")
    assert answer.status_code == 200
    held: dict[str, object] = json.loads(answer.text)
    return held


@pytest.mark.asvs("14.2.6")
def test_the_download_holds_every_table_about_the_person_and_no_secret(
    app: Flask, alice: str, new_user: Callable[..., str], new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    new_user("bob@example.com", name="Bob")
    browser = new_browser(ip=IP)
    browser.sign_in(alice)
    browser.submit("/account/email", email="new@example.com")
    phone, passkey = set_up_totp(browser), soft_key(app).belongs_to(rows, alice)
    codes = make_codes(browser)
    browser.sign_out()
    browser.sign_in(alice)
    verify(browser, phone.fresh_code(), trust="y")
    held = export(browser)
    about = {table.name for table in Base.metadata.sorted_tables if table.name not in NOT_ABOUT_A_PERSON}
    names = {"account": "users", "mailed_links": "one_time_tokens"}
    assert {names.get(name, name) for name in held} == about | {"exported_at"}
    text = json.dumps(held)
    assert held["account"]["email"] == alice  # type: ignore[index]
    for expected in (IP, "new@example.com", "Chrome", "signed_in"):
        assert expected in text
    factors = ("totp_factors", "recovery_codes", "passkeys", "trusted_browsers")
    assert [len(held[name]) for name in factors] == [1, 10, 1, 1]  # type: ignore[arg-type]
    for column in SECRET_COLUMNS:
        assert f'"{column}"' not in text
    user = rows.user()
    hashes = [user.password_hash, *(token.token_hash for token in rows.all(OneTimeToken))]
    hashes += [code.code_hash for code in rows.all(RecoveryCode)]
    hashes += [trust.secret_hash for trust in rows.all(TrustedBrowser)]
    shown = [phone.secret, *codes, browser.cookie("trust"), passkey.id.hex(), str(passkey.id)]
    assert not any(value and value in text for value in [*hashes, *shown])
    assert "bob" not in text.lower()


@on_sqlite
@pytest.mark.asvs("5.4.1", "5.4.2")
def test_the_download_has_one_name_whatever_is_asked(alice: str, browser: Browser) -> None:
    browser.sign_in(alice)
    browser.submit("/account", name='앨리스"; filename="evil.html', locale="en")
    form = {"csrf_token": csrf_token(browser.get("/account/data")), "filename": "evil.html"}
    answer = browser.post("/account/data/export?filename=evil.html", form)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="account-data.json"'
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.asvs("7.5.3", "7.5.1")
@pytest.mark.parametrize("action", ["export", "delete"])
def test_download_and_deletion_ask_for_the_password_when_the_sign_in_is_older(
    alice: str, browser: Browser, at: time_machine.Traveller, rows: Rows, action: str
) -> None:
    browser.sign_in(alice)
    at.shift(timedelta(minutes=10))
    asked = browser.submit("/account/data", f"/account/data/{action}")
    assert (asked.status_code, asked.location) == (303, "/reauthenticate?next=/account/data")
    assert rows.user().deletion_due_at is None
    proven = browser.submit(asked.location, password=PASSWORD)
    assert proven.location == "/account/data"
    assert browser.submit("/account/data", f"/account/data/{action}").status_code in (200, 303)


def test_who_signs_in_within_the_waiting_time_is_asked_whether_to_stay(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows, at: time_machine.Traveller
) -> None:
    browser = new_browser()
    browser.sign_in(alice)
    browser.submit("/account/data", "/account/data/delete")
    assert rows.live() == []
    at.shift(WAITING_TIME - timedelta(hours=1))
    step = browser.submit("/login?next=/account/activity", email=alice, password=PASSWORD, next="/account/activity")
    assert (step.status_code, step.location) == (303, "/login/keep")
    assert not browser.is_signed_in, "the step carries no rights"
    assert rows.live() == []
    assert new_browser().get("/login/keep").location == "/login", "nor does the page without the proof"
    kept = browser.submit("/login/keep")
    assert (kept.status_code, kept.location) == (303, "/account/activity")
    assert browser.is_signed_in
    at.shift(timedelta(days=8))
    with app.app_context():
        assert housekeeping.purge()["deleted_accounts"] == 0
    assert browser.sign_in(alice).location == "/account"


def test_the_offer_to_stay_ends_after_ten_minutes_or_when_the_account_is_closed(
    app: Flask, alice: str, new_browser: NewBrowser, rows: Rows, at: time_machine.Traveller
) -> None:
    owner = new_browser()
    owner.sign_in(alice)
    owner.submit("/account/data", "/account/data/delete")
    owner.sign_in(alice)
    token = {"csrf_token": csrf_token(owner.get("/login/keep"))}
    with app.app_context():
        users.disable_user(alice)
    assert owner.post("/login/keep", token).location == "/login"
    with app.app_context():
        users.enable_user(alice)
    owner.sign_in(alice)
    token = {"csrf_token": csrf_token(owner.get("/login/keep"))}
    at.shift(STEP_LIFE)
    assert owner.post("/login/keep", token).location == "/login"
    assert rows.user().deletion_due_at is not None
    assert rows.live() == []


def test_after_the_waiting_time_nothing_of_the_person_remains_in_any_table(
    app: Flask,
    new_user: Callable[..., str],
    new_browser: NewBrowser,
    mailbox: Mailbox,
    rows: Rows,
    at: time_machine.Traveller,
) -> None:
    bob = new_user("bob@example.com", name="Bob")
    browser = new_browser(ip=IP, user_agent="Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0")
    browser.submit("/register", email=ALICE, password=PASSWORD, name="Ottoline")
    browser.submit(mailbox.link(ALICE, "/verify-email/"))
    browser.submit("/account/email", email="next@example.com")
    user_id = rows.user().id
    export(browser)
    browser.submit("/account/data", "/account/data/delete")
    browser.sign_in(ALICE)  # leaves a sign-in in progress
    told = text_of(mailbox.newest(ALICE))
    assert "/login" in told
    at.shift(WAITING_TIME + timedelta(minutes=1))
    with app.app_context():
        assert housekeeping.purge()["deleted_accounts"] == 1
    mailbox.deliver()  # the last mail goes out, and is forgotten
    traces = (ALICE, "Ottoline", IP, "next@example.com", "Firefox/150", str(user_id), user_id.hex)
    assert [(table, value) for table, value in rows.texts() for trace in traces if trace in value] == []
    assert [user.email for user in rows.all(User)] == [bob]
    assert browser.sign_in(ALICE).status_code == 422
    assert browser.submit("/register", email=ALICE, password=NEW_PASSWORD, name="Again").status_code == 200


@on_sqlite
def test_accounts_that_nobody_confirmed_are_dropped_but_not_while_a_link_is_open(
    app: Flask, alice: str, browser: Browser, rows: Rows, at: time_machine.Traveller
) -> None:
    def drop() -> int:
        with app.app_context():
            return housekeeping.purge()["unconfirmed_accounts"]

    browser.submit("/register", email="bob@example.com", password=PASSWORD, name="Bob")
    at.shift(UNCONFIRMED_FOR - timedelta(minutes=1))
    assert browser.sign_in("bob@example.com").status_code == 422  # and gets a new link
    at.shift(timedelta(minutes=2))
    assert drop() == 0
    at.shift(timedelta(days=1))
    assert drop() == 1
    assert [user.email for user in rows.all(User)] == [alice]
