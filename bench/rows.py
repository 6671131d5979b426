"""What a month of refreshing leaves in the database: `make bench-api`.

Devices sign in and refresh, in-process, by the services themselves. The rows of login_sessions are as many as devices.
"""

import argparse
import sys
import time
from pathlib import Path

from flask import Flask
from sqlalchemy import func, select, text

from bench.sites import application
from tests.people import PASSWORD, runtime_of
from webapp import clock
from webapp.models import Base, User
from webapp.policy.login_sessions import MOST_A_USER
from webapp.services import rotation, tokens
from webapp.services.client import Client
from webapp.services.transaction import transaction

CLIENT = Client(ip="192.0.2.1", user_agent="bench")


def main() -> None:
    """Sign in, refresh, and print the tables before and after."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--refreshes", type=int, default=100_000)
    options = parser.parse_args()
    with application() as app:
        refresh_tokens = signed_in(app, options.devices)
        before = rows_of(app)
        began = time.perf_counter()
        for number in range(options.refreshes):
            at = number % options.devices
            refresh_tokens[at] = rotation.rotate_refresh_token(refresh_tokens[at], CLIENT).refresh_token
        seconds = time.perf_counter() - began
        after = rows_of(app)
    print(f"{'rows':<24}{f'{options.devices} sign-ins':>20}{f'and {options.refreshes} refreshes':>24}")
    for name in sorted(after):
        if after[name]:
            print(f"{name:<24}{before[name]:>20}{after[name]:>24}")
    print(f"{options.refreshes / seconds:.0f} refreshes a second in one thread, without HTTP and without a disk\n")
    assert after["login_sessions"] == options.devices


def signed_in(app: Flask, devices: int) -> list[str]:
    """The refresh tokens of so many devices, of people with as many devices as one may have."""
    found = []
    for number in range(devices):
        email, now = f"person-{number // MOST_A_USER}@example.com", clock.now()
        if number % MOST_A_USER == 0:
            columns = {"email": email, "email_key": email, "created_at": now, "email_verified_at": now}
            with transaction() as tx:
                password_hash = runtime_of(app).hashing.hash(PASSWORD)
                tx.add(User(**columns, password_hash=password_hash, password_changed_at=now))
        started = tokens.sign_in_with_password(email, PASSWORD, CLIENT, device_name=None, refresh_transport="body")
        found.append(started.tokens.refresh_token)
    return found


def rows_of(app: Flask) -> dict[str, int]:
    """How many rows each table has, and how large the file is."""
    database = runtime_of(app).settings.DATABASE_URL.removeprefix("sqlite:///")
    with runtime_of(app).engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        rows = {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }
    return rows | {"the file, in KiB": Path(database).stat().st_size // 1024}


if __name__ == "__main__":
    sys.exit(main())
