"""What a person says of themselves, and what the account tells them: in plain words, and what to do about it."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine

from tests.conftest import NewBrowser
from tests.journeys.pages import says, words
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, text_of
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.blueprints.account.wording import SENTENCES, WITH_PROVIDER, event_sentence
from webapp.errors import PasswordBlocked
from webapp.http.words import sentence
from webapp.models import KnownDevice, OneTimeToken, SecurityEvent
from webapp.policy.security_events import EventKind
from webapp.services.security_events import PAGE_SIZE

ALICE = "alice@example.com"


def test_name_and_language_are_the_persons_own(alice: str, browser: Browser, mailbox: Mailbox, rows: Rows) -> None:
    browser.sign_in(alice)
    saved = browser.submit("/account", name="  앨리스 김  ", locale="ko")
    assert saved.status_code == 303
    assert (rows.user().name, rows.user().locale) == ("앨리스 김", "ko")
    page = browser.get("/account")
    assert '<html lang="ko"' in page.text
    assert "앨리스 김" in words(page)
    browser.submit("/account/activity", "/account/activity/not-me")
    assert "비밀번호" in text_of(mailbox.newest(alice)), "mails are in that language too"


@on_sqlite
@pytest.mark.parametrize("fields", [{"name": "x" * 101, "locale": "en"}, {"name": "Alice", "locale": "tlh"}])
def test_what_no_profile_can_be_is_refused(alice: str, browser: Browser, rows: Rows, fields: dict[str, str]) -> None:
    browser.sign_in(alice)
    assert browser.submit("/account", **fields).status_code == 422
    assert (rows.user().name, rows.user().locale) == ("Alice", "en")


@on_sqlite
@pytest.mark.asvs("15.3.3")
def test_a_form_sets_only_what_it_asks_for(alice: str, browser: Browser, rows: Rows) -> None:
    browser.sign_in(alice)
    before = rows.user()
    extra = {"email": "mallory@example.com", "password_hash": "x", "disabled_at": "2026-01-01", "id": "1"}
    browser.submit("/account", name="Alice", locale="en", **extra)
    after = rows.user()
    assert (after.id, after.email, after.password_hash) == (before.id, before.email, before.password_hash)


def test_what_happened_is_told_in_plain_words_with_device_and_address(alice: str, new_browser: NewBrowser) -> None:
    browser = new_browser(ip="203.0.113.7")
    browser.sign_in(alice)
    browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    page = browser.get("/account/activity")
    told = words(page)
    expected = [event_sentence("password_changed", {}), event_sentence("signed_in", {"methods": "pwd"})]
    places = [told.index(told_sentence) for told_sentence in expected]
    assert places == sorted(places), "the newest first"
    assert says(page, event_sentence("email_confirmed", {}))
    assert "Chrome on Windows" in told
    assert "203.0.113.7" in told


def test_every_kind_of_event_has_its_words() -> None:
    counted = {EventKind.OTHER_SESSIONS_ENDED, EventKind.SIGNED_OUT_BY_OPERATOR}
    assert set(SENTENCES) | set(WITH_PROVIDER) | counted == set(EventKind)
    for kind in counted:
        assert event_sentence(kind, {"count": 2}) != event_sentence("unheard of", {})


def test_the_log_is_paged_by_key_and_shows_only_ones_own(
    alice: str, new_user: Callable[..., str], browser: Browser, rows: Rows
) -> None:
    bob = new_user("bob@example.com", name="Bob")
    browser.sign_in(alice)
    theirs = rows.all(SecurityEvent, user_id=rows.user(bob).id)
    for _ in range(PAGE_SIZE):
        rows.add(
            SecurityEvent(
                user_id=rows.user(alice).id, kind="data_exported", at=clock.now(), ip="", user_agent="", details={}
            )
        )
    first = browser.get("/account/activity")
    assert words(first).count(event_sentence("data_exported", {})) == PAGE_SIZE
    older = first.text.split('rel="next" href="')[1].split('"')[0]
    second = browser.get(older)
    assert says(second, event_sentence("signed_in", {"methods": "pwd"}))
    assert 'rel="next"' not in second.text
    for other in (f"/account/activity?before={theirs[-1].id}", "/account/activity?before=nonsense"):
        assert browser.get(other).status_code == 200
        assert "bob" not in words(browser.get(other)).lower()


def test_this_was_not_me_ends_everything_and_leaves_the_mailbox_to_decide(
    alice: str, new_browser: NewBrowser, mailbox: Mailbox, rows: Rows, at: time_machine.Traveller
) -> None:
    owner, thief = new_browser(), new_browser()
    for browser in (owner, thief):
        browser.sign_in(alice)
    thief.submit("/account/email", email="thief@example.com")
    at.shift(timedelta(minutes=30))  # no fresh proof is asked for in an emergency
    answer = owner.submit("/account/activity", "/account/activity/not-me")
    assert answer.status_code == 200
    assert not owner.is_signed_in
    assert not thief.is_signed_in
    assert says(thief.sign_in(alice), sentence(PasswordBlocked())), "also with the right password"
    assert rows.count(OneTimeToken, purpose="change_email", ended_at=None) == 0
    assert rows.count(KnownDevice) == 0, "no browser is trusted with more guesses than any other"
    link = mailbox.link(alice, "/password/reset/")
    owner.submit(link, password=NEW_PASSWORD)
    assert owner.sign_in(alice, NEW_PASSWORD).status_code == 303
    assert says(owner.get("/account/activity"), event_sentence("not_me", {}))
