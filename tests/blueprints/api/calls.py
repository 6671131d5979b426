"""Every call that takes a body, with a body that it takes; and a site that they can be tried on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests.people import NEW_PASSWORD, PASSWORD, runtime_of
from tests.rows import Rows
from webapp.models import Base
from webapp.services.access_tokens import Subject
from webapp.services.signing_keys import current_key
from webapp.services.tokens import issue_tokens

BASE_URL = "http://127.0.0.1:8000"
TOKEN = "t" * 43
REDIRECT_URI = "com.example.app:/callback"
CREDENTIAL = {"id": "AQIDBA", "rawId": "AQIDBA", "type": "public-key", "response": {}}  # of nobody's passkey
NO_PROVIDER = "http://127.0.0.1:9"  # where nobody listens


@dataclass(frozen=True)
class Call:
    """One call: where it is, and an honest body."""

    name: str
    method: str
    path: str
    body: dict[str, Any]
    is_open: bool = False
    body_may_be_left_out: bool = False
    optional: tuple[str, ...] = ()  # members that the others do without

    @property
    def field(self) -> str:
        """The first member of its body."""
        return next(iter(self.body))

    def json(self, **changed: Any) -> bytes:
        """The honest body but for what is changed."""
        return json.dumps({**self.body, **changed}).encode()

    def raw(self, value: bytes) -> bytes:
        """The honest body, but with these bytes as the value of its first member."""
        rest = json.dumps({name: sent for name, sent in self.body.items() if name != self.field}).encode()[1:]
        comma = b"" if rest == b"}" else b", "
        return b'{"' + self.field.encode() + b'": ' + value + comma + rest


CALLS = (
    Call("register", "POST", "/auth/register", {"email": "new@example.com", "password": PASSWORD}, is_open=True),
    Call("verify_email", "POST", "/auth/email/verify", {"token": TOKEN}, is_open=True),
    Call("forgot_password", "POST", "/auth/password/forgot", {"email": "alice@example.com"}, is_open=True),
    Call("reset_password", "POST", "/auth/password/reset", {"token": TOKEN, "password": NEW_PASSWORD}, is_open=True),
    Call("login", "POST", "/auth/login", {"email": "alice@example.com", "password": PASSWORD}, is_open=True),
    Call("keep_account", "POST", "/auth/keep-account", {"step_token": TOKEN}, is_open=True),
    Call(
        "pass_second_factor",
        "POST",
        "/auth/mfa",
        {"mfa_token": TOKEN, "method": "totp", "code": "492039", "credential": CREDENTIAL},
        is_open=True,
        optional=("code", "credential"),
    ),
    Call("second_factor_options", "POST", "/auth/mfa/passkey", {"mfa_token": TOKEN}, is_open=True),
    Call(
        "sign_in_with_passkey",
        "POST",
        "/auth/passkey",
        {"device_name": "A phone", "credential": CREDENTIAL},
        is_open=True,
        optional=("device_name",),
    ),
    Call(
        "reauthenticate",
        "POST",
        "/auth/reauthenticate",
        {"password": PASSWORD, "method": "totp", "code": "492039"},
        optional=("method", "code"),
    ),
    Call("refresh", "POST", "/auth/refresh", {"refresh_token": TOKEN}, is_open=True, body_may_be_left_out=True),
    Call(
        "exchange_code",
        "POST",
        "/auth/google/token",
        {"code": TOKEN, "code_verifier": TOKEN, "redirect_uri": REDIRECT_URI},
        is_open=True,
    ),
    Call("sign_in_with_id_token", "POST", "/auth/google/id-token", {"nonce": TOKEN, "id_token": TOKEN}, is_open=True),
    Call("logout", "POST", "/auth/logout", {"refresh_token": TOKEN}, body_may_be_left_out=True),
    Call("change_me", "PATCH", "/me", {"name": "Mallory", "locale": "ko"}, optional=("name", "locale")),
    Call("delete_me", "DELETE", "/me", {"password": PASSWORD}, body_may_be_left_out=True),
    Call("change_password", "POST", "/me/password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}),
)


class Site:
    """One application with Alice in it, and an app of hers that is signed in."""

    def __init__(self, app: Flask) -> None:
        self.app, self.rows = app, Rows(app)
        user, row = self.rows.user(), self.rows.api_session(generation=1)
        with app.app_context():
            subject = Subject(user.id, row.id, row.auth_time, ("pwd",))
            self.access_token = issue_tokens(
                current_key(), subject, generation=1, expires_at=row.expires_at
            ).access_token

    def send(
        self, method: str, path: str, data: bytes = b"", *, token: bool = True, headers: Any = None, **kwargs: Any
    ) -> TestResponse:
        """Send something exactly so; JSON, where nothing else is said."""
        sent = {
            "Content-Type": "application/json",
            **({"Authorization": f"Bearer {self.access_token}"} if token else {}),
            **(headers or {}),
        }
        sent = {name: value for name, value in sent.items() if value is not None}
        client = self.app.test_client(use_cookies=False)
        path = path if path.startswith("/api") else f"/api/v1{path}"
        return client.open(path, method=method, data=data, headers=sent, base_url=BASE_URL, **kwargs)

    def stored(self) -> dict[str, list[str]]:
        """Every row of every table, to see whether anything changed."""
        with runtime_of(self.app).engine.connect() as connection:
            return {
                table.name: sorted(map(repr, connection.execute(select(table))))
                for table in Base.metadata.sorted_tables
            }
