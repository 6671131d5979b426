"""Second factors in people's hands: authenticator apps, recovery codes, passkeys."""

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import cbor2
import pyotp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps import App
from tests.people import PASSWORD, Browser, runtime_of
from tests.rows import Rows
from webapp import clock
from webapp.models import Passkey, TotpFactor
from webapp.policy.second_factor import TOTP_SECONDS

TOTP, CODES, VERIFY = "/account/security/totp", "/account/security/recovery-codes", "/login/verify"
_SECRET = re.compile(r'<code class="secret"[^>]*>([A-Z2-7]+)</code>')
_CODE = re.compile(r'<code class="recovery-code">([^<]+)</code>')


def secret_on(page: str) -> str:
    """The secret that stands as text on the page where an app is set up."""
    found = _SECRET.search(page)
    assert found, page[-400:]
    return found[1]


@dataclass
class Phone:
    """An authenticator app. It shows one code after the other, none twice: whoever needs several waits for no clock."""

    secret: str
    rows: Rows | None = None

    def code(self, *, steps_ago: int = 0) -> str:
        """The code that is shown now, or was a few steps ago."""
        return pyotp.TOTP(self.secret).at(clock.now() - timedelta(seconds=TOTP_SECONDS * steps_ago))

    def fresh_code(self) -> str:
        """The code that is shown now, as if it had not been used."""
        assert self.rows is not None
        self.rows.set(TotpFactor, {}, last_step=None)
        return self.code()


def set_up_totp(browser: Browser) -> Phone:
    """Set an app up on the pages."""
    phone = Phone(secret_on(browser.get(TOTP).text), Rows(browser.app))
    answer = browser.submit(TOTP, code=phone.code())
    assert answer.status_code == 303, answer.text[-400:]
    return phone


def make_codes(browser: Browser) -> list[str]:
    """Ten recovery codes, as they are shown."""
    return _CODE.findall(browser.submit(CODES).text)


def with_totp(app: Flask, email: str, password: str = PASSWORD) -> Phone:
    """An account gets an authenticator app, and is signed in nowhere afterwards."""
    browser = Browser(app)
    browser.sign_in(email, password)
    phone = set_up_totp(browser)
    browser.sign_out()
    return phone


def with_totp_and_codes(app: Flask, email: str) -> tuple[Phone, list[str]]:
    """The same, and recovery codes."""
    browser = Browser(app)
    browser.sign_in(email)
    phone, codes = set_up_totp(browser), make_codes(browser)
    browser.sign_out()
    return phone, codes


def verify(browser: Browser, code: str, method: str = "totp", **fields: str) -> TestResponse:
    """Pass the second step on the page."""
    return browser.submit(f"{VERIFY}?method={method}", code=code, method=method, **fields)


def sign_in_fully(browser: Browser, email: str, phone: Phone) -> None:
    """Password and code."""
    assert browser.sign_in(email).headers["Location"] == VERIFY
    answer = browser.submit(VERIFY, code=phone.fresh_code(), method="totp")
    assert answer.status_code == 303, answer.text[-400:]


def sign_in_app_fully(app: App, email: str, phone: Phone, **fields: str) -> TestResponse:
    """The same in an app."""
    token = app.sign_in(email, **fields).json["mfa_token"]
    body = {"mfa_token": token, "method": "totp", "code": phone.fresh_code()}
    answer = app._keep(app.post("/auth/mfa", body, token=""))
    assert answer.status_code == 200, answer.text
    return answer


@dataclass
class SoftKey:
    """A passkey in software: signs what it is shown, as its owner with a fingerprint would."""

    rp_id: str
    origin: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    user: bytes = b""  # whose it says it is

    def belongs_to(self, rows: Rows, email: str) -> "SoftKey":
        """Put it into an account, behind the site's back."""
        numbers, user = self.key.public_key().public_numbers(), rows.user(email)
        self.user = user.id.bytes
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        rows.add(
            Passkey(
                user_id=user.id,
                credential_id=self.id,
                public_key=cbor2.dumps({1: 2, 3: -7, -1: 1, -2: x, -3: y}),
                sign_count=0,
                transports="internal",
                name="열쇠",
                synced=False,
                backed_up=False,
                created_at=clock.now(),
            )
        )
        rows.set(type(user), {"id": user.id}, second_factor_since=user.second_factor_since or clock.now())
        return self

    def signed(self, options: dict[str, Any], *, unlocked: bool = True) -> dict[str, Any]:
        """What a browser makes of it (Web Authentication Level 3, section 5.1.8)."""
        client_data = json.dumps(
            {"type": "webauthn.get", "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        ).encode()
        flags = 0x05 if unlocked else 0x01
        data = hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + bytes(4)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(SHA256()))
        return {
            "id": _encoded(self.id),
            "rawId": _encoded(self.id),
            "type": "public-key",
            "response": {
                "clientDataJSON": _encoded(client_data),
                "authenticatorData": _encoded(data),
                "signature": _encoded(signature),
                "userHandle": _encoded(self.user),
            },
            "clientExtensionResults": {},
        }


def soft_key(app: Flask) -> SoftKey:
    """A new one, made for this site."""
    settings = runtime_of(app).settings
    return SoftKey(settings.passkey_host, settings.passkey_origins[0])


def _encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
