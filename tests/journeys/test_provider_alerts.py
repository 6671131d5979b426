"""What a provider's news of danger means for people here: signed out, kept out, warned, let in again."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from stand_in.people import COMPANY, GMAIL
from tests.apps import App, a_second_passes, refusal
from tests.conftest import NewApp
from tests.journeys.crowds import all_at_once
from tests.journeys.provider_news import (
    DISABLED,
    ENABLED,
    OAUTH,
    RISC,
    SESSIONS_REVOKED,
    app_of,
    events,
    listening,
    newest_mail,
    send,
    signed_in,
    tell,
)
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import another_provider, google_settings, sign_in_with
from tests.rows import Rows, on_sqlite
from webapp.models import Identity, ProviderGrant, SecurityEvent, SpentValue


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider) -> Flask:
    """The site, set up to listen."""
    return new_app(**listening(provider))


@pytest.fixture
def rows(site: Flask) -> Rows:
    return Rows(site)


def test_ended_sessions_there_end_every_session_here_and_the_next_visit_says_why(
    site: Flask, provider: LyingProvider, rows: Rows
) -> None:
    browser, app = signed_in(site, provider), app_of(site, provider)
    other = signed_in(site, provider, COMPANY)
    tell(site, provider, SESSIONS_REVOKED)
    assert not browser.is_signed_in
    assert "The provider that you sign in with told us of a danger" in browser.get("/login").text
    a_second_passes(site)
    assert refusal(app.get("/auth/session")) == (401, "session_revoked")
    assert other.is_signed_in
    assert rows.events(GMAIL.email)[-1] == "provider_ended_sessions"
    assert "Google ended your sessions there" in newest_mail(site)
    assert sign_in_with(browser, provider).headers["Location"] == "/account"


@pytest.mark.asvs("7.4.1")
def test_another_worker_refuses_the_access_token_within_a_second(
    site: Flask, new_app: NewApp, provider: LyingProvider
) -> None:
    elsewhere = new_app(**google_settings(provider))
    app = app_of(site, provider)
    there = App(elsewhere)
    there.access_token = app.access_token
    assert there.get("/auth/session").status_code == 200
    tell(site, provider, SESSIONS_REVOKED)
    a_second_passes(elsewhere)
    assert refusal(there.get("/auth/session")) == (401, "session_revoked")


def test_an_open_link_for_a_new_password_ends_with_the_sessions(site: Flask, provider: LyingProvider) -> None:
    """Mallory, who reads Gwen's mailbox for an hour, has asked for it and waits until nobody looks."""
    signed_in(site, provider)
    mallory = Browser(site)
    mallory.submit("/password/forgot", email=GMAIL.email)
    link = Mailbox(site).link(GMAIL.email, "/password/reset/")
    assert mallory.get(link).status_code == 200
    tell(site, provider, DISABLED, reason="hijacking")
    assert mallory.get(link).status_code == 410
    assert not mallory.is_signed_in


@pytest.mark.parametrize("details", [{"reason": "hijacking"}, {}, {"reason": ["hijacking"]}])
def test_an_account_in_the_wrong_hands_opens_nothing_until_the_provider_says_so(
    site: Flask, provider: LyingProvider, rows: Rows, details: dict[str, Any]
) -> None:
    browser, app = signed_in(site, provider), app_of(site, provider)
    tell(site, provider, DISABLED, **details)
    assert not browser.is_signed_in
    a_second_passes(site)
    assert refusal(app.get("/me")) == (401, "session_revoked")
    answer = sign_in_with(browser, provider)
    assert answer.status_code == 403
    assert "somebody else may be using your account there" in answer.text
    nonce = app.post("/auth/google/nonce").json["nonce"]
    by_sdk = {"id_token": provider.id_token(nonce=nonce), "nonce": nonce}
    assert refusal(app.post("/auth/google/id-token", by_sdk)) == (403, "identity_blocked")
    assert rows.events(GMAIL.email)[-1] == "provider_blocked"
    assert "do not let that account in" in newest_mail(site)

    tell(site, provider, ENABLED)
    assert rows.events(GMAIL.email)[-1] == "provider_unblocked"
    assert sign_in_with(browser, provider).headers["Location"] == "/account"
    assert browser.is_signed_in


def test_whoever_has_a_password_still_comes_in_by_it_and_sees_what_is_closed(
    site: Flask, provider: LyingProvider
) -> None:
    signed_in(site, provider)
    tell(site, provider, DISABLED)
    browser = Browser(site)
    browser.submit("/password/forgot", email=GMAIL.email)
    browser.submit(Mailbox(site).link(GMAIL.email, "/password/reset/"), password=NEW_PASSWORD)
    browser.sign_in(GMAIL.email, NEW_PASSWORD)
    assert "Closed for now" in browser.get("/account/connections").text


def test_an_account_made_in_bulk_is_nobody_elses(site: Flask, provider: LyingProvider, rows: Rows) -> None:
    browser = signed_in(site, provider)
    before = rows.events(GMAIL.email)
    tell(site, provider, DISABLED, reason="bulk-account")
    assert browser.is_signed_in
    assert rows.events(GMAIL.email) == before


@pytest.mark.parametrize("event_type", [OAUTH + "tokens-revoked", RISC + "account-purged"])
def test_revoked_tokens_end_the_sessions_that_were_begun_with_the_provider(
    new_app: NewApp, provider: LyingProvider, event_type: str
) -> None:
    site = new_app(
        **listening(provider),
        GOOGLE_EXTRA_SCOPES="https://www.googleapis.com/auth/calendar.readonly",
    )
    rows = Rows(site)
    by_google = signed_in(site, provider)
    by_google.submit("/password/forgot", email=GMAIL.email)
    link = Mailbox(site).link(GMAIL.email, "/password/reset/")
    by_password = Browser(site)
    by_password.submit(link, password=PASSWORD)
    by_password.sign_in(GMAIL.email)
    assert sign_in_with(by_google, provider).status_code == 303
    assert rows.count(ProviderGrant) == 1
    tell(site, provider, event_type)
    assert not by_google.is_signed_in
    assert by_password.is_signed_in
    assert rows.count(ProviderGrant) == 0
    assert (rows.all(Identity)[0].blocked_at is not None) is event_type.endswith("purged")


def test_a_change_of_credentials_that_is_due_there_is_told_by_mail_and_in_the_activity(
    site: Flask, provider: LyingProvider, rows: Rows
) -> None:
    browser = signed_in(site, provider)
    tell(site, provider, RISC + "account-credential-change-required")
    assert browser.is_signed_in
    assert rows.events(GMAIL.email)[-1] == "provider_warned"
    assert "asks you to change how you sign in there" in newest_mail(site)


def test_it_stands_on_the_next_page_once(site: Flask, provider: LyingProvider) -> None:
    browser = signed_in(site, provider)
    tell(site, provider, RISC + "account-credential-change-required")
    warning = "A provider that you sign in with asks you to change"
    assert warning in browser.get("/account/activity").text
    assert warning not in browser.get("/account/activity").text


@on_sqlite
@pytest.mark.parametrize("subject_type", ["iss-sub", "iss_sub", "id_token_claims"])
def test_whom_it_is_about_is_found_by_issuer_and_sub(site: Flask, provider: LyingProvider, subject_type: str) -> None:
    browser = signed_in(site, provider)
    subject = {**provider.subject(), "subject_type": subject_type, "email": COMPANY.email}
    assert send(site, provider.security_event_token({SESSIONS_REVOKED: {"subject": subject}})).status_code == 202
    assert not browser.is_signed_in


@on_sqlite
@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "nobody knows"},
        {"sub": int(GMAIL.sub)},
        {"sub": None},
        {"iss": "https://accounts.example/"},
        {"iss": None},
        {"subject_type": "email", "email": GMAIL.email},
        {"subject_type": None},
    ],
)
def test_news_of_nobody_whom_we_know_is_taken_and_changes_nothing(
    site: Flask, provider: LyingProvider, rows: Rows, changes: dict[str, Any]
) -> None:
    browser = signed_in(site, provider)
    told = {**provider.subject(), **changes}
    for subject in (told, GMAIL.sub, None, [told]):
        token = provider.security_event_token({DISABLED: {"subject": subject}})
        assert send(site, token).status_code == 202
    assert send(site, provider.security_event_token({DISABLED: "all of them"})).status_code == 202
    assert browser.is_signed_in
    assert rows.all(Identity)[0].blocked_at is None


@pytest.mark.asvs("6.8.1")
@on_sqlite
def test_a_provider_speaks_of_nobody_of_another_one(
    new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    """Neither by the same `sub` of its own, nor by naming the other."""
    site = new_app(**listening(provider), **another_provider(other_provider))
    browser = Browser(site)
    sign_in_with(browser, other_provider, action="/login/acme")
    assert browser.is_signed_in
    for issuer in (provider.event_issuer, provider.issuer, other_provider.issuer):
        subject = {"subject_type": "iss-sub", "iss": issuer, "sub": GMAIL.sub}
        assert send(site, provider.security_event_token({DISABLED: {"subject": subject}})).status_code == 202
    assert browser.is_signed_in


@on_sqlite
def test_an_event_that_we_do_not_know_is_taken_and_changes_nothing(
    site: Flask, provider: LyingProvider, rows: Rows
) -> None:
    browser = signed_in(site, provider)
    before = rows.count(SecurityEvent)
    tell(site, provider, RISC + "account-moved-to-the-moon", "anything")
    assert browser.is_signed_in
    assert rows.count(SecurityEvent) == before


def test_several_events_of_one_token_are_all_acted_on(site: Flask, provider: LyingProvider, rows: Rows) -> None:
    gwen, wim = signed_in(site, provider), signed_in(site, provider, COMPANY)
    told = events(provider, SESSIONS_REVOKED) | events(provider, DISABLED, person=COMPANY, reason="hijacking")
    told[RISC + "something-new"] = {"subject": provider.subject()}
    assert send(site, provider.security_event_token(told)).status_code == 202
    assert not gwen.is_signed_in
    assert not wim.is_signed_in
    assert rows.events(GMAIL.email)[-1] == "provider_ended_sessions"
    assert rows.events(COMPANY.email)[-1] == "provider_blocked"


def test_an_event_that_comes_again_is_answered_as_before_and_does_nothing(
    site: Flask, provider: LyingProvider, rows: Rows
) -> None:
    browser = signed_in(site, provider)
    token = provider.security_event_token(events(provider, SESSIONS_REVOKED))
    assert send(site, token).status_code == 202
    sign_in_with(browser, provider)
    done = rows.events(GMAIL.email)
    again = send(site, token)
    assert (again.status_code, again.data) == (202, b"")
    assert browser.is_signed_in
    assert rows.events(GMAIL.email) == done


@pytest.mark.asvs("15.4.2")
def test_an_event_that_comes_many_times_at_once_counts_once(new_app: NewApp, provider: LyingProvider) -> None:
    site = new_app(
        **listening(provider),
    )
    rows = Rows(site)
    signed_in(site, provider)
    mails = len(Mailbox(site).mails(GMAIL.email))
    token = provider.security_event_token(events(provider, DISABLED))
    answers = all_at_once([lambda: send(site, token).status_code] * 8)
    assert answers == [202] * 8
    assert rows.events(GMAIL.email).count("provider_blocked") == 1
    assert len(Mailbox(site).mails(GMAIL.email)) == mails + 1
    assert rows.count(SpentValue) == 1
