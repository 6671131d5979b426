"""`flask doctor` says what to register at each provider, whether it answers, and what is missing."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.conftest import NewApp
from tests.providers import faults
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import another_provider, google_settings
from tests.rows import on_sqlite
from tests.test_doctor import HTTPS, STRONG, complaints, examined
from webapp import clock
from webapp.doctor_providers import MOST_PROVIDER_SKEW

pytestmark = on_sqlite
NOWHERE = "http://127.0.0.1:1/.well-known/openid-configuration"


def redirect_uri(name: str, site: str = "http://127.0.0.1:8000") -> str:
    return f"its redirect URI for this site is {site}/login/{name}/callback"


def test_it_prints_for_each_provider_what_to_register_there_and_whether_it_answers(
    new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    found = examined(new_app(**STRONG, **google_settings(provider), **another_provider(other_provider)))
    assert found["google"] == (True, f"{provider.issuer} answers; {redirect_uri('google')}")
    assert found["acme"] == (True, f"{other_provider.issuer} answers; {redirect_uri('acme')}")
    assert "providers" not in found


def test_the_redirect_uri_is_the_one_that_is_sent(new_app: NewApp, provider: LyingProvider) -> None:
    """Before anything is set up at the provider, and letter by letter."""
    settings = {**google_settings(provider), "GOOGLE_METADATA_URL": NOWHERE}
    words = complaints(new_app(**STRONG, **HTTPS, **settings))["google"]
    assert redirect_uri("google", "https://login.example.com") in words


def test_without_a_provider_it_says_so(new_app: NewApp) -> None:
    found = examined(new_app(**STRONG))
    assert found["providers"] == (True, "none; nobody signs in with one")
    assert "risc" not in found


@pytest.mark.parametrize(
    ("lie", "value", "words"),
    [
        ("answers", {"metadata": faults.failing()}, "does not answer (status_500): check its setting"),
        ("answers", {"metadata": faults.web_page()}, "does not answer"),
        ("answers", {"metadata": faults.redirect("/elsewhere")}, "does not answer (redirect)"),
        ("answers", {"keys": faults.hangs_up()}, "does not answer"),
        ("answers", {"keys": faults.json({"keys": []})}, "it publishes no key that we can verify with"),
        ("answers", {"keys": faults.json({"keys": [{"kty": "oct", "k": "AAAA"}]})}, "it publishes no key"),
        ("answers", {"keys": faults.json({})}, "it publishes no key"),
        ("metadata", {"issuer": "https://accounts.example"}, "speaks for another issuer: check its setting"),
        ("metadata", {"issuer": REMOVED}, "speaks for another issuer"),
        ("metadata", {"token_endpoint": REMOVED}, "does not answer (token_endpoint)"),
    ],
)
def test_it_says_what_is_wrong_with_a_provider(
    new_app: NewApp, provider: LyingProvider, lie: str, value: dict[str, Any], words: str
) -> None:
    getattr(provider.lie, lie).update(value)
    found = complaints(new_app(**STRONG, **google_settings(provider)))
    assert found.keys() == {"google"}
    assert words in found["google"]
    assert redirect_uri("google") in found["google"]


def test_one_that_is_away_does_not_stop_the_rest(
    new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    away = another_provider(other_provider, metadata_url=NOWHERE)
    found = examined(new_app(**STRONG, **google_settings(provider), **away))
    assert not found["acme"][0]
    assert "does not answer" in found["acme"][1]
    assert found["google"][0]
    assert found["outbox"][0]


def test_google_needs_its_secret_and_others_may_go_without(
    new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    without = {**google_settings(provider), "GOOGLE_CLIENT_SECRET": ""}
    found = complaints(new_app(**STRONG, **without, **another_provider(other_provider, client_secret="")))
    assert found.keys() == {"google"}
    assert "GOOGLE_CLIENT_SECRET is not set" in found["google"]


def test_no_secret_is_printed(new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider) -> None:
    provider.lie.answers["metadata"] = faults.failing()
    app = new_app(**STRONG, **google_settings(provider), **another_provider(other_provider))
    printed = app.test_cli_runner().invoke(args=["doctor"]).output
    assert provider.client_secret not in printed
    assert other_provider.client_secret not in printed


def test_it_notices_a_clock_that_the_provider_does_not_agree_with(new_app: NewApp, provider: LyingProvider) -> None:
    """The provider here lives on the same machine, so the header is what has to be moved."""
    app = new_app(**STRONG, **google_settings(provider))
    for told, is_well in [
        (clock.now() - MOST_PROVIDER_SKEW / 5, True),
        (clock.now() - timedelta(minutes=1), False),
        (clock.now() + timedelta(minutes=1), False),
    ]:
        date = f"{told:%a, %d %b %Y %H:%M:%S} GMT"
        provider.lie.answers["keys"] = faults.answer(200, json_of(provider), date=date)
        well, words = examined(app)["google"]
        assert well is is_well, words
        assert ("check NTP" in words) is not is_well
    for broken in ("yesterday", "", "Mon, 99 Foo 2026 99:99:99 GMT"):
        provider.lie.answers["keys"] = faults.answer(200, json_of(provider), date=broken)
        assert examined(app)["google"][0], broken


def json_of(provider: LyingProvider) -> bytes:
    return json.dumps(provider.key_set()).encode()


def test_it_tells_of_the_stand_in(new_app: NewApp, provider: LyingProvider) -> None:
    app = new_app(**STRONG, APP_ENV="development", STAND_IN_PROVIDER_URL=provider.issuer)
    well, words = examined(app)["google"]
    assert well
    assert "it is a stand-in and lets anybody in as anybody: set GOOGLE_CLIENT_ID" in words


def test_it_tells_where_apps_are_sent_back_to(new_app: NewApp) -> None:
    assert examined(new_app(**STRONG))["app returns"][1].startswith("API_REDIRECT_URIS is empty")
    uris = ("com.example.app:/callback", "https://app.example.com/callback")
    assert examined(new_app(**STRONG, API_REDIRECT_URIS=uris))["app returns"] == (
        True,
        "apps are sent back to com.example.app:/callback, https://app.example.com/callback",
    )


# Cross-Account Protection


def test_it_says_whether_google_is_heard(new_app: NewApp, provider: LyingProvider) -> None:
    off = examined(new_app(**STRONG, **google_settings(provider)))["risc"]
    assert off == (True, "off: GOOGLE_RISC_METADATA_URL is not set, so Google's warnings are not heard")
    listening = {**google_settings(provider), "GOOGLE_RISC_METADATA_URL": provider.risc_metadata_url}
    on = examined(new_app(**STRONG, **listening))["risc"]
    here = "events go to http://127.0.0.1:8000/google/risc"
    assert on == (True, f"on: {provider.event_issuer} answers; {here}")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"risc": faults.failing(404)}, "does not answer (status_404)"),
        ({"risc": faults.json({"issuer": "https://accounts.example/"})}, "speaks for another issuer"),
        ({"keys": faults.json({"keys": []})}, "it publishes no key that we can verify with"),
    ],
)
def test_it_says_why_google_is_not_heard(
    new_app: NewApp, provider: LyingProvider, answers: dict[str, faults.Fault], words: str
) -> None:
    provider.lie.answers.update(answers)
    listening = {**google_settings(provider), "GOOGLE_RISC_METADATA_URL": provider.risc_metadata_url}
    assert words in complaints(new_app(**STRONG, **listening))["risc"]


def test_events_need_a_client_that_they_are_for(new_app: NewApp, provider: LyingProvider) -> None:
    found = complaints(new_app(**STRONG, GOOGLE_RISC_METADATA_URL=provider.risc_metadata_url))
    assert found == {"risc": "off: GOOGLE_RISC_METADATA_URL needs GOOGLE_CLIENT_ID"}
