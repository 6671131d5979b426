"""A provider that tells of danger to people's accounts there, and a site that listens."""

from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from stand_in.people import GMAIL, Person
from tests.apps import App
from tests.people import Browser, Mailbox, text_of
from tests.providers.lying import LyingProvider
from tests.providers.site import google_settings, sign_in_with

PATH = "/google/risc"
EVENT_TYPE = "application/secevent+jwt"
RISC = "https://schemas.openid.net/secevent/risc/event-type/"
OAUTH = "https://schemas.openid.net/secevent/oauth/event-type/"
SESSIONS_REVOKED, VERIFICATION = RISC + "sessions-revoked", RISC + "verification"
DISABLED, ENABLED = RISC + "account-disabled", RISC + "account-enabled"


def listening(provider: LyingProvider, **more: Any) -> dict[str, Any]:
    """What makes a site listen to the provider."""
    return {
        **google_settings(provider),
        "GOOGLE_RISC_METADATA_URL": provider.risc_metadata_url,
        "GOOGLE_NATIVE_CLIENT_IDS": "android-app,ios-app",
        **more,
    }


def send(site: Flask, token: str | bytes, content_type: str | None = EVENT_TYPE, **kwargs: Any) -> TestResponse:
    """What the site says to whoever sends this."""
    client = site.test_client(use_cookies=False)
    return client.post(PATH, data=token, content_type=content_type, headers={"Accept": "application/json"}, **kwargs)


def events(provider: LyingProvider, *event_types: str, person: Person = GMAIL, **details: Any) -> dict[str, Any]:
    """Events of these types about somebody."""
    return {event_type: {"subject": provider.subject(person), **details} for event_type in event_types}


def tell(site: Flask, provider: LyingProvider, *event_types: str, **details: Any) -> None:
    """The provider tells, and is heard."""
    answer = send(site, provider.security_event_token(events(provider, *event_types, **details)))
    assert (answer.status_code, answer.data) == (202, b"")


def signed_in(site: Flask, provider: LyingProvider, person: Person = GMAIL) -> Browser:
    """Somebody who has come in by the provider."""
    browser = Browser(site)
    assert sign_in_with(browser, provider, person).status_code == 303
    assert browser.is_signed_in
    return browser


def app_of(site: Flask, provider: LyingProvider, person: Person = GMAIL) -> App:
    """An app of somebody who has come in by the provider's SDK."""
    app = App(site)
    nonce = app.post("/auth/google/nonce").json["nonce"]
    answer = app.post(
        "/auth/google/id-token", {"id_token": provider.id_token(nonce=nonce, person=person), "nonce": nonce}
    )
    app.access_token = answer.json["access_token"]
    assert app.is_signed_in
    return app


def newest_mail(site: Flask) -> str:
    """What the newest mail to Gwen says, on one line."""
    return " ".join(text_of(Mailbox(site).newest(GMAIL.email)).split())


def refused(answer: TestResponse) -> str:
    """Why it was refused (RFC 8935, section 2.4)."""
    assert answer.status_code == 400, answer.text
    assert answer.mimetype == "application/json"
    assert set(answer.json) == {"err", "description"}
    return str(answer.json["err"])
