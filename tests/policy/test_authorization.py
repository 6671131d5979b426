"""For how long somebody may be away at a provider, and where apps may be sent back to."""

from datetime import timedelta

import pytest

from webapp.policy.authorization import MOST_A_BROWSER, NONCE_LIFE, REQUEST_LIFE, Intent, is_allowed_redirect
from webapp.policy.one_time import LIFE, SEVERAL_AT_ONCE, Purpose

WEB, CUSTOM = "https://app.example.com/callback", "com.example.app:/callback"
V4, V6 = "http://127.0.0.1/callback", "http://[::1]/callback"
ALLOWED = frozenset({WEB, CUSTOM, V4, V6})


@pytest.mark.parametrize(
    "uri",
    [
        WEB,
        CUSTOM,
        V4,
        V6,
        "http://127.0.0.1:49152/callback",
        "http://[::1]:8080/callback",
        "http://127.0.0.1:1/callback",
    ],
)
def test_an_app_is_sent_back_where_it_is_listed(uri: str) -> None:
    assert is_allowed_redirect(uri, ALLOWED)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "https://app.example.com/callback/",
        "https://app.example.com/callback?x=1",
        "https://app.example.com/callback#x",
        "https://app.example.com/Callback",
        "https://APP.example.com/callback",
        "https://app.example.com:443/callback",
        "https://app.example.com:8443/callback",  # the system chooses a port only on this machine
        "https://app.example.com/callback/../elsewhere",
        "https://app.example.com/%63allback",
        "https://app.example.com@evil.example/callback",
        "https://evil.example/callback",
        "https://app.example.com.evil.example/callback",
        "http://app.example.com/callback",
        "com.example.app:/callback2",
        "com.example.app://callback",
        "com.evil.app:/callback",
        "http://127.0.0.1:49152/elsewhere",
        "http://127.0.0.1:49152/callback?x=1",
        "http://127.0.0.1:49152/callback#x",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:99999/callback",
        "http://127.0.0.1:x/callback",
        "http://127.0.0.1:49152@evil.example/callback",
        "http://user@127.0.0.1:49152/callback",
        "http://127.0.0.2:49152/callback",
        "http://127.1:49152/callback",
        "http://localhost:49152/callback",
        "http://localhost/callback",
        "http://[::1]:8080@evil.example/callback",
        "http://[::1/callback",
        "https://127.0.0.1:49152/callback",
        "http://evil.example/callback?http://127.0.0.1:49152/callback",
        "javascript:alert(1)",
    ],
)
def test_an_app_is_sent_nowhere_else(uri: str) -> None:
    assert not is_allowed_redirect(uri, ALLOWED)


def test_without_a_list_nobody_is_sent_anywhere() -> None:
    assert not any(is_allowed_redirect(uri, ()) for uri in (*ALLOWED, "http://127.0.0.1:1/callback"))


def test_a_loopback_address_is_open_only_where_it_is_listed_without_a_port() -> None:
    listed = ("http://127.0.0.1:8000/callback",)
    assert is_allowed_redirect(listed[0], listed)
    assert not is_allowed_redirect("http://127.0.0.1:8001/callback", listed)


def test_whoever_is_away_has_ten_minutes_and_a_few_tabs() -> None:
    assert timedelta(minutes=10) == REQUEST_LIFE == LIFE[Purpose.LINK_IDENTITY]
    assert timedelta(minutes=5) == NONCE_LIFE
    assert timedelta(seconds=60) == LIFE[Purpose.APP_CODE]
    assert MOST_A_BROWSER == 3
    assert {Purpose.LINK_IDENTITY, Purpose.APP_CODE} <= SEVERAL_AT_ONCE


def test_every_intent_is_stored_by_a_name_that_fits_its_column() -> None:
    assert all(0 < len(intent) <= 16 for intent in Intent)
