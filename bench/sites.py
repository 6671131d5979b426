"""What the measurements of tokens run on: a site of four workers, and an application in-process."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import event

from bench.load import running
from tests.people import runtime_of
from tests.servers.devices import ApiSite
from tests.servers.process import ServerDirectory
from tests.servers.site import LiveSite
from webapp import create_app
from webapp.settings import Settings

WORKERS = "4"
COMMON = {
    "RATELIMIT_ENABLED": "0",
    "LOG_LEVEL": "WARNING",
    "WEB_CONCURRENCY": WORKERS,
    "ARGON2_TIME_COST": "1",  # what a hash costs is measured elsewhere
    "ARGON2_MEMORY_KIB": "8",
}


@contextmanager
def sqlite_site() -> Iterator[ApiSite]:
    """One machine: everything in SQLite."""
    with running(LiveSite(**COMMON)) as site:
        yield ApiSite(site)


@contextmanager
def application() -> Iterator[Flask]:
    """An application in this process, on SQLite that waits for no disk."""
    directory = ServerDirectory()
    settings = Settings.checked(
        APP_ENV="testing",
        SECRET_KEY="b" * 40,
        DATABASE_URL=f"sqlite:///{directory.path / 'app.db'}",
        MAIL_URL=f"file:{directory.path / 'mail'}",
        INSTANCE_PATH=directory.path,
        RATELIMIT_ENABLED=False,
        LOG_LEVEL="ERROR",
        ARGON2_TIME_COST=1,
        ARGON2_MEMORY_KIB=8,
    )
    app = create_app(settings)
    engine = runtime_of(app).engine
    event.listen(engine, "connect", _never_wait_for_the_disk)
    try:
        with app.app_context():
            upgrade()
            yield app
    finally:
        engine.dispose()
        directory.remove()


def _never_wait_for_the_disk(connection: Any, _record: object) -> None:
    assert isinstance(connection, sqlite3.Connection)
    connection.execute("PRAGMA synchronous = OFF")
