"""Every route and every form of the site, found by walking it: people live there, so that each route has something to
lose. A new route is found by its links, its forms and its mails; one that nothing leads to is an error here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import select
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from stand_in.people import GMAIL, somebody_else
from tests.factors import VERIFY, soft_key, verify, with_totp_and_codes
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of, text_of
from tests.rows import Rows
from webapp.gateways.relying_party import RelyingParty
from webapp.http.access import OPEN_ENDPOINTS
from webapp.http.request_checks import API_PREFIX
from webapp.models import Base

if TYPE_CHECKING:
    from tests.providers.lying import LyingProvider  # beside a plugin, which pytest wants to import itself

ALICE, BOB, LEAVER, FRESH = "alice@example.com", "bob@example.com", "leaver@example.com", "fresh@example.com"
CAROL = "carol@example.com"
BOB_NOW = "bob@example.org"  # moved
FORM_TYPE = "application/x-www-form-urlencoded"
TOKEN = "csrf_token"
CONNECTIONS, LINK, START = "/account/connections", "/account/connections/google/link", "/login/google"
SECURITY = "/account/security"
# Whoever is at these holds something that a new browser does not.
STEPS = frozenset(
    {"auth.keep_account", "auth.second_factor", "auth.mailed_code", "auth.mailed_link", "federation.connect"}
)
BETWEEN = frozenset({"auth.second_factor", "auth.second_factor_options"})  # the password and being signed in
OF_FACTORS = frozenset({"auth.reauthenticate_factor", "account.recovery_codes_page"})  # for whoever has some
# The way back from a provider works once: opened again, as here, it is a page that says so.
SPENT = frozenset({"federation.callback"})


@dataclass
class Field:
    """One field of a form: its type as a browser sees it, and what it holds or offers first."""

    type: str
    value: str = ""


@dataclass
class Form:
    """One form of one page, and who saw it there."""

    endpoint: str
    path: str
    page: str
    browser: Browser
    fields: dict[str, Field]

    @property
    def typed(self) -> list[str]:
        """The fields that a person fills in or chooses from."""
        return [name for name, found in self.fields.items() if found.type not in ("hidden", "checkbox")]

    def honest(self, **changed: str) -> dict[str, str]:
        """What its person would send."""
        sent = {name: self._honest_value(name, found) for name, found in self.fields.items()}
        return {**sent, **changed}

    def _honest_value(self, name: str, found: Field) -> str:
        if found.type == "email":
            return ALICE if self.endpoint in OPEN_ENDPOINTS else "elsewhere@example.com"
        if found.type == "password":
            return NEW_PASSWORD if name == "new_password" else PASSWORD
        return "Somebody" if found.type == "text" else found.value

    def send(self, **changed: str) -> TestResponse:
        """Send it honestly, but for what is changed."""
        return self.browser.post(self.path, self.honest(**changed))

    def fill_in(self) -> TestResponse:
        """Open its page again and send it honestly; at an open door, somebody new does."""
        is_visitors = self.endpoint in OPEN_ENDPOINTS - STEPS
        browser = Browser(self.browser.app) if is_visitors else self.browser
        typed = {name: value for name, value in self.honest().items() if name != TOKEN}
        return browser.submit(self.page, "" if self.path == self.page else self.path, **typed)

    def send_from(self, origin: str) -> TestResponse:
        """Have a page of another site send it, with the right token even."""
        return self.browser.post(self.path, self.honest(), headers={"Origin": origin, "Referer": f"{origin}/"})

    def send_raw(self, name: str, value: bytes) -> TestResponse:
        """Send it honestly, but for one field whose bytes go over the wire as they are."""
        rest = urlencode({other: sent for other, sent in self.honest().items() if other != name}).encode()
        body = b"&".join(part for part in (rest, name.encode() + b"=" + value) if part)
        return self.browser.post(self.path, body, content_type=FORM_TYPE)


class Page(HTMLParser):
    """The forms, the links and the tags of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, Field]]] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self._select = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.tags.append((tag, tuple(values)))
        self.links += [values[name] for name in ("href", "src", "action") if name in values]
        if tag == "form" and values.get("method", "").lower() == "post":
            self.forms.append((values.get("action", ""), {}))
        if not self.forms:
            return
        fields = self.forms[-1][1]
        if "name" in values and tag in ("input", "select", "textarea", "button"):
            kind = values.get("type", "text") if tag == "input" else tag
            fields[values["name"]] = Field(kind, values.get("value", ""))
            self._select = values["name"] if tag == "select" else ""
        elif tag == "option" and self._select and not fields[self._select].value:
            fields[self._select].value = values.get("value", "")


@dataclass
class House:
    """A site that is lived in."""

    app: Flask
    visitor: Browser  # nobody; came with a provider that says they are Bob, who has not connected it
    alice: Browser  # signed in just now, also elsewhere, about to change her address, connected to Google
    bob: Browser  # somebody else, signed in
    leaver: Browser  # between the password and keeping the account
    carol: Browser  # signed in with a second factor, of which she has every kind, and has just shown the first again
    halfway: Browser  # between Carol's password and her second factor
    paths: dict[str, str] = field(default_factory=dict)  # one real path for each endpoint
    forms: dict[str, Form] = field(default_factory=dict)  # one real form for each endpoint that takes POST
    pages: dict[str, TestResponse] = field(default_factory=dict)  # what the walk saw, by path
    links: set[tuple[str, str]] = field(default_factory=set)  # page, address

    @property
    def everybody(self) -> tuple[Browser, ...]:
        """The browsers of all of them."""
        return (self.visitor, self.alice, self.bob, self.leaver, self.carol, self.halfway)

    def rules(self, method: str | None = None) -> list[Rule]:
        """The routes of people, all or those that take a method. Apps and providers have tests of their own."""
        every = self.app.url_map.iter_rules()
        pages = [r for r in every if not r.rule.startswith(API_PREFIX) and r.endpoint != "federation.events"]
        return [rule for rule in pages if method is None or method in (rule.methods or set())]

    def methods_at(self, rule: Rule) -> set[str]:
        """What may be done at the address of a route: another one may stand there for another method."""
        return {method for one in self.rules() if one.rule == rule.rule for method in one.methods or ()}

    def person_for(self, endpoint: str) -> Browser:
        """Who has business there."""
        if endpoint == "auth.keep_account":
            return self.leaver
        if endpoint in BETWEEN:
            return self.halfway
        if endpoint in OF_FACTORS:
            return self.carol
        return self.visitor if endpoint in OPEN_ENDPOINTS else self.alice

    def opened(self) -> Iterator[tuple[Rule, TestResponse]]:
        """Every route that takes GET, opened by somebody with business there."""
        for rule in self.rules("GET"):
            yield rule, self.person_for(rule.endpoint).get(self.paths[rule.endpoint], buffered=True)

    def everything_stored(self) -> dict[str, list[str]]:
        """Every row of every table and every entry of Redis, to see whether anything changed."""
        runtime = runtime_of(self.app)
        with runtime.engine.connect() as connection:
            stored = {
                table.name: sorted(map(repr, connection.execute(select(table))))
                for table in Base.metadata.sorted_tables
            }
        if runtime.settings.REDIS_URL:
            with Redis.from_url(runtime.settings.REDIS_URL) as redis:
                stored["redis"] = sorted(f"{key!r}: {redis.get(key)!r}" for key in redis.scan_iter())
        return stored


def house_of(app: Flask) -> House:
    """One in which nobody lives yet."""
    return House(app, *(Browser(app) for _ in range(6)))


def walk(house: House, mailed: list[str], further: list[tuple[str, Browser]]) -> None:
    """Fill in paths, forms, pages and links: from what needs no argument, from mails, from what these lead to, and
    from further pages as somebody else sees them.
    """
    adapter = house.app.url_map.bind("")

    def note(path: str, method: str = "GET") -> str | None:
        try:
            endpoint, _ = adapter.match(urlsplit(path).path, method=method)
        except HTTPException:
            return None
        house.paths.setdefault(str(endpoint), path)
        return str(endpoint)

    plain = [rule.rule for rule in house.rules("GET") if not rule.arguments]
    usual = [(path, None) for path in dict.fromkeys([*plain, *mailed])]
    for path, somebody in [*usual, *further]:
        endpoint = note(path)
        browser = somebody or house.person_for(str(endpoint))
        answer = house.pages[path] = browser.get(path)
        page = Page(answer.text if answer.mimetype == "text/html" else "")
        house.links |= {(path, link) for link in [*page.links, *answer.headers.getlist("Location")]}
        for link in page.links:
            note(link)
        forms = [Form("", action or path, path, browser, fields) for action, fields in page.forms]
        for form in sorted(forms, key=lambda form: not form.typed):  # of two ways to the same door, the one by hand
            form.endpoint = note(form.path, "POST") or ""
            if form.endpoint:
                house.forms.setdefault(form.endpoint, form)
    without = {rule.endpoint for rule in house.rules()} - set(house.paths)
    assert without == set(), "nothing leads there: no link, no form, no mail"
    without = {rule.endpoint for rule in house.rules("POST")} - set(house.forms)
    assert without == set(), "takes POST, and no page has a form for it"


def put_in_googles_place(app: Flask, provider: LyingProvider) -> None:
    """Have a site that is set up for Google find `provider` there, whatever its own address is."""
    runtime = runtime_of(app)
    public_url, google = runtime.settings.PUBLIC_URL, runtime.relying_parties["google"].config
    redirect_uris = (f"{public_url}/login/google/callback",)
    provider.clients = {
        google.client_id: replace(
            provider.client, client_id=google.client_id, secret=google.client_secret, redirect_uris=redirect_uris
        )
    }
    config = replace(google, metadata_url=provider.metadata_url)
    cast(dict[str, RelyingParty], runtime.relying_parties)["google"] = RelyingParty(config, public_url)


def meet_the_provider(house: House, provider: LyingProvider) -> str:
    """Alice connects the account that she has there; a visitor comes with Bob's address. Gives Alice's way back."""
    public_url = house.visitor.base_url
    back = provider.approve(house.alice.submit(CONNECTIONS, LINK).headers["Location"], GMAIL).removeprefix(public_url)
    assert house.alice.get(back).location == CONNECTIONS
    away = house.visitor.submit("/login", START).headers["Location"]
    asked = house.visitor.get(provider.approve(away, somebody_else(BOB_NOW)).removeprefix(public_url))
    assert asked.location == f"{START}/connect"
    return back


def offer_to_sign_in_by_mail(app: Flask) -> None:
    """As the setting does."""
    runtime = runtime_of(app)
    settings = runtime.settings.model_copy(update={"MAILED_SIGN_IN": True})
    app.extensions["runtime"] = replace(runtime, settings=settings)
    app.jinja_env.globals["mailed_sign_in"] = True


def set_factors_up(house: House) -> None:
    """Carol gets one of every kind, and trusts her browser. Somebody who knows her password gets as far as it takes."""
    phone, _ = with_totp_and_codes(house.app, CAROL)
    soft_key(house.app).belongs_to(Rows(house.app), CAROL)
    house.carol.sign_in(CAROL)
    assert verify(house.carol, phone.fresh_code(), trust="y").status_code == 303
    assert house.carol.submit("/reauthenticate", password=PASSWORD).location == "/reauthenticate/verify"
    assert house.halfway.sign_in(CAROL).location == VERIFY


def lived_in(app: Flask, new_user: Callable[..., str], provider: LyingProvider) -> House:
    """A house, walked through."""
    offer_to_sign_in_by_mail(app)
    put_in_googles_place(app, provider)
    mailbox = Mailbox(app)
    for email in (ALICE, BOB, LEAVER, CAROL):
        new_user(email, name=email.partition("@")[0].title())
    house = house_of(app)
    house.visitor.submit("/register", email=FRESH, password=PASSWORD, name="Fresh")
    house.visitor.submit("/password/forgot", email=ALICE)
    house.bob.sign_in(BOB)
    house.bob.submit("/account/email", email=BOB_NOW)
    house.bob.submit(mailbox.link(BOB_NOW, "/email/confirm/"))
    Browser(app).sign_in(ALICE)
    house.alice.sign_in(ALICE)
    house.alice.submit("/account/email", email="alice@example.org")
    house.leaver.sign_in(LEAVER)
    house.leaver.submit("/account/data", "/account/data/delete")
    house.leaver.sign_in(LEAVER)
    set_factors_up(house)
    house.visitor.submit("/login/mail", email=ALICE)
    back = meet_the_provider(house, provider)
    link = re.compile(re.escape(house.visitor.base_url) + r"(/\S+)")
    newest_first = reversed(mailbox.mails())  # the newest link of each kind is the one that works
    mailed = [path for mail in newest_first for path in link.findall(text_of(mail))]
    further = [(back, house.alice), (f"{START}/connect", house.visitor), (CONNECTIONS, house.bob)]
    carols = (SECURITY, f"{SECURITY}/passkeys", "/reauthenticate")
    walk(house, mailed, [*further, *((path, house.carol) for path in carols)])
    return house


@pytest.fixture
def house(app: Flask, new_user: Callable[..., str], provider: LyingProvider) -> House:
    """A site that is lived in, and what there is to open and to fill in."""
    return lived_in(app, new_user, provider)
