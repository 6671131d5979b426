"""Guessing passwords is slow for strangers, everywhere at once, and never shuts the owner out."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest
import time_machine
from flask import Flask

from tests.conftest import NewBrowser
from tests.journeys.crowds import CROWD, all_at_once
from tests.journeys.pages import csrf_token, words
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of
from tests.rows import Rows, on_sqlite
from webapp.models import SecurityEvent
from webapp.policy.security_events import EventKind
from webapp.policy.throttling import Limit

WRONG = "not what was chosen here"
PER_NETWORK = Limit.LOGIN_ACCOUNT_NETWORK.windows[0].amount
PER_ACCOUNT = Limit.LOGIN_ACCOUNT.windows[0].amount


@pytest.fixture
def addresses() -> Iterator[str]:
    """One network after another."""
    return (f"198.51.{number // 250}.{number % 250}" for number in count())


def guess(browser: Browser, email: str, times: int, password: str = WRONG) -> list[int]:
    """Send the form of one open page again and again."""
    token = csrf_token(browser.get("/login"))
    form = {"email": email, "password": password, "csrf_token": token}
    return [browser.post("/login", form).status_code for _ in range(times)]


def fill_all_counters(new_browser: NewBrowser, email: str, addresses: Iterator[str]) -> str:
    """Guess from as many networks as it takes; gives the last one."""
    left = PER_ACCOUNT
    while left > 0:
        ip = next(addresses)
        assert set(guess(new_browser(ip=ip), email, min(left, PER_NETWORK))) == {422}
        left -= PER_NETWORK
    return ip


@pytest.mark.asvs("6.3.1", "6.1.1")
def test_the_owner_signs_in_on_a_known_browser_whatever_strangers_send(
    alice: str, new_browser: NewBrowser, addresses: Iterator[str], rows: Rows
) -> None:
    home, elsewhere = new_browser(), new_browser(ip="192.0.2.50")
    home.sign_in(alice)
    home.sign_out()
    ip = fill_all_counters(new_browser, alice, addresses)
    stranger = new_browser(ip=next(addresses))
    refused = stranger.sign_in(alice)
    assert refused.status_code == 429, "a network that never guessed waits too, even with the right password"
    assert 0 < int(refused.headers["Retry-After"]) <= 3600
    assert "minutes" in words(refused)
    assert elsewhere.sign_in(alice).status_code == 429
    assert home.sign_in(alice).status_code == 303
    home.sign_out()
    same_network = new_browser(ip=ip)
    same_network.set_cookie("device", str(home.cookie("device")))
    assert same_network.sign_in(alice).status_code == 303, "also from where the stranger sits"
    assert rows.events(alice).count(EventKind.GUESSING_SLOWED) == 1, "told once, however often it happens"


@on_sqlite
@pytest.mark.asvs("6.3.1")
def test_a_known_browser_is_known_to_its_own_account_only(
    alice: str, new_browser: NewBrowser, addresses: Iterator[str]
) -> None:
    mallory = new_browser()
    mallory.submit("/register", email="mallory@example.com", password=PASSWORD, name="Mallory")
    mallory.set_cookie("device", "d" * 43)
    fill_all_counters(new_browser, alice, addresses)
    assert mallory.sign_in(alice).status_code == 429


@on_sqlite
@pytest.mark.asvs("6.3.1")
def test_a_known_browser_may_not_guess_without_end_either(
    alice: str, browser: Browser, new_browser: NewBrowser
) -> None:
    browser.sign_in(alice)
    browser.sign_out()
    amount = Limit.LOGIN_DEVICE.windows[0].amount
    assert Counter(guess(browser, alice, amount + 1)) == {422: amount, 429: 1}
    assert new_browser(ip="192.0.2.9").sign_in(alice).status_code == 303, "its guesses hold up nobody else"


@on_sqlite
def test_a_success_forgets_the_slips_before_it(alice: str, browser: Browser) -> None:
    for _ in range(3):
        assert set(guess(browser, alice, PER_NETWORK - 1)) == {422}
        assert browser.sign_in(alice).status_code == 303
        browser.sign_out()


@on_sqlite
def test_the_wait_ends_by_itself(alice: str, new_browser: NewBrowser, at: time_machine.Traveller) -> None:
    stranger = new_browser(ip="192.0.2.9")
    guess(stranger, alice, PER_NETWORK)
    refused = stranger.sign_in(alice)
    assert refused.status_code == 429
    at.shift(timedelta(seconds=int(refused.headers["Retry-After"]) + 1))
    assert stranger.sign_in(alice).status_code == 303


@on_sqlite
@pytest.mark.asvs("6.1.1")
def test_a_reset_by_mail_opens_the_way_through_any_wait(
    alice: str, new_browser: NewBrowser, addresses: Iterator[str], mailbox: Mailbox
) -> None:
    fill_all_counters(new_browser, alice, addresses)
    owner = new_browser(ip=next(addresses))
    assert owner.sign_in(alice).status_code == 429
    assert owner.submit("/password/forgot", email=alice).status_code == 200
    owner.submit(mailbox.link(alice, "/password/reset/"), password=NEW_PASSWORD)
    assert owner.sign_in(alice, NEW_PASSWORD).status_code == 303


@on_sqlite
def test_one_stranger_cannot_use_up_the_mails_of_an_owner_at_a_new_machine(
    alice: str, new_browser: NewBrowser, addresses: Iterator[str], mailbox: Mailbox
) -> None:
    stranger = new_browser(ip=next(addresses))
    for _ in range(Limit.MAIL_ADDRESS.windows[0].amount + Limit.MAIL_ADDRESS_NETWORK.windows[0].amount + 1):
        stranger.submit("/password/forgot", email=alice)
    before = len(mailbox.mails(alice))
    stranger.submit("/password/forgot", email=alice)
    assert len(mailbox.mails(alice)) == before
    new_browser(ip=next(addresses)).submit("/password/forgot", email=alice)
    assert len(mailbox.mails(alice)) == before + 1


@on_sqlite
def test_strangers_cannot_use_up_the_mails_of_a_browser_that_is_known(
    alice: str, new_browser: NewBrowser, addresses: Iterator[str], mailbox: Mailbox
) -> None:
    home = new_browser()
    home.sign_in(alice)
    home.sign_out()
    for _ in range(Limit.MAIL_ADDRESS.windows[0].amount + Limit.MAIL_ADDRESS_RESERVE.windows[0].amount + 1):
        new_browser(ip=next(addresses)).submit("/password/forgot", email=alice)
    before = len(mailbox.mails(alice))
    new_browser(ip=next(addresses)).submit("/password/forgot", email=alice)
    assert len(mailbox.mails(alice)) == before
    home.submit("/password/forgot", email=alice)
    assert len(mailbox.mails(alice)) == before + 1


@on_sqlite
@pytest.mark.asvs("6.3.1")
def test_one_password_on_many_accounts_from_one_network_is_slowed(app: Flask, browser: Browser, rows: Rows) -> None:
    with app.app_context():
        for _ in range(Limit.LOGIN_NETWORK.windows[0].amount - 2):
            runtime_of(app).throttle.hit(Limit.LOGIN_NETWORK, "127.0.0.1")
    answers = [browser.sign_in(f"user{number}@example.com", WRONG).status_code for number in range(4)]
    assert answers == [422, 422, 429, 429]
    assert rows.count(SecurityEvent) == 0


@pytest.mark.asvs("6.3.1", "15.4.2")
def test_guesses_that_come_at_once_are_counted_before_they_cost_a_hash(
    app: Flask, alice: str, new_browser: NewBrowser
) -> None:
    hashing = runtime_of(app).hashing
    browsers = [new_browser(ip="192.0.2.9") for _ in range(CROWD)]
    tokens = [csrf_token(browser.get("/login")) for browser in browsers]
    before = hashing.hashes_made

    def send(browser: Browser, token: str) -> int:
        return browser.post("/login", {"email": alice, "password": WRONG, "csrf_token": token}).status_code

    answers = all_at_once([lambda b=b, t=t: send(b, t) for b, t in zip(browsers, tokens, strict=True)])
    assert Counter(answers) == {422: PER_NETWORK, 429: CROWD - PER_NETWORK}
    assert hashing.hashes_made - before == PER_NETWORK


@pytest.mark.asvs("6.3.8")
def test_waits_are_the_same_for_addresses_without_an_account(alice: str, new_browser: NewBrowser) -> None:
    answers = {email: guess(new_browser(ip="192.0.2.9"), email, PER_NETWORK + 1) for email in (alice, "x@example.com")}
    assert answers[alice] == answers["x@example.com"]
