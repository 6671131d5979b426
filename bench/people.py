"""People of a site under load: signed in by page and by app, from devices it knows."""

import json
import re
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

from bench.load import Call
from tests.people import PASSWORD
from tests.servers.devices import PREFIX, ApiSite
from tests.servers.site import LiveSite
from webapp import clock
from webapp.models import User
from webapp.services.hashing import PasswordHashing

LOGIN = f"{PREFIX}/auth/login"
AS_JSON = {"Content-Type": "application/json"}
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


class Visitor:
    """Just enough of a browser to sign in."""

    def __init__(self, site: LiveSite) -> None:
        self._site = site
        self._cookies: dict[str, str] = {}

    @property
    def headers(self) -> dict[str, str]:
        """What the browser says with every request."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {
            "User-Agent": AGENT,
            "Accept": "text/html,application/xhtml+xml",
            "Accept-Language": "en-US,en;q=0.5",
            "Sec-Fetch-Site": "same-origin",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            **({"Cookie": cookies} if cookies else {}),
        }

    def sign_in(self, email: str) -> "Visitor":
        """Come in by the form."""
        page = self.request("GET", "/login")
        found = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert found is not None, page
        self.request("POST", "/login", {"csrf_token": found[1], "email": email, "password": PASSWORD})
        self.request("GET", "/account")  # from here on nothing is new to either side
        return self

    def request(self, method: str, path: str, fields: dict[str, str] | None = None) -> str:
        """The body of an answer, which is no refusal."""
        connection = HTTPConnection(urlsplit(self._site.url).netloc)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if fields else {}
        connection.request(method, path, urlencode(fields) if fields else None, {**self.headers, **form})
        answer = connection.getresponse()
        for line in answer.headers.get_all("Set-Cookie") or []:
            for name, morsel in SimpleCookie(line).items():
                self._cookies[name] = morsel.value
        body = answer.read().decode()
        assert answer.status < 400, (answer.status, body)
        return body


def new_account(api: ApiSite, number: int, hashing: PasswordHashing) -> str:
    """The address of a confirmed account whose hash costs what the site's do."""
    email, now = f"bench-{number}@example.com", clock.now()
    columns = {"email": email, "email_key": email, "name": "Bench", "created_at": now, "email_verified_at": now}
    api.rows.add(User(**columns, password_hash=hashing.hash(PASSWORD), password_changed_at=now))
    return email


def sign_in_again(api: ApiSite, email: str) -> Call:
    """The call by which an app signs in on a device that the site knows, so that no mail tells of it."""
    body = {"email": email, "password": PASSWORD, "device_name": "A phone"}
    first = api.call("POST", "/auth/login", body)
    assert first.status == 200, first
    device = SimpleCookie(first.headers["Set-Cookie"])["device"].value
    return Call("POST", LOGIN, {**AS_JSON, "User-Agent": AGENT, "Cookie": f"device={device}"}, json.dumps(body))
