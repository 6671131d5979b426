"""A site that asks a provider for more than who somebody is, and people who let it."""

from typing import Any

from flask import Flask

from stand_in.people import GMAIL, Person
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings, sign_in_with
from tests.rows import Rows
from webapp.models import ProviderGrant

CALENDAR = "https://www.googleapis.com/auth/calendar.readonly"


def settings_with_scopes(provider: LyingProvider, **more: Any) -> dict[str, Any]:
    """What makes the site ask for somebody's calendar."""
    return {**google_settings(provider), "GOOGLE_EXTRA_SCOPES": CALENDAR, **more}


def come_in(site: Flask, provider: LyingProvider, person: Person = GMAIL) -> Browser:
    """Somebody signs in with the provider and allows all that is asked for."""
    browser = Browser(site)
    assert sign_in_with(browser, provider, person).status_code == 303
    assert browser.is_signed_in
    return browser


def choose_password(site: Flask, provider: LyingProvider, person: Person = GMAIL) -> Browser:
    """Somebody who has come in by the provider chooses a password too, and comes in by it."""
    Browser(site).submit("/password/forgot", email=person.email)
    Browser(site).submit(Mailbox(site).link(person.email, "/password/reset/"), password=PASSWORD)
    browser = Browser(site)
    assert browser.sign_in(person.email).status_code == 303
    return browser


def tokens_ever_given(provider: LyingProvider) -> set[str]:
    """Every access and refresh token that the provider has given out."""
    return {*provider.grants._access, *provider.grants._refresh}


def newest_refresh_token(provider: LyingProvider) -> str:
    """The refresh token that was not used yet."""
    (token,) = (token for token, (_, used) in provider.grants._refresh.items() if not used)
    return token


def renewals(provider: LyingProvider) -> int:
    """How often the provider was asked for a new access token."""
    return sum(request.form.get("grant_type") == "refresh_token" for request in provider.asked("token"))


def is_good(provider: LyingProvider, access_token: str) -> bool:
    """Whether the provider takes an access token."""
    return provider.grants.behind_access_token(access_token) is not None


def the_grant(rows: Rows) -> ProviderGrant:
    """The one grant there is."""
    (grant,) = rows.all(ProviderGrant)
    return grant
