"""Requests a second of a signed-in page against a bare Flask page on the same gunicorn: `make bench`.

Both run at once, each with two gthread workers; slices of load alternate between them, so that what else the machine
does hits both alike. Processor time is that of the workers alone and moves least.
"""

import argparse
import re
import sys
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from bench.load import BareSite, get, in_turns, report, running
from tests.servers.process import ServerDirectory
from tests.servers.site import LiveSite

EMAIL, PASSWORD = "bench@example.com", "seven quiet otters crossing"


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
            ours, theirs = (site, get("/account", Cookie=cookie)), (bare, get("/account"))
            slices = in_turns(ours, theirs, rounds=options.rounds, seconds=options.seconds)
            report(("/account, signed in", "bare Flask page"), *slices)
        directory.remove()


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


if __name__ == "__main__":
    sys.exit(main())
