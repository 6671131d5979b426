"""Two providers at once: each is an issuer of its own, whatever the two say is the same, and neither can pass its
answers off as the other's.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from stand_in.people import ELSEWHERE, GMAIL, Person, somebody_else
from tests.conftest import NewApp, NewBrowser
from tests.journeys.pages import words
from tests.journeys.provider_people import CONNECTIONS, link, registered, unlink, user_id_in
from tests.people import PASSWORD, Browser
from tests.providers.lying import LyingProvider
from tests.providers.site import another_provider, come_back, google_settings, leave, sign_in_with
from tests.rows import Rows
from webapp.models import Identity, User

ACME = "/login/acme"
OTHER = {"google": "acme", "acme": "google"}
Site = Callable[..., Flask]


@pytest.fixture
def site(new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider) -> Site:
    """The site with Google and Acme; `more` is what its operator says of Acme."""
    return lambda **more: new_app(**google_settings(provider), **another_provider(other_provider, **more))


@pytest.fixture
def app(site: Site) -> Flask:
    """Where Acme decides about nobody's address."""
    return site()


@pytest.mark.asvs("6.8.1", "10.5.2")
def test_the_same_sub_at_both_is_two_people(
    app: Flask, provider: LyingProvider, other_provider: LyingProvider, new_browser: NewBrowser, rows: Rows
) -> None:
    by_google, by_acme = new_browser(), new_browser()
    sign_in_with(by_google, provider, GMAIL)
    sign_in_with(by_acme, other_provider, Person(GMAIL.sub, "somebody@acme.example", "Somebody"), action=ACME)
    assert user_id_in(by_google) != user_id_in(by_acme)
    assert {(row.issuer, row.subject) for row in rows.all(Identity)} == {
        (provider.issuer, GMAIL.sub),
        (other_provider.issuer, GMAIL.sub),
    }


@pytest.mark.asvs("6.8.1")
def test_the_same_sub_and_address_at_one_that_only_vouches_is_asked_for_the_old_way_in(
    app: Flask, provider: LyingProvider, other_provider: LyingProvider, new_browser: NewBrowser, rows: Rows
) -> None:
    owner, other = new_browser(), new_browser()
    sign_in_with(owner, provider, GMAIL)
    asked = sign_in_with(other, other_provider, GMAIL, action=ACME)
    assert asked.headers["Location"] == f"{ACME}/connect"
    assert not other.is_signed_in
    assert rows.count(Identity) == 1
    page = other.get(asked.headers["Location"])
    assert 'type="password"' not in page.text  # the account has none: Google is its way in
    back = sign_in_here(other, provider, asked.headers["Location"])
    assert back == f"{ACME}/connect"
    assert user_id_in(other) == user_id_in(owner)
    assert rows.count(Identity) == 1  # linked by a press, not by coming back
    assert other.submit(back).headers["Location"] == CONNECTIONS
    assert rows.count(Identity) == 2
    again = new_browser()
    sign_in_with(again, other_provider, GMAIL, action=ACME)
    assert user_id_in(again) == user_id_in(owner)


def sign_in_here(browser: Browser, provider: LyingProvider, page: str) -> str:
    """Use the button of the other provider on the page of a conflict; where it leads in the end."""
    return come_back(browser, provider.approve(leave(browser, page=page))).headers["Location"].rstrip("?")


@pytest.mark.asvs("6.8.1")
@pytest.mark.parametrize(
    ("more", "email", "linked"),
    [
        ({}, "ann@acme.example", False),
        ({"authoritative": True}, "ann@acme.example", True),
        ({"authoritative": True, "domains": ["acme.example"]}, "ann@acme.example", True),
        ({"authoritative": True, "domains": ["acme.example"]}, "Ann@ACME.example", True),
        ({"authoritative": True, "domains": ["acme.example"]}, "ann@evil.acme.example", False),
        ({"authoritative": True, "domains": ["acme.example"]}, "ann@acme.example.evil.example", False),
        ({"authoritative": True, "domains": ["acme.example"]}, "ann@gmail.com", False),
        ({"domains": ["acme.example"]}, "ann@acme.example", False),
    ],
)
def test_a_provider_links_by_itself_only_what_its_operator_lets_it_decide(
    site: Site, other_provider: LyingProvider, more: dict[str, Any], email: str, linked: bool
) -> None:
    app = site(**more)
    owner, browser = registered(app, email.lower()), Browser(app)
    answer = sign_in_with(browser, other_provider, somebody_else(email), action=ACME)
    assert answer.headers["Location"] == ("/account" if linked else f"{ACME}/connect")
    assert Rows(app).count(Identity) == linked
    assert owner.is_signed_in


@pytest.mark.asvs("6.8.1")
def test_a_claim_of_googles_own_means_nothing_from_another(app: Flask, other_provider: LyingProvider) -> None:
    registered(app, ELSEWHERE.email)
    other_provider.lie.claims["hd"] = "example.com"
    browser = Browser(app)
    answer = sign_in_with(browser, other_provider, ELSEWHERE, action=ACME)
    assert answer.headers["Location"] == f"{ACME}/connect"


@pytest.mark.asvs("10.2.2")
@pytest.mark.parametrize("began", ["google", "acme"])
@pytest.mark.parametrize("tells_issuer", [True, False])
def test_an_answer_delivered_to_the_other_providers_callback_asks_nobody_for_tokens(
    app: Flask,
    provider: LyingProvider,
    other_provider: LyingProvider,
    browser: Browser,
    rows: Rows,
    began: str,
    tells_issuer: bool,
) -> None:
    """The mix-up attack (RFC 9700, section 4.4): a provider that is in the wrong hands wants the other one's code."""
    providers = {"google": provider, "acme": other_provider}
    callback = providers[began].approve(leave(browser, action=f"/login/{began}"))
    astray = callback.replace(f"/login/{began}/", f"/login/{OTHER[began]}/")
    if not tells_issuer:
        astray = astray.split("&iss=")[0]
    assert come_back(browser, astray).status_code == 400
    assert provider.asked("token") == other_provider.asked("token") == []
    assert rows.count(User) == 0
    assert come_back(browser, callback).status_code == 303  # and what was begun can still be ended rightly


@pytest.mark.asvs("10.2.2")
def test_an_answer_that_names_the_other_issuer_asks_nobody_for_tokens(
    app: Flask, provider: LyingProvider, other_provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    """Acme starts Google's sign-in in the person's name and has Google's answer come back as one of its own."""
    left = leave(browser, action=ACME)
    callback = other_provider.approve(left, iss=provider.issuer)
    assert come_back(browser, callback).status_code == 400
    assert provider.asked("token") == other_provider.asked("token") == []
    assert rows.count(User) == 0


def test_each_has_a_redirect_uri_of_its_own(
    app: Flask, provider: LyingProvider, other_provider: LyingProvider, browser: Browser
) -> None:
    for name in OTHER:
        assert f"%2Flogin%2F{name}%2Fcallback" in leave(browser, action=f"/login/{name}")


def test_one_of_two_can_be_disconnected_and_then_the_last_stays(
    app: Flask, provider: LyingProvider, other_provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    sign_in_with(browser, provider, GMAIL)
    assert link(browser, other_provider, ELSEWHERE, "acme").status_code == 303
    page = words(browser.get(CONNECTIONS))
    assert GMAIL.email in page
    assert ELSEWHERE.email in page
    assert unlink(browser, "google").status_code == 303
    assert unlink(browser, "acme").status_code == 422
    assert [row.provider for row in rows.all(Identity)] == ["acme"]
    browser.sign_out()
    assert sign_in_with(browser, other_provider, ELSEWHERE, action=ACME).headers["Location"] == "/account"


def test_a_provider_that_the_site_asks_no_more_is_no_way_in(
    site: Site, new_app: NewApp, provider: LyingProvider, other_provider: LyingProvider
) -> None:
    before = Browser(site())
    sign_in_with(before, provider, GMAIL)
    link(before, other_provider, ELSEWHERE, "acme")
    without = Browser(new_app(**google_settings(provider)))
    sign_in_with(without, provider, GMAIL)
    assert unlink(without, "google").status_code == 422
    assert ELSEWHERE.email in words(without.get(CONNECTIONS))
    assert unlink(without, "acme").status_code == 303  # it can be taken away all the same
    assert without.get("/login/acme/callback?state=x&code=y").status_code == 404


def test_methods_say_which_of_them_it_was(
    app: Flask, provider: LyingProvider, other_provider: LyingProvider, browser: Browser, rows: Rows
) -> None:
    owner = registered(app, "alice@example.com")
    link(owner, provider, GMAIL)
    link(owner, other_provider, ELSEWHERE, "acme")
    owner.sign_out()
    sign_in_with(owner, other_provider, ELSEWHERE, action=ACME)
    sign_in_with(browser, provider, GMAIL)
    third = Browser(app)
    third.sign_in("alice@example.com", PASSWORD)
    assert {row.methods for row in rows.live()} == {"google", "acme", "pwd"}
    unlink(third, "acme")
    assert not owner.is_signed_in
    assert browser.is_signed_in
    assert json.dumps(rows.events()).count("identity_unlinked") == 1
