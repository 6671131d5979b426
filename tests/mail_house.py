"""As much of the site as mails need: a database, a Flask application that finds the templates, a mail address."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from flask import Flask
from flask_babel import Babel
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from webapp.database import SingleStatements
from webapp.gateways.mail_transport import MailTransport, transport_for
from webapp.http import background
from webapp.http.mail_rendering import render
from webapp.models import Base, OutboxMessage, ProviderRevocation
from webapp.services import outbox
from webapp.services import runtime as runtime_module
from webapp.services.runtime import Runtime, provide_runtime
from webapp.services.sealing import Sealer
from webapp.services.transaction import transaction
from webapp.settings import PROJECT_ROOT, Settings

BUSY = 30  # seconds a writer waits for SQLite in these tests


@dataclass(frozen=True)
class MailHouse:
    """One application with its outbox."""

    app: Flask
    runtime: Runtime
    rings: list[None]  # one for each time the sender was woken
    asking: list[str]  # the id of the request under way, alone; empty outside of one

    def enqueue(self, event: str = "password_changed", *, to: str = "mina@example.org", **params: str) -> None:
        """Write one mail, with what it needs and no request has said."""
        needed = {name: f"https://login.example.com/{name}" for name in outbox.MAILS[event]}
        with transaction() as tx:
            outbox.enqueue(tx, event, to=to, locale="en", params={**needed, **params})

    @contextmanager
    def asked_by(self, request_id: str) -> Iterator[None]:
        """Within the block a request is under way."""
        self.asking[0] = request_id
        try:
            yield
        finally:
            self.asking[0] = ""

    @property
    def rows(self) -> list[OutboxMessage]:
        """The outbox as it stands now, oldest first."""
        with Session(self.runtime.engine) as fresh:
            return list(fresh.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))

    @property
    def row(self) -> OutboxMessage:
        """The one message there is."""
        (row,) = self.rows
        return row

    @property
    def transport(self) -> MailTransport:
        return transport_for(self.runtime.settings)

    def send(self, limit: int = 100) -> int:
        """One turn of a sender."""
        with self.app.app_context():
            return outbox.send_due(render, self.transport, limit=limit)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url)
    engine = create_engine(url, connect_args={"timeout": BUSY})

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


@contextmanager
def mail_house(database_url: str, mail_url: str, instance: Path, **settings: Any) -> Iterator[MailHouse]:
    """The house over a database, whose tables are made if need be. The key is kept in `instance`."""
    engine = _engine(database_url)
    needed = (OutboxMessage, ProviderRevocation)
    Base.metadata.create_all(engine, tables=[Base.metadata.tables[model.__tablename__] for model in needed])
    sessions = scoped_session(sessionmaker(engine, expire_on_commit=False))
    values = {"PUBLIC_URL": "https://login.example.com", "INSTANCE_PATH": instance, "MAIL_URL": mail_url, **settings}
    checked = Settings.checked(**values)
    app = Flask("webapp", root_path=str(PROJECT_ROOT / "webapp"))
    Babel(app)
    rings: list[None] = []
    asking = [""]

    def wake() -> None:
        rings.append(None)
        background.wake(app)

    nothing = cast(Any, None)  # mails need no password hasher and no store of sessions
    runtime = Runtime(
        settings=checked,
        engine=engine,
        single=SingleStatements(engine),
        database_session=sessions,
        hashing=nothing,
        breached=nothing,
        throttle=nothing,
        sealer=Sealer(checked.SECRET_KEY),
        key_ring=nothing,
        access_tokens=nothing,
        refresh_tokens=nothing,
        revoked=nothing,
        cookie_sessions=nothing,
        relying_parties={},
        event_issuer=None,
        wake_outbox=wake,
        request_id=lambda: asking[0],
    )
    before = runtime_module._find
    provide_runtime(lambda: runtime)
    try:
        yield MailHouse(app, runtime, rings, asking)
    finally:
        background.stop(app)
        runtime_module._find = before
        sessions.remove()
        engine.dispose()


def _send_with_many_threads(house: MailHouse, threads: int) -> None:
    def work() -> None:
        # Whoever wins a claim comes again, so nothing is left when the last has lost.
        while house.send(limit=10):
            pass

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def _worker_process(database_url: str, mail_url: str, instance: str, threads: str) -> None:
    """Sends what is due when a line comes in; with no threads, by the background sender until the input ends."""
    with mail_house(database_url, mail_url, Path(instance)) as house:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        if int(threads):
            _send_with_many_threads(house, int(threads))
        else:
            background.install_background(house.app)
            background.ensure_started(house.app)
            sys.stdin.read()


@contextmanager
def worker_process(house: MailHouse, threads: int) -> Iterator[subprocess.Popen[str]]:
    """Another process over the same outbox, ready to begin as soon as a line is written to it."""
    settings = house.runtime.settings
    database_url = house.runtime.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "tests.mail_house", database_url, settings.MAIL_URL, str(settings.INSTANCE_PATH)]
    with subprocess.Popen(
        [*command, str(threads)], cwd=PROJECT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def begin(process: subprocess.Popen[str]) -> None:
    """Let a worker process begin."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


if __name__ == "__main__":
    _worker_process(*sys.argv[1:])
