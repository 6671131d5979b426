"""A site with people living in it, so that every page has something to show: busy, empty, and far too long."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine
from flask import Flask, Response, request

from tests.browser.keepers import Keepers
from tests.browser.newcomers import Newcomers, trouble
from tests.browser.providers import Providers
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.servers.site import LiveSite
from webapp import create_app
from webapp.extensions import db
from webapp.http.error_pages import refusal
from webapp.policy.sign_in import SUSPICIOUS_FROM
from webapp.services.account_deletion import delete_due_accounts
from webapp.services.client import Client
from webapp.services.passwords import verify_password
from webapp.services.sign_in import start_sign_in
from webapp.settings import Settings

REFUSED = "/refused/"  # and a status: the page for it, at the household's own application
WINDOWS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1"
)
IPAD = (
    "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.7 Mobile/15E148 Safari/604.1"
)
LINUX = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
LONG_AGENT = "TheVeryLongNamedAppOfSomebodyElse-Edition/1.0 (kiosk)"
LONG_IP = "2001:db8:1234:5678:9abc:def0:1234:5678"


@dataclass(frozen=True)
class Names:
    """What the people of one household are called."""

    main: str
    address: str
    domain: str
    app: str
    long: str


NAMES = {
    "en": Names(
        main="Alice Fletcher",
        address="alice@example.com",
        domain="example.com",
        app="Doorway for Android",
        long="Wolfeschlegelsteinhausenbergerdorff Featherstonehaugh-Cholmondeley of Llanfairpwllgwyngyllgogerychwyrn",
    ),
    "ko": Names(
        main="김하늘",
        address="haneul@example.kr",
        domain="example.kr",
        app="안드로이드용 도어웨이",
        long="황금독수리온세상을놀라게하다 박하늘별님구름햇님보다사랑스러우리 "
        "독고오직하느님나라의빛과소금이되기를바라는사람의아주긴이름입니다",
    ),
}


@dataclass
class Household:
    """The people of one language: the cookies of their browsers, and the links in their mails."""

    app: Flask
    names: Names
    cookies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)

    def keep(self, person: str, browser: Browser) -> None:
        """Take a browser's cookies along."""
        kept = ("session", "visitor", "device", "lang", "link-offer", "trust", "mailed-sign-in")
        self.cookies[person] = [
            {"name": name, "value": value, "url": named(browser.base_url), "httpOnly": True, "sameSite": "Lax"}
            for name in kept
            if (value := browser.cookie(name)) is not None
        ]


def named(url: str) -> str:
    """The same site by a name: browsers make no passkeys for an address in numbers."""
    return url.replace("127.0.0.1", "localhost")


@contextmanager
def settled(site: LiveSite, providers: Providers, language: str) -> Iterator[Household]:
    """Let people move in at a site, which knows these providers, and live there for some weeks."""
    # The same settings in this process: days pass here as fast as one wants.
    environment = site.environment | {"LOG_LEVEL": "ERROR", "RATELIMIT_ENABLED": "1"}
    values = {name: value for name, value in environment.items() if name in Settings.model_fields}
    app = create_app(Settings.checked(**values))
    app.before_request(_refuse_on_request)
    app.before_request(trouble)
    household = Household(app, NAMES[language])
    site.stop()  # its housekeeping would throw out who, by its clock, came weeks ago and has not confirmed since
    _Mover(household, language).move_everybody_in()
    for person, browser in Newcomers(app, providers, language).come().items():
        household.keep(person, browser)
    keepers = Keepers(app, language)
    for person, browser in keepers.come().items():
        household.keep(person, browser)
    household.links["mailed"] = keepers.mailed_link
    site.start()
    yield household
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _refuse_on_request() -> Response | None:
    """The page that is shown only when something is broken, without breaking anything."""
    status = request.path.removeprefix(REFUSED)
    if status == request.path:
        return None
    return refusal(int(status), retry_after=timedelta(minutes=14) if status == "429" else None)


class _Mover:
    def __init__(self, household: Household, language: str) -> None:
        self.household, self.language = household, language
        self.app, self.names = household.app, household.names
        self.mailbox = Mailbox(self.app)

    def move_everybody_in(self) -> None:
        self._busy()
        self._far_too_long()
        self._just_arrived()
        self._unconfirmed()
        self._leaving()
        self._moved()
        self._sent_away()
        self._gone()

    def _busy(self) -> None:
        """Signed in everywhere, with a long log and a change of address under way."""
        email = self.names.address
        with _days_ago(41):
            windows = self._join(email, self.names.main)
        with _days_ago(30, hours=3):
            self.household.links["used"] = self._reset(windows, email, NEW_PASSWORD)
        with _days_ago(12, hours=2):
            self._browser(IPHONE, "203.0.113.24").sign_in(email, NEW_PASSWORD, remember="y")
        with _days_ago(6, hours=5):
            self._sign_app_in(email, NEW_PASSWORD)
        with _days_ago(3, hours=7):
            self._browser(IPAD, "2001:db8:77:1::5").sign_in(email, NEW_PASSWORD, remember="y")
            linux = self._browser(LINUX, "192.0.2.140")
            for _ in range(7):
                linux.sign_in(email, NEW_PASSWORD)
                linux.sign_out()
        with _days_ago(1, hours=4):
            for number in range(SUSPICIOUS_FROM):
                linux.sign_in(email, f"the summer holiday of 20{number:02}")
            linux.sign_in(email, NEW_PASSWORD, remember="y")
        windows.sign_in(email, NEW_PASSWORD)
        new_address = f"new.{email}"
        windows.submit("/account/email", email=new_address)
        windows.get("/account/email")  # where the message of the page before is told, once
        self.household.links["confirm"] = self.mailbox.link(new_address, "/email/confirm/")
        self._browser(WINDOWS).submit("/password/forgot", email=email)
        self.household.links["reset"] = self.mailbox.link(email, "/password/reset/")
        self.household.keep("busy", windows)

    def _far_too_long(self) -> None:
        email = f"{'a.very.long.name.of.a.mailbox' + '.more' * 6:.64}@{'mail.' * 20}{self.names.domain}"
        browser = self._join(email, self.names.long[:100], ip=LONG_IP)
        self._browser(LONG_AGENT, LONG_IP).sign_in(email, PASSWORD)
        browser.submit("/account/email", email=f"new.{email[3:]}")
        browser.get("/account/email")  # where the message of the page before is told, once
        self.household.keep("long", browser)

    def _just_arrived(self) -> None:
        self.household.keep("new", self._join(f"new@{self.names.domain}", ""))

    def _unconfirmed(self) -> None:
        email = f"jo@{self.names.domain}"
        self._browser(WINDOWS).submit("/register", email=email, password=PASSWORD, name=self.names.main)
        self.household.links["verify"] = self.mailbox.link(email, "/verify-email/")

    def _leaving(self) -> None:
        email = f"leaving@{self.names.domain}"
        browser = self._join(email, "")
        browser.submit("/account/data", "/account/data/delete")
        browser.sign_in(email)
        self.household.keep("leaving", browser)

    def _moved(self) -> None:
        before, after = f"before@{self.names.domain}", f"after@{self.names.domain}"
        browser = self._join(before, "")
        browser.submit("/account/email", email=after)
        browser.submit(self.mailbox.link(after, "/email/confirm/"))
        self.household.links["undo"] = self.mailbox.link(before, "/email/undo/")

    def _sent_away(self) -> None:
        """A browser that was signed out from another one, and has not heard of it yet."""
        email = f"away@{self.names.domain}"
        browser = self._join(email, "")
        other = self._browser(IPHONE)
        other.sign_in(email)
        other.submit("/account/sessions", "/account/sessions/revoke-others")
        self.household.keep("away", browser)

    def _gone(self) -> None:
        """Nobody to meet: only the mails that are left of them."""
        with _days_ago(9):
            self._join(f"gone@{self.names.domain}", "").submit("/account/data", "/account/data/delete")
        self._join(f"wary@{self.names.domain}", "").submit("/account/activity", "/account/activity/not-me")
        with self.app.app_context():
            delete_due_accounts(limit=10)
        self._browser(WINDOWS).submit("/register", email=self.names.address, password=PASSWORD, name="Mallory")

    def _browser(self, user_agent: str, ip: str = "203.0.113.7") -> Browser:
        return Browser(self.app, user_agent=user_agent, ip=ip, language=self.language)

    def _join(self, email: str, name: str, ip: str = "203.0.113.7") -> Browser:
        browser = self._browser(WINDOWS, ip)
        assert browser.submit("/register", email=email, password=PASSWORD, name=name).status_code == 200
        browser.submit(self.mailbox.link(email, "/verify-email/"))
        assert browser.is_signed_in
        return browser

    def _reset(self, browser: Browser, email: str, password: str) -> str:
        browser.submit("/password/forgot", email=email)
        link = self.mailbox.link(email, "/password/reset/")
        assert browser.submit(link, password=password).status_code == 303
        return link

    def _sign_app_in(self, email: str, password: str) -> None:
        """An app, which shows no pages."""
        client = Client(ip="203.0.113.24", user_agent="okhttp/5.1.0", device_name=self.names.app)
        with self.app.app_context():
            proof = verify_password(email, password, client)
            start_sign_in(proof, client, kind="api", persistent=True)


def _days_ago(days: int, hours: int = 0) -> time_machine.travel:
    return time_machine.travel(datetime.now(UTC) - timedelta(days=days, hours=hours), tick=True)
