"""What a page view of a signed-in user costs: one read of the session, one joined query, no write."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient

from tests.people import Browser, runtime_of
from tests.rows import Rows, statements
from tests.servers.valkey import ValkeyServer
from tests.stores import Stores

Commands = Callable[[], dict[str, int]]


@pytest.fixture
def commands(request: pytest.FixtureRequest, stores: Stores) -> Iterator[Commands]:
    """How often each command was sent to Redis, connecting and asking for this left out; none where there is none."""
    if not stores.redis_url:
        yield dict
        return
    server: ValkeyServer = request.getfixturevalue("valkey_server")
    client = redis.Redis.from_url(server.url)

    def count() -> dict[str, int]:
        stats = client.info("commandstats")
        ours = {name.removeprefix("cmdstat_"): values["calls"] for name, values in stats.items()}
        return {name: calls for name, calls in ours.items() if name.split("|")[0] not in ("info", "client", "hello")}

    yield count
    client.close()


@contextmanager
def commands_sent(count: Commands) -> Iterator[list[str]]:
    """The commands that Redis gets in the meantime."""
    before, sent = count(), list[str]()
    yield sent
    after = count()
    for name, calls in after.items():
        sent.extend([name] * (calls - before.get(name, 0)))


def cost_of(browser: Browser, path: str, rows: Rows, commands: Commands) -> tuple[list[str], list[str]]:
    with statements(rows.engine) as sql, commands_sent(commands) as sent:
        assert browser.get(path).status_code == 200
    return sql, sent


@pytest.mark.parametrize("path", ["/account", "/account/password"])
def test_an_ordinary_page_costs_one_session_read_one_joined_query_and_no_write(
    alice: str, browser: Browser, rows: Rows, commands: Commands, stores: Stores, path: str
) -> None:
    browser.sign_in(alice)
    for visit in ("right after the sign-in", "the one after"):
        sql, sent = cost_of(browser, path, rows, commands)
        joined = [statement for statement in sql if "JOIN users" in statement]
        assert len(joined) == 1, visit
        if stores.redis_url:
            assert sent == ["get"], visit
            assert sql == joined, visit
        else:
            others = [statement for statement in sql if statement not in joined]
            assert len(others) == 1, visit
            assert "FROM cookie_sessions" in others[0], visit
        assert all(statement.startswith("SELECT") for statement in sql), visit


def test_a_visitor_costs_nothing(browser: Browser, rows: Rows, commands: Commands) -> None:
    for path in ("/", "/login", "/register", "/password/forgot"):
        for _ in range(2):
            assert cost_of(browser, path, rows, commands) == ([], []), path


def test_what_needs_no_session_reads_none(
    app: Flask, alice: str, browser: Browser, rows: Rows, commands: Commands
) -> None:
    browser.sign_in(alice)
    client: FlaskClient = browser.client
    with statements(runtime_of(app).engine) as sql, commands_sent(commands) as sent:
        assert client.get("/healthz").status_code == 200
        assert client.get("/.well-known/change-password").status_code in (302, 303)
    assert (sql, sent) == ([], [])
