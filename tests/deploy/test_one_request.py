"""One id leads an operator from the proxy over the answer, its log lines and the event to the mail."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest

from tests.deploy.caddy import Caddy
from tests.people import PASSWORD
from tests.servers.fixtures import NewSite
from tests.servers.process import wait_until
from tests.servers.site import LiveSite

FORGED = "chosen-by-the-visitor"
EVENTS = {"request", "registered", "mail_sent"}  # the answer, the event and the mail


def ask(port: int, path: str, body: dict[str, str] | None = None) -> tuple[int, str]:
    """Status, and the id of the request, which its visitor tried to choose."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        headers = {"Content-Type": "application/json", "X-Request-ID": FORGED}
        connection.request("POST" if body else "GET", path, json.dumps(body) if body else None, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("X-Request-ID", "")
    finally:
        connection.close()


@pytest.fixture
def behind_caddy(new_site: NewSite) -> Iterator[tuple[LiveSite, int]]:
    """A site, and the port of Caddy in front of it, with the file that is deployed."""
    front = Caddy()
    with ExitStack() as stack:
        stack.callback(front.close)
        site = new_site(PUBLIC_URL=front.url, TRUSTED_PROXIES="1")
        front.start([site.url.removeprefix("http://")])
        yield site, front.port


def lines_of(site: LiveSite, request_id: str) -> list[str]:
    return [line for line in site.log_text.splitlines() if request_id in line]


def test_the_id_that_the_proxy_gave_leads_to_the_event_and_to_the_mail(behind_caddy: tuple[LiveSite, int]) -> None:
    site, port = behind_caddy
    status, request_id = ask(port, "/api/v1/auth/register", {"email": "kim@example.com", "password": PASSWORD})
    assert status == 202
    assert request_id != FORGED
    wait_until(lambda: any("mail_sent" in line for line in lines_of(site, request_id)))
    told = {event for line in lines_of(site, request_id) for event in line.split() if event in EVENTS}
    assert told == EVENTS
    assert not lines_of(site, FORGED)
    other = ask(port, "/healthz")[1]
    assert other not in ("", request_id)
