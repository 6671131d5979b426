"""A provider that lies, or somebody in between: nobody comes in by that, and nobody is left before a bare code."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from stand_in.people import GMAIL
from tests.conftest import NewApp
from tests.gateways.at_a_provider import now
from tests.journeys.pages import words
from tests.journeys.provider_refusals import CALLBACK, assert_honest_sign_in_works, assert_turned_away
from tests.people import Browser
from tests.providers import faults, forgeries
from tests.providers.forgeries import REFUSED, REMOVED
from tests.providers.lying import LyingProvider
from tests.providers.site import START, come_back, google_settings, leave, sign_in_with
from tests.rows import Rows, on_sqlite
from webapp.models import Identity, User

Lie = Callable[[LyingProvider], Any]


def claims(**told: Any) -> Lie:
    return lambda provider: provider.lie.claims.update(told)


def later(**seconds: int) -> Lie:
    """Claims that are times from now."""
    return lambda provider: provider.lie.claims.update({name: now() + offset for name, offset in seconds.items()})


def header(**told: Any) -> Lie:
    return lambda provider: provider.lie.header.update(told)


def signed(forgery: forgeries.Forgery) -> Lie:
    return lambda provider: setattr(provider.lie, "sign", forgery)


def token(**told: Any) -> Lie:
    return lambda provider: provider.lie.token.update(told)


def answers(endpoint: str, fault: faults.Fault) -> Lie:
    return lambda provider: provider.lie.answers.update({endpoint: fault})


def back_with(**told: Any) -> Lie:
    return lambda provider: provider.lie.callback.update(told)


def userinfo(endpoint_answers: faults.Fault | None = None, **told: Any) -> Lie:
    """UserInfo is asked, because the ID token says no address."""

    def lie(provider: LyingProvider) -> None:
        provider.lie.claims["email"] = REMOVED
        provider.lie.userinfo |= told
        if endpoint_answers is not None:
            provider.lie.answers["userinfo"] = endpoint_answers

    return lie


# What nobody can believe; and what is no answer, where it matters what was learnt of the provider before.
LIES: dict[str, tuple[int, Lie]] = {
    "an ID token for another client": (400, claims(aud="another-client")),
    "for another client, azp ours": (400, lambda p: p.lie.claims.update(aud="another-client", azp=p.client_id)),
    "for us and another client": (400, lambda p: p.lie.claims.update(aud=[p.client_id, "another-client"])),
    "for nobody": (400, claims(aud=REMOVED)),
    "given to another party": (400, claims(azp="another-client")),
    "of another issuer": (400, claims(iss="https://evil.example")),
    "of no issuer": (400, claims(iss=REMOVED)),
    "expired": (400, later(iat=-300, exp=-60)),
    "not yet good": (400, later(nbf=300)),
    "made in the future": (400, later(iat=300)),
    "made long ago": (400, later(iat=-3600)),
    "without an end": (400, claims(exp=REMOVED)),
    "with an end that is a word": (400, claims(exp="never")),
    "of nobody": (400, claims(sub=REMOVED)),
    "of nobody in particular": (400, claims(sub="")),
    "of a number": (400, claims(sub=100000000000000000001)),
    "of a very long name": (400, claims(sub="1" * 256)),
    "without a nonce": (400, claims(nonce=REMOVED)),
    "with the nonce of another request": (400, claims(nonce="another")),
    "for another access token": (400, claims(at_hash="77QmUPtjPfzWtF2AnpK9RQ")),
    "an access token in its place": (400, header(typ="at+jwt")),
    "a security event token in its place": (400, claims(events={"happened": {}})),
    **{f"signed so: {name}": (400, signed(forgery)) for name, forgery in REFUSED.items()},
    "signed with our secret": (400, lambda p: signed(forgeries.hs256_with_client_secret(p.client_secret))(p)),
    "no ID token": (400, token(id_token=REMOVED)),
    "no access token": (400, token(access_token=REMOVED)),
    "a token of a type that we do not know": (400, token(token_type="mac")),
    "UserInfo of somebody else": (400, userinfo(sub="another")),
    "UserInfo of nobody": (400, userinfo(sub=REMOVED)),
    "an answer of another issuer": (400, back_with(iss="https://evil.example")),
    "an answer of no issuer": (400, back_with(iss=REMOVED)),
    "an answer without a code": (400, back_with(code=REMOVED)),
    "an empty code": (400, back_with(code="")),
    "a code of its own making": (400, back_with(code="made up")),
    "a very long code": (400, back_with(code="x" * 5000)),
    "an error and a code": (403, back_with(error="access_denied")),
    "an error in markup": (403, back_with(error="<script>alert(1)</script>", error_description="<b>call 555</b>")),
}
FAULTS: dict[str, tuple[int, Lie]] = {
    "the code was used": (400, answers("token", faults.error("invalid_grant"))),
    "it does not know us": (400, answers("token", faults.error("invalid_client", status=401))),
    "it answers in markup": (400, answers("token", faults.error("<b>no</b>", "<script>alert(1)</script>"))),
    "tokens: an error of theirs": (503, answers("token", faults.failing())),
    "tokens: garbage": (503, answers("token", faults.garbage())),
    "tokens: a redirect": (503, answers("token", faults.redirect("https://evil.example/"))),
    "tokens: without end": (503, answers("token", faults.endless())),
    "tokens: it breaks off": (503, answers("token", faults.breaks_off())),
    "tokens: it hangs up": (503, answers("token", faults.hangs_up())),
    "keys: an error of theirs": (503, answers("keys", faults.failing())),
    "keys: garbage": (503, answers("keys", faults.garbage())),
    "keys: a redirect": (503, answers("keys", faults.redirect("https://evil.example/"))),
    "keys: 64 MB": (503, answers("keys", faults.huge())),
    "keys: none": (400, answers("keys", faults.json({"keys": []}))),
    "keys: it breaks off": (503, answers("keys", faults.breaks_off())),
    "UserInfo: an error of theirs": (503, userinfo(faults.failing())),
    "UserInfo: a redirect": (503, userinfo(faults.redirect("https://evil.example/"))),
}


@on_sqlite
@pytest.mark.asvs("6.8.2", "10.5.4")
def test_nobody_comes_in_by_a_lie(new_app: NewApp, provider: LyingProvider) -> None:
    site = new_app(**google_settings(provider), RATELIMIT_ENABLED=False)  # all liars come from one address
    for name, (status, lie) in LIES.items():
        try:
            come_back_with(site, provider, status, lie)
        except AssertionError as error:
            error.add_note(name)
            raise
    assert_honest_sign_in_works(Browser(site), provider)


@on_sqlite
@pytest.mark.asvs("6.8.2", "10.5.4")
@pytest.mark.parametrize(("status", "fault"), FAULTS.values(), ids=FAULTS)
def test_nobody_comes_in_and_nobody_is_left_standing(
    google: Flask, provider: LyingProvider, status: int, fault: Lie
) -> None:
    assert_honest_sign_in_works(come_back_with(google, provider, status, fault), provider)


def come_back_with(site: Flask, provider: LyingProvider, status: int, lie: Lie) -> Browser:
    """Somebody new comes back with it, and is turned away; their browser. The provider is honest again afterwards."""
    browser = Browser(site)
    way = leave(browser)
    lie(provider)
    answer = come_back(browser, provider.approve(way))
    assert "alert(1)" not in answer.text
    assert "555" not in words(answer)
    assert_turned_away(site, browser, answer, status)
    assert provider.asked("foreign_keys") == []
    provider.reset()
    return browser


AT_THE_START: dict[str, Lie] = {
    "it does not answer": answers("metadata", faults.hangs_up()),
    "an error of theirs": answers("metadata", faults.failing()),
    "a redirect": answers("metadata", faults.redirect("https://evil.example/")),
    "garbage": answers("metadata", faults.garbage()),
    "64 MB": answers("metadata", faults.huge()),
    "it breaks off": answers("metadata", faults.breaks_off()),
    "metadata of another issuer": lambda p: p.lie.metadata.update(issuer="https://evil.example"),
    "an address of another kind": lambda p: p.lie.metadata.update(authorization_endpoint="javascript:alert(1)"),
    "nowhere to bring a code": lambda p: p.lie.metadata.update(token_endpoint=REMOVED),
    "nonsense about how to say who we are": lambda p: p.lie.metadata.update(issuer=5),
}


@on_sqlite
@pytest.mark.asvs("10.5.3")
@pytest.mark.parametrize("lie", AT_THE_START.values(), ids=AT_THE_START)
def test_nobody_is_sent_to_a_provider_that_does_not_say_where_it_is(
    google: Flask, provider: LyingProvider, lie: Lie
) -> None:
    browser = Browser(google)
    lie(provider)
    answer = browser.submit("/login", START)
    assert_turned_away(google, browser, answer, 503)
    assert "alert(1)" not in answer.text
    provider.reset()
    assert_honest_sign_in_works(browser, provider)


def test_whoever_changes_their_mind_is_asked_what_they_want_instead(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    assert_turned_away(google, browser, come_back(browser, provider.deny(leave(browser))), 403)
    assert_honest_sign_in_works(browser, provider)


@pytest.mark.asvs("10.5.1")
def test_an_id_token_that_was_used_once_is_worth_nothing_in_the_next_sign_in(
    google: Flask, provider: LyingProvider
) -> None:
    browser, thief = Browser(google), Browser(google)
    kept: list[str] = []

    def keep(draft: forgeries.Draft) -> str:
        kept.append(forgeries.honest(draft))
        return kept[-1]

    provider.lie.sign = keep
    sign_in_with(browser, provider)
    provider.lie.claims["at_hash"] = REMOVED
    provider.lie.sign = lambda _draft: kept[0]
    answer = sign_in_with(thief, provider)
    assert answer.status_code == 400
    assert not thief.is_signed_in


def test_a_code_that_the_provider_takes_twice_is_taken_once_here(google: Flask, provider: LyingProvider) -> None:
    browser = Browser(google)
    provider.lie.forgets_used_codes = True
    callback = provider.approve(leave(browser))
    assert come_back(browser, callback).status_code == 303
    browser.sign_out()
    assert come_back(browser, callback).status_code == 400
    assert not browser.is_signed_in
    assert len(provider.asked("token")) == 1


# What is said of somebody who is proven may be odd, and breaks nothing.

ODD_NAMES = {
    "a null character": ("a\x00b", "ab"),
    "half a character": ("\ud800Gwen", "Gwen"),
    "control characters": ("\x07Gwen\x1b[2J\x9b", "Gwen[2J"),
    "lines": ("Gwen\r\nBcc: all", "Gwen Bcc: all"),
    "nothing": (" \t\n", ""),
    "another direction": ("\u202enewG", "newG"),
    "joined letters": ("نیک\u200cفر", "نیک\u200cفر"),
}


@pytest.mark.parametrize(("told", "kept"), ODD_NAMES.values(), ids=ODD_NAMES)
def test_an_odd_name_is_kept_as_far_as_it_is_one(google: Flask, provider: LyingProvider, told: str, kept: str) -> None:
    provider.lie.claims["name"] = told
    browser = Browser(google)
    assert sign_in_with(browser, provider).status_code == 303
    (user,) = Rows(google).all(User)
    assert user.name == kept
    assert browser.is_signed_in


@pytest.mark.parametrize(
    "email",
    [
        pytest.param("gwen\x00@gmail.com", id="a null character"),
        pytest.param("\ud800gwen@gmail.com", id="half a character"),
        pytest.param("gwen@gmail.com\r\nBcc: all@example.com", id="lines"),
        pytest.param("gwen@gmail.com, mallory@example.com", id="two addresses"),
        pytest.param("g" * 5000 + "@gmail.com", id="very long"),
        pytest.param(["gwen@gmail.com"], id="a list"),
        pytest.param(True, id="true"),
    ],
)
def test_an_address_that_is_none_is_not_confirmed(google: Flask, provider: LyingProvider, email: object) -> None:
    provider.lie.claims["email"] = email
    browser = Browser(google)
    assert_turned_away(google, browser, sign_in_with(browser, provider), 403)


@pytest.mark.parametrize("name", ["picture", "locale", "hd"])
@pytest.mark.parametrize("value", ["\x00", "\ud800", "x" * 5000, ["x"], 5], ids=lambda value: f"{value!r:.12}")
def test_what_else_is_odd_is_left_out(google: Flask, provider: LyingProvider, name: str, value: object) -> None:
    provider.lie.claims[name] = value
    browser = Browser(google)
    assert sign_in_with(browser, provider).headers["Location"] == "/account/welcome"
    (identity,) = Rows(google).all(Identity)
    assert (identity.email, identity.subject) == (GMAIL.email, GMAIL.sub)
    assert browser.get("/account/connections").status_code == 200


def test_a_callback_of_a_provider_that_is_none_is_not_found(google: Flask) -> None:
    assert Browser(google).get(CALLBACK.replace("google", "nobody") + "?state=x&code=y").status_code == 404
