"""Passkeys in a real browser, whose authenticator is Chromium's virtual one."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import uuid4

import pyotp
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, CDPSession, Page, Request, expect

from tests.browser.conftest import PHONE, NewContext
from tests.browser.test_pages import RUN_AXE, STICKING_OUT
from tests.people import PASSWORD
from tests.servers.site import LiveSite

LIST = "/account/security/passkeys"
SUBMIT = "main form:not([action]) button[type=submit]"
PASSKEY = "form[data-passkey] button"
SAID = "form[data-passkey] [role=alert]"
WITHOUT_AUTOFILL = """if (typeof PublicKeyCredential === "function")
    PublicKeyCredential.isConditionalMediationAvailable = async () => false;"""
EARLIER = """UPDATE login_sessions SET auth_time = datetime(auth_time, '-11 minutes') || '.000000'
    WHERE user_id = (SELECT id FROM users WHERE email_key = ?)"""
DEVICE = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@dataclass
class Device:
    """The authenticator of one page, and what its owner does with it."""

    cdp: CDPSession
    id: str

    def verifies(self, is_owner: bool) -> None:
        """Whether the finger on it is its owner's."""
        self.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": self.id, "isUserVerified": is_owner})

    def is_touched(self, is_touched: bool) -> None:
        """Whether somebody touches it whenever it asks."""
        told = {"authenticatorId": self.id, "enabled": is_touched}
        self.cdp.send("WebAuthn.setAutomaticPresenceSimulation", told)

    @property
    def passkeys(self) -> list[dict[str, Any]]:
        """What it keeps."""
        found: list[dict[str, Any]] = self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})[
            "credentials"
        ]
        return found


@dataclass
class Person:
    """Somebody with an account, at a page of the site by its name."""

    page: Page
    device: Device
    email: str
    errors: list[str]

    def sign_in(self) -> None:
        """By the password."""
        self.page.goto("/login")
        self.page.fill("[name=email]", self.email)
        self.page.fill("[name=password]", PASSWORD)
        self.page.click(SUBMIT)

    def sign_out(self) -> None:
        """By the button on every page."""
        self.page.locator("header form[action='/logout'] button").click()
        self.page.wait_for_url("**/")

    def add_passkey(self, name: str = "") -> None:
        """On the page for it."""
        self.page.goto(LIST)
        self.page.fill("form[data-passkey] [name=name]", name)
        self.page.click(PASSKEY)
        expect(self.page.locator(".notice-success")).to_have_text("The passkey was added.")

    def use_passkey(self) -> None:
        """By its button."""
        self.page.click(PASSKEY)

    def stands_at(self, path: str) -> None:
        """Wait for the page, by its path."""
        self.page.wait_for_url(lambda url: urlsplit(url).path == path)


NewPerson = Callable[..., Person]


@pytest.fixture
def new_person(new_context: NewContext, live_site: LiveSite) -> NewPerson:
    """Makes people: new_person(autofill=False). No promise of their pages may be rejected without anybody listening."""
    named = live_site.url.replace("127.0.0.1", "localhost")

    def make(*, autofill: bool = True, **options: Any) -> Person:
        context = new_context(base_url=named, **options)
        if not autofill:
            context.add_init_script(WITHOUT_AUTOFILL)
        page = context.new_page()
        device = plug_in(context, page)
        email = f"{uuid4().hex}@example.com"
        with live_site.next_mail(email) as mail:
            page.goto("/register")
            page.fill("[name=email]", email)
            page.fill("[name=password]", PASSWORD)
            page.click(SUBMIT)
        page.goto(urlsplit(mail.link).path)
        page.click(SUBMIT)
        person = Person(page, device, email, [])
        page.on("pageerror", lambda error: person.errors.append(str(error)))
        person.stands_at("/account")
        return person

    return make


def plug_in(context: BrowserContext, page: Page, **options: Any) -> Device:
    """Give a page an authenticator."""
    cdp = context.new_cdp_session(page)
    cdp.send("WebAuthn.enable", {"enableUI": False})
    told = cdp.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE | options})
    return Device(cdp, told["authenticatorId"])


@pytest.fixture
def person(new_person: NewPerson) -> Iterator[Person]:
    """One of them, signed in, whose sign-in page offers nothing by itself."""
    made = new_person(autofill=False)
    yield made
    assert made.errors == []


@pytest.mark.asvs("6.5.7")
def test_a_passkey_is_added_and_signs_in_by_its_button(person: Person) -> None:
    person.add_passkey("My laptop")
    person.stands_at("/account/security/recovery-codes")
    assert len(person.device.passkeys) == 1
    assert person.device.passkeys[0]["rpId"] == "localhost"
    person.sign_out()
    person.page.goto("/login?next=/account/sessions")
    person.use_passkey()
    person.stands_at("/account/sessions")
    expect(person.page.locator("main .rows > li").first).to_contain_text("Passkey")
    person.page.goto(LIST)
    row = person.page.locator("main .rows > li")
    expect(row.locator("h2")).to_contain_text("My laptop")
    expect(row).not_to_contain_text("not yet")


def test_the_field_for_the_address_offers_it(new_person: NewPerson) -> None:
    """Autofill, as far as a virtual authenticator goes: whatever is offered is taken at once."""
    person = new_person()
    person.add_passkey()
    person.sign_out()
    person.page.goto("/login")
    person.stands_at("/account")
    assert person.errors == []


def test_what_is_offered_is_renewed_before_its_challenge_is_too_old(new_person: NewPerson) -> None:
    person = new_person()
    person.add_passkey()
    person.device.is_touched(False)
    person.sign_out()
    person.page.clock.install()
    with person.page.expect_request("**/login/passkey"):
        person.page.goto("/login")
    for is_touched in (False, False, True):
        person.device.is_touched(is_touched)
        with person.page.expect_request("**/login/passkey"):
            person.page.clock.fast_forward(4 * 60 * 1000)
    person.stands_at("/account")
    assert person.errors == []


def test_the_button_takes_over_from_what_is_offered_and_gives_it_back(new_person: NewPerson) -> None:
    person = new_person()
    person.add_passkey()
    person.device.is_touched(False)
    person.sign_out()
    person.page.goto("/login")
    person.device.verifies(False)
    person.device.is_touched(True)
    asked: list[Request] = []

    def is_second(request: Request) -> bool:
        asked.extend([request] if request.url.endswith("/login/passkey") else [])
        return len(asked) == 2

    with person.page.expect_request(is_second):
        person.use_passkey()
        expect(person.page.locator(SAID)).to_have_text("No passkey was used. You can try again, or use another way.")
    assert person.errors == []


def test_it_is_a_second_factor_after_the_password(person: Person) -> None:
    person.add_passkey()
    person.sign_out()
    person.sign_in()
    person.stands_at("/login/verify")
    person.use_passkey()
    person.stands_at("/account")


def test_it_proves_again_who_one_is(person: Person) -> None:
    person.add_passkey()
    person.page.goto("/reauthenticate?next=/account/email")
    person.use_passkey()
    person.stands_at("/account/email")


def test_it_is_renamed_and_removed(person: Person) -> None:
    person.add_passkey("Before")
    person.page.goto(LIST)
    row = person.page.locator("main .rows > li")
    row.locator("summary").click()
    row.locator("[name=name]").fill("After")
    row.locator("form[action$=rename] button").click()
    expect(person.page.locator(".notice-success")).to_have_text("Saved.")
    expect(row.locator("h2")).to_contain_text("After")
    row.locator("form[action$=remove] button").click()
    expect(person.page.locator(".notice-success")).to_have_text("The passkey was removed.")
    expect(row).to_have_count(0)
    person.sign_out()
    person.page.goto("/login")
    person.use_passkey()  # the device still has it
    expect(person.page.locator(".notice-error")).to_contain_text("That passkey did not work here.")
    person.stands_at("/login")


def test_the_same_device_makes_no_second_one(person: Person) -> None:
    person.add_passkey()
    person.page.goto(LIST)
    person.use_passkey()
    expect(person.page.locator(SAID)).to_have_text("This device has a passkey for this account already.")
    assert len(person.device.passkeys) == 1


def test_whoever_cannot_unlock_it_is_told_and_may_try_again(person: Person) -> None:
    person.add_passkey()
    person.sign_out()
    person.page.goto("/login")
    person.device.verifies(False)
    button = person.page.locator(PASSKEY)
    button.press("Enter")
    expect(person.page.locator(SAID)).to_have_text("No passkey was used. You can try again, or use another way.")
    expect(button).to_be_focused()
    expect(button).to_have_accessible_description("No passkey was used. You can try again, or use another way.")
    assert button.get_attribute("aria-busy") is None
    person.stands_at("/login")
    person.device.verifies(True)
    button.press("Enter")
    person.stands_at("/account")


def test_a_button_that_is_pressed_twice_asks_once(person: Person) -> None:
    person.add_passkey()
    person.sign_out()
    asked: list[str] = []
    person.page.on("request", lambda request: asked.append(f"{request.method} {urlsplit(request.url).path}"))
    person.page.goto("/login")
    person.page.locator(PASSKEY).dblclick()
    person.stands_at("/account")
    assert asked.count("GET /login/passkey") == 1
    assert asked.count("POST /login/passkey") == 1


def test_without_a_network_the_page_says_so_and_goes_on(person: Person) -> None:
    person.add_passkey()
    person.sign_out()
    person.page.goto("/login")
    person.page.route("**/login/passkey", lambda route: route.abort())
    person.use_passkey()
    expect(person.page.locator(SAID)).to_have_text("That did not work. Please try again, or use another way.")
    person.page.unroute("**/login/passkey")
    person.use_passkey()
    person.stands_at("/account")


def test_where_the_sign_in_is_too_old_the_button_leads_to_proving_it_again(person: Person, live_site: LiveSite) -> None:
    person.page.goto(LIST)
    with closing(sqlite3.connect(live_site.instance / "app.db", timeout=60)) as database, database:
        database.execute(EARLIER, (person.email,))
    person.use_passkey()
    person.stands_at("/reauthenticate")
    person.page.fill("[name=password]", PASSWORD)
    person.page.click(SUBMIT)
    person.stands_at(LIST)
    person.use_passkey()
    expect(person.page.locator(".notice-success")).to_have_text("The passkey was added.")


def test_a_sign_in_that_began_too_long_ago_begins_anew(person: Person) -> None:
    person.add_passkey()
    person.sign_out()
    person.sign_in()
    person.stands_at("/login/verify")
    person.page.context.clear_cookies(name="visitor")
    person.use_passkey()
    expect(person.page.locator("h1")).not_to_have_text("One more step")


def test_an_app_and_a_passkey_stand_side_by_side(person: Person) -> None:
    person.add_passkey()
    person.page.goto("/account/security/totp")
    totp = pyotp.TOTP(person.page.locator("code.secret").inner_text())
    person.page.fill("[name=code]", totp.now())
    person.page.click(SUBMIT)
    person.stands_at("/account/security/recovery-codes")
    person.sign_out()
    person.sign_in()
    person.stands_at("/login/verify")
    expect(person.page.locator("main [name=code]")).to_be_visible()
    person.use_passkey()
    person.stands_at("/account")


def test_by_its_address_in_numbers_the_page_says_where_the_site_has_a_name(
    new_context: NewContext, live_site: LiveSite
) -> None:
    email = f"{uuid4().hex}@example.com"
    page = new_context().new_page()
    with live_site.next_mail(email) as mail:
        page.goto("/register")
        page.fill("[name=email]", email)
        page.fill("[name=password]", PASSWORD)
        page.click(SUBMIT)
    page.goto(mail.link)
    page.click(SUBMIT)
    page.goto(LIST)
    expect(page.locator(PASSKEY)).to_be_hidden()
    expect(page.locator("[data-passkey-unable]")).to_be_hidden()
    note = page.locator("[data-passkey-unnamed]")
    expect(note).to_contain_text("Browsers make no passkeys for an address in numbers.")
    note.locator("a").click()
    page.wait_for_url(lambda url: url.startswith(f"{live_site.url.replace('127.0.0.1', 'localhost')}/login?next="))
    expect(page.locator(PASSKEY)).to_be_visible()


def test_without_javascript_the_other_ways_are_there(new_context: NewContext, live_site: LiveSite) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto("/login")
    expect(page.locator(PASSKEY)).to_be_hidden()
    expect(page.locator("main [name=password]")).to_be_visible()


def test_a_browser_that_knows_no_passkeys_says_so(person: Person) -> None:
    person.page.add_init_script("delete globalThis.PublicKeyCredential;")
    person.page.goto(LIST)
    expect(person.page.locator(PASSKEY)).to_be_hidden()
    expect(person.page.locator("[data-passkey-unable]")).to_be_visible()
    person.sign_out()
    person.page.goto("/login")
    expect(person.page.locator(PASSKEY)).to_be_hidden()
    expect(person.page.locator("main [name=password]")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_pages_are_sound_for_everybody(person: Person, scheme: Literal["light", "dark"]) -> None:
    page = person.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size(PHONE)
    faults: list[str] = []

    def look() -> None:
        page.evaluate(AXE_SCRIPT)
        faults.extend([*page.evaluate(RUN_AXE, {}), *page.evaluate(STICKING_OUT)])

    page.goto(LIST)
    look()
    person.add_passkey("A name that is as long as names of passkeys can get, or longer")
    page.goto(LIST)
    page.locator("main summary").click()
    person.use_passkey()
    expect(page.locator(SAID)).not_to_be_empty()
    look()
    person.sign_out()
    person.sign_in()
    person.stands_at("/login/verify")
    look()
    assert faults == []
