"""A site that is in use gets the JSON API, and may lose it again: nobody is signed out and no row is lost."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask_migrate import downgrade, upgrade

from tests.apps import App
from tests.conftest import NewApp
from tests.people import PASSWORD, Browser, runtime_of
from tests.servers.postgres import PostgresServer
from tests.stores import Stores
from webapp import clock
from webapp.extensions import db
from webapp.ids import new_id
from webapp.models import Base

BEFORE, HERE = "20261123_login_area", "20261125_json_api"
ALICE = "alice@example.com"
Schema = dict[str, set[str]]  # the columns of each table
NEW: Schema = {
    "login_sessions": {"generation", "rotated_at"},
    "sign_ins_in_progress": {"device_name", "refresh_transport"},
    "users": {"warning"},
}


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        yield Stores("sqlite", f"sqlite:///{tmp_path / 'app.db'}")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database()
    yield Stores("postgres", url)
    server.drop_database(url)


def move(app: Flask, step: Callable[..., None], revision: str) -> None:
    with app.app_context():
        step(revision=revision)
        db.session.remove()
        db.engine.dispose()


def reflected(app: Flask) -> sa.MetaData:
    found = sa.MetaData()
    found.reflect(runtime_of(app).engine)
    return found


def columns(app: Flask) -> Schema:
    """Every column of every table there is now."""
    return {
        name: {column.name for column in table.columns}
        for name, table in reflected(app).tables.items()
        if name != "alembic_version"
    }


def held(app: Flask, schema: Schema) -> dict[str, list[dict[str, str]]]:
    """Every row of the tables of a schema, with its columns."""
    tables = reflected(app).tables
    with runtime_of(app).engine.connect() as connection:
        return {
            name: sorted(
                (
                    {column: repr(value) for column, value in row._mapping.items() if column in found}
                    for row in connection.execute(sa.select(tables[name]))
                ),
                key=repr,
            )
            for name, found in schema.items()
        }


def fill(app: Flask) -> None:
    """People as the login area left them: one with a session, a device, a link, a step and a past."""
    now, user_id, session_id = clock.now(), new_id(), new_id()
    password_hash = runtime_of(app).hashing.hash(PASSWORD)
    times = {"created_at": now, "last_seen_at": now}
    rows: dict[str, dict[str, Any]] = {
        "users": {
            "id": user_id,
            "email": ALICE,
            "email_key": ALICE,
            "name": "Alice",
            "locale": "ko",
            "password_hash": password_hash,
            "password_changed_at": now,
            "email_verified_at": now,
            "created_at": now,
        },
        "login_sessions": {
            "id": session_id,
            "user_id": user_id,
            "kind": "web",
            "methods": "pwd",
            "auth_time": now,
            **times,
            "idle_limit": 3600,
            "expires_at": now + timedelta(days=1),
            "persistent": False,
            "ip": "203.0.113.7",
            "user_agent": "Firefox",
            "device_name": None,
        },
        "known_devices": {"user_id": user_id, "device_hash": "d" * 64, **times},
        "security_events": {
            "id": new_id(),
            "user_id": user_id,
            "kind": "signed_in",
            "at": now,
            "ip": "203.0.113.7",
            "user_agent": "Firefox",
            "login_session_id": session_id,
            "details": {"methods": "pwd"},
        },
        "one_time_tokens": {
            "id": new_id(),
            "token_hash": "t" * 64,
            "purpose": "reset_password",
            "user_id": user_id,
            "data": {},
            "created_at": now,
            "expires_at": now + timedelta(hours=1),
        },
        "sign_ins_in_progress": {
            "id": new_id(),
            "handle_hash": "h" * 64,
            "user_id": user_id,
            "step": "keep_account",
            "kind": "web",
            "methods": "pwd",
            "proven_at": now,
            "persistent": False,
            "expires_at": now + timedelta(minutes=10),
        },
    }
    with runtime_of(app).engine.begin() as connection:
        for name, values in rows.items():
            connection.execute(Base.metadata.tables[name].insert().values(values))


def test_up_and_down_again_no_row_is_lost_and_nobody_is_signed_out(new_app: NewApp, stores: Stores) -> None:
    app = new_app()
    with app.app_context():
        upgrade(revision=BEFORE)
    fill(app)
    schema = columns(app)
    before = held(app, schema)
    assert all(before[name] for name in (*NEW, "known_devices", "security_events", "one_time_tokens"))
    move(app, upgrade, HERE)
    assert held(app, schema) == before
    assert all(found <= columns(app)[name] for name, found in NEW.items())

    move(app, upgrade, "head")  # where the site of today can be used
    phone, browser = App(app), Browser(app)
    assert phone.sign_in(ALICE).status_code == 200
    assert {session["kind"] for session in phone.get("/sessions").json} == {"web", "api"}
    assert browser.sign_in(ALICE).status_code == 303
    used = held(app, schema)

    move(app, downgrade, BEFORE)
    assert columns(app) == schema, "what came with the API goes, and nothing else"
    assert held(app, schema) == used
    move(app, upgrade, "head")
    assert held(app, schema) == used
    assert browser.is_signed_in
    assert phone.sign_in(ALICE).status_code == 200
