"""How many statements and commands one call sends: counted in-process, on the stores of the running site."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import redis
from flask import Flask
from flask.testing import FlaskClient

from bench.load import CLIENTS, Call
from bench.operations import Crowd
from bench.people import AS_JSON
from tests.people import runtime_of
from tests.rows import statements
from tests.servers.devices import PREFIX, Device
from tests.servers.site import LiveSite
from webapp import create_app
from webapp.settings import Settings

QUIET = {"info", "client|setinfo", "client|setname", "hello", "ping"}  # connecting, and asking for this


def count_queries(crowd: Crowd) -> dict[str, int]:
    """By the name of the operation. Transactions' begin and commit are not counted."""
    app = application_of(crowd.api.site)
    client, engine = app.test_client(use_cookies=False), runtime_of(app).engine
    refresh = Device(crowd.api, f"bench-{CLIENTS}@example.com").refresh_token
    bearer = {"Authorization": f"Bearer {crowd.tokens[0]}"}
    calls = {
        "token call, stateless": Call("GET", f"{PREFIX}/auth/session", bearer),
        "token call with user": Call("GET", f"{PREFIX}/me", bearer),
        "session page": Call("GET", "/account", crowd.visitor.headers),
        "sign-in page": Call("GET", "/login", {}),
        "refresh": Call("POST", f"{PREFIX}/auth/refresh", AS_JSON, f'{{"refresh_token": "{refresh}"}}'),
        "sign-in": crowd.sign_ins[0],
    }  # fmt: skip
    send(client, calls["token call, stateless"])  # reads the keys, and what was revoked
    found = {}
    for name, call in calls.items():
        with counting(engine, runtime_of(app).settings.REDIS_URL) as sent:
            send(client, call)
        found[name] = sent[0]
    engine.dispose()
    return found


def application_of(site: LiveSite) -> Flask:
    """The application of a running site once more, in this process and on its stores."""
    names = {name: value for name, value in site.environment.items() if name in Settings.model_fields}
    aliases = {field.alias for field in Settings.model_fields.values() if field.alias}
    names |= {name: value for name, value in site.environment.items() if name in aliases}
    return create_app(Settings.checked(**names))


def send(client: FlaskClient, call: Call) -> None:
    """One call. Raises AssertionError where it was refused."""
    answer = client.open(call.path, method=call.method, headers=dict(call.headers), data=call.body or None)
    assert answer.status_code == 200, answer.text


@contextmanager
def counting(engine: Any, redis_url: str) -> Iterator[list[int]]:
    """How many statements and commands are sent within the block."""
    sent, before = [0], _commands(redis_url)

    with statements(engine) as found:
        yield sent
    sent[0] = len(found) + _commands(redis_url) - before


def _commands(url: str) -> int:
    if not url:
        return 0
    client = redis.Redis.from_url(url)
    with suppress(redis.RedisError):
        stats: Any = client.info("commandstats")
        client.close()
        return sum(told["calls"] for name, told in stats.items() if name.removeprefix("cmdstat_") not in QUIET)
    return 0
