"""Two sites behind Caddy, each started anew in its turn: nobody who uses them meanwhile notices."""

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.caddy import Caddy
from tests.people import PASSWORD
from tests.servers.devices import PREFIX, SiteRows, call_over
from tests.servers.ports import free_port
from tests.servers.postgres import PostgresServer
from tests.servers.process import wait_until
from tests.servers.site import LiveSite
from tests.servers.test_gunicorn import ON_LINUX, Visitor
from tests.servers.valkey import ValkeyServer
from webapp import clock
from webapp.models import User
from webapp.services.hashing import PasswordHashing

EMAIL = "rolling@example.com"


class BehindProxy(LiveSite):
    """A site on a port of its own: it refuses connections while it is stopped, as on another machine."""

    def __init__(self, public_url: str, **settings: str) -> None:
        self.port = free_port()
        bind = {"BIND": f"127.0.0.1:{self.port}", "PUBLIC_URL": public_url, "TRUSTED_PROXIES": "1"}
        self.drain_file = Path(tempfile.gettempdir()) / f"draining-{self.port}"
        super().__init__(**settings, **bind, DRAIN_FILE=str(self.drain_file))

    def drain_and_stop(self) -> None:
        """As the service files do: out of the proxy's sight first."""
        self.drain_file.touch()
        self.wait_for_the_proxy(503, times=2)  # after the first it may have sent somebody on their way already
        self.stop()
        self.drain_file.unlink()

    def wait_for_the_proxy(self, status: int, *, times: int = 1) -> None:
        """Until it has asked whether the site is well, and was told so."""
        before = self._told(status)
        wait_until(lambda: self._told(status) >= before + times)

    def _told(self, status: int) -> int:
        lines = self.log_text.splitlines()
        return sum("endpoint=ops.healthz" in line and line.endswith(f"status={status}") for line in lines)

    def _answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@contextmanager
def busy(*works: Callable[[], int]) -> Iterator[list[int]]:
    """Within the block each of these is done again and again by somebody; what they were answered."""
    stopping, answers = threading.Event(), list[int]()

    def work(one: Callable[[], int]) -> None:
        while not stopping.is_set():
            answers.append(one())

    threads = [threading.Thread(target=work, args=(one,)) for one in works]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


@contextmanager
def sites(number: int, **stores: str) -> Iterator[tuple[Caddy, list[BehindProxy]]]:
    """So many sites on the same stores, behind one proxy."""
    with ExitStack() as stack:
        front = Caddy()
        stack.callback(front.close)
        cheap = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8", "RATELIMIT_ENABLED": "0", "SECRET_KEY": "r" * 40}
        small = {"WEB_CONCURRENCY": "1", "THREADS": "4"}
        behind = []
        for _ in range(number):
            behind.append(BehindProxy(front.url, **stores, **cheap, **small))
            stack.callback(behind[-1].close)
        front.start([f"127.0.0.1:{site.port}" for site in behind])
        yield front, behind


class Person:
    """Somebody who uses the site by page and by app, through the proxy."""

    def __init__(self, front: Caddy) -> None:
        self.url = front.url
        self._port = front.port
        self._visitor = Visitor(self)  # type: ignore[arg-type]
        assert self._visitor.sign_in(EMAIL, PASSWORD) == 303
        self._refresh_token = self._call("/auth/login", {"email": EMAIL, "password": PASSWORD})

    def read(self) -> int:
        return self._visitor.open("/account")[0]

    def sign_in(self) -> int:
        return Visitor(self).sign_in(EMAIL, PASSWORD)  # type: ignore[arg-type]

    def refresh(self) -> int:
        self._refresh_token = self._call("/auth/refresh", {"refresh_token": self._refresh_token})
        return 200

    def _call(self, path: str, body: dict[str, Any]) -> str:
        connection = HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            answer = call_over(connection, "POST", PREFIX + path, body)
        finally:
            connection.close()
        assert answer.status == 200, answer
        return str(answer.body["refresh_token"])


def a_user() -> User:
    now, hashing = clock.now(), PasswordHashing(time_cost=1, memory_kib=8, parallelism=1, concurrency=1)
    user = {"email": EMAIL, "email_key": EMAIL, "name": "", "created_at": now, "email_verified_at": now}
    return User(**user, password_hash=hashing.hash(PASSWORD), password_changed_at=now)


@ON_LINUX
@pytest.mark.timeout(300)  # two sites start twice, on whatever else the machine does
def test_while_each_site_is_started_anew_no_request_fails(
    postgres_server: PostgresServer, valkey_server: ValkeyServer
) -> None:
    stores = {"DATABASE_URL": postgres_server.new_database(), "REDIS_URL": valkey_server.url}
    with sites(2, **stores) as (front, both):
        start_each_anew(front, both)
        assert [front.get(path) for path in ("/metrics", "/readyz")] == [404, 404]


def start_each_anew(front: Caddy, both: list[BehindProxy]) -> None:
    SiteRows(both[0]).add(a_user())
    person = Person(front)
    with busy(person.read, person.sign_in, person.refresh) as answers:
        for site in both:
            wait_until(lambda: len(answers) > 5, seconds=60)
            site.drain_and_stop()
            seen = len(answers)
            wait_until(lambda seen=seen: len(answers) > seen + 5, seconds=60)
            site.start()
            site.wait_for_the_proxy(200)
    assert set(answers) == {200, 303}


def test_while_a_store_is_away_the_site_answers_and_not_the_proxy(postgres_server: PostgresServer) -> None:
    valkey = ValkeyServer()
    try:
        with sites(1, DATABASE_URL=postgres_server.new_database(), REDIS_URL=valkey.url) as (front, [site]):
            valkey.kill()
            site.wait_for_the_proxy(200, times=2)
            visitor = Visitor(front)  # type: ignore[arg-type]
            form = {**visitor.form_of("/login"), "email": EMAIL, "password": PASSWORD}
            SiteRows(site).add(a_user())
            status, text, headers = visitor.open("/login", form)
            assert (status, bool(headers["Retry-After"])) == (503, True)
            assert "<h1" in text
    finally:
        valkey.close()


@pytest.mark.asvs("16.2.5")
def test_what_the_proxy_says_of_a_site_that_is_away_holds_no_link_and_no_session() -> None:
    with sites(1) as (front, [site]):
        site.stop()
        headers = {"Cookie": "session=COOKIE-SECRET", "Referer": f"{front.url}/verify-email/REFERER-SECRET"}
        assert front.get("/verify-email/PATH-SECRET?next=QUERY-SECRET", headers) in (502, 503)
        assert '"level":"error"' in front.log_text
        assert "SECRET" not in front.log_text


def test_bodies_that_never_come_hold_no_thread_of_the_site() -> None:
    head = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    with sites(1) as (front, [_]), ExitStack() as stack:
        for _ in range(12):  # three times as many as there are threads
            line = stack.enter_context(socket.create_connection(("127.0.0.1", front.port)))
            line.sendall(head + b"Content-Length: 100\r\n\r\na=")
        assert [front.get("/login") for _ in range(4)] == [200] * 4
