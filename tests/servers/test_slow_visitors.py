"""Visitors who stop in the middle, on purpose or in a tunnel, while nobody stands in front of gunicorn."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import repeat
from threading import Event, Thread

import pytest

from tests.servers.fixtures import NewSite
from tests.servers.site import LiveSite
from webapp.http.prompt_worker import PromptSocket, TooSlow

_FORM = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
STOPS = {
    "in the first line": b"GET /log",
    "in the head": b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-More: a",
    "in a body": _FORM + b"Content-Length: 100\r\n\r\nemail=a",
    "in a body of chunks": _FORM + b"Transfer-Encoding: chunked\r\n\r\n5\r\nema",
    "in a body that is too long": _FORM + b"Content-Length: 100000\r\n\r\nemail=a",
    "in the second request of a line": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /log",
}


@pytest.fixture
def small_site(new_site: NewSite) -> Iterator[LiveSite]:
    """Of as many threads as there are places to stop in, and one for a visitor who never does, but is slow."""
    site = new_site(WEB_CONCURRENCY="1", THREADS=str(len(STOPS) + 1))
    yield site
    site.stop()


def connected(site: LiveSite) -> socket.socket:
    host, _, port = site.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def everything_from(line: socket.socket) -> bytes:
    """What the site says until it hangs up. Fails the test when it does not."""
    heard = b""
    with suppress(ConnectionResetError):
        while piece := line.recv(4096):
            heard += piece
    return heard


@pytest.mark.asvs("15.4.4")
def test_who_stops_in_the_middle_keeps_no_thread(small_site: LiveSite) -> None:
    gone = Event()
    with ExitStack() as stack:
        stack.callback(gone.set)
        lines = {place: stack.enter_context(connected(small_site)) for place in [*STOPS, "nowhere"]}
        for place, sent in STOPS.items():
            lines[place].sendall(sent)
        lines["nowhere"].sendall(_FORM + b"Content-Length: 10000\r\n\r\n")
        Thread(target=dribble, args=(lines["nowhere"], gone), daemon=True).start()
        visitor = stack.enter_context(connected(small_site))
        visitor.sendall(b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        assert b" 200 OK" in everything_from(visitor), "once the time of one of them is over"
        heard = {place: everything_from(line) for place, line in lines.items()}
    first_lines = {place: answer.partition(b"\r\n")[0] for place, answer in heard.items()}
    assert first_lines["in a body"] == first_lines["in a body of chunks"] == b"HTTP/1.1 400 BAD REQUEST"
    assert first_lines["in a body that is too long"] == b"HTTP/1.1 413 REQUEST ENTITY TOO LARGE"
    assert "Traceback" not in small_site.log_text


def dribble(line: socket.socket, gone: Event) -> None:
    """Send a byte now and then, so that something always comes."""
    with suppress(OSError):
        for byte in repeat(b"a"):
            line.sendall(byte)
            if gone.wait(0.5):
                return


def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.http.prompt_worker.ANSWER_SECONDS", 0.01)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(TooSlow):
        PromptSocket(ours).sendall(bytes(16 * 1024 * 1024))
