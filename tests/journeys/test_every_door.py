"""Every door × every state of an account: one table names what comes of it. A new door, or a new thing that a sign-in
is judged by, fails here until it has its row.
"""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from stand_in.people import Person, somebody_else
from tests.apps import App, mailed_token
from tests.conftest import NewApp
from tests.factors import SoftKey, soft_key, with_totp
from tests.journeys.provider_apps import CUSTOM, code_for, exchange, new_nonce, show
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of, text_of
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings, sign_in_with
from tests.rows import Rows, on_sqlite
from tests.source import Module, modules
from webapp import clock
from webapp.models import LoginSession, User
from webapp.policy.one_time import Purpose
from webapp.policy.sign_in import Verdict, judge_sign_in
from webapp.services import users
from webapp.services.one_time import issue_token
from webapp.services.transaction import transaction

NewSite = Callable[[str, str], "Site"]

# What may come of a proof that is right.
IN = "signed in"
SET_UP = "signed in, but only to set a second factor up"
STEP = "second factor"
KEEP = "keep the account?"
CLOSED = "account_disabled"
CONFIRM = "email_unverified"
BLOCKED = "password_blocked"
ELSEWHERE_FIRST = "mfa_setup_required"
NOBODY = "signs nobody in"
UNKNOWN = "no such passkey"


@dataclass
class Site:
    """One site with one account, and who stands before it."""

    app: Flask
    provider: LyingProvider
    email: str
    key: SoftKey
    person: Person
    browser: Browser = field(init=False)
    phone: App = field(init=False)

    def __post_init__(self) -> None:
        self.browser, self.phone, self.rows = Browser(self.app), App(self.app), Rows(self.app)

    def set(self, **values: Any) -> None:
        self.rows.set(User, {"email": self.email}, **values)

    def token(self, purpose: Purpose) -> str:
        """A mailed link of before."""
        with self.app.app_context(), transaction() as tx:
            return issue_token(tx, self.rows.user(self.email).id, purpose)


# The states, each with what judge_sign_in is told by it.


@dataclass(frozen=True)
class State:
    judged_by: str
    prepare: Callable[[Site], object]
    settings: dict[str, object] = field(default_factory=dict)
    has_passkey: bool = True  # at the doors of passkeys; elsewhere only where the state is about it


STATES: dict[str, State] = {
    "no factor": State("has_factor", lambda _site: None, has_passkey=False),
    "TOTP": State("has_factor", lambda site: with_totp(site.app, site.email), has_passkey=False),
    "passkey": State("has_factor", lambda site: site.key.belongs_to(site.rows, site.email)),
    "required, no factor": State("factor_required", lambda _site: None, {"MFA_REQUIRED": True}, has_passkey=False),
    "required, TOTP": State("factor_required", lambda site: with_totp(site.app, site.email), {"MFA_REQUIRED": True}),
    "disabled": State("disabled", lambda site: site.set(disabled_at=clock.now())),
    "unverified": State("email_verified", lambda site: site.set(email_verified_at=None)),
    "deletion pending": State("deletion_due_at", lambda site: site.set(deletion_due_at=clock.now() + timedelta(3))),
    "password blocked": State("password_blocked", lambda site: site.set(password_blocked_at=clock.now())),
}
BY_THE_DOOR = {"by_password", "factor_proven", "can_set_up"}  # judge_sign_in is told these by the door


# The doors, each with where in the code it ends.


@dataclass(frozen=True)
class Door:
    starts_in: str  # the function that calls start_sign_in, or "" where none does
    delivers: str  # the endpoint
    go: Callable[[Site], str]
    kind: str = "web"
    by_passkey: bool = False


def by_password(site: Site) -> str:
    return on_page(site, site.browser.sign_in(site.email))


def by_password_in_an_app(site: Site) -> str:
    return in_app(site.phone.sign_in(site.email))


def by_confirmation(site: Site) -> str:
    link = f"/verify-email/{site.token(Purpose.CONFIRM_EMAIL)}"
    return on_page(site, site.browser.submit(link))


def by_confirmation_in_an_app(site: Site) -> str:
    answer = site.phone.post("/auth/email/verify", {"token": site.token(Purpose.CONFIRM_EMAIL)})
    return NOBODY if answer.status_code == 204 and not answer.data else answer.text


def by_reset(site: Site) -> str:
    answer = site.browser.submit(f"/password/reset/{site.token(Purpose.RESET_PASSWORD)}", password=NEW_PASSWORD)
    assert answer.headers["Location"] == "/login"
    return NOBODY if not site.browser.is_signed_in else IN


def by_reset_in_an_app(site: Site) -> str:
    body = {"token": site.token(Purpose.RESET_PASSWORD), "password": NEW_PASSWORD}
    answer = site.phone.post("/auth/password/reset", body)
    return NOBODY if answer.status_code == 204 and not answer.data else answer.text


def by_google(site: Site) -> str:
    return on_page(site, sign_in_with(site.browser, site.provider, site.person))


def by_google_app_code(site: Site) -> str:
    return in_app(exchange(site.phone, code_for(site.browser, site.provider, person=site.person)))


def by_google_id_token(site: Site) -> str:
    nonce = new_nonce(site.phone)
    return in_app(show(site.phone, site.provider.id_token(nonce=nonce, person=site.person), nonce))


def by_the_password_that_an_offer_asks_for(site: Site) -> str:
    """Google knows somebody of this address and is no authority for it, so the old way in is asked for."""
    answer = sign_in_with(site.browser, site.provider, site.person)
    page = answer.headers.get("Location", "")
    if not page.startswith("/login/google/connect"):
        return on_page(site, answer)
    return on_page(site, site.browser.submit(page, password=PASSWORD))


def by_passkey(site: Site) -> str:
    options = site.browser.get("/login/passkey").json
    credential = site.key.signed(options)
    return on_page(site, site.browser.submit("/login", "/login/passkey", credential=json.dumps(credential)))


def by_passkey_in_an_app(site: Site) -> str:
    options = site.phone.post("/auth/passkey/options").json["publicKey"]
    return in_app(site.phone.post("/auth/passkey", {"credential": site.key.signed(options)}))


def by_mailed_link(site: Site) -> str:
    site.browser.submit("/login/mail", email=site.email)
    links = [word for word in last_mail(site) if "/login/mailed/" in word]
    if not links:
        return NOBODY
    return on_page(site, site.browser.submit(links[0].removeprefix(site.browser.base_url)))


def by_mailed_code(site: Site) -> str:
    site.browser.submit("/login/mail", email=site.email)
    codes = [word for word in last_mail(site) if len(word) == 8 and word.isdigit()]
    if not codes:
        return NOBODY
    return on_page(site, site.browser.submit("/login/mail/code", "/login/mail/code", code=codes[0]))


def last_mail(site: Site) -> list[str]:
    """The words of the newest mail to the account's owner, where there is one."""
    return [word for mail in Mailbox(site.app).mails(site.email)[-1:] for word in text_of(mail).split()]


def made_by_an_operator(site: Site) -> str:
    """Nobody but the owner chooses the password, and choosing it signs nobody in."""
    with site.app.app_context():
        users.create_user(f"new.{site.email}", name="", locale="en")
    site.email = f"new.{site.email}"
    path = f"/password/reset/{mailed_token(site.app, site.email, '/password/reset/')}"
    answer = site.browser.submit(path, password=NEW_PASSWORD)
    assert answer.headers["Location"] == "/login"
    return NOBODY if not site.browser.is_signed_in else IN


DOORS: dict[str, Door] = {
    "password": Door("blueprints.auth.views._with_password", "auth.login", by_password),
    "password, API": Door("services.tokens._sign_in", "api.login", by_password_in_an_app, "api"),
    "confirmation": Door("blueprints.auth.links._with_confirmation", "auth.verify_email", by_confirmation),
    "confirmation, API": Door("", "api.verify_email", by_confirmation_in_an_app, "api"),
    "reset": Door("", "auth.reset_password", by_reset),
    "reset, API": Door("", "api.reset_password", by_reset_in_an_app, "api"),
    "Google": Door("services.federation._sign_in", "federation.callback", by_google),
    "Google, app code": Door("services.tokens._sign_in", "api.exchange_code", by_google_app_code, "api"),
    "Google, ID token": Door("services.tokens._sign_in", "api.sign_in_with_id_token", by_google_id_token, "api"),
    "Google, offer": Door(
        "services.federation.link_by_password", "federation.connect", by_the_password_that_an_offer_asks_for
    ),
    "passkey": Door("blueprints.auth.passkey._with_passkey", "auth.passkey", by_passkey, by_passkey=True),
    "passkey, API": Door(
        "services.tokens._sign_in", "api.sign_in_with_passkey", by_passkey_in_an_app, "api", by_passkey=True
    ),
    "mailed link": Door("blueprints.auth.mailed._with_link", "auth.mailed_link", by_mailed_link),
    "mailed code": Door("blueprints.auth.mailed._with_code", "auth.mailed_code", by_mailed_code),
    "made by an operator": Door("", "auth.reset_password", made_by_an_operator),
}
# What goes on with a sign-in that began at one of the doors.
STEPS = {"auth.second_factor", "auth.keep_account", "api.pass_second_factor", "api.keep_account"}

# In the order of STATES.
TABLE: dict[str, tuple[str, ...]] = {
    #                    no factor TOTP   passkey required/none    required/TOTP disabled unverified deletion blocked
    "password": (IN, STEP, STEP, SET_UP, STEP, CLOSED, CONFIRM, KEEP, BLOCKED),
    "password, API": (IN, STEP, STEP, ELSEWHERE_FIRST, STEP, CLOSED, CONFIRM, KEEP, BLOCKED),
    # It is the mailbox that is proven here, which is what an unconfirmed account and a blocked password wait for.
    "confirmation": (IN, STEP, STEP, SET_UP, STEP, CLOSED, IN, KEEP, IN),
    "confirmation, API": (NOBODY,) * 9,
    "reset": (NOBODY,) * 9,
    "reset, API": (NOBODY,) * 9,
    "Google": (IN, STEP, STEP, SET_UP, STEP, CLOSED, CONFIRM, KEEP, IN),
    "Google, app code": (IN, STEP, STEP, ELSEWHERE_FIRST, STEP, CLOSED, CONFIRM, KEEP, IN),
    "Google, ID token": (IN, STEP, STEP, ELSEWHERE_FIRST, STEP, CLOSED, CONFIRM, KEEP, IN),
    # Whom Google vouches for takes an unconfirmed account over: there is nothing to offer.
    "Google, offer": (IN, STEP, STEP, SET_UP, STEP, CLOSED, IN, KEEP, BLOCKED),
    # Both factors in one.
    "passkey": (UNKNOWN, UNKNOWN, IN, UNKNOWN, IN, CLOSED, CONFIRM, KEEP, IN),
    "passkey, API": (UNKNOWN, UNKNOWN, IN, UNKNOWN, IN, CLOSED, CONFIRM, KEEP, IN),
    # Nothing is mailed to whom it could not let in.
    "mailed link": (IN, STEP, STEP, SET_UP, STEP, NOBODY, NOBODY, KEEP, IN),
    "mailed code": (IN, STEP, STEP, SET_UP, STEP, NOBODY, NOBODY, KEEP, IN),
    "made by an operator": (NOBODY,) * 9,
}


@on_sqlite
@pytest.mark.asvs("6.1.3", "6.3.3", "6.3.4", "6.4.3", "6.8.4", "8.3.2")
@pytest.mark.parametrize("door", DOORS)
def test_what_comes_of_it(new_site: NewSite, door: str) -> None:
    expected = dict(zip(STATES, TABLE[door], strict=True))
    seen = {state: what_comes_of(new_site(door, state), DOORS[door], STATES[state]) for state in STATES}
    assert seen == {state: (come, _begun(door, come)) for state, come in expected.items()}


def what_comes_of(here: Site, door: Door, state: State) -> tuple[str, list[str]]:
    """What somebody gets at a door, and of which kind the login sessions are that began."""
    state.prepare(here)
    if door.by_passkey and state.has_passkey and state.judged_by != "has_factor":
        here.key.belongs_to(here.rows, here.email)
    before = {row.id for row in here.rows.live(here.email)}
    come = door.go(here)
    return come, [row.kind for row in here.rows.live(here.email) if row.id not in before]


def _begun(door: str, come: str) -> list[str]:
    return [DOORS[door].kind] if come in (IN, SET_UP) else []


def test_every_door_and_every_state_has_its_place_in_the_table() -> None:
    assert TABLE.keys() == DOORS.keys()
    judged = {state.judged_by for state in STATES.values()}
    assert judged | BY_THE_DOOR == inspect.signature(judge_sign_in).parameters.keys()
    said = {IN: Verdict.START, STEP: Verdict.SECOND_FACTOR, KEEP: Verdict.KEEP_ACCOUNT, CLOSED: Verdict.DISABLED}
    said |= {CONFIRM: Verdict.UNVERIFIED, BLOCKED: Verdict.PASSWORD_BLOCKED, ELSEWHERE_FIRST: Verdict.SET_UP_FACTOR}
    assert set(said.values()) == set(Verdict)
    assert {outcome for row in TABLE.values() for outcome in row} >= set(said)


def test_every_start_of_a_sign_in_in_the_code_is_a_door_of_the_table() -> None:
    found = {
        f"{module.dotted.removeprefix('webapp.')}.{function.name}"
        for module in modules()
        for function, call in _calls(module)
        if call.endswith(".start_sign_in")
    }
    assert found == {door.starts_in for door in DOORS.values()} - {""}


def test_every_endpoint_that_hands_a_sign_in_out_is_a_door_or_a_step() -> None:
    handing = {
        f"{_blueprint_of(module)}.{function.name}"
        for module in modules()
        for function, call in _calls(module)
        if module.name.startswith("blueprints/")
        if call.endswith(
            (".cookie_delivery.deliver", ".token_delivery.deliver", "federation.endings.deliver", ".go_on")
        )
    }
    helpers = {"federation._signed_in", "federation.go_on", "federation.deliver"}  # of federation.callback and connect
    assert handing - helpers == {door.delivers for door in DOORS.values() if door.starts_in} | STEPS


# How an answer is read.


def on_page(site: Site, answer: TestResponse) -> str:
    if answer.status_code != 303:
        return _refusal_on(answer)
    place = answer.headers["Location"]
    goes_on = ("/login/verify", "/login/keep", "/login/google/connect")  # the last to link, once the proof is whole
    if place.startswith("/login") and place.partition("?")[0] not in goes_on:
        return _refusal_on(site.browser.get(place))
    return {"/login/verify": STEP, "/login/keep": KEEP}.get(place) or _what_opens(site.browser)


def in_app(answer: TestResponse) -> str:
    if answer.status_code == 200:
        return IN
    code = str(answer.json["code"])
    return {"mfa_required": STEP, "account_deletion_pending": KEEP, "passkey_refused": UNKNOWN}.get(code, code)


def _what_opens(browser: Browser) -> str:
    answer = browser.get("/account")
    if answer.status_code == 200:
        return IN
    return SET_UP if answer.headers["Location"].startswith("/account/security/set-up") else answer.headers["Location"]


def _refusal_on(answer: TestResponse) -> str:
    told = {
        "This account is closed": CLOSED,
        "confirm your email address first": CONFIRM,
        "Please confirm your address": CONFIRM,  # back from a provider
        "This password no longer opens the account": BLOCKED,
        "That passkey did not work here": UNKNOWN,
    }
    found = [code for words, code in told.items() if words in answer.text]
    return found[0] if found else f"{answer.status} {answer.text[-600:]}"


def _calls(module: Module) -> Iterator[tuple[ast.FunctionDef, str]]:
    for function in ast.walk(module.tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    yield function, f".{module.resolved(node.func)}"


def _blueprint_of(module: Module) -> str:
    return module.name.split("/")[1]


@pytest.fixture
def new_site(new_app: NewApp, provider: LyingProvider) -> NewSite:
    """A site as a state has it, with an account of its own: new_site("Google", "TOTP"). Many share an application, and
    come from one address, so nobody is counted.
    """
    common = {"API_REDIRECT_URIS": CUSTOM, "MAILED_SIGN_IN": True, "RATELIMIT_ENABLED": False}
    common |= google_settings(provider)
    made: dict[str, Flask] = {}

    def app_with(**settings: object) -> Flask:
        if repr(settings) not in made:
            made[repr(settings)] = new_app(**common, **settings)
        return made[repr(settings)]

    def make(door: str, state: str) -> Site:
        host = "example.com" if door == "Google, offer" else "gmail.com"  # Google is an authority for the latter alone
        person = somebody_else(f"gwen{list(STATES).index(state)}@{host}")
        password_hash = runtime_of(app_with()).hashing.hash(PASSWORD)
        now, rows = clock.now(), Rows(app_with())
        account = {"email": person.email, "email_key": person.email, "name": "Gwen", "created_at": now}
        rows.add(User(**account, email_verified_at=now, password_hash=password_hash, password_changed_at=now))
        if door.startswith("Google") and door != "Google, offer":
            sign_in_with(Browser(app_with()), provider, person)
            rows.delete(LoginSession)
        app = app_with(**STATES[state].settings)
        return Site(app, provider, person.email, soft_key(app), person)

    return make
