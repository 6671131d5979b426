"""Providers are settings: what is there without any, what is refused, and what production never starts with."""

import json

import pytest

from tests.test_settings import (
    MARK,
    PRODUCTION,
    assert_refused,
    bare_environment,  # noqa: F401  a fixture for every test here
    settings_with,
)
from webapp.settings import Settings, SettingsError

DISCOVERY = "/.well-known/openid-configuration"
ACME = {
    "name": "acme",
    "label": "Acme",
    "metadata_url": f"https://acme.example{DISCOVERY}",
    "client_id": "a-client",
    "client_secret": "a secret",
}
WRONG_REDIRECTS = [
    f"http://{MARK}.example/callback",
    f"http://127.0.0.1.{MARK}.example/callback",
    f"https://*.{MARK}.example/callback",
    f"https://a.example/callback#{MARK}",
    f"https://me:{MARK}@a.example/callback",
    f"https://a.example:{MARK}/callback",
    f"https:///{MARK}",
    f"{MARK}app:/callback",
    f"javascript:{MARK}",
    f"com.example.{MARK}:",
    f"https://a.example/{MARK} b",
    f"https://a.example/{MARK * 200}",
    MARK,
]
WRONG_PROVIDERS = [
    MARK,
    "[",
    "[" * 100_000,
    json.dumps({**ACME, "label": MARK}),
    json.dumps([MARK]),
    json.dumps([{**ACME, MARK: "no such field"}]),
    *(json.dumps([{name: value for name, value in ACME.items() if name != left_out}]) for left_out in list(ACME)[:4]),
    *(json.dumps([{**ACME, "name": name}]) for name in ("google", "verify", "pwd", "a", MARK, "ac-me", "a" * 17, "1a")),
    json.dumps([{**ACME, "label": MARK * 20}]),
    json.dumps([{**ACME, "label": f"{MARK}\nBcc: everybody@example.com"}]),
    json.dumps([{**ACME, "metadata_url": f"https://{MARK}.example"}]),
    json.dumps([{**ACME, "metadata_url": f"http://{MARK}.example{DISCOVERY}"}]),
    json.dumps([{**ACME, "client_id": ""}]),
    json.dumps([{**ACME, "client_secret": [MARK]}]),
    json.dumps([{**ACME, "authoritative": MARK}]),
    json.dumps([{**ACME, "domains": MARK}]),
    json.dumps([{**ACME, "domains": [f"*.{MARK}.example"]}]),
    json.dumps([ACME, {**ACME, "metadata_url": f"https://{MARK}.example{DISCOVERY}"}]),
    json.dumps([ACME, {**ACME, "name": "other", "label": MARK}]),
]

WRONG = [
    ("GOOGLE_METADATA_URL", MARK),
    ("GOOGLE_METADATA_URL", f"https://{MARK}.example"),
    ("GOOGLE_METADATA_URL", f"https://{MARK}.example/.well-known/openid-configuration?a"),
    ("GOOGLE_METADATA_URL", f"http://{MARK}.example/.well-known/openid-configuration"),
    ("GOOGLE_METADATA_URL", f"https://me:{MARK}@a.example/.well-known/openid-configuration"),
    ("GOOGLE_METADATA_URL", f"https://a.example:{MARK}/.well-known/openid-configuration"),
    ("GOOGLE_METADATA_URL", f"file:///{MARK}/.well-known/openid-configuration"),
    ("GOOGLE_RISC_METADATA_URL", MARK),
    ("GOOGLE_RISC_METADATA_URL", f"http://{MARK}.example/.well-known/risc-configuration"),
    ("GOOGLE_EXTRA_SCOPES", f"calendar {MARK}"),
    ("GOOGLE_EXTRA_SCOPES", f'calendar,"{MARK}"'),
    ("STAND_IN_PROVIDER_URL", f"http://{MARK}.example"),
    *(("API_REDIRECT_URIS", f"https://app.example.com/callback,{uri}") for uri in WRONG_REDIRECTS),
    *(("OIDC_PROVIDERS", value) for value in WRONG_PROVIDERS),
]


@pytest.mark.parametrize(
    ("field", "default"),
    [
        ("GOOGLE_CLIENT_ID", ""),
        ("GOOGLE_CLIENT_SECRET", ""),
        ("GOOGLE_METADATA_URL", "https://accounts.google.com/.well-known/openid-configuration"),
        ("GOOGLE_EXTRA_SCOPES", ()),
        ("GOOGLE_NATIVE_CLIENT_IDS", ()),
        ("GOOGLE_RISC_METADATA_URL", ""),
        ("OIDC_PROVIDERS", ()),
        ("API_REDIRECT_URIS", ()),
        ("STAND_IN_PROVIDER_URL", ""),
        ("providers", ()),
    ],
)
def test_what_nobody_sets_has_its_documented_default(field: str, default: object) -> None:
    assert getattr(Settings.from_env(), field) == default


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_told_in_one_line_by_name_and_never_repeated(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert_refused(monkeypatch, name, value)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"STAND_IN_PROVIDER_URL": "http://127.0.0.1:9000"}, "STAND_IN_PROVIDER_URL must not be set in production"),
        ({"STAND_IN_PROVIDER_URL": "https://stand-in.example"}, "STAND_IN_PROVIDER_URL must not be set in production"),
        *(
            ({name: f"{origin}{DISCOVERY}"}, "must name providers on https, and none on this machine")
            for name in ("GOOGLE_METADATA_URL", "GOOGLE_RISC_METADATA_URL")
            for origin in ("http://127.0.0.1:9000", "https://127.0.0.1:9000", "https://localhost", "https://[::1]")
        ),
        (
            {
                "OIDC_PROVIDERS": json.dumps(
                    [ACME, {**ACME, "name": "b", "metadata_url": f"http://localhost{DISCOVERY}"}]
                )
            },
            "OIDC_PROVIDERS",
        ),
    ],
)
def test_production_refuses_what_is_for_trying_things_out(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], complaint: str
) -> None:
    with pytest.raises(SettingsError, match=complaint) as refusal:
        settings_with(monkeypatch, **{**PRODUCTION, **changed})
    assert "\n" not in str(refusal.value)


def test_production_starts_with_providers_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(
        monkeypatch,
        **PRODUCTION,
        GOOGLE_CLIENT_ID="a-client",
        GOOGLE_CLIENT_SECRET="a secret",
        GOOGLE_RISC_METADATA_URL="https://accounts.google.com/.well-known/risc-configuration",
        OIDC_PROVIDERS=json.dumps([ACME]),
    )
    assert [provider.name for provider in settings.providers] == ["google", "acme"]


def test_no_secret_is_shown_where_settings_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_with(
        monkeypatch,
        GOOGLE_CLIENT_ID="a-client",
        GOOGLE_CLIENT_SECRET=MARK,
        STAND_IN_CLIENT_SECRET=MARK,
        OIDC_PROVIDERS=json.dumps([{**ACME, "client_secret": MARK}]),
    )
    for printed in (settings, settings.providers, settings.OIDC_PROVIDERS, settings.providers[0]):
        assert MARK not in repr(printed)
        assert MARK not in str(printed)


def test_google_is_there_with_a_client_id_and_without_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_with(monkeypatch, GOOGLE_CLIENT_SECRET="a secret").providers == ()
    (google,) = settings_with(
        monkeypatch,
        GOOGLE_CLIENT_ID="a-client",
        GOOGLE_EXTRA_SCOPES="https://www.googleapis.com/auth/calendar.readonly, drive",
        GOOGLE_NATIVE_CLIENT_IDS="android , ios",
    ).providers
    assert (google.name, google.label, google.issuer) == ("google", "Google", "https://accounts.google.com")
    assert (google.client_id, google.client_secret) == ("a-client", "a secret")
    assert google.extra_scopes == ("https://www.googleapis.com/auth/calendar.readonly", "drive")
    assert google.native_client_ids == ("android", "ios")
    assert google.domains == ("gmail.com", "googlemail.com")
    assert google.authoritative
    assert google.trusts_hosted_domain
    assert not google.is_stand_in


def test_the_stand_in_takes_googles_place_in_development_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = {"STAND_IN_PROVIDER_URL": "http://127.0.0.1:9000", "STAND_IN_CLIENT_SECRET": "a secret"}
    (provider,) = settings_with(monkeypatch, **stand_in).providers
    assert (provider.name, provider.label, provider.issuer) == ("google", "Google (stand-in)", "http://127.0.0.1:9000")
    assert provider.is_stand_in
    assert settings_with(monkeypatch, APP_ENV="testing").providers == ()
    (google,) = settings_with(monkeypatch, APP_ENV="development", GOOGLE_CLIENT_ID="a-client").providers
    assert not google.is_stand_in


def test_other_providers_are_settings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    other = {
        "name": "corp2",
        "label": "한국 회사",
        "metadata_url": f"http://localhost:9001/realms/corp{DISCOVERY}",
        "client_id": "b",
        "authoritative": True,
        "domains": ["corp.example.com"],
    }
    acme, corp = settings_with(monkeypatch, OIDC_PROVIDERS=json.dumps([ACME, other])).providers
    assert (acme.name, acme.authoritative, acme.domains, acme.extra_scopes) == ("acme", False, (), ())
    assert (corp.issuer, corp.client_secret) == ("http://localhost:9001/realms/corp", "")
    assert (corp.authoritative, corp.domains, corp.trusts_hosted_domain) == (True, ("corp.example.com",), False)


def test_no_two_providers_are_one_issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    google = {**ACME, "metadata_url": f"https://accounts.google.com{DISCOVERY}"}
    settings_with(monkeypatch, OIDC_PROVIDERS=json.dumps([google]))
    with pytest.raises(SettingsError, match=r"metadata_url of its own, other than Google's"):
        settings_with(monkeypatch, GOOGLE_CLIENT_ID="a-client")


def test_a_mistake_in_the_list_of_providers_is_told_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"^OIDC_PROVIDERS\.1\.metadata_url: must end with /\.well-known"):
        settings_with(monkeypatch, OIDC_PROVIDERS=json.dumps([ACME, {**ACME, "name": "b2", "metadata_url": "x"}]))


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com/callback?a=b",
        "http://127.0.0.1/callback",
        "http://[::1]:9000/callback",
        "http://localhost:3000/",
        "com.example.app:/callback",
        "com.example.app://callback",
    ],
)
def test_apps_are_sent_back_to_https_to_their_own_scheme_or_to_this_machine(
    monkeypatch: pytest.MonkeyPatch, uri: str
) -> None:
    assert (uri,) == settings_with(monkeypatch, API_REDIRECT_URIS=f"{uri}, ").API_REDIRECT_URIS
