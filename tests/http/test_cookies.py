"""The cookies of the whole site, as browsers get them over https, and as forgers send them back."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import time_machine
from flask import Flask

from tests.asvs.documents import DATA, name, table
from tests.conftest import GOOGLE, NewApp
from tests.people import NEW_PASSWORD, Browser, Mailbox, runtime_of
from tests.rows import Rows, on_sqlite
from tests.whole_site import ALICE, LEAVER, House
from webapp import clock
from webapp.http.redirects import MAX_TARGET
from webapp.http.visitor_cookie import VISITOR_BAG_LIFE, VisitorCookie
from webapp.policy.one_time import LIFE, Purpose
from webapp.settings import Settings

pytestmark = on_sqlite

NAMES = {f"__Host-{name(row['cookie'])}" for row in table(DATA, "Cookies")}


@dataclass
class Wire:
    """What went over the wire: every cookie that was set, every other byte that came back, every address."""

    cookies: list[str] = field(default_factory=list)
    rest: list[str] = field(default_factory=list)

    def listening(self, inner: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def app(environ: dict[str, object], start_response: Callable[..., object]) -> Iterator[bytes]:
            def start(status: str, headers: list[tuple[str, str]], *more: object) -> object:
                self.cookies += [value for key, value in headers if key == "Set-Cookie"]
                self.rest += [f"{key}: {value}" for key, value in headers if key != "Set-Cookie"]
                return start_response(status, headers, *more)

            self.rest.append(f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}")
            body = b"".join(inner(environ, start))
            self.rest.append(body.decode("utf-8", "replace"))
            return iter([body])

        return app

    def values(self, cookie: str) -> set[str]:
        return {one.split(";")[0].partition("=")[2] for one in self.cookies if one.startswith(cookie)}


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def app(new_app: NewApp, wire: Wire) -> Flask:
    """The site over https, overheard."""
    app = new_app(PUBLIC_URL="https://login.example.com", **GOOGLE)
    app.wsgi_app = wire.listening(app.wsgi_app)
    return app


def attributes(cookie: str) -> set[str]:
    return {part.strip() for part in cookie.split(";")[1:]}


@pytest.mark.asvs("3.3.1", "3.3.2", "3.3.3", "3.3.4", "3.3.5", "14.2.1")
def test_every_cookie_of_every_journey_is_locked_to_this_host_and_hidden_from_scripts(house: House, wire: Wire) -> None:
    house.alice.submit("/account", name="앨리스", locale="ko")
    house.alice.submit("/account/password", current_password="seven quiet otters crossing", new_password=NEW_PASSWORD)
    house.alice.submit("/reauthenticate", password=NEW_PASSWORD)
    house.alice.sign_out()
    house.bob.submit("/account/data", "/account/data/delete")
    house.leaver.submit("/login/keep")
    house.visitor.get("/login?lang=ko")
    house.visitor.sign_in(ALICE, NEW_PASSWORD, remember="y")
    for cookie in wire.cookies:
        assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= attributes(cookie), cookie
        assert not any(attribute.startswith("Domain") for attribute in attributes(cookie)), cookie
        assert len(cookie.partition(";")[0]) < 4096
    assert {cookie.partition("=")[0] for cookie in wire.cookies} == NAMES
    assert "" in wire.values("__Host-session") & wire.values("__Host-visitor"), "deletions were among them"
    said = "\n".join(wire.rest)
    for kept in ("__Host-session", "__Host-device", "__Host-visitor"):
        secrets = wire.values(kept) - {""}
        assert len(secrets) >= 4
        assert [value for value in secrets if value in said] == [], kept


@pytest.mark.asvs("3.3.3")
@pytest.mark.parametrize(
    "spelled", ["session", "__host-session", "__HOST-session", "__Host-Session", "__Secure-session"]
)
def test_an_id_under_any_other_name_is_not_read(alice: str, browser: Browser, app: Flask, spelled: str) -> None:
    browser.sign_in(alice)
    value = browser.cookie("__Host-session")
    client, https = app.test_client(use_cookies=False), {"base_url": browser.base_url}
    assert client.get("/account", headers={"Cookie": f"__Host-session={value}"}, **https).status_code == 200
    for spelled in ("session", "__host-session", "__HOST-session", "__Host-Session", "__Secure-session"):
        assert client.get("/account", headers={"Cookie": f"{spelled}={value}"}, **https).status_code == 303


@pytest.mark.asvs("7.2.1")
def test_no_cookie_that_was_changed_or_made_up_opens_anything(alice: str, browser: Browser, app: Flask) -> None:
    browser.sign_in(alice)
    sid = browser.cookie("__Host-session") or ""
    (row,) = Rows(app).live(alice)
    flipped = [sid[:at] + ("A" if sid[at] != "A" else "B") + sid[at + 1 :] for at in (0, 10, 41)]
    (key,) = [text for table, text in Rows(app).texts() if table == "cookie_sessions" and len(text) == 64]
    for forged in [*flipped, sid.upper(), sid[:-1], sid + "A", str(row.id), str(row.user_id), key, key[:43]]:
        thief = Browser(app)
        thief.set_cookie("__Host-session", forged)
        assert not thief.is_signed_in, forged
    bag = {"_user_id": str(row.id)}
    own, other = runtime_of(app).settings, Settings.checked(SECRET_KEY="another key " * 4, APP_ENV="testing")
    for settings in (own, other):
        thief = Browser(app)
        thief.set_cookie("__Host-visitor", VisitorCookie(settings).seal(bag) or "")
        assert not thief.is_signed_in
    assert browser.is_signed_in


@pytest.mark.asvs("9.2.1")
def test_a_visitors_cookie_is_good_until_its_end_and_not_before_its_beginning(app: Flask) -> None:
    box, now = VisitorCookie(runtime_of(app).settings), clock.now()
    with time_machine.travel(now, tick=False):
        sealed = box.seal({"next": "/account"}) or ""
        assert box.open(sealed) == {"next": "/account"}
    for moment, is_good in ((VISITOR_BAG_LIFE, True), (VISITOR_BAG_LIFE + timedelta(seconds=1), False)):
        with time_machine.travel(now + moment, tick=False):
            assert (box.open(sealed) is not None) == is_good
    with time_machine.travel(now - timedelta(seconds=2), tick=False), app.test_request_context():
        assert box.open(sealed) is None


@pytest.mark.asvs("9.2.1")
def test_a_mailed_link_is_good_until_its_end(alice: str, browser: Browser, mailbox: Mailbox) -> None:
    now = clock.now().replace(microsecond=0)
    with time_machine.travel(now, tick=False):
        browser.submit("/password/forgot", email=alice)
    link, life = mailbox.link(alice, "/password/reset/"), LIFE[Purpose.RESET_PASSWORD]
    for moment, status in ((life - timedelta(seconds=1), 200), (life, 410), (life + timedelta(seconds=1), 410)):
        with time_machine.travel(now + moment, tick=False):
            assert browser.get(link).status_code == status


@pytest.mark.asvs("3.3.5")
def test_the_longest_next_does_not_push_the_sign_in_under_way_out_of_its_cookie(
    app: Flask, new_user: Callable[..., str]
) -> None:
    leaver, browser = new_user(LEAVER), Browser(app)
    for letter in ("a", "한", "%ED%95%9C"):
        browser.sign_in(leaver)
        browser.submit("/account/data", "/account/data/delete")
        target = "/account?" + letter * ((MAX_TARGET - 20) // len(letter))
        assert browser.sign_in(leaver, next=target).location == "/login/keep"
        assert len(f"__Host-visitor={browser.cookie('__Host-visitor')}") < 4096
        assert browser.submit("/login/keep").status_code == 303
        assert browser.sign_out().status_code == 303
