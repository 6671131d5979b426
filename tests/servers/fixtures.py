"""The servers as pytest fixtures. Each starts when the first test asks for it, once in every xdist worker."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.servers.postgres import PostgresServer
from tests.servers.site import LiveSite
from tests.servers.valkey import ValkeyServer

NewSite = Callable[..., LiveSite]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL. A test that stops it starts it again."""
    server = PostgresServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """A running Valkey. A test that stops it starts it again."""
    server = ValkeyServer()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def new_site() -> Iterator[NewSite]:
    """Starts a site with settings of its own: new_site(SESSION_IDLE_SECONDS="5")."""
    with ExitStack() as stack:

        def start(**settings: str) -> LiveSite:
            site = LiveSite(**settings)
            stack.callback(site.close)
            return site

        yield start


@pytest.fixture(scope="session")
def live_site(new_site: NewSite) -> LiveSite:
    """The site that most tests share. Limits are off, because all the people in them come from one address."""
    return new_site(RATELIMIT_ENABLED="0")
