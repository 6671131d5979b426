"""Two sites under load in turns: requests a second, and the processor time that the workers took for each."""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.site import LiveSite

TICKS = os.sysconf("SC_CLK_TCK")
CLIENTS = 8  # connections at once

# Sends one request over an open connection, for the client of that number, and reads the answer.
Request = Callable[[HTTPConnection, int], None]


class BareSite(LiveSite):
    """A bare page on the same gunicorn with the same configuration."""

    application = "bench.bare:app"

    def flask(self, *arguments: str) -> str:
        """There is no database to migrate."""
        return ""


@dataclass(frozen=True)
class Slice:
    """What one slice of load came to."""

    rate: float  # requests a second
    cost: float  # processor microseconds of the workers, a request


def get(path: str, **headers: str) -> Request:
    """A page or a document, asked for again and again."""

    def request(connection: HTTPConnection, _client: int) -> None:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status} instead of 200")

    return request


def in_turns(
    ours: tuple[LiveSite, Request], theirs: tuple[LiveSite, Request], *, rounds: int, seconds: float
) -> tuple[list[Slice], list[Slice]]:
    """Slices of load that alternate between two sites, so that what else the machine does hits both alike."""
    for site, request in (ours, theirs):
        load(site, request, 1.0)
    slices = [(load(*ours, seconds), load(*theirs, seconds)) for _ in range(rounds)]
    return [first for first, _ in slices], [second for _, second in slices]


def load(site: LiveSite, request: Request, seconds: float) -> Slice:
    """One slice."""
    counts = [0] * CLIENTS
    failed: list[Exception] = []
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        connection = HTTPConnection(urlsplit(site.url).netloc)
        try:
            while time.monotonic() < end:
                request(connection, number)
                counts[number] += 1
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    before, started = worker_seconds(site.pid), time.monotonic()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    total = sum(counts)
    return Slice(total / (time.monotonic() - started), (worker_seconds(site.pid) - before) / total * 1e6)


def worker_seconds(master: int) -> float:
    """The processor time of gunicorn's workers so far."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == master:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def report(names: tuple[str, str], ours: list[Slice], theirs: list[Slice]) -> None:
    """The medians and their ratios."""
    print(f"{'':<36}{'requests/s':>12}{'µs of processor':>18}")
    for name, slices in zip(names, (ours, theirs), strict=True):
        rate, cost = (statistics.median(column) for column in zip(*((s.rate, s.cost) for s in slices), strict=True))
        print(f"{name:<36}{rate:>12.0f}{cost:>18.0f}")
    pairs = list(zip(ours, theirs, strict=True))
    rate = statistics.median(a.rate / b.rate for a, b in pairs)
    cost = statistics.median(b.cost / a.cost for a, b in pairs)
    print(f"ratio: {rate:.2f} by requests a second, {cost:.2f} by processor time\n")


@contextmanager
def running(site: LiveSite) -> Iterator[LiveSite]:
    """A site that is closed in the end."""
    try:
        yield site
    finally:
        site.close()
