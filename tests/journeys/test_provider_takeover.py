"""Mallory registers Alice's address before Alice does, and waits. Alice comes with Google, and nothing of Mallory's is
left: the pre-hijacking story, from both sides.
"""

from datetime import timedelta

import pytest
from flask import Flask

from stand_in.people import ELSEWHERE, GMAIL, Person, somebody_else
from tests.apps import App
from tests.conftest import NewBrowser
from tests.journeys.pages import says, words
from tests.journeys.provider_people import begin_linking, next_page, registered, user_id_in
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, sign_in_with
from tests.rows import Rows
from webapp import clock
from webapp.models import Identity, LoginSession, OneTimeToken, SecurityEvent, SignInInProgress, User
from webapp.policy.one_time import Purpose
from webapp.services.one_time import issue_token
from webapp.services.transaction import transaction

MALLORY = somebody_else("mallory@example.com")
TOLD = "Somebody had registered this address without confirming it. All of that was removed."


@pytest.fixture
def app(google: Flask) -> Flask:
    return google


class Squatter:
    """Mallory, with everything that could be kept of an account under somebody else's address: some of it by the doors
    there are, some planted, as if another hole had let it be.
    """

    def __init__(self, app: Flask, rows: Rows, provider: LyingProvider, email: str) -> None:
        self.app, self.rows, self.provider, self.email = app, rows, provider, email
        mailbox = Mailbox(app)
        self.web, self.waiting = Browser(app, ip="203.0.113.66"), Browser(app, ip="203.0.113.66")
        self.phone, self.waiting_phone = App(app, ip="203.0.113.66"), App(app, ip="203.0.113.66")
        self.web.submit("/register", email=email, password=PASSWORD, name="Mallory")
        self.links = {"confirm": mailbox.link(email, "/verify-email/")}
        self.user_id = rows.user(email).id
        with self.as_if(email_verified_at=clock.now()):
            assert self.web.sign_in(email).status_code == 303
            assert self.phone.sign_in(email).status_code == 200
            self.callback = provider.approve(begin_linking(self.web), MALLORY)
            self.web.submit("/account/email", email=MALLORY.email)
            self.links["change"] = mailbox.link(MALLORY.email, "/email/confirm/")
            with self.as_if(deletion_due_at=clock.now() + timedelta(days=7)):
                assert self.waiting.sign_in(email).headers["Location"] == "/login/keep"
                self.step = self.waiting_phone.sign_in(email).json["step_token"]
        self.links["reset"] = self._link("/password/reset/", Purpose.RESET_PASSWORD)
        self.links["undo"] = self._link("/email/undo/", Purpose.UNDO_EMAIL_CHANGE, email=MALLORY.email)
        row = {"issuer": provider.issuer, "subject": MALLORY.sub, "provider": "google", "email": MALLORY.email}
        rows.add(Identity(user_id=self.user_id, created_at=clock.now(), **row))

    def as_if(self, **values: object) -> "_AsIf":
        return _AsIf(self.rows, self.email, values)

    def _link(self, path: str, purpose: Purpose, **data: str) -> str:
        with self.app.app_context(), transaction() as tx:
            return path + issue_token(tx, self.user_id, purpose, data=data)

    def is_shut_out(self) -> bool:
        """Try everything that was kept."""
        for link in self.links.values():
            assert self.web.get(link).status_code in (303, 404, 410), link
            assert Browser(self.app).get(link).status_code in (303, 404, 410), link
        assert not self.web.is_signed_in
        assert self.phone.get("/me").status_code == 401
        assert self.phone.refresh().status_code == 401
        assert self.waiting.get("/login/keep").headers["Location"] == "/login"
        assert self.waiting_phone.keep_account(self.step).status_code in (401, 410)
        assert come_back(self.web, self.callback).status_code == 400
        assert self.web.sign_in(self.email).status_code == 422
        assert App(self.app).sign_in(self.email).json["code"] == "invalid_credentials"
        return True


class _AsIf:
    """A column of the squatter's row, for a while as if a door had let it be so."""

    def __init__(self, rows: Rows, email: str, values: dict[str, object]) -> None:
        self.set = lambda **now: rows.set(User, {"email_key": email}, **now)
        self.values = values

    def __enter__(self) -> None:
        self.set(**self.values)

    def __exit__(self, *_: object) -> None:
        self.set(**dict.fromkeys(self.values))


@pytest.mark.asvs("6.8.1", "7.4.2")
@pytest.mark.parametrize("victim", [GMAIL, ELSEWHERE], ids=["Google decides", "Google only vouches"])
def test_the_owner_of_an_address_gets_a_fresh_account_and_the_squatter_keeps_nothing(
    app: Flask, provider: LyingProvider, browser: Browser, rows: Rows, mailbox: Mailbox, victim: Person
) -> None:
    squatter = Squatter(app, rows, provider, victim.email)
    page = next_page(browser, sign_in_with(browser, provider, victim))
    assert says(page, "Your account is ready")
    assert says(page, TOLD)
    assert victim.name in words(page)
    assert "Mallory" not in page.text
    assert "Your account at Doorway" in [str(mail["Subject"]) for mail in mailbox.mails(victim.email)]
    fresh = rows.user(victim.email)
    assert str(fresh.id) == user_id_in(browser) != str(squatter.user_id)
    assert (fresh.password_hash, fresh.name) == (None, victim.name)
    assert fresh.email_verified_at is not None
    assert rows.events(victim.email)[:3] == ["registered", "address_taken_over", "signed_in"]
    for model in (LoginSession, OneTimeToken, SignInInProgress, SecurityEvent, Identity):
        assert rows.count(model, user_id=squatter.user_id) == 0, model
    assert squatter.is_shut_out()
    assert browser.is_signed_in
    assert [identity.subject for identity in rows.all(Identity, user_id=fresh.id)] == [victim.sub]


def test_an_identity_that_the_squatter_planted_opens_an_account_of_its_own(
    app: Flask, provider: LyingProvider, browser: Browser, new_browser: NewBrowser, rows: Rows
) -> None:
    Squatter(app, rows, provider, GMAIL.email)
    sign_in_with(browser, provider)
    mallory = new_browser()
    page = next_page(mallory, sign_in_with(mallory, provider, MALLORY))
    assert says(page, "Your account is ready")
    assert GMAIL.email not in page.text
    assert user_id_in(mallory) == str(rows.user(MALLORY.email).id) != user_id_in(browser)


@pytest.mark.asvs("6.3.8")
def test_whoever_registers_an_address_after_its_owner_came_with_google_gets_nothing(
    provider: LyingProvider, browser: Browser, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    sign_in_with(browser, provider)
    mallory = new_browser(ip="203.0.113.66")
    answer = mallory.submit("/register", email=GMAIL.email, password=PASSWORD, name="Mallory")
    unknown = mallory.submit("/register", email="nobody@example.com", password=PASSWORD, name="Mallory")
    assert words(answer).replace(GMAIL.email, "") == words(unknown).replace("nobody@example.com", "")
    assert mallory.sign_in(GMAIL.email).status_code == 422
    assert "/verify-email/" not in str(mailbox.newest(GMAIL.email))
    assert (rows.user(GMAIL.email).name, rows.user(GMAIL.email).password_hash) == (GMAIL.name, None)
    assert browser.is_signed_in


def test_an_address_change_that_waits_for_its_confirmation_holds_no_address(
    app: Flask, provider: LyingProvider, browser: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    """Mallory asks to move an account of Mallory's own to Alice's address, and gets hold of the mailed link later."""
    mallory = registered(app, MALLORY.email)
    mallory.submit("/account/email", email=GMAIL.email)
    link = mailbox.link(GMAIL.email, "/email/confirm/")
    page = next_page(browser, sign_in_with(browser, provider))
    assert says(page, "Your account is ready")
    assert not says(page, TOLD)
    refused = mallory.submit(link)
    assert refused.status_code in (410, 422)
    assert rows.user(MALLORY.email).id != rows.user(GMAIL.email).id
    assert user_id_in(browser) == str(rows.user(GMAIL.email).id)


def test_a_confirmation_that_the_owner_never_asked_for_confirms_nothing_afterwards(
    app: Flask, provider: LyingProvider, browser: Browser, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    """The mail that Mallory's registration sent is still in Alice's mailbox: she opens it, and no harm is done."""
    new_browser().submit("/register", email=GMAIL.email, password=PASSWORD, name="Mallory")
    link = mailbox.link(GMAIL.email, "/verify-email/")
    sign_in_with(browser, provider)
    assert browser.get(link).status_code == 410
    assert new_browser().sign_in(GMAIL.email).status_code == 422
    assert browser.submit("/account/password", new_password=NEW_PASSWORD).status_code == 303
    assert new_browser().sign_in(GMAIL.email, NEW_PASSWORD).status_code == 303
    assert rows.count(User) == 1


def test_a_mailbox_that_only_looks_the_same_takes_over_nothing_that_was_confirmed(
    app: Flask, provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    registered(app, "fish@example.org")
    user_id = rows.user("fish@example.org").id
    answer = sign_in_with(browser, provider, somebody_else("\ufb01sh@example.org"))
    assert answer.headers["Location"] == "/login/google/connect"
    assert not browser.is_signed_in
    assert (rows.count(User), rows.count(Identity)) == (1, 0)
    assert rows.user("fish@example.org").id == user_id
