"""A second factor by the names that the site promises to whoever drives it from outside, and by nothing else of it."""

import base64
import hmac
import re
import struct
import time
from html.parser import HTMLParser

import pytest

from tests.people import PASSWORD
from tests.servers.devices import Answer, ApiSite
from tests.servers.site import LiveSite
from tests.servers.test_gunicorn import Visitor, new_person
from webapp.models import TotpFactor

TOTP, CODES, VERIFY = "/account/security/totp", "/account/security/recovery-codes", "/login/verify"
EMAIL = "outsider@example.com"


class Texts(HTMLParser):
    """What stands on a page, element by element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.found.append(data.strip())


def secret_on(page: str) -> str:
    """The one text that is Base32 and long enough to be a secret."""
    (secret,) = [text for text in Texts(page).found if re.fullmatch("[A-Z2-7]{16,}", text)]
    return secret


def codes_on(page: str) -> list[str]:
    """Texts of one element each, in groups of letters and digits."""
    return [text for text in Texts(page).found if re.fullmatch("[A-Za-z0-9]{4,}(-[A-Za-z0-9]{4,})+", text)]


def totp(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238 with its defaults; RFC 4226, section 5.3)."""
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", int(time.time()) // 30), "sha1")
    number = struct.unpack_from(">I", mac, mac[-1] & 15)[0] & 0x7FFFFFFF
    return f"{number % 10**6:06}"


@pytest.mark.asvs("6.3.3", "6.5.1")
def test_the_promised_names_are_enough_to_set_it_up_and_to_sign_in_on_pages_and_in_apps(live_site: LiveSite) -> None:
    api, person = ApiSite(live_site), new_person(live_site, EMAIL)

    def fresh_code() -> str:
        api.rows.set(TotpFactor, {}, last_step=None)  # as if half a minute had passed since the last one
        return totp(secret)

    secret = secret_on(person.open(TOTP)[1])
    assert person.submit(TOTP, code=totp(secret)) == 303
    codes = codes_on(post(person, CODES)[1])  # on the page that answers, this once
    assert len(set(codes)) == len(codes) >= 8

    browser = Visitor(live_site)
    for method, code in (("totp", fresh_code()), ("recovery", codes[0])):
        assert browser.submit("/login", email=EMAIL, password=PASSWORD) == 303
        assert not browser.is_signed_in
        assert browser.submit(VERIFY, method=method, code=code) == 303
        assert browser.is_signed_in
        assert post(browser, "/logout", found_on="/account")[0] == 303

    told = sign_in(api)
    assert (told.status, told.code) == (401, "mfa_required")
    assert told.body["methods"] == ["totp", "recovery"]
    assert refused_by(answer(api, told, "recovery", codes[0])) == (401, "factor_refused")  # used on the page
    for method, code in (("totp", fresh_code()), ("recovery", codes[1])):
        tokens = answer(api, sign_in(api), method, code)
        assert tokens.status == 200, tokens
        seen = api.call("GET", "/auth/session", token=tokens.body["access_token"])
        assert "mfa" in seen.body["amr"]
        assert api.call("POST", "/auth/refresh", {"refresh_token": tokens.body["refresh_token"]}).status == 200


def post(person: Visitor, path: str, *, found_on: str = "") -> tuple[int, str]:
    """Press a button that sends nothing but the token of its page; status and text."""
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', person.open(found_on or path)[1])
    assert token is not None
    return person.open(path, {"csrf_token": token[1]})[:2]


def sign_in(api: ApiSite) -> Answer:
    """The password alone."""
    return api.call("POST", "/auth/login", {"email": EMAIL, "password": PASSWORD})


def answer(api: ApiSite, told: Answer, method: str, code: str) -> Answer:
    """The second step."""
    return api.call("POST", "/auth/mfa", {"mfa_token": told.body["mfa_token"], "method": method, "code": code})


def refused_by(refusal: Answer) -> tuple[int, str]:
    """Its status and its code."""
    return refusal.status, refusal.code
