"""How soon four workers refuse what one of them signed out, and what a large set of revoked sessions costs:
`make bench-api`.
"""

import argparse
import statistics
import sys
import time
import tracemalloc
from datetime import timedelta

from flask import Flask
from sqlalchemy import Engine, insert, select

from bench.load import Call, cycling, load
from bench.sites import application, sqlite_site
from bench.tokens import microseconds
from tests.people import runtime_of
from tests.servers.devices import PREFIX, ApiSite, Line
from webapp import clock
from webapp.ids import new_id
from webapp.models import LoginSession, User
from webapp.services import signing_keys, tokens
from webapp.services.access_tokens import Subject
from webapp.services.revocation import READ_EVERY, WHOLE_EVERY, RevokedSessions

SPREAD = timedelta(minutes=10)  # over the life of an access token
BATCH = 2000  # tokens


def main() -> None:
    """Run all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=200, help="sign-outs whose spreading is measured")
    parser.add_argument("--revoked", type=int, default=100_000, help="login sessions in the large set")
    parser.add_argument("--rounds", type=int, default=5, help="slices for each site")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a slice")
    options = parser.parse_args()
    with sqlite_site() as api:
        with api.line_to_each_worker() as lines:
            delays = sorted(delay(api, lines) * 1000 for _ in range(options.tries))
        print(f"until the last of {len(lines)} workers refuses, over {options.tries} sign-outs")
        print(f"{'  median':<36}{statistics.median(delays):>12.0f} ms\n{'  worst':<36}{delays[-1]:>12.0f} ms\n")
    in_process(options.revoked)
    with sqlite_site() as large, sqlite_site() as empty:
        calls = [(api.site, session(api)) for api in (large, empty)]
        revoke(large.rows.engine, options.revoked)
        time.sleep(WHOLE_EVERY.total_seconds())  # until each worker has read the whole set
        costs = [[load(site, script, options.seconds).cost for site, script in calls] for _ in range(options.rounds)]
    for name, column in zip((f"{options.revoked} revoked", "none revoked"), zip(*costs, strict=True), strict=True):
        print(f"{f'GET /auth/session, {name}':<36}{statistics.median(column):>12.0f} µs of processor")
    print(f"ratio {statistics.median(none / many for many, none in costs):.2f}\n")


def delay(api: ApiSite, lines: list[Line]) -> float:
    """Seconds from the answer to a sign-out until the last worker has refused the access token."""
    device = api.new_device()
    token = device.access_token
    assert all(line.takes(token) for line in lines)
    assert device.call("POST", "/auth/logout").status == 204
    began = time.monotonic()
    waiting = list(lines)
    while waiting:
        waiting = [line for line in waiting if line.takes(token)]
    return time.monotonic() - began


def session(api: ApiSite) -> str:
    """A script of calls that do nothing but verify their access token."""
    headers = {"Authorization": f"Bearer {api.new_device().access_token}"}
    return cycling([Call("GET", f"{PREFIX}/auth/session", headers)])


def in_process(amount: int) -> None:
    """A verification beside an empty set and beside a large one, and what the large one takes to read and to keep."""
    with application() as app:
        beside_none = verification(app)
        with runtime_of(app).engine.begin() as connection:
            now = clock.now()
            connection.execute(insert(User).values(email="a", email_key="a", created_at=now))
        revoke(runtime_of(app).engine, amount)
        passed = [0.0]
        tracemalloc.start()
        revoked = RevokedSessions(
            runtime_of(app).engine, token_life=runtime_of(app).settings.JWT_ACCESS, monotonic=lambda: passed[0]
        )
        revoked.includes("")
        mebibytes = tracemalloc.get_traced_memory()[0] / 2**20
        tracemalloc.stop()
        passed[0] += READ_EVERY.total_seconds()
        new = timed(revoked)
        passed[0] += WHOLE_EVERY.total_seconds()
        whole = timed(revoked)
        runtime_of(app).revoked.note(*(str(new_id()) for _ in range(amount)))
        beside_many = verification(app)
    print(f"{f'a set of {len(revoked)}, in one process':<36}")
    print(f"{'  memory':<36}{mebibytes:>12.1f} MiB")
    print(f"{'  reading it whole, once a minute':<36}{whole:>12.1f} ms")
    print(f"{'  reading what is new, once a second':<36}{new:>12.1f} ms")
    print(f"{'  a verification beside it':<36}{beside_many:>12.1f} µs")
    print(f"{'  beside none':<36}{beside_none:>12.1f} µs, ratio {beside_none / beside_many:.2f}\n")


def timed(revoked: RevokedSessions) -> float:
    """Milliseconds of a look that reads."""
    began = time.perf_counter()
    revoked.includes("")
    return (time.perf_counter() - began) * 1000


def verification(app: Flask) -> float:
    """Microseconds of a verification of a token that was verified before."""
    key = signing_keys.current_key()
    subjects = [Subject(new_id(), new_id(), clock.now(), ("pwd",)) for _ in range(BATCH)]
    batch = [runtime_of(app).access_tokens.issue(key, subject) for subject in subjects]
    return statistics.median(microseconds(tokens.verify_access_token, batch) for _ in range(9))


def revoke(engine: Engine, amount: int) -> None:
    """Write down so many login sessions of apps that ended, evenly over the last life of an access token."""
    with engine.begin() as connection:
        now = clock.now()
        row = {
            "user_id": connection.scalar(select(User.id).limit(1)),
            "kind": "api",
            "methods": "pwd",
            "idle_limit": 3600,
            "ip": "192.0.2.1",
            "user_agent": "",
            **dict.fromkeys(("auth_time", "created_at", "last_seen_at", "expires_at"), now),
            "end_reason": "signed_out",
            "persistent": False,
        }
        ends = (now - SPREAD * (number / amount) for number in range(amount))
        connection.execute(insert(LoginSession), [{**row, "id": new_id(), "ended_at": at} for at in ends])


if __name__ == "__main__":
    sys.exit(main())
