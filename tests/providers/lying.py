"""An OpenID provider for tests, over real HTTP on loopback. Honest by itself, it can be told to lie at every step.

url = site.post("/login/google").location
provider.lie.claims["aud"] = "somebody else"            # or REMOVED
answer = site.get(provider.approve(url, people.gmail))
"""

import io
import json
import re
import secrets
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

import requests
from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request, Response

from stand_in.browsers import Browsers
from stand_in.clients import Client
from stand_in.grants import Grant, Grants
from stand_in.people import GMAIL, PEOPLE, Person
from stand_in.provider import Provider
from tests.providers.faults import Fault, Wire
from tests.providers.forgeries import FOREIGN_KEYS_PATH, Draft, Forgery, changed, foreign_key_set, honest
from tests.providers.keys import Key, ec_key, rsa_key

ENDPOINTS = {
    "/.well-known/openid-configuration": "metadata",
    "/.well-known/risc-configuration": "risc",
    "/keys": "keys",
    "/authorize": "authorize",
    "/choose": "choose",
    "/token": "token",
    "/userinfo": "userinfo",
    "/revoke": "revoke",
    FOREIGN_KEYS_PATH: "foreign_keys",
}
SCOPES = ("openid", "email", "profile")


@dataclass
class Dial:
    """The lies of one test. In the dictionaries a value replaces the honest one, and REMOVED takes it away."""

    metadata: dict[str, Any] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)  # of ID tokens
    header: dict[str, Any] = field(default_factory=dict)  # of everything that is signed
    sign: Forgery = honest  # one of tests.providers.forgeries
    token: dict[str, Any] = field(default_factory=dict)  # the answer of the token endpoint
    userinfo: dict[str, Any] = field(default_factory=dict)
    callback: dict[str, Any] = field(default_factory=dict)  # the query that comes back with the browser
    answers: dict[str, Fault] = field(default_factory=dict)  # endpoint (see ENDPOINTS) -> one of tests.providers.faults
    forgets_used_codes: bool = False


@dataclass(frozen=True)
class Received:
    """A request that the provider has got."""

    endpoint: str  # see ENDPOINTS; else the path
    method: str
    path: str
    args: dict[str, str]
    form: dict[str, str]
    headers: Headers


class LyingProvider(Provider):
    """The provider. `lie` is what it lies about, `received` is what it was asked; `reset()` makes it honest again."""

    def __init__(self, issuer: str, client: Client, *, key_name: str) -> None:
        super().__init__(issuer, [client], key=rsa_key(key_name))
        self.client = client
        self._key_name = key_name
        self._over = threading.Event()
        self.reset()

    def reset(self) -> None:
        """Forget what happened and what was lied about. Faults that still go on end."""
        self._over.set()
        self._over = threading.Event()
        self.lie = Dial()
        self.received: list[Received] = []
        self.clients = {self.client.client_id: self.client}
        self.people = {person.sub: person for person in PEOPLE}
        self.grants = _Grants(self)
        self.browsers = Browsers()
        self.signing_key: Key = rsa_key(self._key_name)
        self.published_keys: list[Key] = [self.signing_key]

    # What the tests ask

    @property
    def client_id(self) -> str:
        return self.client.client_id

    @property
    def client_secret(self) -> str:
        return self.client.secret

    @property
    def redirect_uri(self) -> str:
        return self.client.redirect_uris[0]

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    @property
    def risc_metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/risc-configuration"

    @property
    def event_issuer(self) -> str:
        """Who says that something happened: as at Google the issuer with a slash at its end."""
        return f"{self.issuer}/"

    def asked(self, endpoint: str) -> list[Received]:
        """The requests to one endpoint, the oldest first."""
        return [request for request in list(self.received) if request.endpoint == endpoint]

    # What the person at the browser does

    def approve(
        self,
        authorization_url: str,
        person: Person | None = GMAIL,
        *,
        browser: requests.Session | None = None,
        **lies: Any,
    ) -> str:
        """Do what the browser does with this person, or with nobody: cancel. Gives the URL of the callback.

        `lies` are parameters of the callback: state="other", iss=REMOVED, code=the_last_one. A provider that refuses
        without a redirect is an AssertionError. One `browser` for several calls is one that stays signed in.
        """
        if person is not None:
            self.people[person.sub] = person
        with nullcontext(browser) if browser is not None else requests.Session() as own:
            answer = own.get(authorization_url, allow_redirects=False, timeout=60)
            if not answer.is_redirect:
                page = re.search(r'name="page" value="([^"]+)"', answer.text)
                assert page, f"the provider refuses with a page: {answer.status_code} {_text_of(answer.text)}"
                choice = {"cancel": "1"} if person is None else {"person": person.sub}
                form = {"page": page[1], **choice}
                answer = own.post(f"{self.issuer}/choose", form, allow_redirects=False, timeout=60)
        assert answer.is_redirect, f"{answer.status_code} {_text_of(answer.text)}"
        return with_query(answer.headers["Location"], lies)

    def deny(self, authorization_url: str, **lies: Any) -> str:
        """The person cancels. Gives the URL of the callback."""
        return self.approve(authorization_url, None, **lies)

    # What the provider may do by itself

    def rotate_keys(self, *, keep_old: bool = False) -> None:
        """Sign with a new key from now on, under a new kid."""
        self._sign_with(rsa_key("rotated", f"{self.signing_key.kid}-rotated"), keep_old)

    def replace_key(self) -> None:
        """Sign with a new key from now on, under the same kid."""
        self._sign_with(rsa_key("replaced", str(self.signing_key.kid)), keep_old=False)

    def use_es256(self) -> None:
        """Be a provider that signs with ES256, and says so."""
        self._sign_with(ec_key(self._key_name, f"{self._key_name}-ec"), keep_old=False)

    def id_token(self, *, client_id: str = "", nonce: str | None = None, person: Person = GMAIL, **claims: Any) -> str:
        """An ID token as the SDK of a phone gets it; `claims` change its claims, beside those of the dial."""
        now = int(time.time())
        about = self._about(person, SCOPES) | self.token_claims(client_id or self.client_id)
        about |= {"auth_time": now} | ({} if nonce is None else {"nonce": nonce})
        return self.signed(changed(changed(about, self.lie.claims), claims))

    def security_event_token(self, events: Mapping[str, Any], **claims: Any) -> str:
        """A security event token (RFC 8417) for our client: {event type: {"subject": provider.subject(person)}}."""
        about = {
            "iss": self.event_issuer,
            "aud": self.client_id,
            "iat": int(time.time()),
            "jti": secrets.token_urlsafe(16),
            "events": dict(events),
        }
        return self.signed(changed(about, claims), typ="secevent+jwt")

    def subject(self, person: Person = GMAIL) -> dict[str, str]:
        """Whom an event is about."""
        return {"subject_type": "iss-sub", "iss": self.event_issuer, "sub": person.sub}

    def signed(self, claims: Mapping[str, Any], *, typ: str = "JWT") -> str:
        """A token, signed as the dial says."""
        header = {"alg": self.signing_key.alg, "kid": self.signing_key.kid, "typ": typ}
        return self.lie.sign(Draft(changed(header, self.lie.header), dict(claims), self.signing_key, self.issuer))

    # The honest provider's answers, with the lies

    def metadata(self) -> dict[str, Any]:
        honest_one = super().metadata() | {"id_token_signing_alg_values_supported": [self.signing_key.alg]}
        return changed(honest_one, self.lie.metadata)

    def key_set(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.published_keys]}

    def sign_id_token(self, claims: dict[str, Any]) -> str:
        return self.signed(changed(claims, self.lie.claims))

    def token_answer(self, grant: Grant, *, nonce: str | None) -> dict[str, Any]:
        return changed(super().token_answer(grant, nonce=nonce), self.lie.token)

    def userinfo(self, grant: Grant) -> dict[str, Any]:
        return changed(super().userinfo(grant), self.lie.userinfo)

    def callback_url(self, redirect_uri: str, answer: dict[str, str]) -> str:
        return with_query(super().callback_url(redirect_uri, answer), self.lie.callback)

    # HTTP

    def wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The application: notes every request, and does what the dial says instead of answering."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        request = Request({**environ, "wsgi.input": io.BytesIO(body)})
        endpoint = ENDPOINTS.get(request.path, request.path)
        self.received.append(
            Received(
                endpoint=endpoint,
                method=request.method,
                path=request.path,
                args=request.args.to_dict(),
                form=request.form.to_dict(),
                headers=Headers(request.headers),
            )
        )
        if endpoint in self.lie.answers:
            wire = Wire(environ["werkzeug.socket"], self._over)
            self.lie.answers[endpoint](wire)
            if wire.written:
                raise ConnectionAbortedError  # the server closes the connection and adds nothing
        return (self._further(endpoint) or self.app)(environ, start_response)

    def _further(self, endpoint: str) -> Response | None:
        if endpoint == "risc":
            return _json({"issuer": self.event_issuer, "jwks_uri": f"{self.issuer}/keys"})
        return _json(foreign_key_set()) if endpoint == "foreign_keys" else None

    def _sign_with(self, key: Key, keep_old: bool) -> None:
        self.published_keys = [key, *(self.published_keys if keep_old else [])]
        self.signing_key = key


class _Grants(Grants):
    """Grants of a provider that may forget which codes it has seen."""

    def __init__(self, provider: LyingProvider) -> None:
        super().__init__()
        self._provider = provider

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str) -> Grant:
        if self._provider.lie.forgets_used_codes and code in self._codes:
            self._codes[code].spent = False
        return super().redeem(code, client_id=client_id, redirect_uri=redirect_uri, verifier=verifier)


def with_query(url: str, changes: Mapping[str, Any]) -> str:
    """A URL with some parameters changed, added, or REMOVED."""
    parts = urlsplit(url)
    return parts._replace(
        query=urlencode(changed(dict(parse_qsl(parts.query, keep_blank_values=True)), changes))
    ).geturl()


def _text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())[-300:]


def _json(value: Any) -> Response:
    return Response(json.dumps(value), content_type="application/json")
