"""Mail tells of whatever changes who can get in, once, in the person's language."""

from collections.abc import Callable

import pytest

from tests.conftest import NewBrowser
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp.models import OutboxMessage, User
from webapp.policy.sign_in import SUSPICIOUS_FROM

ALICE = "alice@example.com"
WRONG = "not what was chosen here"


def sent_by(rows: Rows, act: Callable[[], object]) -> list[str]:
    """The mails that something caused, by event."""
    before = {row.id for row in rows.all(OutboxMessage)}
    act()
    return sorted(row.event for row in rows.all(OutboxMessage) if row.id not in before)


@pytest.mark.asvs("6.3.5", "8.2.4")
def test_a_sign_in_from_another_device_is_told_once_and_the_first_one_never(
    alice: str, new_browser: NewBrowser, rows: Rows, mailbox: Mailbox
) -> None:
    assert [row.event for row in rows.all(OutboxMessage)] == ["confirm_email"], "of the first device nothing is told"
    laptop = new_browser(ip="203.0.113.7")
    assert sent_by(rows, lambda: laptop.sign_in(alice)) == ["new_device"]
    told = text_of(mailbox.newest(alice))
    for expected in ("Chrome on Windows", "203.0.113.7", "/account/activity"):
        assert expected in told
    laptop.sign_out()
    assert sent_by(rows, lambda: laptop.sign_in(alice)) == []


@pytest.mark.asvs("6.3.5")
def test_a_sign_in_after_many_wrong_passwords_is_told_even_on_a_known_device(
    alice: str, browser: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    browser.sign_in(alice)
    browser.sign_out()
    for failures, mails in ((SUSPICIOUS_FROM - 1, []), (SUSPICIOUS_FROM, ["guessed_before"])):
        for _ in range(failures):
            assert browser.sign_in(alice, WRONG).status_code == 422
        assert sent_by(rows, lambda: browser.sign_in(alice)) == mails
        browser.sign_out()
    assert f"after {SUSPICIOUS_FROM} wrong passwords" in text_of(mailbox.newest(alice))


@pytest.mark.asvs("6.3.7")
def test_each_change_to_who_can_get_in_is_mailed_once(
    alice: str, browser: Browser, rows: Rows, mailbox: Mailbox
) -> None:
    browser.sign_in(alice)
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert sent_by(rows, lambda: browser.submit("/account/password", **change)) == ["password_changed"]
    browser.submit("/password/forgot", email=alice)
    reset = mailbox.link(alice, "/password/reset/")
    assert sent_by(rows, lambda: browser.submit(reset, password=PASSWORD)) == ["password_changed"]
    browser.sign_in(alice)
    asked = sent_by(rows, lambda: browser.submit("/account/email", email="new@example.com"))
    assert asked == ["confirm_new_email"]
    confirm = mailbox.link("new@example.com", "/email/confirm/")
    assert sent_by(rows, lambda: browser.submit(confirm)) == ["email_changed"]
    assert "new@example.com" not in text_of(mailbox.newest(alice)), "the old address learns enough, not all"
    undo = mailbox.link(alice, "/email/undo/")
    assert sent_by(rows, lambda: browser.submit(undo)) == ["sessions_ended"]
    browser.submit(mailbox.link(alice, "/password/reset/"), password=NEW_PASSWORD)
    browser.sign_in(alice, NEW_PASSWORD)
    not_me = sent_by(rows, lambda: browser.submit("/account/activity", "/account/activity/not-me"))
    assert not_me == ["sessions_ended"]
    browser.submit(mailbox.link(alice, "/password/reset/"), password=PASSWORD)
    browser.sign_in(alice)
    deletion = sent_by(rows, lambda: browser.submit("/account/data", "/account/data/delete"))
    assert deletion == ["deletion_scheduled"]


@on_sqlite
@pytest.mark.asvs("6.3.7")
def test_notices_come_in_the_persons_language(alice: str, browser: Browser, rows: Rows, mailbox: Mailbox) -> None:
    rows.set(User, {"email": alice}, locale="ko")
    browser.sign_in(alice)
    browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert "비밀번호" in text_of(mailbox.newest(alice))
