"""People of the household with second factors: one kind, every kind, few codes left, and on their way in."""

from flask import Flask

from tests.factors import Phone, make_codes, set_up_totp, soft_key, verify
from tests.people import PASSWORD, Browser, Mailbox
from tests.rows import Rows
from webapp.models import Passkey, RecoveryCode

LONG_NAME = "The blue security key at the bottom of the second drawer, R"
OTHER_BROWSER = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.6 Mobile/15E148 Safari/604.1"
)


class Keepers:
    """Has them set their factors up."""

    def __init__(self, app: Flask, language: str) -> None:
        self._app, self._rows, self._mailbox, self._language = app, Rows(app), Mailbox(app), language
        self._domain = "example.kr" if language == "ko" else "example.com"
        self.mailed_link = ""

    def come(self) -> dict[str, Browser]:
        """Their browsers, by what the tour calls them."""
        guarded, phone = self._guarded()
        return {
            "guarded": guarded,
            "few": self._few(),
            "totp": self._totp(),
            "passkeys": self._passkeys(),
            "halfway": self._halfway("guarded"),
            "halfway-by-passkey": self._halfway("passkeys"),
            "proving": self._proving("guarded", phone),
            "mailed": self._mailed(),
        }

    def _guarded(self) -> tuple[Browser, Phone]:
        """Everything there is, and browsers that are trusted."""
        browser = self._member("guarded")
        phone = set_up_totp(browser)
        make_codes(browser)
        self._add_passkey("guarded", name="MacBook", synced=True)
        self._add_passkey("guarded", name=LONG_NAME, transports="usb")
        browser.sign_out()
        for where in (self._browser(OTHER_BROWSER), browser):
            self._pass_both(where, "guarded", phone, trust="y")
        return browser, phone

    def _few(self) -> Browser:
        """An app, and two codes that are left of ten."""
        browser = self._member("few")
        set_up_totp(browser)
        make_codes(browser)
        owner = {"user_id": self._rows.user(self._address("few")).id}
        for code in self._rows.all(RecoveryCode, **owner)[2:]:
            self._rows.set(RecoveryCode, {"code_hash": code.code_hash}, used_at=code.created_at)
        return browser

    def _totp(self) -> Browser:
        """An app, and nothing for the day it is lost."""
        browser = self._member("totp")
        set_up_totp(browser)
        browser.get("/account/security/recovery-codes")  # where the message of the page before is told, once
        return browser

    def _passkeys(self) -> Browser:
        """Passkeys alone."""
        browser = self._member("passkeys")
        self._add_passkey("passkeys", name="MacBook")
        return browser

    def _halfway(self, local_part: str) -> Browser:
        """Between the password and the second factor."""
        browser = self._browser()
        browser.sign_in(self._address(local_part))
        return browser

    def _proving(self, local_part: str, phone: Phone) -> Browser:
        """Who has shown the first factor again and not yet the second."""
        browser = self._browser()
        self._pass_both(browser, local_part, phone)
        browser.submit("/reauthenticate", password=PASSWORD)
        return browser

    def _mailed(self) -> Browser:
        """Who has asked for a mail to sign in with."""
        self._member("mailed")
        browser = self._browser()
        browser.submit("/login/mail", email=self._address("mailed"))
        self.mailed_link = self._mailbox.link(self._address("mailed"), "/login/mailed/")
        return browser

    def _pass_both(self, browser: Browser, local_part: str, phone: Phone, **fields: str) -> None:
        browser.sign_in(self._address(local_part))
        assert verify(browser, phone.fresh_code(), **fields).status_code == 303

    def _add_passkey(self, local_part: str, **values: object) -> None:
        key = soft_key(self._app).belongs_to(self._rows, self._address(local_part))
        self._rows.set(Passkey, {"credential_id": key.id}, **values)

    def _member(self, local_part: str) -> Browser:
        """Somebody with a password, signed in."""
        email, browser = self._address(local_part), self._browser()
        assert browser.submit("/register", email=email, password=PASSWORD, name="").status_code == 200
        browser.submit(self._mailbox.link(email, "/verify-email/"))
        assert browser.is_signed_in
        return browser

    def _address(self, local_part: str) -> str:
        return f"{local_part}@{self._domain}"

    def _browser(self, user_agent: str = "") -> Browser:
        told = {"user_agent": user_agent} if user_agent else {}
        return Browser(self._app, language=self._language, **told)
