"""Ending access tokens before their time, without a query for each (ASVS 7.4.1).

Every process keeps the ids of the API's login sessions that ended within the last life of an access token. It reads
them at most once a second, and what one request reads serves all of that second. So a sign-out holds everywhere within
about a second, and the process that did it knows at once. When the database is away, older news is trusted for half a
minute, then nothing is (ASVS 16.5.3).
"""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Engine, Text, bindparam, cast, func, select
from sqlalchemy.exc import SQLAlchemyError

from webapp import clock
from webapp.errors import StoreUnavailable
from webapp.metrics import REVOCATION_FAILURES, REVOCATION_READ, REVOKED
from webapp.models import LoginSession
from webapp.policy.signing_keys import CLOCK_SKEW

READ_EVERY = timedelta(seconds=1)
TRUSTED_FOR = timedelta(seconds=30)  # after the last reading that succeeded
WHOLE_EVERY = timedelta(seconds=60)  # in between only what is new is read
# What is new is read from this far back: a transaction may take a while from writing down a time to its end, and
# another machine's clock may be behind. What slips through all the same, the next whole reading finds.
OVERLAP = timedelta(seconds=15)
_WAIT_FOR_READER = 1.0  # seconds
_WAIT_FOR_TRUST = 5.0  # seconds, where without this reading there is no answer: a process was idle, or is new

# As text, made by the database: a hundred thousand objects made here for each reading would be felt.
_ENDED = select(func.replace(cast(LoginSession.id, Text), "-", "")).where(
    LoginSession.ended_at > bindparam("since"), LoginSession.kind == "api"
)
_log = structlog.get_logger("revocation")


class RevokedSessions:
    """The ids of login sessions whose access tokens are good no more, as one process knows them."""

    def __init__(
        self, engine: Engine, *, token_life: timedelta, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._window = token_life + 2 * CLOCK_SKEW
        self._monotonic = monotonic
        self._reading = threading.Lock()
        self._changing = threading.Lock()  # never held while anybody waits for the database
        self._ids: set[str] = set()
        self._noted: dict[str, float] = {}  # by this process itself, and when
        self._read_at = self._whole_at = self._failed_at = self._due_at = float("-inf")

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def age(self) -> float:
        """Seconds since the last reading that succeeded."""
        return self._monotonic() - self._read_at

    def includes(self, login_session_id: str) -> bool:
        """Whether that login session was ended. Raises StoreUnavailable when the news is too old to say no."""
        if self._is_due:
            self._keep_up()
        if login_session_id.replace("-", "") in self._ids:
            return True
        if self.age > TRUSTED_FOR.total_seconds():
            raise StoreUnavailable(store="revocation")
        return False

    def note(self, *login_session_ids: str) -> None:
        """Say that this process has just ended these."""
        with self._changing:
            keys = [login_session_id.replace("-", "") for login_session_id in login_session_ids]
            self._noted |= dict.fromkeys(keys, self._monotonic())
            self._ids.update(keys)

    def _keep_up(self) -> None:
        if self._just_failed or not self._reading.acquire(timeout=self._patience()):
            return
        try:
            if self._is_due and not self._just_failed:
                self._read()
                self._failed_at = float("-inf")
        except SQLAlchemyError as error:
            self._failed_at = self._monotonic()
            REVOCATION_FAILURES.inc()
            _log.warning("revocation_not_read", error=type(error).__name__)
        finally:
            self._reading.release()

    @property
    def _is_due(self) -> bool:
        return self._monotonic() >= self._due_at

    @property
    def _just_failed(self) -> bool:
        return self._monotonic() - self._failed_at < READ_EVERY.total_seconds()

    def _patience(self) -> float:
        """Where the last reading failed, the next one is one thread's to wait for."""
        if self._failed_at > self._read_at:
            return 0.0
        return _WAIT_FOR_TRUST if self.age > TRUSTED_FOR.total_seconds() else _WAIT_FOR_READER

    def _read(self) -> None:
        began, now = self._monotonic(), clock.now()
        if began - self._whole_at >= WHOLE_EVERY.total_seconds():
            found = self._ended_since(now - self._window)
            kept = began - WHOLE_EVERY.total_seconds()
            with self._changing:
                # What this process noted while the database was asked may not have been in its answer.
                self._noted = {noted: at for noted, at in self._noted.items() if at > kept}
                self._ids = found.union(self._noted)
            self._whole_at = began
        else:
            elapsed = timedelta(seconds=began - self._read_at)
            found = self._ended_since(now - elapsed - OVERLAP)
            with self._changing:
                self._ids.update(found)
        self._read_at = began
        REVOKED.set(len(self._ids))
        REVOCATION_READ.labels("revoked_sessions").set(now.timestamp())
        # A reading that takes long must not be followed by the next at once: half of the time is for requests.
        took = self._monotonic() - began
        self._due_at = began + max(READ_EVERY.total_seconds(), 2 * took)

    def _ended_since(self, since: datetime) -> set[str]:
        with self._engine.connect() as connection:
            return set(connection.scalars(_ENDED, {"since": since}))
