"""A look into the tables behind the site's back, and a hand in them where time or other doors would be needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, Engine, delete, event, func, select, update
from sqlalchemy.orm import Session

from tests.people import runtime_of
from webapp import clock
from webapp.models import Base, LoginSession, SecurityEvent, User
from webapp.services.addresses import address_key

M = TypeVar("M", bound=Base)

# For what does not depend on the stores, or moves a clock that Redis would not follow.
on_sqlite = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)


class Rows:
    """One application's tables, read and written on a connection of its own."""

    def __init__(self, app: Flask) -> None:
        self.engine: Engine = runtime_of(app).engine

    def all(self, model: type[M], **equal: Any) -> list[M]:
        """The rows of a table whose columns have these values."""
        with Session(self.engine, expire_on_commit=False) as session:
            return list(session.scalars(select(model).filter_by(**equal)))

    def count(self, model: type[Base], **equal: Any) -> int:
        """How many rows of a table have these values."""
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).select_from(model).filter_by(**equal)) or 0

    def user(self, email: str = "alice@example.com") -> User:
        """The account with an address."""
        (user,) = self.all(User, email_key=address_key(email))
        return user

    def live(self, email: str = "alice@example.com") -> list[LoginSession]:
        """The login sessions of an account that have not ended."""
        return self.all(LoginSession, user_id=self.user(email).id, ended_at=None)

    def events(self, email: str = "alice@example.com") -> list[str]:
        """What happened to an account, the oldest first."""
        return [row.kind for row in sorted(self.all(SecurityEvent, user_id=self.user(email).id), key=lambda e: e.id)]

    def set(self, model: type[Base], where: dict[str, Any], **values: Any) -> None:
        """Change rows as time or another process would."""
        with self.engine.begin() as connection:
            connection.execute(update(model).filter_by(**where).values(**values))

    def delete(self, model: type[Base], **equal: Any) -> None:
        """Take rows out."""
        with self.engine.begin() as connection:
            connection.execute(delete(model).filter_by(**equal))

    def add(self, row: Base) -> None:
        """Put a row in."""
        with Session(self.engine) as session:
            session.add(row)
            session.commit()

    def api_session(self, email: str = "alice@example.com", **values: Any) -> LoginSession:
        """A login session as an app on a phone would have it."""
        (row,) = self.api_sessions(1, email, **values)
        return row

    def api_sessions(self, amount: int, email: str = "alice@example.com", **values: Any) -> list[LoginSession]:
        """As many login sessions of apps."""
        user_id, now = self.user(email).id, clock.now()
        usual = {
            "kind": "api",
            "methods": "pwd",
            "auth_time": now,
            "created_at": now,
            "last_seen_at": now,
            "idle_limit": int(timedelta(days=30).total_seconds()),
            "expires_at": now + timedelta(days=30),
            "ip": "203.0.113.9",
            "user_agent": "",
            "device_name": "Alice's phone",
        }
        made = [LoginSession(user_id=user_id, **{**usual, **values}) for _ in range(amount)]
        with Session(self.engine, expire_on_commit=False) as session:
            session.add_all(made)
            session.commit()
        return made

    def texts(self) -> Iterator[tuple[str, str]]:
        """Every value of every table, as text, with the name of its table."""
        with self.engine.connect() as connection:
            for table in Base.metadata.sorted_tables:
                for row in connection.execute(select(table)):
                    for value in row:
                        yield table.name, value.decode("latin-1") if isinstance(value, bytes) else str(value)


@contextmanager
def at_statements(engine: Engine, call: Callable[..., None], when: str = "before_cursor_execute") -> Iterator[None]:
    """Have `call` called at every statement on an engine's pool, whichever engine sends it."""

    def notice(connection: Connection, *rest: object) -> None:
        if connection.engine.pool is engine.pool:
            call(connection, *rest)

    event.listen(Engine, when, notice)
    try:
        yield
    finally:
        event.remove(Engine, when, notice)


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """What is sent to the database in the meantime, but for the BEGIN that SQLite is not sent."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement != "BEGIN":
            sent.append(" ".join(statement.split()))

    with at_statements(engine, note):
        yield sent


@contextmanager
def breaking(engine: Engine, breaks: Callable[[str], bool]) -> Iterator[None]:
    """Every statement for which `breaks` holds fails in the meantime."""

    def fail(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if breaks(statement):
            raise RuntimeError("the disk is full")

    with at_statements(engine, fail):
        yield


@pytest.fixture
def rows(app: Flask) -> Rows:
    """The application's tables."""
    return Rows(app)


@pytest.fixture
def at() -> Iterator[time_machine.Traveller]:
    """The clock, which starts now and goes forward: at.shift(timedelta(days=1)). Redis keeps its own."""
    with time_machine.travel(datetime.now(UTC)) as traveller:
        yield traveller


def stand_still(at: time_machine.Traveller) -> None:
    """From the next whole second on the clock stands until it is moved: for what is true to the second, while the
    machine may have other things to do for some.
    """
    at.move_to((datetime.now(UTC) + timedelta(seconds=1)).replace(microsecond=0), tick=False)
