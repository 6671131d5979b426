"""One device's line of refresh tokens, in the hands of whoever has a token of any of its generations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask

from tests.people import runtime_of
from tests.rows import Rows
from webapp.errors import DomainError
from webapp.models import LoginSession, SecurityEvent, User
from webapp.policy.security_events import EventKind
from webapp.services.client import Client
from webapp.services.refresh_tokens import RefreshToken
from webapp.services.rotation import rotate_refresh_token
from webapp.services.tokens import Tokens

PHONE = Client(ip="203.0.113.9", user_agent="Doorway/3.1 (iPhone; iOS 18.5)")
THIEF = Client(ip="198.51.100.66", user_agent="curl/8.5")


@dataclass
class Line:
    """A login session of an app."""

    app: Flask
    rows: Rows
    row: LoginSession = field(init=False)

    def __post_init__(self) -> None:
        self.row = self.rows.api_session(generation=1)

    def token(self, generation: int) -> str:
        """A refresh token of that generation, as it would have been given."""
        token = RefreshToken(self.row.id, generation)
        return runtime_of(self.app).refresh_tokens.issue(token, expires_at=self.row.expires_at)

    def refresh(self, generation: int, client: Client = PHONE) -> Tokens:
        """Exchange the token of a generation, as a request of its own."""
        return self.show(self.token(generation), client)

    def show(self, raw: str, client: Client = PHONE) -> Tokens:
        with self.app.app_context():
            return rotate_refresh_token(raw, client)

    def outcome(self, generation: int, client: Client = PHONE) -> int | str:
        """The generation that is given, or the code of the refusal."""
        try:
            return self.generation_of(self.refresh(generation, client))
        except DomainError as refusal:
            return refusal.code

    def trying(self, generation: int, client: Client = PHONE) -> Callable[[], int | str]:
        """`outcome`, for a crowd."""
        raw = self.token(generation)

        def attempt() -> int | str:
            try:
                return self.generation_of(self.show(raw, client))
            except DomainError as refusal:
                return refusal.code

        return attempt

    def generation_of(self, tokens: Tokens) -> int:
        return runtime_of(self.app).refresh_tokens.verify(tokens.refresh_token).generation

    def now(self) -> LoginSession:
        """The row as it is."""
        (row,) = self.rows.all(LoginSession, id=self.row.id)
        return row

    @property
    def reuses(self) -> list[SecurityEvent]:
        """What the account's log says of tokens shown twice."""
        return self.rows.all(SecurityEvent, kind=EventKind.REFRESH_REUSED)

    @property
    def owner(self) -> User:
        (user,) = self.rows.all(User, id=self.row.user_id)
        return user
