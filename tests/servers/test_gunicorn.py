"""The site under gunicorn: its workers are one site, any of them may be killed, and it stops and starts politely."""

import http.cookiejar
import os
import re
import runpy
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

import pytest

from tests.people import PASSWORD
from tests.servers.process import wait_until
from tests.servers.site import PROJECT_ROOT, LiveSite

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers under /proc")
_TOKEN = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: Any, **_keywords: Any) -> None:
        return None


class Visitor:
    """Somebody who comes over the network, with cookies of their own and a new connection each time."""

    def __init__(self, site: LiveSite) -> None:
        self._site = site
        self.cookies = http.cookiejar.CookieJar()
        keep = urllib.request.HTTPCookieProcessor(self.cookies)
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), keep, _StayHere())

    def open(self, path: str, fields: dict[str, str] | None = None) -> tuple[int, str, HTTPMessage]:
        """Status, text and headers."""
        data = None if fields is None else urlencode(fields).encode()
        request = urllib.request.Request(self._site.url + path, data, {"Origin": self._site.url})  # noqa: S310
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except HTTPError as error:
            with error:
                return error.code, error.read().decode(), error.headers

    def submit(self, path: str, **fields: str) -> int:
        """Open a page and send its form."""
        return self.open(path, {**self.form_of(path), **fields})[0]

    def form_of(self, path: str) -> dict[str, str]:
        """What a page's form sends by itself."""
        token = _TOKEN.search(self.open(path)[1])
        assert token is not None, path
        return {"csrf_token": token.group(1)}

    def sign_in(self, email: str, password: str = PASSWORD) -> int:
        return self.submit("/login", email=email, password=password)

    @property
    def is_signed_in(self) -> bool:
        return self.open("/account")[0] == 200


def workers_of(site: LiveSite) -> list[int]:
    """The worker processes that gunicorn's master has now."""
    children = Path(f"/proc/{site.pid}/task/{site.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def wait_for_other_workers(site: LiveSite, gone: Collection[int]) -> None:
    """Until two workers are there, none of them `gone`. gunicorn starts one only after it is done with the last."""

    def are_there() -> bool:
        now = workers_of(site)  # once: between two readings a dead one may be taken off the list
        return len(now) == 2 and not set(gone) & set(now)

    wait_until(are_there)


@contextmanager
def only(site: LiveSite, number: int) -> Iterator[None]:
    """Within the block one worker alone serves; the other stands still."""
    others = [pid for index, pid in enumerate(workers_of(site)) if index != number]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def new_person(site: LiveSite, email: str, name: str = "Alice") -> Visitor:
    """Somebody with an account of their own, signed in."""
    visitor = Visitor(site)
    with site.next_mail(email) as mail:
        assert visitor.submit("/register", email=email, password=PASSWORD, name=name) == 200
    assert visitor.submit(mail.link.removeprefix(site.url)) == 303
    return visitor


@pytest.fixture
def limited_site(live_site: LiveSite) -> Iterator[LiveSite]:
    """The site, started anew with limits."""
    unlimited = live_site.environment["RATELIMIT_ENABLED"]
    live_site.stop()
    live_site.environment["RATELIMIT_ENABLED"] = "1"
    live_site.start()
    yield live_site
    live_site.stop()
    live_site.environment["RATELIMIT_ENABLED"] = unlimited
    live_site.start()


@ON_LINUX
def test_one_workers_session_is_the_other_workers_session(live_site: LiveSite) -> None:
    person = new_person(live_site, "shared@example.com")
    for number in (0, 1):
        with only(live_site, number):
            assert person.is_signed_in
    with only(live_site, 0):
        assert person.submit("/account", name="Renamed", locale="en") == 303
    with only(live_site, 1):
        assert "Renamed" in person.open("/account")[1]
        token = _TOKEN.search(person.open("/account")[1])
        assert token is not None
        copied = {cookie.name: cookie for cookie in person.cookies}
        assert person.open("/logout", {"csrf_token": token.group(1)})[0] == 303
    with only(live_site, 0):
        for cookie in copied.values():
            person.cookies.set_cookie(cookie)
        assert not person.is_signed_in


@ON_LINUX
@pytest.mark.asvs("2.4.1", "6.3.1")
def test_the_workers_count_guesses_together(limited_site: LiveSite) -> None:
    stranger, answers = Visitor(limited_site), []
    for number in (0, 1):
        with only(limited_site, number):
            answers += [stranger.sign_in("nobody@example.com", "wrong") for _ in range(6)]
    assert answers == [422] * 10 + [429] * 2


@ON_LINUX
@pytest.mark.asvs("13.1.3")
def test_a_killed_worker_takes_no_session_and_no_mail_with_it(live_site: LiveSite) -> None:
    person = new_person(live_site, "killed@example.com")
    before = set(workers_of(live_site))
    with live_site.next_mail("killed@example.com") as mail:
        assert Visitor(live_site).submit("/password/forgot", email="killed@example.com") == 200
        for pid in before:  # at once: a mail waits a moment before it is sent
            os.kill(pid, signal.SIGKILL)
        wait_for_other_workers(live_site, before)
        # Who was killed may have claimed it already: the five minutes of that claim are over at once.
        with closing(sqlite3.connect(live_site.instance / "app.db", timeout=60)) as database, database:
            database.execute("UPDATE outbox_messages SET next_attempt_at = created_at WHERE finished_at IS NULL")
    assert person.is_signed_in
    assert Visitor(live_site).open(mail.link.removeprefix(live_site.url))[0] == 200


def test_a_request_under_way_is_answered_when_the_site_is_stopped(live_site: LiveSite) -> None:
    person = new_person(live_site, "polite@example.com")
    host, port = live_site.url.removeprefix("http://").split(":")
    form = "Expect: 100-continue\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3"
    stopping = threading.Thread(target=live_site.stop)
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(f"POST /login HTTP/1.1\r\nHost: {host}:{port}\r\n{form}\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # a worker has it, and waits for the rest
        try:
            terms = live_site.log_text.count("Handling signal: term")
            stopping.start()
            wait_until(lambda: live_site.log_text.count("Handling signal: term") > terms)
            connection.sendall(b"a=b")
            said = b"".join(iter(lambda: connection.recv(65536), b""))
        finally:
            stopping.join(20)
            live_site.start()
    assert said.startswith(b"HTTP/1.1 400 ")  # it has no token
    assert b"</html>" in said
    assert person.is_signed_in


def exchanged(site: LiveSite, *pieces: bytes) -> bytes:
    """Everything the server says to these bytes before it closes the connection."""
    address = site.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=60) as connection:
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.asvs("4.2.1", "13.4.6")
@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Length: +5",
        b"Content-Length: 5, 6",
        b"Content-Length : 5",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: chunked, identity",
    ],
)
def test_of_two_readings_of_one_request_none_is_taken(live_site: LiveSite, headers: bytes) -> None:
    host = live_site.url.removeprefix("http://").encode()
    request = b"POST /login HTTP/1.1\r\nHost: " + host + b"\r\n" + headers + b"\r\n\r\n0\r\n\r\n"
    said = exchanged(live_site, request + SMUGGLED.replace(b"127.0.0.1", host))
    assert said.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501"))
    assert said.count(b"HTTP/1.1 ") == 1  # and then the connection is closed
    assert not re.search(rb"gunicorn/|Python/|Werkzeug|\d+\.\d+\.\d+", said.replace(b"127.0.0.1", b""))


@pytest.mark.asvs("4.2.2", "13.4.6")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/", "/login", "/account", "/healthz", "/static/css/site.css", "/no/such/page"])
def test_the_length_that_is_told_is_the_length_that_is_sent(live_site: LiveSite, method: str, path: str) -> None:
    host = live_site.url.removeprefix("http://")
    said = exchanged(live_site, f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = said.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    assert b"transfer-encoding" not in fields
    assert b"content-length" in fields
    assert len(body) == (0 if method == "HEAD" else int(fields[b"content-length"]))
    assert not re.search(rb"\d+\.\d+", fields.get(b"server", b""))
    assert b"x-powered-by" not in fields


@pytest.mark.asvs("15.4.1")
def test_people_who_come_at_the_same_time_see_only_their_own(live_site: LiveSite) -> None:
    names = ("Aphrodite", "Bucephalus")
    people = [new_person(live_site, f"{name.lower()}@example.com", name) for name in names]

    def look(number: int) -> list[bool]:
        person, mine, others = people[number % 2], names[number % 2], names[(number + 1) % 2]
        pages = [person.open("/account")[1] for _ in range(6)]
        return [mine in page and others not in page and others.lower() not in page for page in pages]

    with ThreadPoolExecutor(16) as pool:
        assert all(fine for found in pool.map(look, range(16)) for fine in found)


DRAW = """
import os, secrets, sys
from webapp.ids import new_id
from webapp.services import one_time
for _ in range(16):
    if os.fork() == 0:
        drawn = [secrets.token_urlsafe(one_time.TOKEN_BYTES) for _ in range(500)] + [str(new_id()) for _ in range(500)]
        os.write(1, ("\\n".join(drawn) + "\\n").encode())
        os._exit(0)
    os.wait()  # what two write into one pipe at once is mixed
"""


@pytest.mark.asvs("11.5.2")
def test_workers_that_were_forked_from_one_process_draw_nothing_twice() -> None:
    drawn = subprocess.run(
        [sys.executable, "-c", DRAW], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(drawn) == 16_000
    assert len(set(drawn)) == 16_000


def test_commands_and_configuration_work_from_any_directory(tmp_path: Path) -> None:
    environment = {"INSTANCE_PATH": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path / 'app.db'}"}
    commands = [
        ["flask", "--app", str(PROJECT_ROOT / "wsgi.py"), "db", "upgrade"],
        ["gunicorn", "--config", str(PROJECT_ROOT / "gunicorn.conf.py"), "--check-config"],
    ]
    runs = [
        subprocess.Popen([sys.executable, "-m", *command], cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
        for command in commands
    ]
    told = [run.communicate(timeout=60)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert (tmp_path / "app.db").exists()
    assert {file.name for file in tmp_path.iterdir()} <= {"app.db", "app.db-wal", "app.db-shm", "secret_key", "mail"}


@pytest.mark.parametrize("file", ["wsgi.py", "gunicorn.conf.py"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL_URL", "smtp://post:Xyzzy@mail.example.com"),
        ("MAIL_URL", "smtp://Xyzzy:port"),
        ("SESSION_IDLE_SECONDS", "Xyzzy"),
    ],
)
def test_whatever_reads_a_wrong_setting_first_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    file: str,
    name: str,
    value: str,
) -> None:
    monkeypatch.setenv("INSTANCE_PATH", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'app.db'}")
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(PROJECT_ROOT / file))
    told = capsys.readouterr().err + (ended.value.code if isinstance(ended.value.code, str) else "")
    assert f"Not started, the settings are wrong: {name}" in told
    assert "Xyzzy" not in told
    assert len(told.splitlines()) == 1
    assert ended.value.code not in (0, None)


def test_a_worker_that_never_loaded_the_site_ends_quietly() -> None:
    worker_exit: Callable[..., None] = runpy.run_path(str(PROJECT_ROOT / "gunicorn.conf.py"))["worker_exit"]
    worker_exit(None, object())
