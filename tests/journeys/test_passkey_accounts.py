"""A passkey that is right opens no account that is closed, and many at once get no further than one."""

import json
from datetime import timedelta
from functools import partial

import pytest
from flask import Flask

from tests.apps import App, problem, refusal
from tests.conftest import NewApp
from tests.journeys.crowds import CROWD, all_at_once
from tests.journeys.pages import csrf_token
from tests.passkeys.authenticator import Authenticator
from tests.passkeys.doors import DOORS, LIST, add, at_api_second_step, options_at, said, send, sign_in
from tests.people import Browser, Mailbox
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.errors import PasskeyRefused
from webapp.models import LoginSession, Passkey, User
from webapp.services.client import Client
from webapp.services.passkey_proofs import prove_sign_in, sign_in_options
from webapp.services.sign_in import start_sign_in


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """The application without limits, and patient: crowds come from one address and stand in line."""
    return new_app(RATELIMIT_ENABLED=False)


@pytest.fixture
def key(app: Flask, alice: str) -> Authenticator:
    """A passkey of Alice's."""
    browser, made = Browser(app), Authenticator()
    browser.sign_in(alice)
    assert add(browser, made).status_code == 303
    return made


CLOSED = {
    "disabled": ("disabled_at", "This account is closed", (403, "account_disabled")),
    "unverified": ("email_verified_at", "confirm your email address", (403, "email_unverified")),
}


@on_sqlite
@pytest.mark.asvs("6.3.4", "7.4.2")
@pytest.mark.parametrize("state", CLOSED)
def test_a_closed_account_stays_closed(app: Flask, alice: str, key: Authenticator, rows: Rows, state: str) -> None:
    column, words, refused = CLOSED[state]
    halfway, app_halfway = Browser(app), App(app)
    halfway.sign_in(alice)
    token = problem(app_halfway.sign_in(alice))["mfa_token"]
    rows.set(User, {"email_key": alice}, **{column: clock.now() if state == "disabled" else None})
    live = len(rows.live())
    browser = Browser(app)
    assert words in said(browser, sign_in(browser, key))
    assert not browser.is_signed_in
    phone = App(app)
    options = phone.post("/auth/passkey/options").json["publicKey"]
    assert refusal(phone.post("/auth/passkey", {"credential": key.sign(options)})) == refused
    proof = key.sign(options_at(halfway, "/login/verify/passkey"))
    fields = {"credential": json.dumps(proof), "method": "passkey", "code": ""}
    assert "That took too long" in said(halfway, halfway.submit("/login/verify", "/login/verify", **fields))
    assert not halfway.is_signed_in
    proof = key.sign(app_halfway.post("/auth/mfa/passkey", {"mfa_token": token}).json["publicKey"])
    body = {"mfa_token": token, "method": "passkey", "credential": proof}
    assert refusal(app_halfway.post("/auth/mfa", body)) == (401, "sign_in_expired")
    assert len(rows.live()) == live


@on_sqlite
def test_an_account_that_is_to_be_deleted_asks_first(app: Flask, alice: str, key: Authenticator, rows: Rows) -> None:
    rows.set(User, {"email_key": alice}, deletion_due_at=clock.now() + timedelta(days=7))
    browser, phone = Browser(app), App(app)
    assert sign_in(browser, key).headers["Location"] == "/login/keep"
    assert not browser.is_signed_in
    options = phone.post("/auth/passkey/options").json["publicKey"]
    told = problem(phone.post("/auth/passkey", {"credential": key.sign(options)}))
    assert (told["status"], told["code"]) == (403, "account_deletion_pending")
    assert phone.keep_account(told["step_token"]).status_code == 200
    assert phone.get("/auth/session").json["amr"] == ["hwk", "mfa"]
    assert rows.user().deletion_due_at is None


@on_sqlite
def test_a_password_that_is_blocked_does_not_stop_a_passkey(
    app: Flask, alice: str, key: Authenticator, rows: Rows
) -> None:
    rows.set(User, {"email_key": alice}, password_blocked_at=clock.now())
    browser = Browser(app)
    assert sign_in(browser, key).headers["Location"] == "/account"
    assert browser.is_signed_in


@on_sqlite
def test_a_deleted_account_leaves_no_passkey_behind(
    app: Flask, alice: str, key: Authenticator, rows: Rows, mailbox: Mailbox
) -> None:
    visit = DOORS["API sign in"](app, alice, key)
    rows.delete(User, email_key=alice)
    assert rows.count(Passkey) == 0
    assert not visit.send(key.sign(visit.options))


@on_sqlite
@pytest.mark.asvs("6.3.3")
def test_a_passkey_is_enough_where_two_factors_are_demanded(new_app: NewApp, alice: str, key: Authenticator) -> None:
    strict = new_app(MFA_REQUIRED=True, RATELIMIT_ENABLED=False)
    browser = Browser(strict)
    assert sign_in(browser, key).headers["Location"] == "/account"
    assert browser.get("/account/security").status_code == 200
    visit = DOORS["API sign in"](strict, alice, key)
    assert visit.send(key.sign(visit.options))


@pytest.mark.asvs("2.3.4", "15.4.2")
def test_of_many_who_show_one_answer_at_once_one_gets_in(
    app: Flask, alice: str, key: Authenticator, rows: Rows
) -> None:
    phone = App(app)
    options = phone.post("/auth/passkey/options").json["publicKey"]
    answer, before = key.sign(options), rows.count(LoginSession)
    tasks = [partial(App(app).post, "/auth/passkey", {"credential": answer}) for _ in range(CROWD)]
    statuses = [reply.status_code for reply in all_at_once(tasks)]
    assert sorted(statuses) == [200] + [401] * (CROWD - 1)
    assert rows.count(LoginSession) == before + 1


@pytest.mark.asvs("2.3.4", "15.4.2")
def test_of_many_who_show_one_answer_in_one_browser_at_once_one_gets_in(app: Flask, alice: str, rows: Rows) -> None:
    browser, uncounted = Browser(app), Authenticator(counts=False, synced=True)
    browser.sign_in(alice)
    add(browser, uncounted)
    browser.sign_out()
    answer, before = uncounted.sign(options_at(browser, "/login/passkey")), rows.count(LoginSession)
    copies = [Browser(app) for _ in range(CROWD)]
    for copy in copies:
        copy.set_cookie("visitor", str(browser.cookie("visitor")))
    replies = all_at_once([partial(send, copy, answer) for copy in copies])
    assert sorted(reply.headers["Location"] for reply in replies) == ["/account"] + ["/login"] * (CROWD - 1)
    assert rows.count(LoginSession) == before + 1


@pytest.mark.asvs("2.3.4", "15.4.2")
def test_of_many_second_factors_by_one_answer_one_counts(
    app: Flask, alice: str, key: Authenticator, rows: Rows
) -> None:
    visits = [at_api_second_step(app, alice, key) for _ in range(8)]
    answer, before = key.sign(visits[0].options), rows.count(LoginSession)
    opened = all_at_once([partial(visit.send, answer) for visit in visits])
    assert opened.count(True) == 1
    assert rows.count(LoginSession) == before + 1


@pytest.mark.asvs("2.3.4", "15.4.2")
def test_of_many_who_add_one_passkey_at_once_one_does(app: Flask, alice: str, rows: Rows) -> None:
    browser = Browser(app)
    browser.sign_in(alice)
    made = Authenticator().make(options_at(browser, f"{LIST}/options"))
    copies = [Browser(app) for _ in range(8)]
    for copy in copies:
        copy.set_cookie("session", str(browser.cookie("session")))
    forms = [_form(copy, made) for copy in copies]
    statuses = [reply.status_code for reply in all_at_once(forms)]
    assert 303 in statuses
    # 400: the session's id was renewed by the one that was taken, and who comes after that shows an id that is over
    assert set(statuses) <= {303, 400, 422}
    assert rows.count(Passkey) == 1
    assert rows.events().count("factor_added") == 1


def _form(browser: Browser, made: object):
    token = browser.get(LIST).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    return partial(browser.post, LIST, {"csrf_token": token, "credential": json.dumps(made)})


@pytest.mark.asvs("15.4.2")
def test_a_passkey_that_is_removed_while_it_is_shown_is_either_used_or_gone(
    app: Flask, alice: str, key: Authenticator, rows: Rows
) -> None:
    owner = Browser(app)
    sign_in(owner, key)
    visits = [DOORS["API sign in"](app, alice, key) for _ in range(4)]
    answers = [key.sign(visit.options) for visit in visits]
    (passkey,) = rows.all(Passkey)
    remove = partial(owner.post, f"{LIST}/{passkey.id}/remove", {"csrf_token": csrf_token(owner.get(LIST))})
    shows = [partial(visit.send, answer) for visit, answer in zip(visits, answers, strict=True)]
    outcomes = all_at_once([lambda: remove().status_code == 303, *shows])
    assert outcomes[0]
    assert rows.count(Passkey) == 0
    assert len(rows.live()) == 1  # whoever was let in before it went is signed out by that


@on_sqlite
@pytest.mark.asvs("6.5.6")
def test_one_that_is_removed_between_proof_and_sign_in_begins_nothing(
    app: Flask, key: Authenticator, rows: Rows
) -> None:
    client = Client(ip="203.0.113.9", user_agent="")
    with app.app_context():
        proof = prove_sign_in(key.sign(sign_in_options()), client)
    live = len(rows.live())
    rows.delete(Passkey)
    with app.app_context(), pytest.raises(PasskeyRefused):
        start_sign_in(proof, client, kind="web")
    assert len(rows.live()) == live
