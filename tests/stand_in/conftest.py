"""An honest provider with one client, and a browser in front of it."""

import re
from collections.abc import Callable, Iterator

import pytest
import requests

from stand_in.clients import Client
from stand_in.people import GMAIL, Person
from stand_in.provider import Provider
from stand_in.server import Server, listen
from tests.providers.client import PATIENCE, PlainClient
from tests.providers.keys import rsa_key

CALLBACK = "http://127.0.0.1:8000/login/google/callback"
OTHER_CALLBACK = "http://127.0.0.1:8000/other?kept=yes"


class PersonAtBrowser:
    """Somebody who opens pages and presses what is on them. Follows no redirect."""

    def __init__(self) -> None:
        self.session = requests.Session()

    def open(self, url: str) -> requests.Response:
        return self.session.get(url, allow_redirects=False, timeout=PATIENCE)

    def answer(self, shown: requests.Response, **fields: str) -> requests.Response:
        """Send the form of a page that was shown."""
        page = re.search(r'name="page" value="([^"]+)"', shown.text)
        assert page, shown.text
        to = re.sub(r"/(authorize|choose).*", "/choose", shown.url)
        return self.session.post(to, {"page": page[1], **fields}, allow_redirects=False, timeout=PATIENCE)

    def sign_in(self, url: str, person: Person = GMAIL) -> str:
        """Choose a person; gives the callback."""
        return self.answer(self.open(url), person=person.sub).headers["Location"]


NewBrowser = Callable[[], PersonAtBrowser]


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A running provider. "app" is its client, and "other" another one."""
    listening = listen()
    clients = [
        Client("app", "secret of the app", (CALLBACK, OTHER_CALLBACK), "Doorway"),
        Client(
            "other", "another secret", ("https://other.example/callback",), onward_uris=("com.example.app:/callback",)
        ),
    ]
    provider = Provider(f"http://127.0.0.1:{listening.getsockname()[1]}", clients, key=rsa_key("stand-in"))
    server = Server(listening, provider.app)
    server.start()
    yield provider
    server.stop()


@pytest.fixture
def client(provider: Provider) -> PlainClient:
    """The client "app" at one sign-in."""
    return PlainClient(provider.issuer, provider.clients["app"])


@pytest.fixture
def new_browser() -> Iterator[NewBrowser]:
    """Opens another browser."""
    opened: list[PersonAtBrowser] = []

    def make() -> PersonAtBrowser:
        opened.append(PersonAtBrowser())
        return opened[-1]

    yield make
    for browser in opened:
        browser.session.close()


@pytest.fixture
def browser(new_browser: NewBrowser) -> PersonAtBrowser:
    """A browser that nobody has used yet."""
    return new_browser()
