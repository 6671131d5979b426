"""What an endpoint may do instead of answering: `provider.lie.answers["token"] = slow_body()`.

A fault writes to the connection itself, so that it can also break HTTP. One that writes nothing lets the honest answer
follow. Those that would go on for ever end with the test, or when the client hangs up.
"""

import json as json_module
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

PATIENCE = 30  # seconds that a client may leave the line full
CHUNK = b" " * 65536  # blanks are good JSON, as far as they go


class Wire:
    """The connection to whoever asked."""

    def __init__(self, connection: socket.socket, over: threading.Event) -> None:
        self._connection = connection
        self._over = over
        self.written = False

    def send(self, data: bytes) -> None:
        self.written = True
        if self._over.is_set():
            raise ConnectionAbortedError
        self._connection.settimeout(PATIENCE)
        self._connection.sendall(data)

    def head(self, status: int = 200, **headers: str) -> None:
        """Send the head of an answer; content_type="text/html" is a header."""
        written = {"Content-Type": "application/json", "Connection": "close"}
        written |= {name.replace("_", "-").title(): value for name, value in headers.items()}
        lines = [
            f"HTTP/1.0 {status} {HTTPStatus(status).phrase}",
            *(f"{name}: {value}" for name, value in written.items()),
        ]
        self.send("\r\n".join([*lines, "", ""]).encode())

    def rest(self, seconds: float) -> None:
        """Do nothing for a moment. Raises ConnectionAbortedError when the test is over."""
        if self._over.wait(seconds):
            raise ConnectionAbortedError

    def dribble(self, interval: float) -> None:
        """Send one byte after the other, for ever."""
        while True:
            self.send(b" ")
            self.rest(interval)


Fault = Callable[[Wire], None]


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Fault:
    """This answer."""

    def fault(wire: Wire) -> None:
        wire.head(status, content_length=str(len(body)), **headers)
        wire.send(body)

    return fault


def json(value: Any, status: int = 200) -> Fault:
    """This JSON."""
    return answer(status, json_module.dumps(value).encode())


def error(code: str = "invalid_grant", description: str = "the provider says no", status: int = 400) -> Fault:
    """An error as OAuth has it."""
    return json({"error": code, "error_description": description}, status)


def failing(status: int = 500) -> Fault:
    """An error of the server, as a page."""
    return answer(status, b"<h1>Something went wrong</h1>", content_type="text/html")


def redirect(location: str, status: int = 302) -> Fault:
    """A redirect. Whether it was followed stands in provider.received."""
    return answer(status, b"", location=location)


def garbage() -> Fault:
    """No JSON, and no text."""
    return answer(200, b"\x00\xff\xfe{]" * 20)


def web_page() -> Fault:
    """A page with status 200, as of a network that wants a sign-in of its own first."""
    return answer(200, b"<!doctype html><title>Welcome to the network</title>", content_type="text/html")


def deep() -> Fault:
    """JSON that nests deeper than a parser can go."""
    return answer(200, b"[" * 200_000)


def huge(size: int = 64 * 1024 * 1024) -> Fault:
    """So many bytes, and it says so before."""

    def fault(wire: Wire) -> None:
        wire.head(content_length=str(size))
        for _ in range(size // len(CHUNK)):
            wire.send(CHUNK)

    return fault


def endless() -> Fault:
    """A body that never ends, as fast as it is read."""

    def fault(wire: Wire) -> None:
        wire.head()
        while True:
            wire.send(CHUNK)

    return fault


def endless_headers() -> Fault:
    """Headers that never end, as fast as they are read."""

    def fault(wire: Wire) -> None:
        wire.send(b"HTTP/1.0 200 OK\r\n")
        while True:
            wire.send(b"X-More: " + b"x" * 1000 + b"\r\n")

    return fault


def slow_body(interval: float = 0.05) -> Fault:
    """The head at once, then one byte of the body every `interval` seconds, for ever."""

    def fault(wire: Wire) -> None:
        wire.head()
        wire.dribble(interval)

    return fault


def slow_headers(interval: float = 0.05) -> Fault:
    """One byte of a header every `interval` seconds, for ever."""

    def fault(wire: Wire) -> None:
        wire.send(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        wire.dribble(interval)

    return fault


def silent() -> Fault:
    """Takes the request and says nothing, for ever."""

    def fault(wire: Wire) -> None:
        while True:
            wire.rest(60)

    return fault


def breaks_off() -> Fault:
    """Hangs up in the middle of the body."""

    def fault(wire: Wire) -> None:
        wire.head(content_length="1000")
        wire.send(b'{"half": ')

    return fault


def hangs_up() -> Fault:
    """Hangs up without a word."""

    def fault(wire: Wire) -> None:
        raise ConnectionAbortedError

    return fault


def not_http() -> Fault:
    """Speaks something else."""
    return lambda wire: wire.send(b"220 mail.example.com ESMTP\r\n")


def held_until(event: threading.Event) -> Fault:
    """The honest answer, but not before `event`: so that a test can have several requests wait at once."""

    def fault(wire: Wire) -> None:
        while not event.is_set():
            wire.rest(0.01)

    return fault


def then(*faults: Fault | None) -> Fault:
    """One fault after the other, one a request, and honesty after the last; None is an honest answer."""
    left = list(faults)
    lock = threading.Lock()

    def fault(wire: Wire) -> None:
        with lock:
            next_one = left.pop(0) if left else None
        if next_one is not None:
            next_one(wire)

    return fault
