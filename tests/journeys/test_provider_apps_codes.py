"""Codes of apps in the wrong hands: late, twice, without the verifier, at another door, after their person has left."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from stand_in.people import GMAIL
from tests.apps import App, a_second_passes, problem, refusal
from tests.conftest import NewApp
from tests.journeys.crowds import all_at_once
from tests.journeys.provider_apps import (
    BARE,
    CUSTOM,
    LISTED,
    VERIFIER,
    challenge_of,
    code_for,
    exchange,
    signed_in_app,
)
from tests.people import NEW_PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import another_provider, google_settings, sign_in_with
from tests.rows import Rows, on_sqlite
from webapp.models import LoginSession
from webapp.policy.one_time import LIFE, Purpose
from webapp.services import users

INVALID = (400, "code_invalid")
OTHER_VERIFIER = "another-verifier-of-another-app-0123456789-xyz"


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider) -> Flask:
    """Patient: crowds stand in line on whatever machine runs the tests."""
    return new_app(
        **google_settings(provider),
        **another_provider(other_provider),
        API_REDIRECT_URIS=LISTED,
    )


@pytest.fixture
def code(site: Flask, provider: LyingProvider) -> str:
    return code_for(Browser(site), provider)


def test_a_code_works_once(site: Flask, code: str) -> None:
    assert exchange(App(site), code).status_code == 200
    refused = exchange(App(site), code)
    assert refusal(refused) == INVALID
    assert problem(refused)["detail"].endswith("Please begin the sign-in again.")


@on_sqlite
def test_a_code_that_comes_back_with_its_verifier_ends_the_session_that_it_began(
    site: Flask, provider: LyingProvider, code: str
) -> None:
    """Mallory copied code and verifier, and was quicker than the app; or the answer to the app was lost, and nobody
    has the tokens. RFC 6749, section 4.1.2.
    """
    elsewhere = signed_in_app(App(site), Browser(site), provider)
    first = App(site)
    exchange(first, code)
    assert refusal(exchange(App(site), code)) == INVALID
    a_second_passes(site)
    for refused in (first.get("/me"), first.refresh()):
        assert refusal(refused) == (401, "session_revoked")
        assert problem(refused)["reason"] == "code_reused"
        assert "second time" in problem(refused)["detail"]
    assert elsewhere.is_signed_in, "nothing else ends"


@on_sqlite
@pytest.mark.parametrize("changes", [{"code_verifier": OTHER_VERIFIER}, {"redirect_uri": BARE}, {"name": "acme"}])
def test_whoever_has_seen_only_the_code_signs_nobody_out_by_it(site: Flask, code: str, changes: dict[str, str]) -> None:
    app = App(site)
    exchange(app, code)
    assert refusal(exchange(App(site), code, **changes)) == INVALID
    a_second_passes(site)
    assert app.is_signed_in
    assert app.refresh().status_code == 200


def test_of_many_who_show_a_code_at_once_one_gets_tokens(site: Flask, code: str) -> None:
    apps = [App(site) for _ in range(8)]
    answers = all_at_once([lambda app=app: exchange(app, code) for app in apps])  # type: ignore[misc]
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert {problem(answer)["code"] for answer in answers if answer.status_code == 400} == {"code_invalid"}
    assert Rows(site).count(LoginSession, kind="api") == 1


@on_sqlite
@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": OTHER_VERIFIER},
        {"code_verifier": challenge_of(VERIFIER)},  # what everybody on the way has seen
        {"code_verifier": VERIFIER + "x"},
        {"code_verifier": VERIFIER.lower()},
        {"redirect_uri": BARE},
        {"redirect_uri": CUSTOM + "/"},
        {"redirect_uri": CUSTOM.upper()},
        {"name": "acme"},
    ],
)
def test_what_is_wrong_about_a_code_in_one_way_is_refused_and_uses_it_up(
    site: Flask, code: str, changes: dict[str, str]
) -> None:
    assert refusal(exchange(App(site), code, **changes)) == INVALID
    assert refusal(exchange(App(site), code)) == INVALID, "somebody else has seen it"
    assert Rows(site).count(LoginSession) == 0


@on_sqlite
def test_two_apps_cannot_exchange_each_others_codes(site: Flask, provider: LyingProvider) -> None:
    mine = code_for(Browser(site), provider)
    theirs = code_for(Browser(site), provider, verifier=OTHER_VERIFIER)
    assert refusal(exchange(App(site), theirs)) == INVALID
    assert refusal(exchange(App(site), mine, code_verifier=OTHER_VERIFIER)) == INVALID


@on_sqlite
def test_loopback_ports_are_part_of_the_address(site: Flask, provider: LyingProvider) -> None:
    one, other = "http://127.0.0.1:50001/callback", "http://127.0.0.1:50002/callback"
    code = code_for(Browser(site), provider, one)
    assert refusal(exchange(App(site), code, redirect_uri=other)) == INVALID


@on_sqlite
def test_a_code_is_good_for_a_minute(site: Flask, provider: LyingProvider) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as at:
        early, late = (code_for(Browser(site), provider) for _ in range(2))
        at.shift(LIFE[Purpose.APP_CODE] - timedelta(seconds=1))
        assert exchange(App(site), early).status_code == 200
        at.shift(timedelta(seconds=1))
        assert refusal(exchange(App(site), late)) == INVALID
    assert timedelta(seconds=60) == LIFE[Purpose.APP_CODE]


@on_sqlite
def test_a_code_that_comes_back_late_ends_the_session_too(site: Flask, code: str, at: time_machine.Traveller) -> None:
    app = App(site)
    exchange(app, code)
    at.shift(timedelta(hours=3))
    assert refusal(exchange(App(site), code)) == INVALID
    assert refusal(app.refresh()) == (401, "session_revoked")


@on_sqlite
def test_a_code_opens_no_other_door_and_what_opens_others_is_no_code(
    site: Flask, provider: LyingProvider, code: str
) -> None:
    app, browser = App(site), Browser(site)
    for path, body in (
        ("/auth/email/verify", {"token": code}),
        ("/auth/password/reset", {"token": code, "password": NEW_PASSWORD}),
    ):
        assert refusal(app.post(path, body)) == (400, "link_invalid")
    assert refusal(app.keep_account(code)) == (401, "sign_in_expired")
    assert refusal(app.refresh(code)) == (401, "token_invalid")
    browser.submit("/password/forgot", email=GMAIL.email)
    mailed = Mailbox(site).link(GMAIL.email, "/password/reset/").rsplit("/", 1)[-1]
    assert refusal(exchange(app, mailed)) == INVALID
    assert exchange(app, code).status_code == 200, "none of that has used it up"


@on_sqlite
def test_what_is_no_code_at_all(site: Flask) -> None:
    for nonsense in ("x", "x" * 43, "é" * 43, "x" * 2048):
        assert refusal(exchange(App(site), nonsense)) == INVALID


# What happens between the code and its exchange


def password_chosen(site: Flask, browser: Browser) -> None:
    browser.submit("/password/forgot", email=GMAIL.email)
    link = Mailbox(site).link(GMAIL.email, "/password/reset/")
    assert browser.submit(link, password=NEW_PASSWORD).status_code == 303


def said_not_me(_site: Flask, browser: Browser) -> None:
    browser.submit("/account/activity", "/account/activity/not-me")


def disconnected(site: Flask, browser: Browser) -> None:
    password_chosen(site, browser)  # else it would be the last way in
    browser.sign_in(GMAIL.email, NEW_PASSWORD)
    page = "/account/connections"
    assert browser.submit(page, f"{page}/google/unlink").status_code == 303


@on_sqlite
@pytest.mark.parametrize("happens", [password_chosen, said_not_me, disconnected])
def test_a_code_is_worth_nothing_once_its_person_has_shut_the_door(
    site: Flask, provider: LyingProvider, happens: Callable[[Flask, Browser], None]
) -> None:
    browser = Browser(site)
    sign_in_with(browser, provider)
    code = code_for(Browser(site), provider)
    happens(site, browser)
    assert refusal(exchange(App(site), code)) == INVALID
    assert Rows(site).count(LoginSession, kind="api") == 0


@on_sqlite
def test_a_code_of_somebody_who_was_shut_out_gives_no_tokens(site: Flask, provider: LyingProvider) -> None:
    code = code_for(Browser(site), provider)
    with site.app_context():
        users.disable_user(GMAIL.email)
    assert refusal(exchange(App(site), code)) in (INVALID, (403, "account_disabled"))
    assert Rows(site).count(LoginSession) == 0


@on_sqlite
def test_where_the_sign_in_fails_the_code_has_been_used_up(
    site: Flask, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> TestResponse:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("webapp.services.sign_in.start_sign_in", broken)
        assert refusal(exchange(App(site), code)) == (500, "internal_error")
    assert refusal(exchange(App(site), code)) == INVALID
