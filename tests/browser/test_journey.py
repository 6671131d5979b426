"""The whole life of an account through the real pages: with JavaScript in English, without it in Korean."""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass
from uuid import uuid4

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import NewContext
from tests.people import NEW_PASSWORD, PASSWORD
from tests.servers.site import LiveSite

SUBMIT = "main form:not([action]) button[type=submit]"
THIRD_PASSWORD = "nine sleepy badgers digging"


@dataclass(frozen=True)
class Words:
    """What a page has to say in one language for the test to believe it is that page."""

    locale: str
    confirm: str
    welcome: str
    ended: str
    changed: str
    gone: str
    kept: str


ENGLISH = Words("en-GB", "Confirm", "Welcome", "another device", "password was changed", "deleted on", "not be deleted")
KOREAN = Words("ko-KR", "인증", "환영", "다른 기기", "변경", "삭제", "삭제되지 않")


@pytest.mark.asvs("3.7.5", "14.3.3")
@pytest.mark.parametrize(
    ("has_script", "words"), [(True, ENGLISH), (False, KOREAN)], ids=["javascript_english", "no_javascript_korean"]
)
def test_an_account_lives_from_registration_to_deletion_and_back(
    new_context: NewContext, live_site: LiveSite, has_script: bool, words: Words
) -> None:
    options = {"java_script_enabled": has_script, "locale": words.locale}
    here, elsewhere = new_context(**options), new_context(**options)
    person = _Person(live_site, here.new_page(), words, f"{uuid4().hex}@example.com")
    person.register()
    person.end_session_on(elsewhere.new_page())
    person.reset_forgotten_password()
    person.change_password()
    person.change_address()
    person.take_data_along()
    person.leave()
    person.come_back()
    _holds_nothing_readable(here, person.email)
    assert person.page.locator("html").get_attribute("lang") == words.locale[:2]


class _Person:
    """Somebody at a browser, with a mailbox."""

    def __init__(self, site: LiveSite, page: Page, words: Words, email: str) -> None:
        self.site, self.page, self.words, self.email, self.password = site, page, words, email, PASSWORD

    def register(self) -> None:
        self.page.goto("/")
        self.page.click("main a[href='/register']")
        with self.site.next_mail(self.email) as mail:
            self._send(name="Jin", email=self.email, password=self.password)
            expect(self.page.locator(".address")).to_have_text(self.email)
        assert self.words.confirm in mail.subject
        self.page.goto(mail.link)
        self.page.click(SUBMIT)
        self._stands_at("/account", self.words.welcome)

    def end_session_on(self, other: Page) -> None:
        other.goto("/account/sessions")
        other.fill("[name=email]", self.email)
        other.fill("[name=password]", self.password)
        other.check("[name=remember]")
        other.click(SUBMIT)
        expect(other).to_have_url(f"{self.site.url}/account/sessions")
        self.page.click("a[href='/account/sessions']")
        expect(self.page.locator(".rows > li")).to_have_count(2)
        self.page.locator(".rows form[action*=revoke] button").click()
        expect(self.page.locator(".rows > li")).to_have_count(1)
        other.reload()
        expect(other).to_have_url(f"{self.site.url}/login?next=/account/sessions")
        expect(other.locator(".notice")).to_contain_text(self.words.ended)
        other.reload()
        expect(other.locator(".notice")).to_have_count(0)

    def reset_forgotten_password(self) -> None:
        self._sign_out()
        self.page.goto("/login")
        self.page.click("a[href='/password/forgot']")
        with self.site.next_mail(self.email, "/password/reset/") as mail:
            self._send(email=self.email)
            expect(self.page.locator(".address")).to_have_text(self.email)
        self.page.goto(mail.link)
        self.password = NEW_PASSWORD
        self._send(password=self.password)
        expect(self.page).to_have_url(f"{self.site.url}/login")
        self._sign_in()
        self._stands_at("/account")

    def change_password(self) -> None:
        self.page.click(".side-nav a[href='/account/password']")
        self._send(current_password=self.password, new_password=THIRD_PASSWORD)
        self.password = THIRD_PASSWORD
        self._stands_at("/account", self.words.changed)

    def change_address(self) -> None:
        old, new = self.email, f"new.{self.email}"
        self.page.click(".side-nav a[href='/account/email']")
        with self.site.next_mail(new) as asked:
            self._send(email=new)
            expect(self.page.locator(".notice", has_text=new).first).to_be_visible()
        expect(self.page.locator("main .panel .address")).to_have_text(old)
        self.page.goto(asked.link)
        with self.site.next_mail(old, "/email/undo/") as told:
            self.page.click(SUBMIT)
            self._stands_at("/account")
            expect(self.page.locator("main")).to_contain_text(new)
        assert "/email/undo/" in told.text
        self.email = new

    def take_data_along(self) -> None:
        self.page.goto("/account/data")
        with self.page.expect_download() as download:
            self.page.click("form[action$=export] button")
        assert download.value.suggested_filename == "account-data.json"
        assert json.loads(download.value.path().read_text())["account"]["email"] == self.email

    def leave(self) -> None:
        self.page.goto("/account/data")
        self.page.click("main summary")
        with self.site.next_mail(self.email):
            self.page.click("form[action$=delete] button")
            self._stands_at("/", self.words.gone)

    def come_back(self) -> None:
        self.page.goto("/login")
        self._sign_in()
        expect(self.page).to_have_url(f"{self.site.url}/login/keep")
        self.page.click(SUBMIT)
        self._stands_at("/account", self.words.kept)

    def _sign_in(self) -> None:
        self._send(email=self.email, password=self.password)

    def _sign_out(self) -> None:
        self.page.locator("header form[action='/logout'] button").click()
        expect(self.page).to_have_url(f"{self.site.url}/")

    def _send(self, **fields: str) -> None:
        for name, text in fields.items():
            self.page.fill(f"main [name={name}]", text)
        self.page.click(SUBMIT)

    def _stands_at(self, path: str, message: str = "") -> None:
        expect(self.page).to_have_url(f"{self.site.url}{path}")
        if message:
            expect(self.page.locator(".notice").first).to_contain_text(message)


def _holds_nothing_readable(context: BrowserContext, email: str) -> None:
    cookies = {cookie["name"]: cookie for cookie in context.cookies()}
    assert set(cookies) <= {"session", "visitor", "device", "lang"}
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in cookies.values())
    for cookie in cookies.values():
        value = cookie["value"].encode()
        readable = b"".join(urlsafe_b64decode(part + b"===") for part in value.split(b"."))
        assert email.encode() not in value + readable
    stored = context.storage_state(indexed_db=True)["origins"]
    assert stored == []
