"""The table "Who may open what" of docs/security.md, tried out: every route, by everybody."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from stand_in.people import Person, somebody_else
from tests.asvs.documents import SECURITY, Row, name, names, table
from tests.conftest import NewApp, NewBrowser
from tests.factors import VERIFY, verify, with_totp
from tests.journeys.pages import csrf_token
from tests.journeys.test_every_door import DOORS as EVERY_DOOR
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back, google_settings, leave, sign_in_with
from tests.rows import Rows, on_sqlite
from tests.whole_site import ALICE, BOB, FRESH, SPENT, TOKEN, House
from webapp import clock
from webapp.models import LoginSession, RateLimit, User
from webapp.policy.throttling import Limit

WHO = {name(row["endpoint"]): row["who"] for row in table(SECURITY, "Who may open what")}


CLOSED = [
    endpoint for endpoint, who in WHO.items() if who.startswith("signed in") and not endpoint.startswith("api.")
]  # pages: who is not signed in is sent to the sign-in page; apps get 401, see tests/journeys/test_api_*
FRESH_ONLY = [endpoint for endpoint in CLOSED if "fresh" in WHO[endpoint].split(";")[0]]


def answers(house: House, browser: Browser, endpoint: str) -> Iterator[TestResponse]:
    """What somebody gets who opens a route, and who sends an empty form there with a token of their own."""
    methods = {method for rule in house.rules() if rule.endpoint == endpoint for method in rule.methods or ()}
    if "GET" in methods:
        yield browser.get(house.paths[endpoint], buffered=True)
    if "POST" in methods:
        page = browser.get("/account")
        token = csrf_token(page if page.status_code == 200 else browser.get("/login"))
        yield browser.post(house.paths[endpoint], {TOKEN: token})


def leads_to(answer: TestResponse, page: str) -> bool:
    return answer.status_code == 303 and answer.location.partition("?")[0] == page


def who_is_not_sent(house: House, browser: Browser, page: str, endpoints: Iterable[str]) -> list[str]:
    """The routes that do not send somebody on to a page."""
    return [
        endpoint
        for endpoint in endpoints
        if not all(leads_to(answer, page) for answer in answers(house, browser, endpoint))
    ]


@on_sqlite
@pytest.mark.asvs("8.2.1", "8.3.1", "8.2.2")
def test_every_route_answers_everybody_as_the_table_says(house: House) -> None:
    rows, unconfirmed = Rows(house.app), Browser(house.app)
    assert len(CLOSED) >= 14
    assert len(FRESH_ONLY) >= 6
    elsewhere = {"ops.change_password", "ops.security_txt", "account.after_set_up", *SPENT}
    for rule, answer in house.opened():  # those who may
        assert answer.status_code == 200 or rule.endpoint in elsewhere, rule.rule
    assert unconfirmed.sign_in(FRESH).status_code == 422
    rows.set(LoginSession, {}, last_seen_at=clock.now() + timedelta(minutes=11))  # no visit has to be written down

    before = house.everything_stored()
    assert who_is_not_sent(house, house.visitor, "/login", CLOSED) == []
    assert who_is_not_sent(house, unconfirmed, "/login", CLOSED) == []
    assert [answer.status_code for answer in answers(house, house.bob, "account.revoke_session")] == [404]
    with time_machine.travel(clock.now() + timedelta(minutes=11), tick=False):
        assert who_is_not_sent(house, house.alice, "/reauthenticate", FRESH_ONLY) == []
        assert house.alice.is_signed_in
    rows.set(User, {"email": ALICE}, disabled_at=clock.now())
    assert who_is_not_sent(house, house.alice, "/login", CLOSED) == []
    rows.set(User, {"email": ALICE}, disabled_at=None)

    after = house.everything_stored()
    bags = {"cookie_sessions"}  # where a bag was ended, or had a message in it
    assert [table for table in after if table not in bags and after[table] != before[table]] == []


@on_sqlite
@pytest.mark.asvs("8.2.2", "6.4.1")
def test_a_link_acts_on_the_account_it_was_mailed_for_whoever_opens_it(house: House) -> None:
    """Bob, signed in, has got hold of addresses out of Alice's browser and mails."""
    rows = Rows(house.app)
    for path in ("/account/sessions", "/account/activity", "/account/data"):
        assert ALICE not in house.bob.get(path).text
    bob = rows.user("bob@example.org")
    assert house.bob.get(house.paths["auth.confirm_email_change"]).status_code == 410
    assert rows.user("bob@example.org").id == bob.id
    house.bob.submit(house.paths["auth.undo_email_change"])
    assert rows.user(BOB).id == bob.id


DOORS = {name(row["endpoint"]): row for row in table(SECURITY, "Ways in")}
STATES: dict[str, dict[str, object]] = {
    "disabled": {"disabled_at": clock.now()},
    "unconfirmed": {"email_verified_at": None},
    "leaving": {"deletion_due_at": clock.now() + timedelta(days=1)},
    "blocked": {"password_blocked_at": clock.now()},
}
LETS_IN: dict[str, set[str]] = {  # by the link of a new account's owner, and by the button that keeps the account
    "auth.login": set(),
    "auth.verify_email": {"unconfirmed", "blocked"},  # a blocked password is no matter to the mailbox
    "auth.keep_account": {"leaving"},
    "federation.callback": {"blocked"},  # nor to a provider
    "federation.connect": set(),
    "auth.second_factor": set(),
    "api.login": set(),
    "api.keep_account": {"leaving"},
    "api.pass_second_factor": set(),
    "api.exchange_code": {"blocked"},
    "api.sign_in_with_id_token": {"blocked"},
}
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636, appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
APP = "com.example.app:/callback"


def comes_in_by(door: str, app: Flask, rows: Rows, state: str, new_user: Callable[..., str]) -> bool:
    """Whether the right proof opens a door while the account is in some state."""
    browser, email = Browser(app), f"{door}.{state}@example.com"
    if door.startswith("api."):
        return app_comes_in_by(door, app, rows, state, new_user(email))
    if door == "auth.login":
        rows.set(User, {"email": new_user(email)}, **STATES[state])
        browser.sign_in(email)
    elif door == "auth.verify_email":
        browser.submit("/register", email=email, password=PASSWORD, name="")
        link = Mailbox(app).link(email, "/verify-email/")
        token = csrf_token(browser.get(link))
        rows.set(User, {"email": email}, **STATES[state])
        browser.post(link, {TOKEN: token})
    elif door == "auth.second_factor":
        phone = with_totp(app, new_user(email))
        assert browser.sign_in(email).location == VERIFY
        rows.set(User, {"email": email}, **STATES[state])
        verify(browser, phone.fresh_code())
    else:
        rows.set(User, {"email": new_user(email)}, **STATES["leaving"])
        assert leads_to(browser.sign_in(email), "/login/keep")
        rows.set(User, {"email": email}, **STATES[state])
        browser.submit("/login/keep")
    return browser.is_signed_in


def app_comes_in_by(door: str, app: Flask, rows: Rows, state: str, email: str) -> bool:
    """The same for an app: whether it gets tokens."""
    phone, proof = app.test_client(), {"email": email, "password": PASSWORD}
    if door == "api.pass_second_factor":
        codes = with_totp(app, email)
        step = phone.post("/api/v1/auth/login", json=proof).get_json()["mfa_token"]
        rows.set(User, {"email": email}, **STATES[state])
        shown = {"mfa_token": step, "method": "totp", "code": codes.fresh_code()}
        return "access_token" in phone.post("/api/v1/auth/mfa", json=shown).get_json()
    rows.set(User, {"email": email}, **STATES["leaving" if door == "api.keep_account" else state])
    answer = phone.post("/api/v1/auth/login", json=proof)
    if door == "api.keep_account":
        step = answer.get_json()["step_token"]
        rows.set(User, {"email": email}, **STATES[state])
        answer = phone.post("/api/v1/auth/keep-account", json={"step_token": step})
    return "access_token" in answer.get_json()


def comes_in_with_a_provider_by(door: str, app: Flask, rows: Rows, state: str, provider: LyingProvider) -> bool:
    """The same for somebody whose account a provider made, or who is about to link the two."""
    browser, phone, person = Browser(app), app.test_client(), somebody_else(f"{door}.{state}@example.com")
    if door == "federation.connect":
        browser.submit("/register", email=person.email, password=PASSWORD, name="")
        browser.submit(Mailbox(app).link(person.email, "/verify-email/"))
        browser.sign_out()
        assert leads_to(sign_in_with(browser, provider, person), "/login/google/connect")
        rows.set(User, {"email": person.email}, **STATES[state])
        browser.submit("/login/google/connect", password=PASSWORD)
        return browser.is_signed_in
    sign_in_with(browser, provider, person)
    browser.sign_out()
    if door == "federation.callback":
        away = leave(browser)
        rows.set(User, {"email": person.email}, **STATES[state])
        come_back(browser, provider.approve(away, person))
        return browser.is_signed_in
    path, proof = app_proof(door, app, provider, person)
    rows.set(User, {"email": person.email}, **STATES[state])
    return "access_token" in phone.post(path, json=proof).get_json()


def app_proof(door: str, app: Flask, provider: LyingProvider, person: Person) -> tuple[str, dict[str, str]]:
    """What an app has in its hand after its person was at a provider, and where it shows that."""
    api = "/api/v1/auth/google"
    if door == "api.sign_in_with_id_token":
        nonce = app.test_client().post(f"{api}/nonce").get_json()["nonce"]
        return f"{api}/id-token", {"id_token": provider.id_token(person=person, nonce=nonce), "nonce": nonce}
    browser = Browser(app)
    asked = {"redirect_uri": APP, "state": "s", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    away = browser.get(f"{api}/authorize", query_string=asked).headers["Location"]
    back = come_back(browser, provider.approve(away, person)).headers["Location"]
    code = parse_qs(urlsplit(back).query)["code"][0]
    return f"{api}/token", {"code": code, "code_verifier": VERIFIER, "redirect_uri": APP}


@on_sqlite
@pytest.mark.asvs("6.3.4")
def test_what_one_door_refuses_every_door_refuses(
    app: Flask, new_app: NewApp, rows: Rows, new_user: Callable[..., str], provider: LyingProvider
) -> None:
    elsewhere = {"auth.passkey", "api.sign_in_with_passkey", "auth.mailed_link", "auth.mailed_code"}
    assert elsewhere <= {way.delivers for way in EVERY_DOOR.values()}
    assert set(LETS_IN) | elsewhere == {name(row["endpoint"]) for row in table(SECURITY, "Ways in")}, "not tried here"
    site = new_app(**google_settings(provider), API_REDIRECT_URIS=APP)
    let_in = 0
    for door in LETS_IN:
        rows.delete(RateLimit)  # of new accounts: one place makes many here
        begun = len(rows.all(LoginSession, ended_at=None))
        for state in STATES:
            if door.startswith("federation.") or door in ("api.exchange_code", "api.sign_in_with_id_token"):
                came_in = comes_in_with_a_provider_by(door, site, rows, state, provider)
            else:
                came_in = comes_in_by(door, app, rows, state, new_user)
            assert came_in == (state in LETS_IN[door]), (door, state)
            let_in += came_in
        assert len(rows.all(LoginSession, ended_at=None)) - begun == len(LETS_IN[door]), door
    assert let_in == sum(map(len, LETS_IN.values()))


@on_sqlite
@pytest.mark.asvs("6.3.4", "6.3.1")
def test_no_door_is_without_a_counter_and_each_counter_ends_in_a_wait(alice: str, new_browser: NewBrowser) -> None:
    counters = {limit.counter for limit in Limit}
    for row in table(SECURITY, "Ways in"):
        counted = set(names(row["counters"]))
        assert counted or "sign-in before it" in row["counters"]
        assert counted <= counters
    guesser = new_browser(ip="203.0.113.7")
    links = [guesser.get(f"/verify-email/{number}").status_code for number in range(61)]
    assert links == [410] * 60 + [429]
    guesses = [guesser.sign_in(alice, "not what was chosen here").status_code for _ in range(11)]
    assert guesses == [422] * 10 + [429]
    assert guesser.sign_in(alice).status_code == 429


# What the outside finds


@on_sqlite
@pytest.mark.asvs("15.2.3", "13.4.5")
def test_in_production_there_are_the_documented_routes_and_nothing_of_development(new_app: NewApp) -> None:
    app = new_app(APP_ENV="production", PUBLIC_URL="https://login.example.com", TRUSTED_PROXIES=1)
    documented: dict[str, Row] = {name(row["endpoint"]): row for row in table(SECURITY, "Who may open what")}
    in_production = {endpoint for endpoint, row in documented.items() if "in development only" not in row["who"]}
    assert set(app.view_functions) == in_production == {rule.endpoint for rule in app.url_map.iter_rules()}
    assert app.debug is False
    browser = Browser(app)
    for path in (
        "/dev/mail",
        "/dev/",
        "/debug",
        "/console",
        "/admin",
        "/server-status",
        "/actuator/health",
    ):
        answer = browser.get(path)
        assert answer.status_code == 404, path
        assert "Werkzeug" not in answer.text


@pytest.mark.asvs("13.4.5")
def test_what_watches_the_site_learns_words_and_no_numbers(browser: Browser) -> None:
    for path in ("/healthz", "/readyz"):
        assert browser.get(path).json == {"status": "ok"}
        assert browser.post(path).status_code == 405


@on_sqlite
@pytest.mark.asvs("14.2.6", "3.3.4")
def test_neither_pages_nor_the_export_hold_secrets_or_other_people(house: House) -> None:
    rows = Rows(house.app)
    pages = [answer.text for rule, answer in house.opened() if rule.endpoint.startswith("account.")]
    export = house.alice.submit("/account/data", "/account/data/export").text
    held = json.loads(export)
    assert {"account", "login_sessions", "security_events"} <= set(held)
    secrets = {house.alice.cookie(cookie) for cookie in ("session", "device")} - {None}
    assert len(secrets) == 2
    hashes = {text for _, text in rows.texts() if re.fullmatch(r"[0-9a-f]{64}|\$argon2.*", text)}
    assert len(hashes) > 5
    strangers = {BOB, "bob@example.org", "leaver", "Leaver", FRESH}
    strangers |= {str(user.id) for user in rows.all(User) if user.email != ALICE}
    for text in (*pages, export):
        assert [private for private in (*secrets, *hashes, *strangers) if str(private) in text] == []
    users = {row.user_id for row in rows.all(LoginSession) if str(row.id) in export}
    assert users == {rows.user(ALICE).id}
