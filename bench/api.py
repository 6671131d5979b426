"""What a call of the JSON API costs: `make bench-api`.

`GET /auth/session`, which does nothing but verify the access token, against a bare Flask route with the same JSON on
the same gunicorn; one verification in-process; refreshes a second on either kind of stores.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from http.client import HTTPConnection

from bench.load import CLIENTS, BareSite, Request, get, in_turns, load, report, running
from bench.sites import COMMON, application, postgres_site, sqlite_site
from tests.people import runtime_of
from tests.servers.devices import PREFIX, ApiSite, Device, call_over
from webapp import clock
from webapp.ids import new_id
from webapp.services import signing_keys, tokens
from webapp.services.access_tokens import Subject

SESSION = f"{PREFIX}/auth/session"
BATCH = 1000  # tokens
BATCHES = 7


def main() -> None:
    """Run all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="slices for each site")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a slice")
    options = parser.parse_args()
    with sqlite_site() as api:
        token = api.new_device().access_token
        said = api.call("GET", "/auth/session", token=token).body
        with running(BareSite(**COMMON, BARE_CLAIMS=json.dumps(said))) as bare:
            ours = (api.site, get(SESSION, Authorization=f"Bearer {token}"))
            slices = in_turns(ours, (bare, get(SESSION)), rounds=options.rounds, seconds=options.seconds)
            report(("GET /auth/session", "bare Flask route, same JSON"), *slices)
    verifications()
    print(f"{'':<36}{'requests/s':>12}{'µs of processor':>18}")
    refreshes("POST /auth/refresh, SQLite", sqlite_site(), options.seconds)
    refreshes("POST /auth/refresh, PostgreSQL", postgres_site(), options.seconds)


def verifications() -> None:
    """One verification in this process, of a token never seen and of one that was."""
    with application() as app:
        key = signing_keys.current_key()
        new, seen = [], []
        for _ in range(BATCHES):
            subjects = [Subject(new_id(), new_id(), clock.now(), ("pwd",)) for _ in range(BATCH)]
            batch = [runtime_of(app).access_tokens.issue(key, subject) for subject in subjects]
            for times in (new, seen):
                times.append(microseconds(tokens.verify_access_token, batch))
    print(f"{'one verification in-process':<36}{'µs':>12}")
    print(f"{'  of a token never seen':<36}{statistics.median(new):>12.1f}")
    print(f"{'  of one verified before':<36}{statistics.median(seen):>12.1f}\n")


def microseconds(verify: Callable[[str], object], batch: list[str]) -> float:
    """How much of the processor each of a batch takes."""
    began = time.thread_time()
    for token in batch:
        verify(token)
    return (time.thread_time() - began) / len(batch) * 1e6


def refreshes(name: str, starting: AbstractContextManager[ApiSite], seconds: float) -> None:
    """How many refreshes a second four workers do, each of a client's own token."""
    with starting as api:
        request = refreshing([api.new_device() for _ in range(CLIENTS)])
        load(api.site, request, 1.0)
        done = load(api.site, request, 2 * seconds)
    print(f"{name:<36}{done.rate:>12.0f}{done.cost:>18.0f}")


def refreshing(devices: list[Device]) -> Request:
    """Each client steps the line of its own device."""

    def request(connection: HTTPConnection, client: int) -> None:
        device = devices[client]
        body = {"refresh_token": device.refresh_token}
        device.keep(call_over(connection, "POST", f"{PREFIX}/auth/refresh", body))

    return request


if __name__ == "__main__":
    sys.exit(main())
