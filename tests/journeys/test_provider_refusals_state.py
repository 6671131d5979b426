"""Somebody comes back who was not sent: or long ago, from another browser, from another provider, or back before."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask import Flask

from stand_in.people import COMPANY, GMAIL
from tests.conftest import NewApp
from tests.journeys.provider_refusals import CALLBACK, assert_honest_sign_in_works, assert_turned_away
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider, with_query
from tests.providers.site import another_provider, come_back, google_settings, leave, sign_in_with
from tests.rows import Rows, on_sqlite, stand_still
from webapp.models import AuthorizationRequest, Identity, LoginSession, User
from webapp.policy.authorization import MOST_A_BROWSER, REQUEST_LIFE

HANDSHAKE = "handshake"


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


@pytest.mark.asvs("10.2.1", "10.1.2")
@pytest.mark.parametrize(
    "lie",
    [
        pytest.param({"state": REMOVED}, id="missing"),
        pytest.param({"state": ""}, id="empty"),
        pytest.param({"state": "made up"}, id="made up"),
        pytest.param({"state": "x" * 5000}, id="long"),
        pytest.param({"state": "한 %zz&"}, id="odd"),
        pytest.param({"state": REMOVED, "error": "access_denied", "code": REMOVED}, id="missing, with an error"),
        pytest.param({"state": "made up", "error": "access_denied"}, id="made up, with an error"),
    ],
)
def test_a_state_that_is_none_of_ours(google: Flask, provider: LyingProvider, lie: dict[str, object]) -> None:
    browser = Browser(google)
    answer = sign_in_with(browser, provider, **lie)
    assert Rows(google).count(AuthorizationRequest) == 1, "the request that they did leave with still stands"
    assert_turned_away(google, browser, answer, 400)
    assert provider.asked("token") == []
    assert_honest_sign_in_works(browser, provider)


@pytest.mark.asvs("10.2.1", "10.1.2")
def test_a_way_back_works_once(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    callback = provider.approve(leave(browser))
    assert come_back(browser, callback).status_code == 303
    for _ in range(2):
        assert come_back(browser, callback).status_code == 400
    assert browser.is_signed_in, "a reload of the address ends nothing"
    browser.sign_out()
    assert come_back(browser, callback).status_code == 400
    assert not browser.is_signed_in
    assert len(provider.asked("token")) == 1


@on_sqlite
def test_of_many_who_come_back_at_once_one_comes_in(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    callback = provider.approve(leave(browser))
    secret = str(browser.cookie(HANDSHAKE))
    together = threading.Barrier(6)

    def arrive(_number: int) -> int:
        tab = Browser(google)
        tab.set_cookie(HANDSHAKE, secret)
        together.wait()
        return come_back(tab, callback).status_code

    with ThreadPoolExecutor(6) as crowd:
        assert sorted(crowd.map(arrive, range(6))) == [303] + [400] * 5
    assert Rows(google).count(LoginSession) == 1


@pytest.mark.asvs("10.1.2")
def test_a_stolen_way_back_opens_nothing_in_another_browser_and_is_not_used_up(
    google: Flask, provider: LyingProvider
) -> None:
    alice, mallory = Browser(google), Browser(google)
    leave(mallory)
    callback = provider.approve(leave(alice))
    for thief in (mallory, Browser(google)):  # with a way of her own, and without any cookie
        assert_turned_away(google, thief, come_back(thief, callback), 400)
    assert provider.asked("token") == []
    assert come_back(alice, callback).status_code == 303
    assert alice.is_signed_in


@pytest.mark.asvs("10.1.2")
def test_nobody_is_signed_in_to_somebody_elses_account_by_a_link(google: Flask, provider: LyingProvider) -> None:
    """Login CSRF: Mallory signs in at the provider and has Alice open the way back."""
    alice, mallory = Browser(google), Browser(google)
    sign_in_with(alice, provider, GMAIL)
    trap = provider.approve(leave(mallory), COMPANY)
    assert come_back(alice, trap).status_code == 400
    assert GMAIL.email in alice.get("/account").text


@pytest.mark.parametrize(
    "cookie", ["", "short", "x" * 43, "x" * 4000, '"quoted"'], ids=["empty", "short", "foreign", "long", "quoted"]
)
def test_a_cookie_that_is_none_is_no_browser(google: Flask, provider: LyingProvider, cookie: str) -> None:
    browser = Browser(google)
    callback = provider.approve(leave(browser))
    browser.set_cookie(HANDSHAKE, cookie)
    assert_turned_away(google, browser, come_back(browser, callback), 400)
    assert_honest_sign_in_works(browser, provider)


@pytest.mark.asvs("10.1.2")
def test_a_browser_with_two_such_cookies_is_none(google: Flask, provider: LyingProvider) -> None:
    """One of them may have been planted by a neighbouring host."""
    browser = Browser(google)
    callback = provider.approve(leave(browser))
    both = f"{HANDSHAKE}={'x' * 43}; {HANDSHAKE}={browser.cookie(HANDSHAKE)}"
    other = Browser(google)
    answer = other.client.get(callback, headers={"Cookie": both}, base_url=other.base_url)
    assert answer.status_code == 400


@pytest.fixture
def two(new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider) -> Flask:
    """The site with Google and another provider beside it."""
    return new_app(**google_settings(provider), **another_provider(other_provider))


@pytest.mark.asvs("10.2.2")
def test_the_answer_of_one_provider_is_none_of_another(
    two: Flask, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    """The mix-up attack: a code of an honest provider is brought to another one (RFC 9700, section 4.4)."""
    browser = Browser(two)
    callback = provider.approve(leave(browser))
    mixed_up = callback.replace("/login/google/", "/login/acme/")
    for answer in (
        mixed_up,
        with_query(mixed_up, {"iss": other_provider.issuer}),
        with_query(mixed_up, {"iss": REMOVED}),
    ):
        assert_turned_away(two, browser, come_back(browser, answer), 400)
    assert other_provider.asked("token") == []
    # At its own address it is refused, too, where it names the other one; and what was begun is over then.
    assert come_back(browser, with_query(callback, {"iss": other_provider.issuer})).status_code == 400
    assert (provider.asked("token"), other_provider.asked("token")) == ([], [])
    assert come_back(browser, callback).status_code == 400


def test_two_providers_work_side_by_side(two: Flask, provider: LyingProvider, other_provider: LyingProvider) -> None:
    browser = Browser(two)
    ways = leave(browser), leave(browser, action="/login/acme")
    back = provider.approve(ways[0]), other_provider.approve(ways[1], COMPANY)
    assert [come_back(browser, callback).status_code for callback in reversed(back)] == [303, 303]
    assert {row.issuer for row in Rows(two).all(Identity)} == {provider.issuer, other_provider.issuer}


@pytest.mark.asvs("6.8.1")
def test_the_same_sub_at_another_provider_is_somebody_else(
    two: Flask, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    sign_in_with(Browser(two), provider, GMAIL)
    browser = Browser(two)
    other_provider.lie.claims["email"] = "another@example.net"
    sign_in_with(browser, other_provider, GMAIL, action="/login/acme")
    assert "another@example.net" in browser.get("/account").text
    assert Rows(two).count(User) == 2


@on_sqlite
@pytest.mark.asvs("10.1.2")
def test_a_way_back_is_open_for_ten_minutes(google: Flask, provider: LyingProvider, at: time_machine.Traveller) -> None:
    stand_still(at)
    browser = Browser(google)
    in_time, late = (provider.approve(leave(browser)) for _ in range(2))
    at.shift(REQUEST_LIFE - timedelta(seconds=1))
    come_back(browser, in_time)
    assert len(provider.asked("token")) == 1, "the code is for the provider to judge"
    at.shift(timedelta(seconds=2))
    assert_turned_away(google, browser, come_back(browser, late), 400)
    assert len(provider.asked("token")) == 1
    assert_honest_sign_in_works(browser, provider)


@pytest.mark.asvs("10.1.2")
def test_the_fourth_start_ends_the_first(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    ways = [provider.approve(leave(browser)) for _ in range(MOST_A_BROWSER + 1)]
    first, *others = ways
    assert come_back(browser, first).status_code == 400
    for way in reversed(others):
        assert come_back(browser, way).status_code == 303


def test_starts_that_are_abandoned_do_not_pile_up(google: Flask, provider: LyingProvider) -> None:
    browsers = [Browser(google), Browser(google)]
    for browser in browsers:
        for _ in range(8):
            leave(browser)
    rows = Rows(google).all(AuthorizationRequest)
    assert len(rows) == len(browsers) * MOST_A_BROWSER
    assert len({row.browser_hash for row in rows}) == len(browsers)


@pytest.mark.asvs("10.1.2", "11.5.1")
def test_every_start_has_fresh_secrets_of_which_nothing_is_kept_in_clear(
    google: Flask, provider: LyingProvider
) -> None:
    browser = Browser(google)
    sent = [query_of(leave(browser)) for _ in range(MOST_A_BROWSER)]
    for name in ("state", "nonce", "code_challenge"):
        values = {query[name] for query in sent}
        assert len(values) == len(sent)
        assert min(map(len, values)) >= 43, "256 bits in base64"
    secrets = {query[name] for query in sent for name in ("state", "nonce")} | {str(browser.cookie(HANDSHAKE))}
    kept = "\n".join(text for _, text in Rows(google).texts())
    assert [secret for secret in secrets if secret in kept] == []


@pytest.mark.asvs("4.2.5")
def test_what_somebody_wants_to_go_on_to_makes_no_address_and_no_cookie_too_long(
    google: Flask, provider: LyingProvider
) -> None:
    browser = Browser(google)
    for name in ("filler", "more"):
        browser.set_cookie(name, "x" * 3000)
    answer = browser.submit("/login", "/login/google", next="/account?" + "x" * 8000)
    assert answer.status_code == 303
    assert len(answer.headers["Location"]) < 1000
    assert all(len(cookie) < 4096 for cookie in answer.headers.getlist("Set-Cookie"))
    arrived = come_back(browser, provider.approve(answer.headers["Location"]))
    assert (arrived.status_code, arrived.headers["Location"]) == (303, "/account/welcome")


def test_an_answer_comes_as_a_link_and_in_no_other_way(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    callback = provider.approve(leave(browser)).removeprefix(browser.base_url)
    assert browser.post(callback).status_code == 405
    assert come_back(browser, callback).status_code == 303


def test_a_password_sign_in_under_way_is_not_disturbed(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    browser.submit("/register", email="alice@example.com", password=PASSWORD, name="Alice")
    browser.submit(Mailbox(google).link("alice@example.com", "/verify-email/"))
    assert browser.get(f"{CALLBACK}?state=made-up&code=made-up").status_code == 400
    assert "alice@example.com" in browser.get("/account").text
