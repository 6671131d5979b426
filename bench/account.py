"""Requests a second of a signed-in page against a bare Flask page on the same gunicorn: `make bench`.

Both run at once, each with two gthread workers; slices of load alternate between them, so that what else the machine
does hits both alike. Processor time is that of the workers alone and moves least.
"""

import argparse
import os
import re
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.servers.process import ServerDirectory
from tests.servers.site import LiveSite

EMAIL, PASSWORD = "bench@example.com", "seven quiet otters crossing"
TICKS = os.sysconf("SC_CLK_TCK")
CLIENTS = 8  # connections at once


class BareSite(LiveSite):
    """The bare page on the same gunicorn with the same configuration."""

    application = "bench.bare:app"

    def flask(self, *arguments: str) -> str:
        """There is no database to migrate."""
        return ""


def main() -> None:
    """Run the slices and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="slices for each site")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a slice")
    options = parser.parse_args()
    with running(LiveSite(RATELIMIT_ENABLED="0", LOG_LEVEL="WARNING")) as site:
        cookie = signed_in(site)
        directory = ServerDirectory()
        page = directory.path / "page.html"
        page.write_bytes(fetch(site, "/account", cookie))
        with running(BareSite(BARE_PAGE=str(page))) as bare:
            report(*measure(site, bare, cookie, rounds=options.rounds, seconds=options.seconds))
        directory.remove()


def measure(
    site: LiveSite, bare: LiveSite, cookie: str, *, rounds: int, seconds: float
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Requests a second and processor microseconds a request, for each slice of either."""
    load(site, cookie, 1.0)
    load(bare, "", 1.0)
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(load(site, cookie, seconds))
        theirs.append(load(bare, "", seconds))
    return ours, theirs


def load(site: LiveSite, cookie: str, seconds: float) -> tuple[float, float]:
    """One slice: requests a second, and the workers' processor microseconds a request."""
    counts = [0] * CLIENTS
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        connection = HTTPConnection(urlsplit(site.url).netloc)
        while time.monotonic() < end:
            connection.request("GET", "/account", headers={"Cookie": cookie})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise RuntimeError(f"{response.status} instead of 200")
            counts[number] += 1

    before, started = worker_seconds(site.pid), time.monotonic()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = sum(counts)
    return total / (time.monotonic() - started), (worker_seconds(site.pid) - before) / total * 1e6


def worker_seconds(master: int) -> float:
    """The processor time of gunicorn's workers so far."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == master:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def report(ours: list[tuple[float, float]], theirs: list[tuple[float, float]]) -> None:
    """The medians and their ratios."""
    print(f"{'':<24}{'requests/s':>12}{'µs of processor':>18}")
    for name, slices in (("/account, signed in", ours), ("bare Flask page", theirs)):
        rate, cost = (statistics.median(column) for column in zip(*slices, strict=True))
        print(f"{name:<24}{rate:>12.0f}{cost:>18.0f}")
    rate = statistics.median(a[0] / b[0] for a, b in zip(ours, theirs, strict=True))
    cost = statistics.median(b[1] / a[1] for a, b in zip(ours, theirs, strict=True))
    print(f"ratio: {rate:.2f} by requests a second, {cost:.2f} by processor time")


def signed_in(site: LiveSite) -> str:
    """The Cookie header of somebody signed in."""
    browser = Visitor(site)
    with site.next_mail(EMAIL) as mail:
        browser.submit("/register", email=EMAIL, password=PASSWORD, name="Bench")
    browser.submit(urlsplit(mail.link).path)
    fetch(site, "/account", browser.header)
    return browser.header


class Visitor:
    """Just enough of a browser to sign in."""

    def __init__(self, site: LiveSite) -> None:
        self._site = site
        self._cookies: dict[str, str] = {}

    @property
    def header(self) -> str:
        """The Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self._cookies.items())

    def submit(self, path: str, **fields: str) -> None:
        """Open the page at `path` and send its form."""
        page = self._request("GET", path)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token is not None, page
        self._request("POST", path, urlencode({"csrf_token": token.group(1), **fields}))

    def _request(self, method: str, path: str, body: str | None = None) -> str:
        connection = HTTPConnection(urlsplit(self._site.url).netloc)
        headers = {"Cookie": self.header, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body, headers if body else {"Cookie": self.header})
        response = connection.getresponse()
        for line in response.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.value
        return response.read().decode()


def fetch(site: LiveSite, path: str, cookie: str) -> bytes:
    """The body of a page."""
    connection = HTTPConnection(urlsplit(site.url).netloc)
    connection.request("GET", path, headers={"Cookie": cookie})
    response = connection.getresponse()
    body = response.read()
    assert response.status == 200, response.status
    return body


@contextmanager
def running(site: LiveSite) -> Iterator[LiveSite]:
    """A site that is closed in the end."""
    try:
        yield site
    finally:
        site.close()


if __name__ == "__main__":
    sys.exit(main())
