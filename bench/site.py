"""The site beside what is bare, on the same gunicorn, in one interleaved run, on either kind of stores: `make bench`.

Slices of load alternate, so that what else the machine does hits both alike. Processor time is that of gunicorn's
workers alone and moves least; a ratio says how much of it the bare thing would have taken.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.bare_site import BareSite, StrippedSite
from bench.counts import count_queries
from bench.load import CLIENTS, Slice, load, median, running, worker_kibibytes
from bench.operations import Crowd, Operation, gather, operations, sign_in
from bench.report import Row, write
from tests.servers.devices import ApiSite
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerDirectory
from tests.servers.site import LiveSite
from tests.servers.valkey import ValkeyServer
from webapp.services.hashing import PasswordHashing
from webapp.settings import Settings

SETTINGS = {"RATELIMIT_ENABLED": "0", "LOG_LEVEL": "WARNING", "APP_ENV": "testing", "SECRET_KEY": "b" * 40}
CHEAP = {"ARGON2_TIME_COST": "1", "ARGON2_MEMORY_KIB": "8"}  # where the hash is not what is measured
WORKERS = 2


@dataclass(frozen=True)
class Options:
    """How long to measure."""

    rounds: int
    seconds: int
    only: str
    stores: tuple[str, ...]
    threads: str
    output: Path | None

    @property
    def settings(self) -> dict[str, str]:
        """What all sites are started with."""
        return {**SETTINGS, "THREADS": self.threads}


def main() -> None:
    """Measure on each kind of stores, and print or write the tables."""
    options = _options()
    rows, memory = [], {}
    with ExitStack() as stack:
        directory = ServerDirectory()
        stack.callback(directory.remove)
        for stores in options.stores:
            found, memory[stores] = _measure(stores, directory.path, options)
            rows += found
    write(rows, memory, options.output)


def _measure(stores: str, directory: Path, options: Options) -> tuple[list[Row], float]:
    with ExitStack() as stack:
        urls, bare_database = _stores(stores, stack)
        api = ApiSite(stack.enter_context(running(LiveSite(**options.settings, **CHEAP, **urls))))
        crowd = gather(api, hashing_at(CHEAP))
        beside = _beside(crowd, directory, bare_database, options, stack)
        queries = count_queries(crowd)
        rows = [
            _compared(stores, operation, crowd, beside[operation.beside], queries[operation.name], options)
            for operation in operations(crowd)
            if options.only in operation.name
        ]
        memory = worker_kibibytes(api.site.pid)
        if options.only in "sign-in":
            api.site.close()
            rows.append(_sign_ins(stores, urls, queries["sign-in"], options, stack))
    return rows, memory


def _stores(stores: str, stack: ExitStack) -> tuple[dict[str, str], str]:
    """Where the site keeps things, and a database of its own for what is bare."""
    if stores == "sqlite":
        return {}, ""
    postgres, valkey = PostgresServer(), ValkeyServer()
    stack.callback(postgres.close)
    stack.callback(valkey.close)
    return {"DATABASE_URL": postgres.new_database(), "REDIS_URL": valkey.url}, postgres.new_database()


def _beside(crowd: Crowd, directory: Path, database: str, options: Options, stack: ExitStack) -> dict[str, LiveSite]:
    token = crowd.tokens[0]
    answers = {
        "session": crowd.api.call("GET", "/auth/session", token=token).body,
        "me": crowd.api.call("GET", "/me", token=token).body,
        "page": crowd.visitor.request("GET", "/account"),
    }
    bare = BareSite(directory, answers, database=database, **options.settings)
    stripped = StrippedSite(**options.settings)
    return {"bare": stack.enter_context(running(bare)), "stripped": stack.enter_context(running(stripped))}


def _compared(stores: str, operation: Operation, crowd: Crowd, beside: LiveSite, queries: int, options: Options) -> Row:
    site = crowd.api.site
    for target, script in ((site, operation.script), (beside, operation.beside_script)):
        load(target, script(), 1.0)
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(load(site, operation.script(), options.seconds))
        theirs.append(load(beside, operation.beside_script(), options.seconds))
    return _row(stores, (operation.name, operation.against, operation.target), ours, theirs, queries)


def _sign_ins(stores: str, urls: dict[str, str], queries: int, options: Options, stack: ExitStack) -> Row:
    """Sign-ins at the cost that a hash has by default, beside nothing but the hash."""
    fresh = {} if stores == "sqlite" else urls
    site = stack.enter_context(running(LiveSite(**options.settings, **fresh)))
    crowd = gather(ApiSite(site), hashing_at({}), first=1000)
    load(site, sign_in(crowd)(), 1.0)
    ours, theirs = [], []
    for _ in range(options.rounds):
        ours.append(load(site, sign_in(crowd)(), options.seconds))
        theirs.append(_argon2(options.seconds))
    return _row(stores, ("sign-in", "raw Argon2", 0.95), ours, theirs, queries)


def _argon2(seconds: float) -> Slice:
    command = [sys.executable, "-m", "bench.argon2_rate", str(seconds), str(WORKERS), str(CLIENTS // WORKERS)]
    told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return Slice(told["rate"], told["cost"], 0, 0, 0)


def _row(
    stores: str, names: tuple[str, str, float | None], ours: list[Slice], theirs: list[Slice], queries: int
) -> Row:
    ratio = statistics.median(their.cost / our.cost for our, their in zip(ours, theirs, strict=True))
    row = Row(stores, *names, median(ours), median(theirs), ratio, queries)
    print(f"{stores} {row.line}", file=sys.stderr)
    return row


def hashing_at(costs: Mapping[str, str]) -> PasswordHashing:
    """Hashes as a site with these settings makes them."""
    settings = Settings.checked(SECRET_KEY="b" * 40, **costs)
    return PasswordHashing(
        time_cost=settings.ARGON2_TIME_COST,
        memory_kib=settings.ARGON2_MEMORY_KIB,
        parallelism=settings.ARGON2_PARALLELISM,
        concurrency=1,
    )


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="slices for each side")
    parser.add_argument("--seconds", type=int, default=3, help="length of a slice")
    parser.add_argument("--only", default="", help="operations whose names hold this")
    parser.add_argument("--stores", choices=["sqlite", "postgres"], help="one kind of stores; default: both")
    parser.add_argument("--threads", default="8", help="of each worker")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables into this document")
    given = parser.parse_args()
    stores = (given.stores,) if given.stores else ("sqlite", "postgres")
    return Options(given.rounds, given.seconds, given.only, stores, given.threads, given.write)


if __name__ == "__main__":
    sys.exit(main())
