"""Texts that people, browsers, proxies and operators write."""

import ipaddress
import json
from contextlib import suppress
from urllib.parse import urlsplit

from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.mutations import JSON_VALUES, fuzzed, mutated_text
from tests.people import CHROME, PASSWORD
from tests.rows import on_sqlite
from webapp.errors import EmailInvalid
from webapp.http.client import clean_user_agent, network_of, normal_ip
from webapp.http.redaction import redact, redact_text
from webapp.http.redirects import safe_next
from webapp.policy.passwords import PasswordRule, judge_password, normalise_password
from webapp.policy.second_factor import clean_recovery, clean_totp
from webapp.services.addresses import parse_address
from webapp.services.devices import describe_device, device_kind, device_name
from webapp.settings import Settings, SettingsError


@on_sqlite
@fuzzed
@given(
    mutated_text(
        ["alice@example.com", '"a b"@example.com', "a@[127.0.0.1]", "김@예시.한국", "a@xn--9n2bp8q.kr", "ａ@ｂ.com"]
    )
)
def test_an_address_can_be_written_to_or_is_refused(app: Flask, text: str) -> None:
    with app.app_context(), suppress(EmailInvalid):
        address = parse_address(text)
        assert "\n" not in address.email
        assert parse_address(address.email).key == address.key, "read again it is the same"


@fuzzed
@given(
    mutated_text(
        ["/account", "//evil.example", "/\\evil.example", "https://evil.example", "/a?b=%2f%2fc", "/%0a", "/;@x"]
    )
)
def test_a_target_is_on_this_site_or_the_default(target: str) -> None:
    chosen = safe_next(target, "/default")
    parts = urlsplit(chosen)
    assert chosen.startswith("/")
    assert not parts.netloc
    assert not chosen.startswith(("//", "/\\"))
    assert chosen.isprintable() or chosen != target or not any(ord(sign) < 32 for sign in chosen)


@fuzzed
@given(
    mutated_text([CHROME, "okhttp/5.1.0", "Doorway/3.1 (iPhone; iOS 18.5)", "curl/8", "Mozilla/5.0 (compatible; X)"])
)
def test_a_browser_has_a_name_of_one_line(text: str) -> None:
    cleaned = clean_user_agent(text)
    assert len(cleaned) <= 512
    assert describe_device(cleaned) is not None
    assert "\n" not in device_name(cleaned) + device_kind(cleaned)


@fuzzed
@given(
    mutated_text(
        ["203.0.113.7", "[2001:db8::1]:443", "::ffff:10.0.0.1", "fe80::1%eth0", "1.2.3.4:99", "0x7f.1", "unknown"]
    )
)
def test_an_ip_address_is_one_or_none(text: str) -> None:
    found = normal_ip(text)
    if found is not None:
        assert str(ipaddress.ip_address(found)) == found
        assert normal_ip(found) == found
        ipaddress.ip_network(network_of(found))


@fuzzed
@given(
    mutated_text(
        [
            PASSWORD,
            "aaaaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfgh",
            "alice@example.com",
            "비밀번호비밀번호비밀번호",
            "é" * 20,
        ]
    )
)
def test_a_password_is_judged(text: str) -> None:
    with suppress(ValueError):
        rule = judge_password(
            text, min_length=15, email="alice@example.com", name="Alice", site_name="Doorway", breached=frozenset()
        )
        assert rule is None or isinstance(rule, PasswordRule)
        normalise_password(text)


@fuzzed
@given(mutated_text(["123456", "123 456", "ABCD-EFGH-JKLM", "abcd efgh jklm", "１２３４５６", "٣٣٣٣٣٣"]))
def test_a_code_is_cleaned_to_plain_signs_or_is_none(text: str) -> None:
    for cleaned in (clean_totp(text), clean_recovery(text)):
        assert cleaned is None or (cleaned.isascii() and cleaned.isalnum())


@fuzzed
@given(mutated_text(["Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA", "alice@example.com", "postgresql://a:b@c/d"]), JSON_VALUES)
def test_whatever_is_logged_can_be_written_down(text: str, value: object) -> None:
    assert "alice@example.com" not in redact_text(text)
    json.dumps(redact({"a": value, "password": text}), default=str)


SETTINGS = (
    *("PUBLIC_URL", "DATABASE_URL", "REDIS_URL", "MAIL_URL", "CORS_ORIGINS", "OIDC_PROVIDERS", "JWT_ACCESS_SECONDS"),
    *("TRUSTED_PROXIES", "SECURITY_CONTACT", "PASSKEY_ORIGINS", "API_REDIRECT_URIS", "MAIL_FROM", "METRICS_TOKEN"),
)
VALUES = (
    *("https://signin.example.org", "postgresql://a:b@c:5432/d?sslmode=require", "rediss://h:6379/0", "smtp://h:25"),
    *('[{"name": "a", "issuer": "https://id.example", "client_id": "x"}]', "600", "a@b.c", "file:mail", "[::1"),
)


@fuzzed
@given(st.sampled_from(SETTINGS), mutated_text(VALUES))
def test_a_setting_is_taken_or_refused_in_one_line_without_its_value(name: str, value: str) -> None:
    told = ""
    try:
        Settings.checked(SECRET_KEY="x" * 40, **{name: value})
    except SettingsError as error:
        told = str(error)
    assert "\n" not in told
    assert len(value) < 12 or value not in told
