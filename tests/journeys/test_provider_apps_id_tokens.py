"""ID tokens that an app shows are looked at as strictly as those of the code flow: wrong in one way, and no session."""

from typing import Any

import pytest
from flask import Flask

from tests.apps import App, problem, refusal
from tests.conftest import NewApp
from tests.journeys.provider_apps import new_nonce, show
from tests.providers.forgeries import REFUSED, REMOVED, hs256_with_client_secret
from tests.providers.lying import LyingProvider
from tests.providers.site import another_provider, google_settings
from tests.rows import Rows, on_sqlite
from webapp import clock
from webapp.models import LoginSession, User

ANDROID, IOS = "android-app.apps.example", "ios-app.apps.example"
REFUSAL = (401, "provider_answer_refused")


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider) -> Flask:
    return new_app(
        **google_settings(provider),
        **another_provider(other_provider),
        GOOGLE_NATIVE_CLIENT_IDS=f"{ANDROID},{IOS}",
    )


@pytest.fixture
def crowded(new_app: NewApp, provider: LyingProvider) -> Flask:
    """The site for many who come from one address."""
    return new_app(**google_settings(provider), RATELIMIT_ENABLED=False)


def seconds_from_now(seconds: int) -> int:
    return int(clock.now().timestamp()) + seconds


CLAIMS: dict[str, dict[str, Any]] = {
    "of another client": {"aud": "somebody-else"},
    "of another client, for us to use": {"aud": "somebody-else", "azp": "client-of-tests"},
    "of the Android app itself": {"aud": ANDROID, "azp": ANDROID},
    "of us and another": {"aud": ["client-of-tests", "somebody-else"]},
    "of nobody": {"aud": REMOVED},
    "of an empty list": {"aud": []},
    "asked for by an app that is not listed": {"azp": "mallorys-app"},
    "asked for by nobody": {"azp": ""},
    "asked for by a list": {"azp": [ANDROID]},
    "by another issuer": {"iss": "https://evil.example"},
    "by an issuer with a slash": {"iss": "http://127.0.0.1/"},
    "by no issuer": {"iss": REMOVED},
    "without a subject": {"sub": REMOVED},
    "with an empty subject": {"sub": ""},
    "with a subject that is a number": {"sub": 100000000000000000001},
    "with a subject of 256 characters": {"sub": "1" * 256},
    "with a subject in another script": {"sub": "１０００"},
    "without a nonce": {"nonce": REMOVED},
    "with an empty nonce": {"nonce": ""},
    "with a nonce in a list": {"nonce": ["x"]},
    "without an end": {"exp": REMOVED},
    "with an end in words": {"exp": "tomorrow"},
    "without a beginning": {"iat": REMOVED},
    "with a beginning that is true": {"iat": True},
    "with a proof in words": {"auth_time": "now"},
    "that tells of an event": {"events": {"x": {}}},
}
TIMES: dict[str, dict[str, int]] = {
    "over for a minute": {"exp": -60, "iat": -120},
    "made an hour ago": {"iat": -3600},
    "made in an hour": {"iat": 3600, "exp": 7200},
    "not yet good": {"nbf": 3600},
    "over before it was made": {"iat": 10, "exp": 5},
    "for a proof in an hour": {"auth_time": 3600},
}


@on_sqlite
@pytest.mark.asvs("6.8.2", "10.5.1", "10.5.4")
def test_an_id_token_that_is_wrong_in_one_way_signs_nobody_in(crowded: Flask, provider: LyingProvider) -> None:
    for number, how in enumerate([*CLAIMS, *TIMES]):
        app = App(crowded)
        nonce = new_nonce(app)
        told = CLAIMS.get(how) or {name: seconds_from_now(seconds) for name, seconds in TIMES[how].items()}
        answer = show(app, provider.id_token(**{"nonce": nonce, **told}), nonce)
        assert refusal(answer) == REFUSAL, how
        assert Rows(crowded).count(LoginSession) == number, how
        right = show(app, provider.id_token(nonce=nonce), nonce)
        assert right.status_code == 200, f"{how}: else it would have proven nothing"
    assert Rows(crowded).count(User) == 1


@on_sqlite
@pytest.mark.asvs("6.8.2")
def test_an_id_token_that_the_provider_did_not_sign_signs_nobody_in(crowded: Flask, provider: LyingProvider) -> None:
    app = App(crowded)
    forged = {**REFUSED, "with our secret": hs256_with_client_secret(provider.client_secret)}
    for name, forgery in forged.items():
        nonce = new_nonce(app)
        provider.lie.sign = forgery
        assert refusal(show(app, provider.id_token(nonce=nonce), nonce)) == REFUSAL, name
    assert Rows(crowded).count(User) == 0
    assert provider.asked("foreign_keys") == []
    provider.reset()
    assert show(app, provider.id_token(nonce=nonce), nonce).status_code == 200


@on_sqlite
@pytest.mark.asvs("6.8.1")
def test_an_id_token_of_another_provider_signs_nobody_in(
    site: Flask, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    app = App(site)
    nonce = new_nonce(app)
    for lie in ({}, {"iss": provider.issuer}, {"iss": provider.issuer, "aud": provider.client_id}):
        assert refusal(show(app, other_provider.id_token(nonce=nonce, **lie), nonce)) == REFUSAL
    assert Rows(site).count(User) == 0


@on_sqlite
def test_a_token_of_ours_is_no_id_token(site: Flask, provider: LyingProvider) -> None:
    app = App(site)
    nonce = new_nonce(app)
    show(app, provider.id_token(nonce=nonce), nonce)
    for token in (app.access_token, app.refresh_token):
        fresh = new_nonce(app)
        assert refusal(show(App(site), token, fresh)) == REFUSAL


@on_sqlite
def test_a_rotated_key_and_another_kind_of_key_are_good(site: Flask, provider: LyingProvider) -> None:
    for change in (provider.rotate_keys, provider.replace_key, provider.use_es256):
        change()
        nonce = new_nonce(App(site))
        assert show(App(site), provider.id_token(nonce=nonce), nonce).status_code == 200


@on_sqlite
def test_a_refusal_says_the_same_whatever_was_wrong(site: Flask, provider: LyingProvider) -> None:
    app = App(site)
    nonce = new_nonce(app)
    told = {
        problem(show(app, id_token, shown))["detail"]
        for id_token, shown in (
            (provider.id_token(nonce=nonce, aud="x"), nonce),
            (provider.id_token(nonce="x"), nonce),
            (provider.id_token(nonce=nonce), "x"),
            ("x", nonce),
        )
    }
    assert len(told) == 1
