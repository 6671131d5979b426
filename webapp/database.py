"""How the database is talked to: timeouts, pragmas, the pool, nothing of the values in errors."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, Pool, event
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import OperationalError

from webapp.postgresql import IDLE, UNAVAILABLE, ImpatientConnection, QuietCursor
from webapp.settings import Settings

CONNECTIONS_A_REQUEST = 2  # its unit of work, and beside it the session store or a counter, which commit on their own
CONNECTIONS_BESIDE = 2  # the same for the background thread
ASKED_AFTER = 1.0  # seconds unused after which a connection is asked whether it is alive


def configure_database(app: Flask, settings: Settings) -> None:
    """Tell Flask-SQLAlchemy where the database is and how long to wait for it. Connects nowhere."""
    url = make_url(settings.sqlalchemy_url)
    wait = settings.DATABASE_TIMEOUT.total_seconds()
    options: dict[str, Any] = {
        "hide_parameters": True,  # or a password's hash, an address, would stand in a traceback
        # Enough for every thread at once: requests that hold one connection and wait for another would stop each other.
        "pool_size": pool_size(settings),
        "max_overflow": 0,
        "pool_timeout": wait,
    }
    if url.get_backend_name() == "sqlite":
        if url.database:
            Path(url.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        options["connect_args"] = {"timeout": wait}
    else:
        lock, statement = int(wait * 1000), int(wait * 1250)  # milliseconds
        options |= {
            "pool_pre_ping": True,  # a restarted server costs no request
            "connect_args": {
                "cursor_factory": QuietCursor,
                "autocommit": True,  # where a transaction begins is said by us; see _tune_postgresql
                "connect_timeout": max(2, int(wait)),  # seconds; the driver takes no less than 2
                "options": f"-c lock_timeout={lock} -c statement_timeout={statement} "
                f"-c idle_in_transaction_session_timeout={30 * lock}",
            },
        }
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=options)


def pool_size(settings: Settings) -> int:
    """How many connections one worker holds at most."""
    return CONNECTIONS_A_REQUEST * settings.THREADS + CONNECTIONS_BESIDE


def tune_engine(engine: Engine, settings: Settings) -> None:
    """Give the engine what its options cannot say."""
    if engine.dialect.name == "sqlite":
        _tune_sqlite(engine, int(settings.DATABASE_TIMEOUT.total_seconds() * 1000))
    else:
        _tune_postgresql(engine, settings.DATABASE_TIMEOUT.total_seconds())


class SingleStatements(Engine):
    """An engine on another one's pool, for work that is one statement and so its own transaction. Nothing that is
    listened for on the other is, here: PostgreSQL is sent the statement and nothing else, and SQLAlchemy goes no way
    round for listeners.
    """

    def __init__(self, engine: Engine) -> None:
        self._beside = engine
        super().__init__(engine.pool, engine.dialect, engine.url, hide_parameters=True)

    @property
    def pool(self) -> Pool:
        """The other's, also after that one has made itself a new one."""
        return self._beside.pool

    @pool.setter
    def pool(self, pool: Pool) -> None:
        pass


def _tune_sqlite(engine: Engine, wait: int) -> None:
    """Have every connection write ahead, hold foreign keys, and wait for a lock no longer than `wait` milliseconds."""

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {wait}")
        cursor.execute("PRAGMA journal_mode = WAL")
        # What was answered is durable: WAL with NORMAL may lose the last commits when the power fails.
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")  # a deleted account is gone from the file, too
        cursor.close()

    @event.listens_for(engine, "before_cursor_execute")
    def lock_before_reading(
        connection: Connection, cursor: Any, _statement: str, _values: object, context: Any, _many: bool
    ) -> None:
        # SQLite knows no FOR UPDATE. Its one lock for writers, taken before the read, keeps the same promise: nobody
        # changes what was read before this transaction ends.
        compiled = getattr(context, "compiled", None)
        wants_lock = compiled is not None and getattr(compiled.statement, "_for_update_arg", None) is not None
        if wants_lock and not cursor.connection.in_transaction:
            connection.exec_driver_sql(
                "BEGIN IMMEDIATE"
            )  # not by the cursor: where it fails, that is SQLAlchemy's to tell


def _tune_postgresql(engine: Engine, wait: float) -> None:
    """Have no answer waited for much longer than `wait` seconds, also where the server says nothing at all; and have
    what is one statement send nothing else.
    """
    _ping_what_was_idle(engine)
    _end_what_was_begun(engine)

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        # By itself the driver sends BEGIN before the first statement, and COMMIT or ROLLBACK after the last. What
        # is one statement needs neither, and they cost as much as a reading; see SingleStatements.
        connection.exec_driver_sql("BEGIN")

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: object, _record: object, arguments: list[Any], options: dict[str, Any]) -> Any:
        connection = ImpatientConnection.connect(*arguments, **options)
        connection.patience = 1.5 * wait
        return connection

    @event.listens_for(engine, "checkin")
    def expect_a_ping(connection: ImpatientConnection | None, _record: object) -> None:
        if connection is not None:
            # What comes next is the pool's ping, and after it perhaps a new connection.
            connection.patience = 0.5 * wait
            connection.used_at = time.monotonic()

    @event.listens_for(engine, "checkout")
    def expect_statements(connection: ImpatientConnection, _record: object, _proxy: object) -> None:
        connection.patience = 1.5 * wait  # after the server's own timeouts, which tell more

    @event.listens_for(engine, "handle_error")
    def tell_as_unavailable(context: ExceptionContext) -> None:
        # As SQLite tells it: the database is not ready for us, and it is nobody's mistake in a statement.
        if isinstance(context.original_exception, UNAVAILABLE):
            statement = context.statement
            raise OperationalError(statement, None, context.original_exception, hide_parameters=True)


def _ping_what_was_idle(engine: Engine) -> None:
    """Of a connection that was in use a moment ago it is enough to see that the server has not hung up: a restart, a
    fail-over or a killed back end all do. Only one that lay idle for longer is asked, which is a question more for each
    statement of a busy worker.
    """
    ask: Callable[[Any], bool] = engine.dialect.do_ping

    def ping(connection: ImpatientConnection) -> bool:
        if time.monotonic() - connection.used_at < ASKED_AFTER and not connection.is_hung_up():
            return True
        return ask(connection)

    engine.dialect.do_ping = ping  # type: ignore[method-assign, assignment]


def _end_what_was_begun(engine: Engine) -> None:
    """The driver locks, asks and waits before it finds that there is nothing to commit or to roll back."""

    def if_begun(end: Callable[[Any], None]) -> Callable[[Any], None]:
        def guarded(connection: Any) -> None:
            if connection.pgconn.transaction_status != IDLE:
                end(connection)

        return guarded

    dialect = engine.dialect
    dialect.do_commit = if_begun(dialect.do_commit)  # type: ignore[method-assign, assignment]
    dialect.do_rollback = if_begun(dialect.do_rollback)  # type: ignore[method-assign, assignment]
