"""Moving to another address: confirmed at the new one, told to the old one, which can take it back."""

from collections.abc import Callable

import pytest
from flask import Flask

from tests.conftest import NewBrowser, NewUser
from tests.journeys.pages import csrf_token, says
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, text_of
from tests.rows import Rows
from tests.services.signed_in import CLIENT, seen_again
from webapp.errors import EmailUnchanged, NotSignedIn, PasswordBlocked
from webapp.http.words import sentence
from webapp.models import LoginSession, User
from webapp.policy.login_sessions import EndReason
from webapp.services.email_change import confirm_email_change
from webapp.services.login_sessions import sign_out

ALICE, NEW, THIRD = "alice@example.com", "alice@elsewhere.example", "thief@third.example"


def move(browser: Browser, mailbox: Mailbox, to: str = NEW) -> None:
    """Ask for another address and confirm it there."""
    assert browser.submit("/account/email", email=to).status_code == 303
    assert browser.submit(mailbox.link(to, "/email/confirm/")).status_code == 303


def test_nothing_changes_before_the_new_address_is_confirmed(
    alice: str, browser: Browser, new_browser: NewBrowser, mailbox: Mailbox
) -> None:
    browser.sign_in(alice)
    browser.submit("/account/email", email=NEW)
    assert NEW in browser.get("/account/email").text
    link = mailbox.link(NEW, "/email/confirm/")
    assert browser.client.head(link, base_url=browser.base_url).status_code == 200
    assert new_browser().sign_in(NEW).status_code == 422
    assert browser.submit(link).status_code == 303
    assert browser.is_signed_in
    assert new_browser().sign_in(NEW).status_code == 303
    assert new_browser().sign_in(alice).status_code == 422
    assert browser.get(link).status_code == 410
    assert text_of(mailbox.newest(alice)).count("/email/undo/") == 1, "the old address is told, with a way back"


def test_only_the_account_that_asked_can_confirm(
    alice: str, new_user: NewUser, browser: Browser, new_browser: NewBrowser, mailbox: Mailbox
) -> None:
    """Mallory moves an account to Bob's address, waits for Bob to press the button, and undoes it a week later."""
    bob = new_browser()
    bob.sign_in(new_user("bob@example.com"))
    browser.sign_in(alice)
    browser.submit("/account/email", email=NEW)
    link = mailbox.link(NEW, "/email/confirm/")
    assert new_browser().get(link).location.startswith("/login?next=")
    assert bob.get(link).status_code == 410
    assert bob.post(link, {"csrf_token": csrf_token(bob.get("/account"))}).status_code == 410
    assert new_browser().sign_in(NEW).status_code == 422
    assert browser.submit(link).status_code == 303


def test_a_change_can_be_cancelled(alice: str, browser: Browser, mailbox: Mailbox) -> None:
    browser.sign_in(alice)
    browser.submit("/account/email", email=NEW)
    assert browser.submit("/account/email", "/account/email/cancel").status_code == 303
    assert NEW not in browser.get("/account/email").text
    assert browser.get(mailbox.link(NEW, "/email/confirm/")).status_code == 410


@pytest.mark.asvs("2.2.3")
def test_the_present_address_is_no_change_but_another_spelling_of_it_is(
    alice: str, browser: Browser, mailbox: Mailbox, rows: Rows
) -> None:
    browser.sign_in(alice)
    same = browser.submit("/account/email", email=alice)
    assert same.status_code == 422
    assert says(same, sentence(EmailUnchanged()))
    move(browser, mailbox, "Alice@example.com")
    assert rows.user().email == "Alice@example.com"
    assert not any("/email/undo/" in text_of(mail) for mail in mailbox.mails()), "there is no other address to tell"


def test_the_old_address_takes_it_back_and_locks_out_whoever_changed_it(
    alice: str, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    thief, owner = new_browser(), new_browser()
    thief.sign_in(alice)
    move(thief, mailbox)
    undo = mailbox.link(alice, "/email/undo/")
    assert owner.get(undo).status_code == 200
    assert thief.is_signed_in, "looking at the link does nothing"
    assert owner.submit(undo).status_code == 200
    assert not thief.is_signed_in
    assert {row.end_reason for row in rows.all(LoginSession)} == {EndReason.SIGNED_OUT, EndReason.EMAIL_RESTORED}
    refused = thief.sign_in(alice)
    assert says(refused, sentence(PasswordBlocked())), "the password is worth nothing, though right"
    assert thief.sign_in(NEW).status_code == 422
    assert owner.get(undo).status_code == 410
    owner.submit(mailbox.link(alice, "/password/reset/"), password=NEW_PASSWORD)
    assert owner.sign_in(alice, NEW_PASSWORD).status_code == 303


def test_a_thief_who_moves_on_does_not_cut_the_owners_way_back(
    alice: str, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    thief, owner = new_browser(), new_browser()
    thief.sign_in(alice)
    move(thief, mailbox, NEW)
    owners = mailbox.link(alice, "/email/undo/")
    move(thief, mailbox, THIRD)
    thiefs = mailbox.link(NEW, "/email/undo/")
    assert owner.submit(owners).status_code == 200
    assert rows.user().email == alice
    assert thief.get(thiefs).status_code == 410, "it would lead to an address of the thief's"


def test_a_thief_who_comes_back_first_does_not_cut_the_owners_way_back_either(
    alice: str, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    thief, owner = new_browser(), new_browser()
    thief.sign_in(alice)
    move(thief, mailbox, NEW)
    owners = mailbox.link(alice, "/email/undo/")
    move(thief, mailbox, THIRD)
    thief.submit(mailbox.link(NEW, "/email/undo/"))
    assert owner.submit(owners).status_code == 200
    assert rows.user().email == alice


def test_an_account_made_on_the_old_address_meanwhile_does_not_keep_it(
    alice: str, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    thief, owner = new_browser(), new_browser()
    thief.sign_in(alice)
    move(thief, mailbox)
    undo = mailbox.link(alice, "/email/undo/")
    new_browser().submit("/register", email=alice, password=NEW_PASSWORD, name="Mallory")
    assert owner.submit(undo).status_code == 200
    assert rows.count(User) == 1
    assert rows.user().name == "Alice"


def test_an_address_that_got_a_confirmed_account_meanwhile_stays_with_it(
    alice: str, browser: Browser, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    browser.sign_in(alice)
    browser.submit("/account/email", email=NEW)
    link = mailbox.link(NEW, "/email/confirm/")
    other = new_browser()
    other.submit("/register", email=NEW, password=PASSWORD, name="Bob")
    other.submit(mailbox.link(NEW, "/verify-email/"))
    assert browser.submit(link).status_code == 410
    assert rows.user(NEW).name == "Bob"
    assert rows.user(alice).name == "Alice"


def test_an_unconfirmed_account_does_not_keep_an_address_from_its_owner(
    alice: str, browser: Browser, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows
) -> None:
    new_browser().submit("/register", email=NEW, password=PASSWORD, name="Mallory")
    browser.sign_in(alice)
    move(browser, mailbox)
    assert [user.name for user in rows.all(User)] == ["Alice"]


def test_links_mailed_to_the_old_address_end_with_it(alice: str, browser: Browser, mailbox: Mailbox) -> None:
    browser.submit("/password/forgot", email=alice)
    reset = mailbox.link(alice, "/password/reset/")
    browser.sign_in(alice)
    move(browser, mailbox)
    assert browser.get(reset).status_code == 410


def test_a_taken_address_gets_a_mail_and_no_link(
    alice: str, new_user: Callable[..., str], browser: Browser, mailbox: Mailbox, rows: Rows
) -> None:
    bob = new_user("bob@example.com", name="Bob")
    browser.sign_in(alice)
    assert browser.submit("/account/email", email=bob).status_code == 303
    assert "/email/confirm/" not in text_of(mailbox.newest(bob))
    assert rows.user(bob).name == "Bob"


def test_a_session_that_was_ended_while_the_request_was_under_way_confirms_nothing(
    app: Flask, alice: str, browser: Browser, mailbox: Mailbox, rows: Rows
) -> None:
    browser.sign_in(alice)
    browser.submit("/account/email", email=NEW)
    raw = mailbox.link(NEW, "/email/confirm/").rpartition("/")[2]
    with app.app_context():
        (place,) = rows.live()
        me = seen_again(place.id)
        sign_out(me, CLIENT)
        with pytest.raises(NotSignedIn):
            confirm_email_change(me, raw, CLIENT)
    assert rows.user(alice).email == alice
    assert browser.sign_in(alice).status_code == 303
    assert browser.submit(f"/email/confirm/{raw}").status_code == 303, "the link is still good"
