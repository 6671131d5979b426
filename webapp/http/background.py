"""One thread in each worker that sends mails, gives back what providers granted and, now and then, tidies up. No
request waits for it.

It starts with the first request a process serves, or from gunicorn's post_worker_init hook: never before a fork, whose
child would inherit a lock but not the thread that was to open it.
"""

import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from flask import Flask
from sqlalchemy import QueuePool

from webapp.database import CONNECTIONS_BESIDE
from webapp.gateways.mail_transport import MailTransport, transport_for
from webapp.http.mail_rendering import render
from webapp.metrics import BACKGROUND_TURN, CONNECTIONS
from webapp.services import outbox, provider_revocations
from webapp.services.runtime import runtime

POLL = 2.0  # seconds between looks at the outbox when nobody rings
SLOWEST_POLL = 60.0  # seconds, while the database is away
HOUSEKEEPING = 600.0  # seconds
BATCH = 20  # messages a turn
PATIENCE = 12.0  # seconds to wait for a message under way when the process ends
_EXTENSION = "background"

_chance = secrets.SystemRandom()
_log = structlog.get_logger("background")


@dataclass
class _Process:
    """What belongs to one process, so that a fork starts with none of it."""

    starting: threading.Lock = field(default_factory=threading.Lock)
    bell: threading.Event = field(default_factory=threading.Event)
    stopping: threading.Event = field(default_factory=threading.Event)
    thread: threading.Thread | None = None
    housekeeping_due: float = 0.0  # time.monotonic()


class Background:
    """The background work of one application."""

    def __init__(self, app: Flask, transport: MailTransport, housekeeping: Callable[[], object] | None) -> None:
        self._app = app
        self._transport = transport
        self._housekeeping = housekeeping
        self._processes: dict[int, _Process] = {}

    def ensure_started(self) -> None:
        """Start this process's thread unless it runs. Cheap enough for every request."""
        process = self._process
        if process.thread is not None and process.thread.is_alive():
            return
        with process.starting:
            if process.stopping.is_set() or (process.thread is not None and process.thread.is_alive()):
                return
            process.housekeeping_due = time.monotonic() + _about(HOUSEKEEPING / 10)
            process.thread = threading.Thread(target=self._work, args=(process,), name="background", daemon=True)
            process.thread.start()

    def wake(self) -> None:
        """Say that a mail was committed."""
        self._process.bell.set()

    def stop(self) -> None:
        """End the thread; a message under way is finished first, as far as PATIENCE goes."""
        process = self._process
        process.stopping.set()
        process.bell.set()
        if process.thread is not None:
            process.thread.join(PATIENCE)

    @property
    def _process(self) -> _Process:
        pid = os.getpid()
        # setdefault is one step: two threads of a fresh process get the same one.
        return self._processes.get(pid) or self._processes.setdefault(pid, _Process())

    def _work(self, process: _Process) -> None:
        pause = POLL
        while not process.stopping.is_set():
            process.bell.wait(_about(pause))
            process.bell.clear()
            # The answer to the request that rang is on its way by then. Were we to start at once, the work for a mail
            # would slow that answer, and its time would tell whether the address is known (ASVS 6.3.8).
            process.stopping.wait(_about(0.2))
            self._note_turn()
            worked = self._send(process) and self._give_back(process) and self._keep_house(process)
            pause = POLL if worked else min(pause * 2, SLOWEST_POLL)

    def _note_turn(self) -> None:
        BACKGROUND_TURN.labels("background").set_to_current_time()
        with self._app.app_context():
            pool = runtime().engine.pool
        if isinstance(pool, QueuePool):
            CONNECTIONS.labels("in_use").set(pool.checkedout())
            CONNECTIONS.labels("most").set(pool.size() - CONNECTIONS_BESIDE)  # ours, of which none is in use now

    def _send(self, process: _Process) -> bool:
        def send() -> None:
            sent = outbox.send_due(render, self._transport, limit=BATCH, stopping=process.stopping.is_set)
            if sent == BATCH:
                process.bell.set()  # the next ones in the next turn: mails by the thousand hold nothing else up

        return self._survives("mail", send)

    def _give_back(self, process: _Process) -> bool:
        """What was granted to us at providers and is wanted no more."""
        if process.stopping.is_set():
            return True
        stopping = process.stopping.is_set
        return self._survives("revocations", lambda: provider_revocations.revoke_due(BATCH, stopping=stopping))

    def _keep_house(self, process: _Process) -> bool:
        if self._housekeeping is None or process.stopping.is_set() or time.monotonic() < process.housekeeping_due:
            return True
        process.housekeeping_due = time.monotonic() + _about(HOUSEKEEPING)
        return self._survives("housekeeping", self._housekeeping)

    def _survives(self, what: str, work: Callable[[], object]) -> bool:
        """Whether `work` went well; the thread goes on in any case."""
        try:
            with self._app.app_context():
                work()
        except Exception as error:  # a database that is away, most likely: it comes back, and so do we
            _log.error("background_failed", work=what, error=type(error).__name__)
            return False
        return True


def install_background(app: Flask, housekeeping: Callable[[], object] | None = None) -> None:
    """Give `app` its background work, begun by the first request. For wsgi.py; tests and commands go without.

    `housekeeping` is called about every HOUSEKEEPING seconds in an application context. Raises SettingsError when
    MAIL_URL is wrong.
    """
    with app.app_context():
        transport = transport_for(runtime().settings)
    background = Background(app, transport, housekeeping)
    app.extensions[_EXTENSION] = background
    app.before_request(background.ensure_started)


def ensure_started(app: Flask) -> None:
    """Start the background work in this process, if `app` has any. For gunicorn's post_worker_init."""
    if background := _find(app):
        background.ensure_started()


def wake(app: Flask) -> None:
    """Say that a mail was committed; for Runtime.wake_outbox. Does nothing where no background work is installed."""
    if background := _find(app):
        background.wake()


def stop(app: Flask) -> None:
    """End the background work of this process. For gunicorn's worker_exit."""
    if background := _find(app):
        background.stop()


def _find(app: Flask) -> Background | None:
    found = app.extensions.get(_EXTENSION)
    return found if isinstance(found, Background) else None


def _about(seconds: float) -> float:
    """`seconds`, give or take a quarter, so that many workers do not come all at once."""
    return seconds * _chance.uniform(0.75, 1.25)
