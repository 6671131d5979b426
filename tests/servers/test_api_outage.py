"""PostgreSQL stops under four real workers: who holds an access token goes on for a while, and then waits like all.

The while is half a minute, so by default its end is left to the tests of the set of revoked sessions. This waits:

    LONG_OUTAGE=1 python -m pytest -n 0 tests/servers/test_api_outage.py
"""

import os

import pytest

from tests.servers.devices import Answer, ApiSite
from tests.servers.postgres import PostgresServer
from tests.servers.process import wait_until
from tests.servers.test_gunicorn import ON_LINUX

LONG = os.environ.get("LONG_OUTAGE") == "1"
CALLS = 10  # of each worker

pytestmark = [ON_LINUX, pytest.mark.parametrize("api_site", ["postgres"], indirect=True)]


def is_unavailable(answer: Answer) -> bool:
    assert answer.status in (200, 503), answer
    return answer.status == 503 and answer.code == "store_unavailable" and int(answer.headers["Retry-After"]) >= 1


@pytest.mark.asvs("16.5.2", "16.5.3")
def test_without_postgresql_tokens_are_good_for_a_while_and_then_not_trusted(
    api_site: ApiSite, postgres_server: PostgresServer
) -> None:
    device = api_site.new_device()
    token = device.access_token
    with api_site.line_to_each_worker() as lines:
        assert all(line.takes(token) for line in lines)
        postgres_server.stop()
        try:
            assert all(line.takes(token) for _ in range(CALLS) for line in lines)
            assert all(is_unavailable(line.call("GET", "/me", token=token)) for line in lines)
            assert is_unavailable(device.exchange())
            if LONG:
                for line in lines:
                    wait_until(
                        lambda line=line: is_unavailable(line.call("GET", "/auth/session", token=token)), seconds=60
                    )
        finally:
            postgres_server.start()
    with api_site.line_to_each_worker() as lines:
        wait_until(lambda: not any(is_unavailable(line.call("GET", "/auth/session", token=token)) for line in lines))
        assert all(line.takes(token) for line in lines)
    device.refresh()
    assert (device.row.generation, device.row.ended_at) == (2, None)
    assert "request_failed" not in api_site.site.log_text
