"""Proving by Google once more who one is: only a provider that says when its person last signed in there says that they
did so just now, and only for the account there that is connected here.
"""

import time
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from stand_in.people import COMPANY, GMAIL, Person
from tests.conftest import NewBrowser
from tests.journeys.provider_people import CONNECTIONS, link, registered, user_id_in
from tests.people import NEW_PASSWORD, PASSWORD, Browser
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, leave, sign_in_with
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import Identity, LoginSession

pytestmark = on_sqlite

WANTED = "/account/password"
ASKED = f"/reauthenticate?next={WANTED}"
AGAIN = "/reauthenticate/google"


@pytest.fixture
def app(google: Flask) -> Flask:
    return google


@pytest.fixture
def gwen(provider: LyingProvider, browser: Browser, at: time_machine.Traveller) -> Browser:
    """Signed in by Google, without a password, eleven minutes ago."""
    sign_in_with(browser, provider)
    at.shift(timedelta(minutes=11))
    return browser


def prove_again(browser: Browser, provider: LyingProvider, person: Person = GMAIL) -> str:
    """Go to Google from the page that asks; the callback."""
    return provider.approve(leave(browser, page=ASKED, action=AGAIN), person)


@pytest.mark.asvs("6.8.4", "7.5.1", "7.6.1")
def test_a_sign_in_of_just_now_opens_what_asked_for_it(gwen: Browser, provider: LyingProvider, rows: Rows) -> None:
    assert gwen.get(WANTED).headers["Location"] == ASKED
    assert gwen.submit(CONNECTIONS, f"{CONNECTIONS}/google/unlink").headers["Location"].startswith("/reauthenticate")
    before = gwen.cookie("session")
    back = come_back(gwen, prove_again(gwen, provider))
    assert back.headers["Location"] == WANTED
    assert gwen.get(WANTED).status_code == 200
    assert gwen.submit(WANTED, new_password=NEW_PASSWORD).status_code == 303
    assert "reauthenticated" in rows.events(GMAIL.email)
    assert gwen.cookie("session") != before  # a new id at a change of privilege
    assert len(rows.live(GMAIL.email)) == 1


@pytest.mark.asvs("6.8.4", "7.6.1")
def test_google_is_asked_to_have_its_person_sign_in_anew_and_to_say_when(
    gwen: Browser, provider: LyingProvider
) -> None:
    prove_again(gwen, provider)
    asked = provider.asked("authorize")[-1].args
    assert asked["max_age"] == "0"
    assert '"auth_time":{"essential":true}' in asked["claims"]
    assert asked["login_hint"] == GMAIL.email


@pytest.mark.asvs("6.8.4", "7.6.1")
@pytest.mark.parametrize("told", ["an hour ago", "just too long ago", "nothing", "null"])
def test_an_old_sign_in_or_none_is_refused_with_a_way_on(
    gwen: Browser, provider: LyingProvider, rows: Rows, told: str
) -> None:
    ages = {"an hour ago": 3600, "just too long ago": 601}
    callback = prove_again(gwen, provider)
    provider.lie.claims["auth_time"] = (
        int(time.time()) - ages[told] if told in ages else {"nothing": REMOVED, "null": None}[told]
    )
    refused = come_back(gwen, callback)
    assert refused.status_code == 403
    assert "/reauthenticate" in refused.text
    assert gwen.get(WANTED).headers["Location"] == ASKED
    assert "reauthenticated" not in rows.events(GMAIL.email)
    assert gwen.is_signed_in  # the session goes on as it was
    assert "/password/forgot" in gwen.get(ASKED).text  # for whoever has no other way


@pytest.mark.parametrize("auth_time", [10**12, -1, "now", True, [0]])
def test_a_time_that_is_none_is_refused(gwen: Browser, provider: LyingProvider, auth_time: object) -> None:
    callback = prove_again(gwen, provider)
    provider.lie.claims["auth_time"] = auth_time
    assert come_back(gwen, callback).status_code == 400
    assert gwen.get(WANTED).headers["Location"] == ASKED


@pytest.mark.asvs("6.8.1")
def test_another_google_account_proves_nothing(gwen: Browser, provider: LyingProvider, rows: Rows) -> None:
    refused = come_back(gwen, prove_again(gwen, provider, COMPANY))
    assert refused.status_code == 409
    assert "/reauthenticate" in refused.text
    assert gwen.get(WANTED).headers["Location"] == ASKED
    assert [identity.subject for identity in rows.all(Identity)] == [GMAIL.sub]


def test_nor_does_one_that_opens_another_account_here(
    app: Flask, gwen: Browser, provider: LyingProvider, new_browser: NewBrowser
) -> None:
    wim = new_browser()
    sign_in_with(wim, provider, COMPANY)
    before = user_id_in(wim)
    refused = come_back(gwen, prove_again(gwen, provider, COMPANY))
    assert refused.status_code == 409
    assert before not in refused.text
    assert gwen.get(WANTED).headers["Location"] == ASKED


def test_only_a_provider_that_is_connected_is_offered_and_asked(
    app: Flask, provider: LyingProvider, at: time_machine.Traveller
) -> None:
    owner = registered(app, "alice@example.com")
    at.shift(timedelta(minutes=11))
    page = owner.get(ASKED)
    assert AGAIN not in page.text
    token = page.text.split('name="csrf_token" value="')[1].split('"')[0]
    assert owner.post(AGAIN, {"csrf_token": token}).status_code == 404
    assert owner.post("/reauthenticate/nobody", {"csrf_token": token}).status_code == 404
    assert provider.asked("authorize") == []
    owner.submit(ASKED, password=PASSWORD)
    link(owner, provider)
    at.shift(timedelta(minutes=11))
    assert come_back(owner, prove_again(owner, provider)).headers["Location"] == WANTED


def test_a_blocked_identity_proves_nothing(gwen: Browser, provider: LyingProvider, rows: Rows) -> None:
    callback = prove_again(gwen, provider)
    rows.set(Identity, {"subject": GMAIL.sub}, blocked_at=clock.now())
    assert come_back(gwen, callback).status_code == 403
    assert AGAIN not in gwen.get(ASKED).text
    assert gwen.get(WANTED).headers["Location"] == ASKED


@pytest.mark.asvs("10.1.2")
def test_what_one_session_asked_for_makes_no_other_fresh(
    gwen: Browser, provider: LyingProvider, new_browser: NewBrowser, at: time_machine.Traveller
) -> None:
    other = new_browser()
    sign_in_with(other, provider)
    at.shift(timedelta(minutes=11))
    callback = prove_again(gwen, provider)
    assert come_back(other, callback).status_code == 400
    other.set_cookie("handshake", str(gwen.cookie("handshake")))  # and even with the cookie that was bound to it
    assert come_back(other, callback).status_code == 400
    assert other.get(WANTED).headers["Location"] == ASKED


def test_an_answer_to_a_sign_in_makes_nobody_fresh_who_is_signed_in_as_somebody_else(
    gwen: Browser, provider: LyingProvider, rows: Rows
) -> None:
    tab = Browser(gwen.app)
    url = leave(tab)
    gwen.set_cookie("handshake", str(tab.cookie("handshake")))
    assert come_back(gwen, provider.approve(url, COMPANY)).status_code == 303
    assert rows.live(GMAIL.email) == []
    assert len(rows.live(COMPANY.email)) == 1


@pytest.mark.asvs("7.6.1", "6.8.4")
def test_a_sign_in_is_as_old_as_google_says(provider: LyingProvider, browser: Browser, rows: Rows) -> None:
    """Whoever was signed in at Google for an hour has proven nothing just now."""
    provider.lie.claims["auth_time"] = int(time.time()) - 3600
    sign_in_with(browser, provider)
    assert browser.is_signed_in
    assert browser.get(WANTED).headers["Location"] == ASKED
    (row,) = rows.all(LoginSession)
    assert timedelta(minutes=59) < clock.now() - row.auth_time < timedelta(minutes=61)


@pytest.mark.asvs("7.6.1", "7.3.2")
def test_after_the_absolute_limit_the_way_in_leads_through_google_again(
    provider: LyingProvider, browser: Browser, at: time_machine.Traveller
) -> None:
    sign_in_with(browser, provider)
    for _ in range(47):
        at.shift(timedelta(minutes=30))
        assert browser.is_signed_in
    at.shift(timedelta(minutes=31))
    assert not browser.is_signed_in
    asked = len(provider.asked("token"))
    sign_in_with(browser, provider)
    assert browser.is_signed_in
    assert len(provider.asked("token")) == asked + 1
