"""How the database is talked to: timeouts, pragmas, nothing of the values in errors."""

from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Engine, event
from sqlalchemy.engine import make_url

from webapp.settings import Settings


def configure_database(app: Flask, settings: Settings) -> None:
    """Tell Flask-SQLAlchemy where the database is and how long to wait for it. Connects nowhere."""
    url = make_url(settings.sqlalchemy_url)
    wait = settings.DATABASE_TIMEOUT.total_seconds()
    options: dict[str, Any] = {"hide_parameters": True}  # or a password's hash, an address, would stand in a traceback
    if url.get_backend_name() == "sqlite":
        if url.database and url.database != ":memory:":
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        options["connect_args"] = {"timeout": wait}
    else:
        milliseconds = int(wait * 1000)
        options |= {
            "pool_pre_ping": True,  # a restarted server costs no request
            "pool_timeout": wait,
            "connect_args": {
                "connect_timeout": max(2, int(wait)),  # seconds; the driver takes no less than 2
                "options": f"-c statement_timeout={5 * milliseconds} -c lock_timeout={milliseconds} "
                f"-c idle_in_transaction_session_timeout={30 * milliseconds}",
            },
        }
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=options)


def tune_engine(engine: Engine, settings: Settings) -> None:
    """Have every SQLite connection write ahead, hold foreign keys, and wait for a lock no longer than the timeout."""
    if engine.dialect.name != "sqlite":
        return
    milliseconds = int(settings.DATABASE_TIMEOUT.total_seconds() * 1000)

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # What was answered is durable: WAL with NORMAL may lose the last commits when the power fails.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()
