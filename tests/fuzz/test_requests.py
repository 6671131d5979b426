"""Requests as they come over the wire: addresses, headers, cookies, forms, JSON. Nothing breaks, and what is refused
has changed nothing that anybody holds.
"""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder, TestResponse

from tests.apps import App
from tests.conftest import GOOGLE, NewApp
from tests.factors import SoftKey, soft_key
from tests.fuzz.mutations import JSON_VALUES, fuzzed, mutated, mutated_object, mutated_text
from tests.journeys.pages import csrf_token
from tests.journeys.provider_news import VERIFICATION, listening, send
from tests.people import CHROME, PASSWORD, Browser
from tests.providers.lying import LyingProvider
from tests.rows import Rows, on_sqlite
from webapp.models import LoginSession, User

pytestmark = on_sqlite

PATHS = (
    b"/login",
    b"/login?next=/account&lang=ko",
    b"/verify-email/abc",
    b"/account",
    b"/api/v1/me",
    b"/login/google/callback?state=a&code=b",
)
HEADERS = {
    "HTTP_ACCEPT_LANGUAGE": b"ko,en-US;q=0.7,en;q=0.3",
    "HTTP_AUTHORIZATION": b"Bearer eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
    "HTTP_COOKIE": b"session=abc; visitor=eyJ.x.y; lang=ko; device=AAAAAAAAAAAAAAAAAAAAAAAA",
    "HTTP_USER_AGENT": CHROME.encode(),
    "HTTP_ORIGIN": b"https://app.example.com",
    "HTTP_HOST": b"127.0.0.1:8000",
    "HTTP_X_FORWARDED_FOR": b"203.0.113.7, 10.0.0.1",
    "HTTP_X_FORWARDED_PROTO": b"https",
    "HTTP_FORWARDED": b"for=203.0.113.7;proto=https",
    "HTTP_X_REQUEST_ID": b"0123456789abcdef-00000001",
    "HTTP_SEC_FETCH_SITE": b"cross-site",
    "HTTP_RANGE": b"bytes=0-1",
    "HTTP_IF_NONE_MATCH": b'"abc"',
    "CONTENT_TYPE": b"application/x-www-form-urlencoded; charset=utf-8",
}
BODIES: dict[str, dict[str, Any]] = {
    "/auth/login": {"email": "alice@example.com", "password": PASSWORD, "device_name": "Phone"},
    "/auth/register": {"email": "bob@example.com", "password": PASSWORD, "name": "Bob", "locale": "ko"},
    "/auth/refresh": {"refresh_token": "eyJ.e30.AAAA"},
    "/auth/mfa": {"mfa_token": "abc", "method": "totp", "code": "123456"},
    "/auth/email/verify": {"token": "abc"},
    "/auth/password/forgot": {"email": "alice@example.com"},
    "/auth/password/reset": {"token": "abc", "password": PASSWORD},
}


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    return new_app(RATELIMIT_ENABLED=False, TRUSTED_PROXIES=1, **GOOGLE)


def sent(app: Flask, environ: dict[str, Any]) -> TestResponse:
    answer = app.test_client(use_cookies=False).open(EnvironBuilder(environ_overrides=environ))
    assert answer.status_code < 500, answer.text
    return answer


@fuzzed
@given(st.data())
def test_no_line_and_no_header_of_a_request_breaks_anything(app: Flask, data: st.DataObject) -> None:
    path, _, query = data.draw(mutated(PATHS)).decode("latin-1").partition("?")
    names = data.draw(st.lists(st.sampled_from(sorted(HEADERS)), max_size=4, unique=True))
    headers = {name: data.draw(mutated([HEADERS[name]])).decode("latin-1") for name in names}
    method = data.draw(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "DELETE", "BREW"]))
    sent(app, {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, **headers})


@fuzzed
@given(st.data())
def test_no_form_breaks_anything(app: Flask, data: st.DataObject) -> None:
    fields = {"email": "alice@example.com", "password": PASSWORD, "next": "/account", "csrf_token": "x.y.z"}
    plain = urlencode(fields).encode()
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{fields[name]}\r\n' for name in fields
    )
    body = data.draw(mutated([plain, f"{parts}--b--\r\n".encode()]))
    kinds = [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "text/plain",
    ]
    for path in ("/login", "/register"):
        answer = app.test_client().post(path, data=body, content_type=data.draw(st.sampled_from(kinds)))
        assert answer.status_code in (400, 413, 415, 422), "without a token no form does anything"


@fuzzed
@given(st.data())
def test_no_body_of_the_api_breaks_anything(app: Flask, alice: str, rows: Rows, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(BODIES)))
    whole = json.dumps(BODIES[path], ensure_ascii=False).encode()
    thing = data.draw(st.one_of(mutated_object(BODIES[path]), JSON_VALUES))
    body = data.draw(st.one_of(mutated([whole, whole * 2]), st.just(json.dumps(thing).encode())))
    before = (rows.user(alice).password_hash, rows.count(LoginSession, ended_at=None))
    answer = app.test_client().post(f"/api/v1{path}", data=body, content_type="application/json")
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.mimetype == "application/problem+json"
        assert (rows.user(alice).password_hash, rows.count(LoginSession, ended_at=None)) == before
    assert rows.count(User, email=alice) == 1


@pytest.fixture
def passkey(app: Flask, alice: str, rows: Rows) -> SoftKey:
    """Alice's, which opens her account."""
    return soft_key(app).belongs_to(rows, alice)


def credentials(honest: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a passkey signed, and what is nearly that."""
    response = {
        name: st.one_of(
            st.just(value), JSON_VALUES, mutated([value.encode()]).map(lambda octets: octets.decode("latin-1"))
        )
        for name, value in honest["response"].items()
    }
    nearly = st.fixed_dictionaries(response).map(lambda changed: {**honest, "response": changed})
    return st.one_of(st.just(honest), nearly, mutated_object(honest))


@fuzzed
@given(st.data())
def test_no_credential_of_a_passkey_breaks_the_api(app: Flask, passkey: SoftKey, data: st.DataObject) -> None:
    phone = App(app)
    honest = passkey.signed(phone.post("/auth/passkey/options", {}, token="").json["publicKey"])
    credential = data.draw(credentials(honest))
    answer = phone.post("/auth/passkey", {"credential": credential}, token="")
    assert answer.status_code == 200 if credential == honest else answer.status_code < 500, answer.text


@fuzzed
@given(st.data())
def test_no_credential_of_a_passkey_breaks_the_page(app: Flask, passkey: SoftKey, data: st.DataObject) -> None:
    browser = Browser(app)
    token = csrf_token(browser.get("/login"))
    honest = passkey.signed(browser.get("/login/passkey").json)
    whole = json.dumps(honest)
    shown = data.draw(
        st.one_of(credentials(honest).map(json.dumps), mutated_text([whole]), JSON_VALUES.map(json.dumps))
    )
    field = shown.encode("utf-8", "surrogateescape")
    answer = browser.post("/login/passkey", {"csrf_token": token, "credential": field})
    assert answer.status_code in (303, 400), answer.text
    assert browser.is_signed_in or shown != whole


@pytest.fixture
def attentive(new_app: NewApp, provider: LyingProvider) -> Flask:
    """A site that listens to its provider."""
    return new_app(RATELIMIT_ENABLED=False, **listening(provider))


@fuzzed
@given(st.data())
def test_no_event_token_breaks_anything(attentive: Flask, provider: LyingProvider, data: st.DataObject) -> None:
    honest = provider.security_event_token({VERIFICATION: {"state": "hello"}}).encode()
    body = data.draw(st.one_of(st.just(honest), mutated([honest])))
    is_signed = body.rpartition(b".")[0] == honest.rpartition(b".")[0]
    answer = send(attentive, body)
    assert answer.status_code in ((202, 400) if is_signed else (400, 413)), answer.text
    assert answer.status_code == 202 or body != honest
