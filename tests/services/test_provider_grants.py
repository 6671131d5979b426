"""Tokens of a provider's: kept only where they are for something, readable to nobody else, renewed once for all."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask import Flask

from stand_in.people import COMPANY, GMAIL
from tests.conftest import SECRET_KEY, NewApp
from tests.people import Browser
from tests.providers import faults
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings, leave, sign_in_with
from tests.rows import Rows, on_sqlite, stand_still
from tests.services.granted import (
    CALENDAR,
    choose_password,
    come_in,
    is_good,
    newest_refresh_token,
    renewals,
    settings_with_scopes,
    the_grant,
    tokens_ever_given,
)
from webapp import clock
from webapp.models import Identity, ProviderGrant, ProviderRevocation
from webapp.services.provider_grants import LOOKS, RENEWAL, NoProviderToken, fresh_provider_token
from webapp.services.provider_revocations import revoke_due

HOUR = timedelta(hours=1)
CROWD = 12


def never(_seconds: float) -> None:
    raise AssertionError("somebody waits for somebody else")


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider) -> Flask:
    """The site, set up to read calendars; patient with a database that many use at once."""
    return new_app(**settings_with_scopes(provider), THREADS=CROWD)


@pytest.fixture
def rows(site: Flask) -> Rows:
    return Rows(site)


@pytest.fixture
def token_of(site: Flask, rows: Rows) -> Callable[..., str]:
    """What the services get: token_of(rest=...)."""

    def ask(email: str = GMAIL.email, *, rest: Callable[[float], object] = never, provider: str = "google") -> str:
        user_id = rows.user(email).id
        with site.app_context():
            return fresh_provider_token(user_id, provider, rest=rest)

    return ask


def refusal(token_of: Callable[..., str], **how: Any) -> str:
    """Why there is none."""
    with pytest.raises(NoProviderToken) as refused:
        token_of(**how)
    return refused.value.reason


def run_out(rows: Rows) -> None:
    """The access tokens are good for no minute more."""
    rows.set(ProviderGrant, {}, expires_at=clock.now() + timedelta(seconds=59))


# What is kept, and where


@pytest.mark.asvs("10.2.3", "10.1.1")
def test_a_site_that_only_wants_to_know_who_it_is_asks_for_nothing_more_and_keeps_nothing(
    new_app: NewApp, provider: LyingProvider
) -> None:
    plain = new_app(**google_settings(provider))
    asked = parse_qs(urlsplit(leave(Browser(plain))).query)
    assert asked["scope"] == ["openid email profile"]
    assert "access_type" not in asked
    assert "prompt" not in asked
    come_in(plain, provider)
    rows = Rows(plain)
    assert rows.count(ProviderGrant) == 0
    stored = "".join(value for _, value in rows.texts())
    assert not any(token in stored for token in tokens_ever_given(provider))
    with plain.app_context(), pytest.raises(NoProviderToken, match="not_granted"):
        fresh_provider_token(rows.user(GMAIL.email).id, "google", rest=never)


def test_one_that_wants_more_asks_for_it_and_tells_the_user_what_was_granted(
    site: Flask, provider: LyingProvider
) -> None:
    asked = parse_qs(urlsplit(leave(Browser(site))).query)
    assert asked["scope"] == [f"openid email profile {CALENDAR}"]
    assert asked["access_type"] == ["offline"]
    page = come_in(site, provider).get("/account/connections").text
    assert "calendar.readonly" in page


def test_what_was_granted_is_told_and_not_what_was_asked_for(site: Flask, provider: LyingProvider) -> None:
    provider.lie.token["scope"] = "openid email"
    assert "calendar.readonly" not in come_in(site, provider).get("/account/connections").text


@pytest.mark.asvs("11.3.3", "14.2.4")
def test_no_table_holds_a_token_that_can_be_read(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    browser = come_in(site, provider)
    run_out(rows)
    token_of()
    choose_password(site, provider).submit("/account/connections", "/account/connections/google/unlink")
    come_in(site, provider, COMPANY)
    assert rows.count(ProviderGrant) == 1
    assert rows.count(ProviderRevocation) == 1
    stored = "".join(value for _, value in rows.texts())
    given = tokens_ever_given(provider)
    assert len(given) >= 5
    assert not any(token in stored for token in given)
    assert not any(token in browser.get(page).text for token in given for page in ("/account", "/account/data"))


@pytest.mark.asvs("11.3.3")
@on_sqlite
def test_a_row_that_somebody_copied_to_another_user_opens_nothing(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    come_in(site, provider)
    come_in(site, provider, COMPANY)
    sealed = {row.user_id: row.id for row in rows.all(Identity)}
    hers, his = sealed[rows.user(GMAIL.email).id], sealed[rows.user(COMPANY.email).id]
    (grant,) = rows.all(ProviderGrant, identity_id=hers)
    rows.set(ProviderGrant, {"identity_id": his}, sealed=grant.sealed, expires_at=grant.expires_at)
    assert is_good(provider, token_of(GMAIL.email))
    assert refusal(token_of, email=COMPANY.email) == "gone"
    rows.set(ProviderGrant, {"identity_id": hers}, sealed=bytes([grant.sealed[0], *reversed(grant.sealed[1:])]))
    assert refusal(token_of) == "gone"


@on_sqlite
@pytest.mark.asvs("11.2.2")
def test_after_a_change_of_key_it_opens_while_the_old_one_is_a_fallback(
    site: Flask, new_app: NewApp, provider: LyingProvider, rows: Rows
) -> None:
    come_in(site, provider)
    user_id, other = rows.user(GMAIL.email).id, "another key of more than thirty-two characters"
    with new_app(**settings_with_scopes(provider), SECRET_KEY=other).app_context():
        assert_gone(user_id)
    fallback = {"SECRET_KEY": other, "SECRET_KEY_FALLBACKS": (SECRET_KEY,)}
    with new_app(**settings_with_scopes(provider), **fallback).app_context():
        assert is_good(provider, fresh_provider_token(user_id, "google", rest=never))


def assert_gone(user_id: uuid.UUID) -> None:
    with pytest.raises(NoProviderToken, match="gone"):
        fresh_provider_token(user_id, "google", rest=never)


# Renewed


@on_sqlite
def test_one_that_is_good_for_a_minute_is_given_without_asking_the_provider(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str], at: time_machine.Traveller
) -> None:
    come_in(site, provider)
    stand_still(at)
    rows.set(ProviderGrant, {}, expires_at=clock.now() + timedelta(seconds=62))
    assert is_good(provider, token_of())
    assert renewals(provider) == 0


def test_one_that_runs_out_is_renewed_and_the_provider_may_change_the_refresh_token_each_time(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    """The provider here takes each refresh token once, and ends everything where one comes twice."""
    come_in(site, provider)
    seen = {token_of()}
    for number in (1, 2, 3):
        run_out(rows)
        seen.add(token_of())
        token_of()
        assert renewals(provider) == number
        assert the_grant(rows).renewing_until is None
        assert the_grant(rows).expires_at > clock.now() + timedelta(minutes=50)
    assert len(seen) == 4
    assert all(is_good(provider, token) for token in seen)


@on_sqlite
def test_a_refresh_token_that_is_not_told_again_stays(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    """Google tells it once, when the person agrees; and never at a renewal."""
    come_in(site, provider)
    provider.lie.token["refresh_token"] = REMOVED
    come_in(site, provider)
    run_out(rows)
    assert is_good(provider, token_of())


@pytest.mark.asvs("15.4.2")
def test_of_a_crowd_that_asks_at_once_one_renews_and_all_get_what_it_got(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    come_in(site, provider)
    run_out(rows)
    all_wait, release, renewed = threading.Barrier(CROWD), threading.Event(), threading.Event()
    provider.lie.answers["token"] = faults.held_until(release)

    def rest(_seconds: float) -> None:
        """Whoever waits for the one that renews; its answer comes when all others have found it busy."""
        if not release.is_set():
            all_wait.wait(60)
        assert renewed.wait(60)

    def ask() -> str:
        try:
            return token_of(rest=rest)
        finally:
            renewed.set()

    with ThreadPoolExecutor(CROWD) as pool:
        asking = [pool.submit(ask) for _ in range(CROWD)]
        all_wait.wait(60)  # in place of the one that renews
        release.set()
        tokens = {future.result() for future in asking}
    assert renewals(provider) == 1
    assert len(tokens) == 1
    assert is_good(provider, tokens.pop())


@on_sqlite
def test_a_worker_that_dies_in_the_middle_holds_others_up_for_a_moment_only(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str], at: time_machine.Traveller
) -> None:
    come_in(site, provider)
    run_out(rows)
    rows.set(ProviderGrant, {}, renewing_until=clock.now() + RENEWAL)
    rests: list[float] = []
    assert refusal(token_of, rest=rests.append) == "unavailable"
    assert len(rests) == LOOKS - 1
    assert renewals(provider) == 0
    at.shift(RENEWAL)
    assert is_good(provider, token_of())


@on_sqlite
def test_whoever_waits_goes_on_as_soon_as_the_dead_ones_time_is_over(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str], at: time_machine.Traveller
) -> None:
    come_in(site, provider)
    run_out(rows)
    rows.set(ProviderGrant, {}, renewing_until=clock.now() + RENEWAL)
    assert is_good(provider, token_of(rest=lambda _seconds: at.shift(RENEWAL / 3)))


@pytest.mark.parametrize(
    "fault",
    [
        faults.failing(503),
        faults.failing(500),
        faults.hangs_up(),
        faults.garbage(),
        faults.web_page(),
        faults.redirect("/token"),
        faults.error("invalid_client", status=401),
        faults.error("temporarily_unavailable"),
        faults.json({"access_token": "", "token_type": "Bearer"}),
        faults.json({"access_token": "a", "token_type": "mac"}),
        faults.json([]),
    ],
)
@on_sqlite
def test_a_provider_that_does_not_answer_costs_nothing_and_nobody_waits_for_it_twice(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str], fault: faults.Fault
) -> None:
    come_in(site, provider)
    run_out(rows)
    provider.lie.answers["token"] = fault
    assert refusal(token_of) == "unavailable"
    assert refusal(token_of) == "unavailable"
    assert rows.count(ProviderGrant) == 1
    provider.lie.answers.clear()
    assert is_good(provider, token_of())


@on_sqlite
def test_a_grant_that_the_person_took_back_at_the_provider_is_gone(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    browser = come_in(site, provider)
    run_out(rows)
    provider.grants.revoke(newest_refresh_token(provider), client_id=None)
    assert refusal(token_of) == "gone"
    assert rows.count(ProviderGrant) == 0
    assert refusal(token_of) == "not_granted"
    assert "calendar.readonly" not in browser.get("/account/connections").text
    come_in(site, provider)
    assert is_good(provider, token_of())


@on_sqlite
def test_without_a_refresh_token_it_ends_with_the_access_token(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    provider.lie.token["refresh_token"] = REMOVED
    come_in(site, provider)
    assert is_good(provider, token_of())
    run_out(rows)
    assert refusal(token_of) == "gone"
    assert renewals(provider) == 0


@on_sqlite
def test_who_has_nothing_there_has_no_token(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    come_in(site, provider)
    assert refusal(token_of, provider="acme") == "not_linked"
    rows.set(Identity, {}, blocked_at=clock.now())
    assert refusal(token_of) == "not_linked"
    with site.app_context(), pytest.raises(NoProviderToken, match="not_linked"):
        fresh_provider_token(uuid.uuid4(), "google", rest=never)


@on_sqlite
def test_a_provider_that_the_site_asks_no_more_gives_none(
    site: Flask, new_app: NewApp, provider: LyingProvider, rows: Rows
) -> None:
    come_in(site, provider)
    run_out(rows)
    with new_app().app_context(), pytest.raises(NoProviderToken, match="unavailable"):
        fresh_provider_token(rows.user(GMAIL.email).id, "google", rest=never)


# What happens while somebody renews


def renewing(
    provider: LyingProvider, token_of: Callable[..., str], meanwhile: Callable[[], object]
) -> Callable[[], str]:
    """Something happens when the provider has made new tokens, and before they are written down here."""
    arrived, release = threading.Event(), threading.Event()
    hold = faults.held_until(release)

    def fault(wire: faults.Wire) -> None:
        arrived.set()
        hold(wire)

    provider.lie.answers["token"] = fault
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(token_of)
        assert arrived.wait(20)
        provider.lie.answers.clear()
        meanwhile()
        release.set()
    return asking.result


def test_somebody_who_disconnects_meanwhile_leaves_no_token_behind(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    come_in(site, provider)
    browser = choose_password(site, provider)
    run_out(rows)
    disconnect = lambda: browser.submit("/account/connections", "/account/connections/google/unlink")  # noqa: E731
    asked = renewing(provider, token_of, disconnect)
    with pytest.raises(NoProviderToken, match="not_linked"):
        asked()
    assert rows.count(ProviderRevocation) == 2
    with site.app_context():
        assert revoke_due(10) == 2
    assert not any(is_good(provider, token) for token in provider.grants._access)


def test_somebody_who_signs_in_meanwhile_keeps_the_refresh_token_that_is_good(
    site: Flask, provider: LyingProvider, rows: Rows, token_of: Callable[..., str]
) -> None:
    come_in(site, provider)
    run_out(rows)

    def sign_in() -> None:
        provider.lie.token["refresh_token"] = REMOVED
        assert sign_in_with(Browser(site), provider).status_code == 303
        provider.lie.token.clear()

    assert is_good(provider, renewing(provider, token_of, sign_in)())
    run_out(rows)
    assert is_good(provider, token_of())
