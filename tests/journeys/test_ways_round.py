"""Ways round the second factor and round a block that were tried, and lead nowhere."""

from datetime import timedelta

import pytest
from flask import Flask

from stand_in.people import ELSEWHERE, GMAIL
from tests.conftest import NewApp
from tests.factors import VERIFY, Phone, verify, with_totp
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings, sign_in_with
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.errors import InvalidCredentials
from webapp.models import Identity, LoginSession, SignInInProgress, User
from webapp.services import mailed_sign_in, sign_in
from webapp.services.client import Client

pytestmark = on_sqlite
NOBODY = Client(ip="127.0.0.1", user_agent="")


def known_here(app: Flask, email: str) -> Browser:
    """A browser with a confirmed account, signed in."""
    browser = Browser(app)
    browser.submit("/register", email=email, password=PASSWORD, name="Alice")
    browser.submit(Mailbox(app).link(email, "/verify-email/"))
    return browser


def wrong_code_of(phone: Phone) -> str:
    """A code that is not good now."""
    good = {phone.code(steps_ago=ago) for ago in range(-3, 4)}
    return next(code for code in ("000000", "111111", "222222", "333333") if code not in good)


def trusted(app: Flask, email: str) -> Browser:
    """A browser that is trusted, signed in anew by the password alone."""
    phone, browser = with_totp(app, email), Browser(app)
    browser.sign_in(email)
    browser.submit(VERIFY, code=phone.fresh_code(), method="totp", trust="y")
    browser.sign_out()
    assert browser.sign_in(email).headers["Location"] == "/account"
    return browser


@pytest.mark.asvs("6.3.1")
def test_a_mailbox_does_not_buy_more_guesses_at_the_second_factor(app: Flask, alice: str, mailbox: Mailbox) -> None:
    """A browser is known once it has signed in, and not for having chosen a new password by mail."""
    bad, judged = wrong_code_of(with_totp(app, alice)), 0
    for number in range(4):
        asker, guesser = Browser(app, ip="203.0.113.9"), Browser(app, ip="203.0.113.9")
        asker.submit("/password/forgot", email=alice)
        password = f"seven loud otters number {number} crossing"
        guesser.submit(mailbox.link(alice, "/password/reset/"), password=password)
        guesser.sign_in(alice, password)
        judged += sum(verify(guesser, bad).status_code == 422 for _ in range(10))
    assert judged == 10


def test_not_me_removes_no_factor_for_who_has_not_shown_it(app: Flask, alice: str, rows: Rows) -> None:
    browser = trusted(app, alice)
    browser.submit("/account/activity", "/account/activity/not-me")
    assert rows.user(alice).second_factor_since is not None
    thief = Browser(app)
    thief.submit(Mailbox(app).link(alice, "/password/reset/"), password=NEW_PASSWORD)
    assert thief.sign_in(alice, NEW_PASSWORD).headers["Location"] == VERIFY


def test_the_conflict_page_connects_nothing_for_half_a_proof(new_app: NewApp, provider: LyingProvider) -> None:
    app = new_app(**google_settings(provider))
    known_here(app, ELSEWHERE.email).sign_out()
    browser = trusted(app, ELSEWHERE.email)
    browser.sign_out()
    answer = sign_in_with(browser, provider, ELSEWHERE)
    done = browser.submit(answer.headers["Location"], password=PASSWORD)
    assert done.headers["Location"].startswith("/login/google/connect")
    assert Rows(app).count(Identity) == 0
    asked = browser.submit("/login/google/connect")
    assert asked.headers["Location"].startswith("/reauthenticate")
    assert Rows(app).count(Identity) == 0


def test_where_a_factor_is_demanded_nothing_is_connected_before(new_app: NewApp, provider: LyingProvider) -> None:
    app = new_app(**google_settings(provider), MFA_REQUIRED=True)
    known_here(app, ELSEWHERE.email)
    browser = Browser(app)
    browser.submit(sign_in_with(browser, provider, ELSEWHERE).headers["Location"], password=PASSWORD)
    assert browser.submit("/login/google/connect").status_code == 422
    assert Rows(app).count(Identity) == 0


def test_google_alone_is_connected_to_no_account_with_a_second_factor(new_app: NewApp, provider: LyingProvider) -> None:
    app = new_app(**google_settings(provider))
    known_here(app, GMAIL.email).sign_out()
    with_totp(app, GMAIL.email)
    assert sign_in_with(Browser(app), provider, GMAIL).headers["Location"] == "/login/google/connect"
    assert Rows(app).count(Identity) == 0


def test_a_blocked_password_proves_nothing_again(new_app: NewApp) -> None:
    app = new_app(MAILED_SIGN_IN=True)
    email, mailbox, rows = "alice@example.com", Mailbox(app), Rows(app)
    known_here(app, email).submit("/account/activity", "/account/activity/not-me")
    browser = Browser(app)
    browser.submit("/login/mail", email=email)
    browser.submit(mailbox.link(email, "/login/mailed/"))
    rows.set(LoginSession, {}, auth_time=clock.now() - timedelta(hours=1))
    assert browser.submit("/reauthenticate", password=PASSWORD).status_code == 422


def test_a_block_by_the_provider_outlives_not_me(new_app: NewApp, provider: LyingProvider) -> None:
    app = new_app(**google_settings(provider))
    owner, rows = known_here(app, GMAIL.email), Rows(app)
    sign_in_with(Browser(app), provider, GMAIL)
    rows.set(Identity, {}, blocked_at=clock.now())
    owner.submit("/account/activity", "/account/activity/not-me")
    thief = Browser(app)
    assert sign_in_with(thief, provider, GMAIL).status_code == 403
    assert not thief.is_signed_in


def test_keeping_the_account_waits_for_the_factor_where_trust_is_gone(app: Flask, alice: str, rows: Rows) -> None:
    browser = trusted(app, alice)
    rows.set(LoginSession, {}, methods="pwd otp mfa")
    browser.submit("/account/data", "/account/data/delete")
    assert browser.sign_in(alice).headers["Location"] == "/login/keep"
    browser.client.delete_cookie("trust", domain="127.0.0.1")
    assert browser.submit("/login/keep").headers["Location"] == VERIFY
    assert rows.user(alice).deletion_due_at is not None


def test_logins_in_progress_do_not_pile_up(app: Flask, alice: str, rows: Rows) -> None:
    with_totp(app, alice)
    for _ in range(25):
        Browser(app).sign_in(alice)
    assert rows.count(SignInInProgress) == 20


def test_a_mailed_proof_is_worth_nothing_once_the_mailbox_is_not_the_accounts(new_app: NewApp) -> None:
    """Between the link and the session, the owner takes back the address that a thief had moved the account to."""
    app = new_app(MAILED_SIGN_IN=True)
    rows, mailbox, email = Rows(app), Mailbox(app), "alice@example.com"
    known_here(app, email)
    browser = Browser(app)
    browser.submit("/login/mail", email=email)
    secret = browser.cookie("mailed-sign-in")
    token = mailbox.link(email, "/login/mailed/").rsplit("/", 1)[-1]
    with app.app_context():
        proof = mailed_sign_in.prove_by_link(token, secret, NOBODY)
        rows.set(User, {}, email_key="somebody.else@example.com")
        with pytest.raises(InvalidCredentials):
            sign_in.start_sign_in(proof, NOBODY, kind="web")
