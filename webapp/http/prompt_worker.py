"""gunicorn's worker with threads, but for how long it waits. By itself it does so without end where a visitor stops in
the middle of a request: as many of them as there are threads, and nobody is served any more.
"""

import errno
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

from gunicorn.workers.gthread import TConn, ThreadWorker

if TYPE_CHECKING:
    from socket import socket

# For head and body together; the longest body has 64 KiB. Five of them gunicorn waits for the first byte.
REQUEST_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 10.0  # for each piece of an answer to be taken

T = TypeVar("T")


class TooSlow(TimeoutError):
    """The visitor did not send or take what was due. By its number gunicorn takes it for a line that was cut."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "the visitor is too slow")


class PromptSocket:
    """A connection that waits for no visitor longer than it may. All that is not said here the socket does."""

    def __init__(self, line: "socket") -> None:
        self._line = line
        self.await_request()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)

    def await_request(self) -> None:
        """From now on the time of a request runs."""
        self._until = time.monotonic() + REQUEST_SECONDS

    def recv(self, size: int) -> bytes:
        """What has come. Raises TooSlow when the time of the request is over."""
        return self._within(self._until - time.monotonic(), self._line.recv, size)

    def sendall(self, data: bytes) -> None:
        """Send all of it. Raises TooSlow when it is not taken in time."""
        self._within(ANSWER_SECONDS, self._line.sendall, data)

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> int:
        """Send a part of a file. Raises TooSlow when no more of it is taken."""
        return self._within(ANSWER_SECONDS, self._line.sendfile, file, offset, count)

    def _within(self, seconds: float, do: Callable[..., T], *values: Any) -> T:
        if seconds <= 0:
            raise TooSlow
        before = self._line.gettimeout()  # shorter where gunicorn itself waits no longer
        self._line.settimeout(seconds if before is None else min(seconds, before))
        try:
            return do(*values)
        except TimeoutError:
            raise TooSlow from None
        finally:
            self._line.settimeout(before)


class PromptWorker(ThreadWorker):
    """Threads, none of which a slow visitor keeps (ASVS 15.4.4)."""

    def handle(self, conn: TConn) -> Any:
        """One request of a connection."""
        if isinstance(conn.sock, PromptSocket):
            conn.sock.await_request()
        else:
            conn.sock = PromptSocket(conn.sock)
        return super().handle(conn)
