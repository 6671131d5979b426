"""Apps with the provider's own SDK: a nonce of ours, an ID token with it in, and tokens for that, once."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from stand_in.people import COMPANY, ELSEWHERE, GMAIL, UNVERIFIED
from tests.apps import App, problem, refusal
from tests.conftest import NewApp
from tests.journeys.crowds import all_at_once
from tests.journeys.provider_apps import LISTED, claims_of, new_nonce, show
from tests.journeys.provider_people import link, registered, unlink
from tests.people import Mailbox, text_of
from tests.providers import faults
from tests.providers.forgeries import REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import another_provider, google_settings
from tests.rows import Rows, on_sqlite, stand_still
from webapp import clock
from webapp.models import Identity, LoginSession, SpentValue, User
from webapp.policy.authorization import NONCE_LIFE
from webapp.services import users

ANDROID, IOS = "android-app.apps.example", "ios-app.apps.example"
REFUSAL = (401, "provider_answer_refused")


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider) -> Flask:
    """Patient: crowds stand in line on whatever machine runs the tests."""
    return new_app(
        **google_settings(provider),
        **another_provider(other_provider),
        GOOGLE_NATIVE_CLIENT_IDS=f"{ANDROID},{IOS}",
        API_REDIRECT_URIS=LISTED,
    )


def seconds_from_now(seconds: int) -> int:
    return int(clock.now().timestamp()) + seconds


@pytest.mark.parametrize("azp", [REMOVED, ANDROID, IOS])
def test_an_id_token_of_the_sdk_signs_in(site: Flask, provider: LyingProvider, azp: Any) -> None:
    """As it comes from Android and iOS, `azp` is the app's own client id, and `aud` the site's."""
    app = App(site)
    nonce = new_nonce(app)
    answer = show(app, provider.id_token(nonce=nonce, azp=azp), nonce, device_name="Gwen's phone")
    assert answer.status_code == 200
    assert app.get("/me").json["email"] == GMAIL.email
    (listed,) = app.get("/sessions").json
    assert (listed["kind"], listed["methods"], listed["device_name"]) == ("api", ["google"], "Gwen's phone")
    assert "ready" in text_of(Mailbox(site).newest(GMAIL.email)), "an account was made as by the browser"
    assert Rows(site).all(Identity)[0].subject == GMAIL.sub


@on_sqlite
def test_a_nonce_is_told_with_how_long_it_is_good_and_costs_no_row(site: Flask) -> None:
    answers = [App(site).post("/auth/google/nonce").json for _ in range(3)]
    assert all(answer.keys() == {"nonce", "expires_in"} for answer in answers)
    assert {answer["expires_in"] for answer in answers} == {300}
    assert len({answer["nonce"] for answer in answers}) == 3
    assert Rows(site).count(SpentValue) == 0


@on_sqlite
def test_the_proof_is_as_old_as_the_provider_says(site: Flask, provider: LyingProvider) -> None:
    app, long_ago = App(site), seconds_from_now(-18_000)
    nonce = new_nonce(app)
    show(app, provider.id_token(nonce=nonce, auth_time=long_ago), nonce)
    claims = claims_of(app.access_token)
    assert (claims["auth_time"], claims["amr"]) == (long_ago, ["google"])


# The nonce


@pytest.mark.asvs("10.5.1")
def test_an_id_token_and_its_nonce_work_once(site: Flask, provider: LyingProvider) -> None:
    app = App(site)
    nonce = new_nonce(app)
    id_token = provider.id_token(nonce=nonce)
    assert show(app, id_token, nonce).status_code == 200
    assert refusal(show(App(site), id_token, nonce)) == REFUSAL
    assert refusal(show(App(site), provider.id_token(nonce=nonce), nonce)) == REFUSAL, "nor for a newer one"
    assert Rows(site).count(LoginSession) == 1


@pytest.mark.asvs("10.5.1")
def test_of_many_who_show_an_id_token_at_once_one_gets_tokens(site: Flask, provider: LyingProvider) -> None:
    nonce = new_nonce(App(site))
    id_token = provider.id_token(nonce=nonce)
    answers = all_at_once([lambda: show(App(site), id_token, nonce)] * 8)
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7
    assert Rows(site).count(LoginSession) == Rows(site).count(User) == 1


@on_sqlite
@pytest.mark.asvs("10.5.1")
def test_a_nonce_is_good_for_five_minutes(site: Flask, provider: LyingProvider, at: time_machine.Traveller) -> None:
    stand_still(at)
    early, late = new_nonce(App(site)), new_nonce(App(site))
    at.shift(NONCE_LIFE - timedelta(seconds=2))
    assert show(App(site), provider.id_token(nonce=early), early).status_code == 200
    at.shift(timedelta(seconds=2))
    assert refusal(show(App(site), provider.id_token(nonce=late), late)) == REFUSAL
    assert timedelta(minutes=5) == NONCE_LIFE


def later(nonce: str) -> str:
    until, _, rest = nonce.partition(".")
    return f"{int(until) + 3600}.{rest}"


NONCES = {
    "of one's own": lambda _: "n-0S6_WzA2Mj",
    "nothing but dots": lambda _: "..",
    "with more time": later,
    "with another middle": lambda nonce: nonce.replace(".", ".x", 1),
    "with another end": lambda nonce: nonce[:-1] + ("0" if nonce[-1] != "0" else "1"),
    "without its end": lambda nonce: nonce.rpartition(".")[0] + ".",
    "in capitals": lambda nonce: nonce.upper(),
    "with something added": lambda nonce: nonce + ".x",
    "with a space": lambda nonce: nonce + " ",
    "in another script": lambda nonce: "٣" + nonce[1:],
    "with a time beyond all bounds": lambda nonce: "9" * 100 + nonce[10:],
}


@on_sqlite
@pytest.mark.asvs("10.5.1")
@pytest.mark.parametrize("how", NONCES)
def test_a_nonce_that_we_did_not_make_is_refused_even_if_the_provider_signed_it(
    site: Flask, provider: LyingProvider, how: str
) -> None:
    nonce = NONCES[how](new_nonce(App(site)))
    assert refusal(show(App(site), provider.id_token(nonce=nonce), nonce)) == REFUSAL
    assert Rows(site).count(User) == 0


@on_sqlite
@pytest.mark.asvs("10.5.1")
def test_a_nonce_is_of_one_provider_and_of_one_site(
    site: Flask, new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    of_acme = new_nonce(App(site), "acme")
    assert refusal(show(App(site), provider.id_token(nonce=of_acme), of_acme)) == REFUSAL
    assert show(App(site), other_provider.id_token(nonce=of_acme), of_acme, name="acme").status_code == 200
    elsewhere = new_app(**google_settings(provider), SECRET_KEY="k" * 40)
    foreign = new_nonce(App(elsewhere))
    assert refusal(show(App(site), provider.id_token(nonce=foreign), foreign)) == REFUSAL
    rotated = new_app(**google_settings(provider), SECRET_KEY="n" * 40, SECRET_KEY_FALLBACKS="k" * 40)
    assert show(App(rotated), provider.id_token(nonce=foreign), foreign).status_code == 200


@on_sqlite
def test_an_id_token_that_is_refused_does_not_use_up_the_nonce(site: Flask, provider: LyingProvider) -> None:
    """It shows that somebody knows the nonce, not that the app did: whoever guesses at the token gains nothing by more
    attempts, and an app whose provider was away for a moment may show the same token again, with the nonce in it.
    """
    app = App(site)
    nonce = new_nonce(app)
    good = provider.id_token(nonce=nonce)
    for refused in (good[:-4] + "AAAA", provider.id_token(nonce="another"), provider.id_token(nonce=nonce, aud="x")):
        assert refusal(show(app, refused, nonce)) == REFUSAL
    provider.rotate_keys()
    fresh = provider.id_token(nonce=nonce)
    provider.lie.answers["keys"] = faults.failing(503)
    answer = show(app, fresh, nonce)
    assert refusal(answer) == (503, "provider_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    provider.lie.answers.clear()
    assert show(app, fresh, nonce).status_code == 200


# Whose account it is


@on_sqlite
def test_where_an_account_has_the_address_already_the_person_is_told_what_to_do(
    site: Flask, provider: LyingProvider
) -> None:
    owner, app = registered(site, ELSEWHERE.email), App(site)
    nonce = new_nonce(app)
    refused = show(app, provider.id_token(nonce=nonce, person=ELSEWHERE), nonce)
    assert refusal(refused) == (409, "account_exists")
    assert "sign in to it as you did before" in problem(refused)["detail"]
    assert problem(refused).keys() == {"type", "title", "status", "detail", "code", "request_id"}, "no secret of ours"
    assert Rows(site).count(Identity) == 0
    assert link(owner, provider, ELSEWHERE).status_code == 303
    nonce = new_nonce(app)
    assert show(app, provider.id_token(nonce=nonce, person=ELSEWHERE), nonce).status_code == 200


@on_sqlite
def test_where_the_provider_is_the_authority_the_account_is_linked(site: Flask, provider: LyingProvider) -> None:
    for person in (GMAIL, COMPANY):
        registered(site, person.email)
        app, nonce = App(site), new_nonce(App(site))
        assert show(app, provider.id_token(nonce=nonce, person=person), nonce).status_code == 200
        assert app.get("/me").json["name"] == "Alice", "the account that was there"
    assert Rows(site).count(User) == 2


@on_sqlite
@pytest.mark.parametrize("told", [False, "true", "false", 1, None, REMOVED])
def test_an_address_that_the_provider_has_not_confirmed_makes_no_account(
    site: Flask, provider: LyingProvider, told: object
) -> None:
    app = App(site)
    nonce = new_nonce(app)
    refused = show(app, provider.id_token(nonce=nonce, person=UNVERIFIED, email_verified=told), nonce)
    assert refusal(refused) == (403, "provider_email_unverified")
    assert "confirm it there" in problem(refused)["detail"]
    assert Rows(site).count(User) == 0


@on_sqlite
@pytest.mark.asvs("10.5.2")
def test_an_identity_is_known_by_its_subject_and_not_by_its_address(site: Flask, provider: LyingProvider) -> None:
    apps = [App(site) for _ in range(2)]
    for app, email in zip(apps, (GMAIL.email, "renamed@example.net"), strict=True):
        nonce = new_nonce(app)
        assert show(app, provider.id_token(nonce=nonce, email=email), nonce).status_code == 200
    first, second = (app.get("/me").json for app in apps)
    assert first["id"] == second["id"]
    assert second["email"] == GMAIL.email
    nonce = new_nonce(apps[0])
    refused = show(apps[0], provider.id_token(nonce=nonce, sub="another"), nonce)
    assert refusal(refused) == (409, "identity_tied")


@on_sqlite
@pytest.mark.parametrize("state", ["disabled", "blocked", "unlinked"])
def test_whoever_was_shut_out_stays_out(site: Flask, provider: LyingProvider, state: str) -> None:
    owner, app = registered(site, ELSEWHERE.email), App(site)
    link(owner, provider, ELSEWHERE)
    if state == "disabled":
        with site.app_context():
            users.disable_user(ELSEWHERE.email)
    elif state == "blocked":
        Rows(site).set(Identity, {}, blocked_at=clock.now())
    else:
        unlink(owner)
    nonce = new_nonce(app)
    refused = show(app, provider.id_token(nonce=nonce, person=ELSEWHERE), nonce)
    assert (
        refusal(refused)
        == {
            "disabled": (403, "account_disabled"),
            "blocked": (403, "identity_blocked"),
            "unlinked": (409, "account_exists"),
        }[state]
    )
    assert Rows(site).count(LoginSession, kind="api") == 0


@on_sqlite
def test_whoever_waits_to_be_deleted_may_stay(site: Flask, provider: LyingProvider) -> None:
    app = App(site)
    nonce = new_nonce(app)
    show(app, provider.id_token(nonce=nonce), nonce)
    assert app.call("DELETE", "/me").status_code == 202
    nonce = new_nonce(app)
    refused = show(app, provider.id_token(nonce=nonce), nonce)
    assert refusal(refused) == (403, "account_deletion_pending")
    assert app.keep_account(problem(refused)["step_token"]).status_code == 200


@on_sqlite
def test_the_language_of_somebody_new_is_the_providers_else_the_apps(site: Flask, provider: LyingProvider) -> None:
    for person, locale, expected in ((GMAIL, "en-GB", "en"), (COMPANY, REMOVED, "ko")):
        app = App(site, language="ko")
        nonce = new_nonce(app)
        show(app, provider.id_token(nonce=nonce, person=person, locale=locale), nonce)
        assert app.get("/me").json["locale"] == expected


@on_sqlite
def test_with_the_cookie_another_site_signs_nobody_in_here(new_app: NewApp, provider: LyingProvider) -> None:
    site = new_app(PUBLIC_URL="https://login.example.com", **google_settings(provider))
    evil, page = (App(site, cookies=True, origin=o) for o in ("https://evil.example", "https://login.example.com"))
    nonce = new_nonce(page)
    id_token = provider.id_token(nonce=nonce)
    assert refusal(show(evil, id_token, nonce, refresh_transport="cookie")) == (403, "origin_refused")
    answer = show(page, id_token, nonce, refresh_transport="cookie")
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json
    assert page.cookie("__Secure-refresh")
