"""Apps that call the JSON API: on a phone, or in a browser. Every request is one of its own, as it is in life."""

from functools import partial
from json import dumps
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.people import PASSWORD, Mailbox, runtime_of

PREFIX = "/api/v1"
PHONE = "Doorway/3.1 (iPhone; iOS 18.5)"
_PROBLEM = {"type", "title", "status", "detail", "code", "request_id"}


class App:
    """One app of one person. It keeps the newest tokens it was given, and sends the access token with each call.

    With `cookies` it keeps cookies as a browser does; with `origin` it is a page of that origin.
    """

    def __init__(
        self,
        app: Flask,
        *,
        ip: str = "127.0.0.1",
        user_agent: str = PHONE,
        language: str = "en",
        cookies: bool = False,
        origin: str = "",
    ) -> None:
        self.app = app
        self.base_url = runtime_of(app).settings.PUBLIC_URL
        self.client: FlaskClient = app.test_client(use_cookies=cookies)
        self.access_token = self.refresh_token = self.session_id = ""
        self._environ = {"REMOTE_ADDR": ip}
        self._headers = {"User-Agent": user_agent, "Accept-Language": language}
        if origin:
            self._headers["Origin"] = origin

    def call(
        self, method: str, path: str, json: Any = None, *, token: str | None = None, **kwargs: Any
    ) -> TestResponse:
        """Call the API; `token` stands in for the access token it has, and "" for none."""
        token = self.access_token if token is None else token
        headers = {
            **self._headers,
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **kwargs.pop("headers", {}),
        }
        environ = {**self._environ, **kwargs.pop("environ_overrides", {})}
        if json is not None:  # in ASCII, as an app may: also what no UTF-8 can spell
            kwargs |= {"data": dumps(json), "content_type": "application/json"}
        kwargs.setdefault("base_url", self.base_url)
        return self.client.open(PREFIX + path, method=method, headers=headers, environ_overrides=environ, **kwargs)

    def get(self, path: str, **kwargs: Any) -> TestResponse:
        """Ask for something."""
        return self.call("GET", path, **kwargs)

    def post(self, path: str, json: Any = None, **kwargs: Any) -> TestResponse:
        """Send something."""
        return self.call("POST", path, json, **kwargs)

    def register(self, email: str, password: str = PASSWORD, name: str = "Alice") -> TestResponse:
        """Make an account."""
        return self.post("/auth/register", {"email": email, "password": password, "name": name}, token="")

    def verify(self, email: str) -> TestResponse:
        """Confirm an address with the newest mail to it."""
        return self.post("/auth/email/verify", {"token": mailed_token(self.app, email, "/verify-email/")}, token="")

    def sign_in(self, email: str, password: str = PASSWORD, **fields: str) -> TestResponse:
        """Sign in, and keep what comes of it."""
        return self._keep(self.post("/auth/login", {"email": email, "password": password, **fields}, token=""))

    def refresh(self, token: str | None = None, **kwargs: Any) -> TestResponse:
        """Exchange a refresh token: `token`, else the newest it has, else the cookie."""
        token = self.refresh_token if token is None else token
        body = {"refresh_token": token} if token else None
        return self._keep(self.post("/auth/refresh", body, token="", **kwargs))

    def keep_account(self, step_token: str) -> TestResponse:
        """Go on with a sign-in that stopped before the deletion of the account."""
        return self._keep(self.post("/auth/keep-account", {"step_token": step_token}, token=""))

    def sign_out(self) -> TestResponse:
        """End this session."""
        return self.post("/auth/logout")

    def cookie(self, name: str = "refresh", path: str = "/api/v1/auth") -> str | None:
        """The value of a cookie it holds."""
        found = self.client.get_cookie(name, domain=self._host, path=path)
        return None if found is None else found.value

    def set_cookie(self, name: str, value: str, path: str = "/api/v1/auth") -> None:
        """Plant a cookie."""
        self.client.set_cookie(name, value, domain=self._host, path=path, secure=self.base_url.startswith("https"))

    @property
    def is_signed_in(self) -> bool:
        """Whether the account opens."""
        return self.get("/me").status_code == 200

    @property
    def _host(self) -> str:
        return self.base_url.split("//")[1].split(":")[0]

    def _keep(self, answer: TestResponse) -> TestResponse:
        if answer.status_code == 200:
            self.access_token = answer.json["access_token"]
            self.refresh_token = answer.json.get("refresh_token", "")
            self.session_id = answer.json["session_id"]
        return answer


def problem(answer: TestResponse) -> dict[str, Any]:
    """The problem document of a refusal, which has to be one by RFC 9457."""
    document: dict[str, Any] = answer.json
    assert answer.mimetype == "application/problem+json", answer.text
    assert document.keys() >= _PROBLEM, document
    assert document["status"] == answer.status_code
    assert document["request_id"] == answer.headers["X-Request-ID"]
    assert document["type"].endswith(f"/api/v1/docs#{document['code']}")
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="api"')
    return document


def refusal(answer: TestResponse) -> tuple[int, str]:
    """The status and the code of a refusal."""
    return answer.status_code, problem(answer)["code"]


def mailed_token(app: Flask, email: str, link: str) -> str:
    """The token of the newest mailed link of a kind."""
    return Mailbox(app).link(email, link).rsplit("/", 1)[-1]


def stop_the_clock(app: Flask) -> None:
    """Let no time pass for what one process remembers of the database, however slow the machine is."""
    runtime = runtime_of(app)
    for memory in (runtime.revoked, runtime.key_ring):
        memory._monotonic = partial(float, memory._monotonic())


def a_second_passes(app: Flask) -> None:
    """For one process, until it reads again who was signed out elsewhere."""
    revoked = runtime_of(app).revoked
    before = revoked._monotonic
    revoked._monotonic = lambda: before() + 1.0
