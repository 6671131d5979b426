"""`flask doctor` adds up what all sites take together, and looks at the site from where its users stand."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.conftest import NewApp
from tests.servers.fixtures import NewSite
from tests.test_doctor import POSTGRES_ONLY, SQLITE_ONLY, STRONG, complaints, examined
from webapp import clock
from webapp.doctor_capacity import memory_bytes
from webapp.doctor_front import examine_front
from webapp.settings import Settings

Answering = Callable[[int, dict[str, str]], str]


@POSTGRES_ONLY
def test_connections_are_added_up_over_sites_workers_and_threads(new_app: NewApp) -> None:
    well, words = examined(new_app(**STRONG, SITES=2, WEB_CONCURRENCY=1, THREADS=4))["connections"]
    assert well
    assert words.startswith("SITES × WEB_CONCURRENCY × pool is 2 × 1 × 10 = 20 of ")
    found = complaints(new_app(**STRONG, SITES=30, WEB_CONCURRENCY=4))
    assert found.keys() == {"connections"}
    assert "30 × 4 × 18 = 2160" in found["connections"]
    assert "raise max_connections" in found["connections"]


@SQLITE_ONLY
def test_hashes_of_all_workers_have_to_fit_into_half_the_memory(new_app: NewApp) -> None:
    has = memory_bytes()
    assert has is not None
    too_many = has // 2 // (4 * 19456 * 1024) + 1
    found = complaints(new_app(**STRONG, WEB_CONCURRENCY=too_many))
    assert found.keys() == {"memory"}
    assert "lower ARGON2_CONCURRENCY or WEB_CONCURRENCY" in found["memory"]


@pytest.fixture
def answering() -> Iterator[Answering]:
    """Starts something that answers every request with a status and headers; where."""
    servers: list[ThreadingHTTPServer] = []

    def start(status: int, headers: dict[str, str]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value.replace("HERE", where))
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        where = f"http://127.0.0.1:{server.server_port}"
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return where

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_site_that_its_users_reach_is_well(new_site: NewSite, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_TIMEOUT", "READ_TIMEOUT"):
        monkeypatch.setattr(f"webapp.gateways.front.{name}", 60.0)
    site = new_site()
    finding = examine_front(Settings.checked(SECRET_KEY="x" * 40, PUBLIC_URL=site.url))
    assert (finding.ok, finding.text) == (True, f"{site.url} shows the sign-in page")


OURS = {"X-Request-ID": "0123456789abcdef-00000001"}


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (200, {}, "is not this site"),
        (400, OURS, "does not pass the Host header on"),
        (308, {**OURS, "Location": "HERE/login"}, "have it set X-Forwarded-Proto"),
        (502, OURS, "the sign-in page answers 502"),
        (200, {**OURS, "Date": format_datetime(clock.now() - timedelta(hours=1))}, "seconds apart: check NTP"),
        (200, {**OURS, "Date": "yesterday"}, "shows the sign-in page"),
        (200, {**OURS, "Date": "Thu, 26 Nov 2020 12:00:00 -0000"}, "shows the sign-in page"),
    ],
)
def test_what_a_proxy_does_wrong_is_named(
    answering: Answering, status: int, headers: dict[str, str], words: str
) -> None:
    finding = examine_front(Settings.checked(SECRET_KEY="x" * 40, PUBLIC_URL=answering(status, headers)))
    assert words in finding.text
    assert finding.ok == words.startswith("shows")


def test_an_address_where_nobody_answers_is_named() -> None:
    finding = examine_front(Settings.checked(SECRET_KEY="x" * 40, PUBLIC_URL="http://127.0.0.1:1"))
    assert not finding.ok
    assert finding.text == "http://127.0.0.1:1 does not answer (ConnectionError): check name, certificate, proxy"
