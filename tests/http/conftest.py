"""Sites with cookie sessions on every store."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.http.session_sites import Site, our_site, sqlite_url, stock_site
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer

BACKENDS = ("sqlite", "postgres", "redis")
MakeSite = Callable[..., Site]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """Where the bags of signed-in browsers are kept."""
    return str(request.param)


@pytest.fixture
def database_url(request: pytest.FixtureRequest, backend: str, tmp_path: Path) -> Iterator[str]:
    """A database of this test's own."""
    if backend != "postgres":
        yield sqlite_url(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = server.new_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def redis_url(request: pytest.FixtureRequest, backend: str) -> str:
    """An empty Valkey, where the test needs one."""
    if backend != "redis":
        return ""
    server: ValkeyServer = request.getfixturevalue("valkey_server")
    server.flush()
    return server.url


@pytest.fixture
def make_site(backend: str, database_url: str, redis_url: str) -> Iterator[MakeSite]:
    """Makes a site with our sessions, with settings of the test's choice."""
    with ExitStack() as stack:

        def make(**settings: Any) -> Site:
            return stack.enter_context(our_site(backend, database_url, redis_url, **settings))

        yield make


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site with our sessions."""
    return make_site()


@pytest.fixture(params=["stock", "ours"])
def either_site(request: pytest.FixtureRequest, backend: str, database_url: str, redis_url: str) -> Iterator[Site]:
    """A site with our sessions, and one with Flask-Session as it comes."""
    make = partial(our_site if request.param == "ours" else stock_site, backend, database_url, redis_url)
    with make() as either:
        yield either
