"""A provider tells us that somebody's account there is in danger (RFC 8417, 8935; Google's Cross-Account Protection):
what is believed, and that no news is lost. What is done about it stands in test_provider_alerts.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy.exc
import structlog
from flask import Flask
from sqlalchemy import Engine

from stand_in.people import GMAIL
from tests.apps import App, refusal
from tests.conftest import NewApp
from tests.journeys.provider_news import (
    DISABLED,
    EVENT_TYPE,
    PATH,
    SESSIONS_REVOKED,
    VERIFICATION,
    app_of,
    events,
    listening,
    refused,
    send,
    signed_in,
    tell,
)
from tests.people import runtime_of
from tests.providers import faults, forgeries
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings
from tests.rows import Rows, at_statements, on_sqlite
from webapp import clock
from webapp.http.request_checks import MAX_BODY
from webapp.models import CookieSession, Identity, LoginSession, SpentValue
from webapp.policy.cross_account import OLDEST
from webapp.policy.throttling import Limit


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider) -> Flask:
    """The site, set up to listen."""
    return new_app(**listening(provider))


@pytest.fixture
def rows(site: Flask) -> Rows:
    return Rows(site)


@contextmanager
def database_failing(engine: Engine, breaks: Callable[[str], bool]) -> Iterator[None]:
    """The database goes away at a statement for which `breaks` holds."""

    def fail(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if breaks(statement):
            raise sqlalchemy.exc.OperationalError("gone", None, Exception("gone"))

    with at_statements(engine, fail):
        yield


# What is believed


def test_where_nobody_set_it_up_there_is_nothing(new_app: NewApp, provider: LyingProvider) -> None:
    deaf = new_app(**google_settings(provider))
    assert send(deaf, provider.security_event_token(events(provider, SESSIONS_REVOKED))).status_code == 404
    assert provider.asked("risc") == []


@on_sqlite
def test_a_test_message_of_the_provider_is_taken_and_noted(site: Flask, provider: LyingProvider) -> None:
    with structlog.testing.capture_logs() as lines:
        answer = send(site, provider.security_event_token({VERIFICATION: {"state": "hello"}}))
    assert (answer.status_code, answer.data) == (202, b"")
    assert [line["reason"] for line in lines if line["event"] == "provider_event"] == ["verification"]


@on_sqlite
@pytest.mark.parametrize("typ", ["secevent+jwt", "JWT", REMOVED])
def test_the_type_of_token_may_be_what_google_sends(site: Flask, provider: LyingProvider, typ: Any) -> None:
    provider.lie.header["typ"] = typ
    tell(site, provider, VERIFICATION)


@on_sqlite
@pytest.mark.parametrize(
    "audience", ["client-of-tests", "android-app", "ios-app", ["somebody else", "ios-app"], ["client-of-tests"]]
)
def test_it_may_be_meant_for_the_site_or_for_an_app_of_it(site: Flask, provider: LyingProvider, audience: Any) -> None:
    token = provider.security_event_token(events(provider, VERIFICATION), aud=audience)
    assert send(site, token).status_code == 202


NOT_FOR_US: list[tuple[dict[str, Any], str]] = [
    ({"aud": "somebody else"}, "invalid_audience"),
    ({"aud": ["somebody else"]}, "invalid_audience"),
    ({"aud": []}, "invalid_audience"),
    ({"aud": REMOVED}, "invalid_audience"),
    ({"aud": {"client-of-tests": 1}}, "invalid_audience"),
    ({"aud": ""}, "invalid_audience"),
    ({"iss": "https://accounts.example/"}, "invalid_issuer"),
    ({"iss": REMOVED}, "invalid_issuer"),
    ({"iss": ["a"]}, "invalid_issuer"),
    ({"jti": REMOVED}, "invalid_request"),
    ({"jti": ""}, "invalid_request"),
    ({"jti": 7}, "invalid_request"),
    ({"jti": "j" * 256}, "invalid_request"),
    ({"iat": REMOVED}, "invalid_request"),
    ({"iat": "yesterday"}, "invalid_request"),
    ({"iat": True}, "invalid_request"),
    ({"iat": 1e300}, "invalid_request"),
    ({"iat": -1}, "invalid_request"),
    ({"events": REMOVED}, "invalid_request"),
    ({"events": {}}, "invalid_request"),
    ({"events": [SESSIONS_REVOKED]}, "invalid_request"),
]


@pytest.mark.asvs("9.2.3")
@on_sqlite
def test_one_that_is_not_for_us_is_refused_in_the_words_of_the_specification(
    site: Flask, provider: LyingProvider, rows: Rows
) -> None:
    browser = signed_in(site, provider)
    about = {
        "iss": provider.event_issuer,
        "aud": provider.client_id,
        "iat": int(clock.now().timestamp()),
        "jti": "one of them",
        "events": events(provider, SESSIONS_REVOKED),
    }
    for changes, err in NOT_FOR_US:
        assert refused(send(site, provider.signed(forgeries.changed(about, changes)))) == err, changes
        assert rows.count(SpentValue) == 0, changes
    assert browser.is_signed_in
    assert send(site, provider.signed(about)).status_code == 202, "else it would have proven nothing"
    assert not browser.is_signed_in


@on_sqlite
def test_the_issuer_is_the_one_of_events_and_not_the_one_of_id_tokens(site: Flask, provider: LyingProvider) -> None:
    token = provider.security_event_token(events(provider, SESSIONS_REVOKED), iss=provider.issuer)
    assert refused(send(site, token)) == "invalid_issuer"


FORGED: list[tuple[forgeries.Forgery, str]] = [
    (forgeries.foreign_key, "invalid_key"),
    (forgeries.unknown_kid, "invalid_key"),
    (forgeries.altered_signature, "invalid_key"),
    (forgeries.altered_claims, "invalid_key"),
    (forgeries.stripped_signature, "invalid_key"),
    (forgeries.alg_none, "invalid_request"),
    (forgeries.alg_none_in_capitals, "invalid_request"),
    (forgeries.hs256_with_pem, "invalid_request"),
    (forgeries.hs256_with_jwk, "invalid_request"),
    (forgeries.no_signature_part, "invalid_request"),
    (forgeries.unknown_critical_header, "invalid_request"),
    (forgeries.five_parts, "invalid_request"),
    (forgeries.no_json, "invalid_request"),
    (forgeries.embedded_jwk, "invalid_key"),
    (forgeries.jku, "invalid_key"),
    (forgeries.x5u, "invalid_key"),
]


@pytest.mark.asvs("9.1.3")
@on_sqlite
def test_one_that_somebody_else_signed_is_refused(site: Flask, provider: LyingProvider) -> None:
    browser = signed_in(site, provider)
    for forgery, err in FORGED:
        provider.lie.sign = forgery
        told = refused(send(site, provider.security_event_token(events(provider, SESSIONS_REVOKED))))
        assert told == err, forgery
    assert browser.is_signed_in
    assert provider.asked("foreign_keys") == []


@on_sqlite
def test_a_new_key_of_the_provider_is_asked_for(site: Flask, provider: LyingProvider) -> None:
    tell(site, provider, VERIFICATION)
    provider.rotate_keys()
    tell(site, provider, VERIFICATION)


@pytest.mark.asvs("9.2.2")
@on_sqlite
def test_an_id_token_or_a_token_of_ours_is_no_event(site: Flask, provider: LyingProvider) -> None:
    app = app_of(site, provider)
    assert refused(send(site, provider.id_token())) == "invalid_issuer"
    assert refused(send(site, provider.id_token(iss=provider.event_issuer))) == "invalid_request"
    assert refused(send(site, app.access_token)) == "invalid_request"
    provider.lie.header["typ"] = "at+jwt"
    assert refused(send(site, provider.security_event_token(events(provider, SESSIONS_REVOKED)))) == "invalid_request"
    assert app.is_signed_in


@pytest.mark.asvs("9.2.2")
@on_sqlite
@pytest.mark.parametrize("typ", ["secevent+jwt", "JWT"])
def test_an_event_signs_nobody_in(site: Flask, provider: LyingProvider, typ: str) -> None:
    """Not even one that says all that an ID token says."""
    app = App(site)
    nonce = app.post("/auth/google/nonce").json["nonce"]
    now = int(clock.now().timestamp())
    about = {"iss": provider.issuer, "sub": GMAIL.sub, "nonce": nonce, "exp": now + 300, "azp": provider.client_id}
    provider.lie.header["typ"] = typ
    token = provider.security_event_token(events(provider, SESSIONS_REVOKED), **about)
    answer = app.post("/auth/google/id-token", {"id_token": token, "nonce": nonce})
    assert refusal(answer) == (401, "provider_answer_refused")


@on_sqlite
@pytest.mark.parametrize("token", ["", "nothing", "a.b.c", "e30.e30.e30", "가.나.다", b"\xff.\xff.\xff", "." * 3000])
def test_what_is_no_token_at_all_is_refused(site: Flask, token: str | bytes) -> None:
    assert refused(send(site, token)) == "invalid_request"


@on_sqlite
def test_one_from_the_future_is_refused_and_one_that_waited_long_is_not(site: Flask, provider: LyingProvider) -> None:
    """It does not expire (RFC 8417, section 2.2), but what is spent cannot be remembered for ever."""
    for age, status in [(-60, 400), (-10, 202), (86400, 202), (80 * 86400, 202), (OLDEST.total_seconds() + 60, 400)]:
        told = provider.security_event_token(
            events(provider, VERIFICATION), iat=int(clock.now().timestamp() - age), exp=1
        )
        assert send(site, told).status_code == status, age


@pytest.mark.asvs("15.2.2")
@on_sqlite
def test_what_is_sent_in_another_way_is_refused_before_it_is_read(site: Flask, provider: LyingProvider) -> None:
    token = provider.security_event_token(events(provider, VERIFICATION))
    for content_type in ("application/json", "application/jwt", "text/plain", None):
        assert send(site, token, content_type).status_code == 415, content_type
    assert send(site, f"token={token}", "application/x-www-form-urlencoded").status_code == 415
    assert send(site, "a" * (MAX_BODY + 1)).status_code == 413
    for method in ("GET", "PUT", "DELETE"):
        assert site.test_client().open(PATH, method=method).status_code == 405
    assert provider.asked("risc") == []
    assert refused(send(site, token + "a" * (20 * 1024))) == "invalid_request"
    assert send(site, token, f"{EVENT_TYPE}; charset=utf-8").status_code == 202


def test_it_needs_no_form_token_opens_no_session_and_sets_no_cookie(
    site: Flask, provider: LyingProvider, rows: Rows
) -> None:
    sessions = rows.count(CookieSession)
    answer = send(site, provider.security_event_token(events(provider, VERIFICATION)))
    assert answer.status_code == 202
    assert "Set-Cookie" not in answer.headers
    assert rows.count(CookieSession) == sessions


@on_sqlite
def test_no_page_elsewhere_has_a_browser_send_one(site: Flask, provider: LyingProvider) -> None:
    victim = signed_in(site, provider)
    token = provider.security_event_token(events(provider, SESSIONS_REVOKED))
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert victim.post(PATH, token, content_type=EVENT_TYPE, headers=evil).status_code == 403
    preflight = victim.open("OPTIONS", PATH, headers={**evil, "Access-Control-Request-Method": "POST"})
    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert victim.is_signed_in


@on_sqlite
def test_whoever_sends_forged_ones_without_end_is_slowed_and_the_provider_is_not(
    site: Flask, provider: LyingProvider
) -> None:
    amount = Limit.EVENT_NETWORK.windows[0].amount
    answers = [send(site, "a.b.c").status_code for _ in range(amount + 1)]
    assert answers == [400] * amount + [429]
    for _ in range(3):
        tell(site, provider, VERIFICATION)


@on_sqlite
def test_forged_ones_do_not_make_us_ask_the_provider_for_its_keys_again_and_again(
    site: Flask, provider: LyingProvider
) -> None:
    provider.lie.sign = forgeries.unknown_kid
    for _ in range(20):
        send(site, provider.security_event_token(events(provider, VERIFICATION)))
    assert len(provider.asked("keys")) <= 6
    provider.lie.sign = forgeries.honest
    tell(site, provider, VERIFICATION)


@pytest.mark.asvs("16.2.5")
@on_sqlite
def test_no_log_holds_a_token_or_whom_it_is_about(
    site: Flask, provider: LyingProvider, capfd: pytest.CaptureFixture[str]
) -> None:
    signed_in(site, provider)
    with structlog.testing.capture_logs() as lines:
        for changes in ({}, {"aud": "somebody else"}):
            token = provider.security_event_token(events(provider, SESSIONS_REVOKED), **changes)
            send(site, token)
    printed = repr(lines) + "".join(capfd.readouterr())
    assert "provider_event_refused" in printed
    assert not any(secret in printed for secret in (token, token.split(".")[1], GMAIL.sub, GMAIL.email))


# No news is lost


@on_sqlite
@pytest.mark.parametrize("endpoint", ["risc", "keys"])
@pytest.mark.parametrize("fault", [faults.failing(), faults.garbage(), faults.hangs_up(), faults.redirect("/keys")])
def test_where_the_providers_keys_cannot_be_had_it_is_told_again(
    site: Flask, provider: LyingProvider, endpoint: str, fault: faults.Fault
) -> None:
    browser = signed_in(site, provider)
    runtime_of(site).event_issuer._keys._keys = None  # type: ignore[union-attr]
    token = provider.security_event_token(events(provider, SESSIONS_REVOKED))
    provider.lie.answers[endpoint] = fault
    answer = send(site, token)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert browser.is_signed_in
    provider.lie.answers.clear()
    assert send(site, token).status_code == 202
    assert not browser.is_signed_in


@pytest.mark.asvs("16.5.2")
@pytest.mark.parametrize(
    "moment", ["INSERT INTO spent_values", "UPDATE login_sessions", "INSERT INTO security_events", "INSERT INTO outbox"]
)
def test_a_database_that_goes_away_in_the_middle_loses_no_event(
    site: Flask, provider: LyingProvider, rows: Rows, moment: str
) -> None:
    browser = signed_in(site, provider)
    before = rows.events(GMAIL.email)
    token = provider.security_event_token(events(provider, DISABLED))
    with database_failing(rows.engine, lambda statement: statement.startswith(moment)):
        assert send(site, token).status_code == 503
    assert browser.is_signed_in
    assert rows.count(SpentValue) == 0
    assert rows.events(GMAIL.email) == before
    assert send(site, token).status_code == 202
    assert not browser.is_signed_in
    assert rows.events(GMAIL.email) == [*before, "provider_blocked"]


@on_sqlite
def test_one_about_somebody_who_leaves_at_that_moment_is_answered(
    site: Flask, provider: LyingProvider, rows: Rows
) -> None:
    signed_in(site, provider)
    rows.delete(LoginSession)
    rows.delete(Identity)
    tell(site, provider, DISABLED)
