"""The same calls with a thousand rows in each table that grows, and with a million: `make growth`.

Two sites on one machine, one database each; slices of load alternate. Processor time is that of the workers, which on
SQLite holds the database's; that of PostgreSQL's own processes is added to it.
"""

import argparse
import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.counts import application_of
from bench.crowd_rows import fill
from bench.load import Slice, load, median, running, worker_seconds
from bench.operations import Crowd, Script, gather, growing
from bench.report import replace_part
from bench.site import CHEAP, SETTINGS, hashing_at
from tests.people import runtime_of
from tests.servers.devices import ApiSite
from tests.servers.postgres import PostgresServer
from tests.servers.site import LiveSite
from tests.servers.valkey import ValkeyServer
from webapp.services import housekeeping

MOST = 1.3  # what a call may cost more with a thousand times the rows


@dataclass(frozen=True)
class Row:
    """One call, small and large."""

    stores: str
    name: str
    small: Slice
    large: Slice
    ratio: float  # of the processor time

    @property
    def line(self) -> str:
        """As a row of a table."""
        costs = f"{self.small.cost:.0f} | {self.large.cost:.0f} | **{self.ratio:.2f}**"
        return f"| {self.stores} | {self.name} | {costs} | {self.small.p50 / 1e3:.1f} | {self.large.p50 / 1e3:.1f} |"


@dataclass(frozen=True)
class Side:
    """One call at one of the two sites."""

    crowd: Crowd
    script: Script
    postgres: PostgresServer | None

    def load(self, seconds: int) -> Slice:
        """One slice of it, with what PostgreSQL took of the processor."""
        before = self._of_the_database()
        found = load(self.crowd.api.site, self.script(), seconds)
        calls = found.rate * seconds
        return replace(found, cost=found.cost + (self._of_the_database() - before) / calls * 1e6)

    def _of_the_database(self) -> float:
        return 0.0 if self.postgres is None else worker_seconds(self.postgres.pid)


@dataclass(frozen=True)
class Tidying:
    """A round of tidying up, small and large, by the clock."""

    stores: str
    small: float  # microseconds
    large: float
    ratio: float

    @property
    def line(self) -> str:
        """As a row of the same table."""
        return f"| {self.stores} | tidying up | {self.small:.0f} | {self.large:.0f} | **{self.ratio:.2f}** | | |"


def main() -> int:
    """Fill, measure, and print or write the table. 1 where a call costs more than it may."""
    given = _options()
    lines, worst = [], 0.0
    for stores in (given.stores,) if given.stores else ("sqlite", "postgres"):
        rows, tidying = _measure(stores, given)
        lines += [row.line for row in rows] + [tidying.line]
        worst = max(worst, tidying.ratio, *(row.ratio for row in rows))
    head = f"| stores | call | µs, 1,000 rows | µs, {given.rows:,} rows | ratio | p50, ms | p50, ms |"
    table = "\n".join([head, "| --- " * 7 + "|", *lines])
    print(table)
    if given.write:
        replace_part(given.write, "growth", table)
    return int(worst > MOST)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="in each table of the large one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="length of a slice; wrk knows whole ones")
    parser.add_argument("--stores", choices=["sqlite", "postgres"], help="default: both")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document")
    return parser.parse_args()


def _measure(stores: str, given: argparse.Namespace) -> tuple[list[Row], Tidying]:
    with ExitStack() as stack:
        postgres = None
        if stores == "postgres":
            postgres = PostgresServer()
            stack.callback(postgres.close)
        small, large = (_crowd(postgres, rows, stack) for rows in (1_000, given.rows))
        scripts = zip(growing(small).items(), growing(large).values(), strict=True)
        rows = []
        for (name, one), other in scripts:
            sides = (Side(small, one, postgres), Side(large, other, postgres))
            rows.append(_compared(stores, name, sides, given))
        return rows, _tidying(stores, small, large)


def _crowd(postgres: PostgresServer | None, rows: int, stack: ExitStack) -> Crowd:
    """A site on a database of its own, with so many rows in each table."""
    stores = {}
    if postgres is not None:
        valkey = ValkeyServer()
        stack.callback(valkey.close)
        stores = {"DATABASE_URL": postgres.new_database(), "REDIS_URL": valkey.url}
    site = stack.enter_context(running(LiveSite(**SETTINGS, **CHEAP, **stores)))
    site.stop()
    fill(site.environment["DATABASE_URL"], rows)
    site.start()
    print(f"{rows:,} rows in each table", file=sys.stderr)
    return gather(ApiSite(site), hashing_at(CHEAP))


def _compared(stores: str, name: str, sides: tuple[Side, Side], given: argparse.Namespace) -> Row:
    for side in sides:
        side.load(1)
    found = [[side.load(given.seconds) for side in sides] for _ in range(given.rounds)]
    ratio = statistics.median(large.cost / small.cost for small, large in found)
    row = Row(stores, name, median([small for small, _ in found]), median([large for _, large in found]), ratio)
    print(row.line, file=sys.stderr)
    return row


def _tidying(stores: str, small: Crowd, large: Crowd) -> Tidying:
    """A round of tidying up that finds nothing to remove, in-process, by the clock: it is the database that looks."""
    took: list[list[float]] = []
    apps = [application_of(crowd.api.site) for crowd in (small, large)]
    for app in apps:
        with app.app_context():
            housekeeping.purge()
    for _ in range(15):
        took.append([])
        for app in apps:
            with app.app_context():
                began = time.perf_counter()
                housekeeping.purge()
                took[-1].append(time.perf_counter() - began)
    for app in apps:
        runtime_of(app).engine.dispose()
    little, much = (statistics.median(times) * 1e6 for times in zip(*took, strict=True))
    return Tidying(stores, little, much, statistics.median(large / small for small, large in took))


if __name__ == "__main__":
    sys.exit(main())
