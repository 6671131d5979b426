"""People who came to the household with a provider: just arrived, connected, shut out, and asked who they are."""

from dataclasses import replace

from flask import Flask, request

from stand_in.people import Person
from tests.browser.providers import Providers
from tests.people import PASSWORD, Browser, Mailbox
from tests.providers.lying import LyingProvider
from tests.rows import Rows
from webapp import clock, errors
from webapp.errors import DomainError
from webapp.models import Identity

START, CONNECTIONS, CALLBACK = "/login/{}", "/account/connections", "/login/{}/callback"
NAMES = {"en": ("Gwen Mailer", "example.com"), "ko": ("김서연", "example.kr")}
LONG = "the.address.of.somebody.who.never.found.a.shorter.one@mail.mail.mail.mail.mail.example.com"
_REFUSALS = {
    kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DomainError)
}


def trouble() -> None:
    """The page for any refusal on the way to a provider and back: ?trouble=CODE&intent=INTENT."""
    told = request.args
    if request.endpoint == "federation.callback" and "trouble" in told:
        raise _REFUSALS[told["trouble"]](
            **{name: told[name] for name in ("intent", "next_path", "way_back") if name in told}
        )


class Newcomers:
    """Has them come to a site that knows these providers."""

    def __init__(self, app: Flask, providers: Providers, language: str) -> None:
        self._app, self._mailbox, self._language = app, Mailbox(app), language
        self._providers = {"google": providers.google, "acme": providers.acme}
        self._name, self._domain = NAMES[language]

    def come(self) -> dict[str, Browser]:
        """Their browsers, by what the tour calls them."""
        return {
            "welcomed": self._welcomed(),
            "linked": self._linked(),
            "linked-twice": self._linked_twice(),
            "blocked": self._blocked(),
            "asked": self._asked(),
            "asked-without-password": self._asked_without_password(),
            "asked-here": self._asked_here(),
        }

    def _welcomed(self) -> Browser:
        """Made just now, without a password."""
        browser = self._browser()
        self._sign_in(browser, self._person("gwen"))
        return browser

    def _linked(self) -> Browser:
        """With a password, and connected under another address that is far too long."""
        browser = self._member("linked")
        self._link(browser, "google", replace(self._person("private"), email=LONG))
        browser.get(CONNECTIONS)  # where the message of the page before is told, once
        return browser

    def _linked_twice(self) -> Browser:
        browser = self._member("twice")
        self._link(browser, "google", self._person("twice"))
        self._link(browser, "acme", self._person("twice"))
        return browser

    def _blocked(self) -> Browser:
        """Whose account at the provider is in the wrong hands."""
        browser, person = self._member("blocked"), self._person("blocked")
        self._link(browser, "google", person)
        browser.get(CONNECTIONS)
        Rows(self._app).set(Identity, {"subject": person.sub}, blocked_at=clock.now())
        return browser

    def _asked(self) -> Browser:
        """Came with an address that has an account here."""
        self._member("asked")
        browser = self._browser()
        self._sign_in(browser, self._person("asked"))
        return browser

    def _asked_without_password(self) -> Browser:
        """The same, where only another provider opens the account."""
        self._sign_in(self._browser(), self._person("other"), "acme")
        browser = self._browser()
        self._sign_in(browser, self._person("other"))
        return browser

    def _asked_here(self) -> Browser:
        """The same, and signed in to that account by now."""
        member, browser = self._member("here"), self._browser()
        self._sign_in(browser, self._person("here"))
        del member
        browser.sign_in(self._person("here").email)
        return browser

    def _person(self, local_part: str) -> Person:
        return Person(
            sub=f"{local_part}-{self._language}",
            email=f"{local_part}@{self._domain}",
            name=self._name,
            locale=self._language,
        )

    def _member(self, local_part: str) -> Browser:
        """Somebody with a password, signed in."""
        email, browser = self._person(local_part).email, self._browser()
        assert browser.submit("/register", email=email, password=PASSWORD, name=self._name).status_code == 200
        browser.submit(self._mailbox.link(email, "/verify-email/"))
        assert browser.is_signed_in
        return browser

    def _sign_in(self, browser: Browser, person: Person, name: str = "google") -> None:
        self._go(browser, "/login", START.format(name), person, name)

    def _link(self, browser: Browser, name: str, person: Person) -> None:
        self._go(browser, CONNECTIONS, f"{CONNECTIONS}/{name}/link", person, name)

    def _go(self, browser: Browser, page: str, action: str, person: Person, name: str) -> None:
        provider: LyingProvider = self._providers[name]
        away = browser.submit(page, action).headers["Location"]
        back = provider.approve(away, person).removeprefix(browser.base_url)
        assert browser.get(back).status_code == 303

    def _browser(self) -> Browser:
        return Browser(self._app, language=self._language)
