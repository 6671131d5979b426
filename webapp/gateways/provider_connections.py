"""Connections that can be cut from outside, by whoever does not want to wait for what never ends."""

import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class Lines:
    """The connections of one call. A second handle on each of them: the first is the library's, and turns into another
    object when TLS begins.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._handles: list[socket.socket] = []
        self._is_cut = False

    def note(self, connection: socket.socket) -> None:
        """Remember one that was just opened."""
        with self._lock:
            self._handles.append(connection.dup())
            if self._is_cut:
                self._hang_up()

    def cut(self) -> None:
        """Whoever reads from them reads their end, and whoever writes fails; so it is with those still to come."""
        with self._lock:
            self._is_cut = True
            self._hang_up()

    def __enter__(self) -> None:
        _current.set(self)  # in this thread, which makes no other call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._lock:
            for handle in self._handles:
                handle.close()
            self._handles.clear()

    def _hang_up(self) -> None:
        for handle in self._handles:
            with suppress(OSError):
                handle.shutdown(socket.SHUT_RDWR)


_current: ContextVar[Lines] = ContextVar("webapp_provider_lines")


class _Noted(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        connection = super()._new_conn()
        _current.get().note(connection)
        return connection


class _NotedSecure(_Noted, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Noted


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _NotedSecure


# What urllib3 is to open connections with, by scheme, inside of `with Lines():`.
NOTED_POOLS: Final[dict[str, type[HTTPConnectionPool]]] = {"http": _Pool, "https": _SecurePool}
