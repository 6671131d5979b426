"""What was granted at a provider is given back there when it is wanted no more; nobody waits for that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import structlog
import time_machine
from flask import Flask

from stand_in.people import COMPANY, ELSEWHERE, GMAIL, KOREAN
from tests.conftest import NewApp
from tests.journeys.crowds import all_at_once
from tests.people import Browser
from tests.providers import faults
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings
from tests.rows import Rows, on_sqlite, stand_still
from tests.services.granted import (
    choose_password,
    come_in,
    is_good,
    newest_refresh_token,
    settings_with_scopes,
)
from webapp.models import ProviderGrant, ProviderRevocation, User
from webapp.services import housekeeping
from webapp.services.provider_revocations import CLAIM, GIVE_UP_AFTER, revoke_due

DAY = timedelta(days=1)


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider) -> Flask:
    """The site, set up to read calendars."""
    return new_app(**settings_with_scopes(provider))


@pytest.fixture
def rows(site: Flask) -> Rows:
    return Rows(site)


@pytest.fixture
def work(site: Flask) -> Callable[..., int]:
    """One turn of the background worker; how many tokens it tried to give back."""

    def turn(limit: int = 100, *, stopping: Callable[[], bool] = lambda: False) -> int:
        with site.app_context():
            return revoke_due(limit, stopping=stopping)

    return turn


@pytest.fixture
def disconnected(site: Flask, provider: LyingProvider) -> str:
    """The refresh token of somebody who has disconnected the provider."""
    come_in(site, provider)
    token = newest_refresh_token(provider)
    disconnect(choose_password(site, provider))
    return token


def disconnect(browser: Browser) -> None:
    assert browser.submit("/account/connections", "/account/connections/google/unlink").status_code == 303


def say_not_me(browser: Browser) -> None:
    browser.submit("/account/activity", "/account/activity/not-me")


def delete_account(browser: Browser) -> None:
    browser.submit("/account/data", "/account/data/delete")


@on_sqlite
@pytest.mark.parametrize("leave", [disconnect, say_not_me, delete_account])
def test_whoever_leaves_takes_back_there_what_was_granted(
    site: Flask,
    provider: LyingProvider,
    rows: Rows,
    work: Callable[..., int],
    at: time_machine.Traveller,
    leave: Callable[[Browser], None],
) -> None:
    come_in(site, provider)
    granted = newest_refresh_token(provider)
    leave(choose_password(site, provider))
    if leave is delete_account:
        assert rows.count(ProviderGrant) == 1, "who changes their mind within a week finds everything as it was"
        at.shift(8 * DAY)
        with site.app_context():
            housekeeping.purge()
        assert rows.count(User) == 0
    assert rows.count(ProviderGrant) == 0
    assert provider.asked("revoke") == []
    assert work() == 1
    assert [request.form["token"] for request in provider.asked("revoke")] == [granted]
    assert rows.count(ProviderRevocation) == 0
    assert not any(is_good(provider, token) for token in provider.grants._access)
    assert work() == 0


@on_sqlite
def test_where_nothing_was_granted_nothing_is_given_back(
    new_app: NewApp, provider: LyingProvider, work: Callable[..., int]
) -> None:
    plain = new_app(**google_settings(provider))
    come_in(plain, provider)
    disconnect(choose_password(plain, provider))
    assert work() == 0


@on_sqlite
def test_an_access_token_is_given_back_where_there_is_no_refresh_token(
    site: Flask, provider: LyingProvider, work: Callable[..., int]
) -> None:
    provider.lie.token["refresh_token"] = REMOVED
    come_in(site, provider)
    disconnect(choose_password(site, provider))
    work()
    (request,) = provider.asked("revoke")
    assert request.form["token"].startswith("access.")


@contextmanager
def silent(provider: LyingProvider) -> Iterator[None]:
    """The provider answers nothing, to whatever it is asked."""
    provider.lie.answers = {endpoint: faults.silent() for endpoint in ("metadata", "keys", "token", "revoke")}
    try:
        yield
    finally:
        provider.lie.answers = {}


@on_sqlite
def test_leaving_waits_for_no_provider(
    site: Flask, provider: LyingProvider, rows: Rows, at: time_machine.Traveller
) -> None:
    come_in(site, provider)
    browser = choose_password(site, provider)
    with silent(provider):
        asked = len(provider.received)
        delete_account(browser)
        at.shift(8 * DAY)
        with site.app_context():
            housekeeping.purge()
        assert len(provider.received) == asked
    assert rows.count(User) == 0
    assert rows.count(ProviderRevocation) == 1


@on_sqlite
@pytest.mark.parametrize(
    "fault",
    [
        faults.failing(503),
        faults.hangs_up(),
        faults.redirect("/elsewhere"),
        faults.error("invalid_client", status=401),
        faults.error("unsupported_token_type"),
        faults.failing(404),
    ],
)
def test_where_the_provider_is_away_it_is_tried_again_later_and_later(
    provider: LyingProvider,
    rows: Rows,
    work: Callable[..., int],
    disconnected: str,
    at: time_machine.Traveller,
    fault: faults.Fault,
) -> None:
    stand_still(at)
    provider.lie.answers["revoke"] = fault
    for pause in (CLAIM, 2 * CLAIM, 4 * CLAIM):
        assert work() == 1
        assert work() == 0
        at.shift(pause - timedelta(seconds=5))
        assert work() == 0
        at.shift(timedelta(seconds=6))
    provider.lie.answers.clear()
    assert work() == 1
    assert provider.asked("revoke")[-1].form["token"] == disconnected
    assert rows.count(ProviderRevocation) == 0


@on_sqlite
def test_it_is_given_up_after_about_a_week(
    provider: LyingProvider, rows: Rows, work: Callable[..., int], disconnected: str, at: time_machine.Traveller
) -> None:
    provider.lie.answers["revoke"] = faults.failing()
    days = 0
    with structlog.testing.capture_logs() as lines:
        while rows.count(ProviderRevocation):
            work()
            at.shift(DAY / 4)
            days += 1
    assert len(provider.asked("revoke")) == GIVE_UP_AFTER
    assert 5 <= days / 4 <= 10
    told = [line for line in lines if line["event"].startswith("provider_revocation")]
    assert [line["event"] for line in told].count("provider_revocation_given_up") == 1
    assert disconnected not in repr(lines)


@on_sqlite
@pytest.mark.parametrize("over", [faults.error("invalid_token"), faults.answer(200)])
def test_a_token_that_is_over_at_the_provider_needs_no_second_try(
    provider: LyingProvider, rows: Rows, work: Callable[..., int], disconnected: str, over: faults.Fault
) -> None:
    provider.lie.answers["revoke"] = over
    assert work() == 1
    assert rows.count(ProviderRevocation) == 0


@on_sqlite
def test_a_provider_that_takes_nothing_back_is_not_asked(
    provider: LyingProvider, new_app: NewApp, rows: Rows, disconnected: str
) -> None:
    provider.lie.metadata["revocation_endpoint"] = REMOVED
    with new_app(**settings_with_scopes(provider)).app_context():
        assert revoke_due(10) == 1
    assert provider.asked("revoke") == []
    assert rows.count(ProviderRevocation) == 0


@on_sqlite
@pytest.mark.parametrize("change", [{"SECRET_KEY": "another key of more than thirty-two characters"}, {}])
def test_what_nobody_can_give_back_any_more_is_forgotten(
    new_app: NewApp,
    provider: LyingProvider,
    rows: Rows,
    disconnected: str,
    change: dict[str, str],
) -> None:
    """The key it was sealed under is gone, or the site has no account at that provider any more."""
    with new_app(**(settings_with_scopes(provider) if change else {}), **change).app_context():
        assert revoke_due(10) == 1
    assert provider.asked("revoke") == []
    assert rows.count(ProviderRevocation) == 0


def people_disconnect(site: Flask, provider: LyingProvider) -> int:
    people = (GMAIL, COMPANY, KOREAN, ELSEWHERE)
    for person in people:
        come_in(site, provider, person)
        disconnect(choose_password(site, provider, person))
    return len(people)


@pytest.mark.asvs("15.4.2")
def test_workers_that_come_at_once_give_each_back_once(
    site: Flask, provider: LyingProvider, rows: Rows, work: Callable[..., int]
) -> None:
    amount = people_disconnect(site, provider)
    assert sum(all_at_once([work] * 4)) == amount
    tokens = [request.form["token"] for request in provider.asked("revoke")]
    assert len(tokens) == len(set(tokens)) == amount
    assert rows.count(ProviderRevocation) == 0


@on_sqlite
def test_a_worker_that_dies_over_one_leaves_it_to_the_next(
    site: Flask,
    provider: LyingProvider,
    rows: Rows,
    work: Callable[..., int],
    disconnected: str,
    at: time_machine.Traveller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as dying:
        dying.setattr("webapp.services.provider_revocations._is_over", lambda _due: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            work()
    assert work() == 0
    at.shift(CLAIM + timedelta(seconds=1))
    assert work() == 1
    assert rows.count(ProviderRevocation) == 0


@on_sqlite
def test_mails_wait_behind_no_more_than_one_that_the_provider_does_not_take(
    site: Flask, provider: LyingProvider, rows: Rows, work: Callable[..., int]
) -> None:
    amount = people_disconnect(site, provider)
    provider.lie.answers["revoke"] = faults.then(None, faults.failing())
    assert work() == 2
    assert len(provider.asked("revoke")) == 2
    assert work(limit=1) == 1
    assert work(stopping=lambda: True) == 0
    assert rows.count(ProviderRevocation) == amount - 2
