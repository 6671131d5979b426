"""What goes along with somebody who is sent to a provider comes back as it was: to whoever holds state and browser."""

import json
import uuid
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask

from tests.conftest import SECRET_KEY, NewApp
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings
from tests.rows import Rows, on_sqlite
from webapp.errors import AuthorizationExpired, NotFound
from webapp.models import AuthorizationRequest
from webapp.policy.authorization import LONGEST_NEXT, Intent
from webapp.services.authorization import AppRequest, Departure, Errand, send_to_provider, take_back
from webapp.services.client import Client
from webapp.services.one_time import digest

pytestmark = on_sqlite

CLIENT = Client(ip="203.0.113.7", user_agent="")
APP = AppRequest("com.example.app:/callback", "state of the app, 한글", "c" * 43)


@pytest.fixture(autouse=True)
def in_the_app(google: Flask) -> Iterator[None]:
    with google.app_context():
        yield


def asked(departure: Departure) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(departure.url).query).items()}


@pytest.mark.parametrize(
    "errand",
    [
        Errand(Intent.SIGN_IN),
        Errand(Intent.SIGN_IN, next_path="/account?a=b&c=한글"),
        Errand(Intent.LINK, next_path="/account/connections", login_session_id=uuid.uuid4()),
        Errand(Intent.REAUTHENTICATE, next_path="/account/data", login_session_id=uuid.uuid4()),
        Errand(Intent.APP, app=APP),
    ],
    ids=lambda errand: errand.intent,
)
def test_an_errand_comes_back_as_it_was_and_once(provider: LyingProvider, errand: Errand) -> None:
    departure = send_to_provider("google", errand, None, CLIENT)
    query = asked(departure)
    arrival = take_back("google", query["state"], departure.browser, CLIENT)
    assert arrival.errand == errand
    assert (arrival.issuer, arrival.handshake.nonce) == (provider.issuer, query["nonce"])
    assert arrival.provider.config.name == "google"
    with pytest.raises(AuthorizationExpired):
        take_back("google", query["state"], departure.browser, CLIENT)


def test_what_is_asked_of_the_provider_is_what_the_errand_needs() -> None:
    sign_in = asked(send_to_provider("google", Errand(Intent.SIGN_IN), None, CLIENT))
    assert not {"prompt", "max_age", "claims", "login_hint", "access_type"} & set(sign_in)
    assert asked(send_to_provider("google", Errand(Intent.LINK), None, CLIENT))["prompt"] == "select_account"
    again = Errand(Intent.REAUTHENTICATE, login_hint="gwen@gmail.com")
    fresh = asked(send_to_provider("google", again, None, CLIENT))
    assert (fresh["max_age"], fresh["login_hint"]) == ("0", "gwen@gmail.com")
    assert json.loads(fresh["claims"]) == {"id_token": {"auth_time": {"essential": True}}}


@pytest.mark.asvs("4.2.5")
def test_a_path_that_is_too_long_is_left_behind() -> None:
    for length, kept in ((LONGEST_NEXT, LONGEST_NEXT), (LONGEST_NEXT + 1, 0)):
        departure = send_to_provider("google", Errand(Intent.SIGN_IN, next_path="/" * length), None, CLIENT)
        arrival = take_back("google", asked(departure)["state"], departure.browser, CLIENT)
        assert len(arrival.errand.next_path) == kept


@pytest.mark.asvs("10.1.2")
def test_a_row_is_of_one_state_one_browser_and_one_provider(google: Flask) -> None:
    departure = send_to_provider("google", Errand(Intent.SIGN_IN), None, CLIENT)
    state, browser = asked(departure)["state"], departure.browser
    other = send_to_provider("google", Errand(Intent.SIGN_IN), None, CLIENT)
    for wrong_state, wrong_browser in ((state, other.browser), (asked(other)["state"], browser), (state, None)):
        with pytest.raises(AuthorizationExpired):
            take_back("google", wrong_state, wrong_browser, CLIENT)
    with pytest.raises(NotFound):
        take_back("nobody", state, browser, CLIENT)
    assert Rows(google).count(AuthorizationRequest) == 2
    assert take_back("google", state, browser, CLIENT)


def test_whoever_writes_to_the_database_passes_off_no_row_as_another(google: Flask) -> None:
    """The seal is bound to the state: what Mallory was sent with opens under no state of Alice's."""
    alice, mallory = (send_to_provider("google", Errand(Intent.SIGN_IN), None, CLIENT) for _ in range(2))
    rows = Rows(google)
    (planted,) = rows.all(AuthorizationRequest, state_hash=digest(asked(mallory)["state"]))
    rows.set(AuthorizationRequest, {"state_hash": digest(asked(alice)["state"])}, sealed=planted.sealed)
    with pytest.raises(AuthorizationExpired):
        take_back("google", asked(alice)["state"], alice.browser, CLIENT)


def test_a_key_that_was_rotated_meanwhile_still_opens_and_one_that_is_gone_does_not(
    new_app: NewApp, provider: LyingProvider
) -> None:
    departures = [send_to_provider("google", Errand(Intent.SIGN_IN), None, CLIENT) for _ in range(2)]
    new_key = "a new one that is long enough for all purposes"
    rotated = new_app(**google_settings(provider), SECRET_KEY=new_key, SECRET_KEY_FALLBACKS=SECRET_KEY)
    replaced = new_app(**google_settings(provider), SECRET_KEY=new_key)
    with rotated.app_context():
        assert take_back("google", asked(departures[0])["state"], departures[0].browser, CLIENT)
    with replaced.app_context(), pytest.raises(AuthorizationExpired):
        take_back("google", asked(departures[1])["state"], departures[1].browser, CLIENT)


def test_what_is_secret_is_in_no_repr(provider: LyingProvider) -> None:
    departure = send_to_provider("google", Errand(Intent.APP, app=APP), None, CLIENT)
    query = asked(departure)
    arrival = take_back("google", query["state"], departure.browser, CLIENT)
    written = f"{departure!r} {arrival!r}"
    secrets = (query["state"], query["nonce"], departure.browser, arrival.handshake.code_verifier)
    assert [secret for secret in secrets if secret in written] == []
    assert provider.client_secret not in f"{arrival.provider.config!r} {written}"
