"""An app on a phone or a desktop whose person signs in at a provider, in the system's browser or by the SDK."""

import base64
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from werkzeug.test import TestResponse

from stand_in.people import GMAIL, Person
from tests.apps import App
from tests.people import Browser
from tests.providers.lying import LyingProvider
from tests.providers.site import come_back

CUSTOM, LOOPBACK, LOOPBACK_6 = "com.example.app:/callback", "http://127.0.0.1/callback", "http://[::1]/callback"
BARE, WEB = "com.example.bare://callback", "https://app.example.org/callback?from=login"
LISTED = ",".join((CUSTOM, LOOPBACK, LOOPBACK_6, BARE, WEB))
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
STATE = "the app's own state"
PAGE = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}  # as browsers ask


def challenge_of(verifier: str) -> str:
    """RFC 7636, section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def authorize_path(
    redirect_uri: str = CUSTOM, *, name: str = "google", verifier: str = VERIFIER, **changes: str
) -> str:
    """The address that an app opens in the system's browser."""
    query = {
        "redirect_uri": redirect_uri,
        "state": STATE,
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
        **changes,
    }
    return f"/api/v1/auth/{name}/authorize?{urlencode(query)}"


def sent_to_provider(browser: Browser, redirect_uri: str = CUSTOM, **changes: str) -> str:
    """Where the browser is sent that an app has opened."""
    answer = browser.get(authorize_path(redirect_uri, **changes), headers=PAGE)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def sent_back(
    browser: Browser, provider: LyingProvider, redirect_uri: str = CUSTOM, person: Person | None = GMAIL, **changes: str
) -> TestResponse:
    """The site's answer to a browser that an app has opened, once its person has been at the provider."""
    return come_back(browser, provider.approve(sent_to_provider(browser, redirect_uri, **changes), person))


def answer_to(redirect_uri: str, address: str) -> dict[str, str]:
    """What an app is told at the address where it waits, which has to be the one it gave."""
    joint = "&" if "?" in redirect_uri else "?"
    assert address.startswith(redirect_uri + joint), address
    return dict(parse_qsl(address.removeprefix(redirect_uri + joint), strict_parsing=True))


def code_for(
    browser: Browser, provider: LyingProvider, redirect_uri: str = CUSTOM, person: Person = GMAIL, **changes: str
) -> str:
    """The code that comes back to an app."""
    back = sent_back(browser, provider, redirect_uri, person, **changes)
    assert back.status_code == 303, back.text[-400:]
    return answer_to(redirect_uri, back.headers["Location"])["code"]


def exchange(app: App, code: str, *, name: str = "google", **changes: Any) -> TestResponse:
    """Exchange a code; the app keeps what it gets."""
    body = {"code": code, "code_verifier": VERIFIER, "redirect_uri": CUSTOM, **changes}
    return app._keep(app.post(f"/auth/{name}/token", body, token=""))


def signed_in_app(app: App, browser: Browser, provider: LyingProvider, person: Person = GMAIL) -> App:
    """The app, signed in by the browser."""
    answer = exchange(app, code_for(browser, provider, person=person))
    assert answer.status_code == 200, answer.text
    return app


def new_nonce(app: App, name: str = "google") -> str:
    """A nonce for the provider's SDK."""
    answer = app.post(f"/auth/{name}/nonce", token="")
    assert answer.status_code == 200, answer.text
    nonce: str = answer.json["nonce"]
    return nonce


def show(app: App, id_token: str, nonce: str, *, name: str = "google", **fields: str) -> TestResponse:
    """Show the ID token that the SDK gave; the app keeps what it gets."""
    return app._keep(app.post(f"/auth/{name}/id-token", {"id_token": id_token, "nonce": nonce, **fields}, token=""))


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def parameters(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
