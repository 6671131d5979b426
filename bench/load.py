"""Load by wrk, and what it cost: calls a second, how long they took, and the processor time of the workers for each."""

import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.site import LiveSite

TICKS = os.sysconf("SC_CLK_TCK")
CLIENTS = 8  # connections at once, each in a thread of wrk's with its own script
SCRIPTS = Path(__file__).with_name("lua")


@dataclass(frozen=True)
class Call:
    """One HTTP request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: str = ""

    @property
    def lua(self) -> str:
        """As a table of Lua."""
        headers = ", ".join(f"[{_quoted(name)}] = {_quoted(value)}" for name, value in self.headers.items())
        body = f", body = {_quoted(self.body)}" if self.body else ""
        return f"{{method = {_quoted(self.method)}, path = {_quoted(self.path)}, headers = {{{headers}}}{body}}}"


@dataclass(frozen=True)
class Slice:
    """What one slice of load came to."""

    rate: float  # calls a second
    cost: float  # processor microseconds of the workers, a call
    p50: float  # microseconds
    p99: float
    size: float  # bytes of an answer, headers included


def cycling(calls: Sequence[Call]) -> str:
    """A script that sends these again and again."""
    return f"requests = {{{', '.join(call.lua for call in calls)}}}\n" + _text("cycle")


def stepping(path: str, tokens: Sequence[str]) -> str:
    """A script that exchanges refresh tokens, a line for each connection."""
    listed = ", ".join(_quoted(token) for token in tokens)
    return f"path, tokens = {_quoted(path)}, {{{listed}}}\n" + _text("refresh")


def load(site: LiveSite, script: str, seconds: float) -> Slice:
    """One slice. Raises RuntimeError where any call was refused or lost."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script + _text("done"))
        file.flush()
        command = ["wrk", f"-t{CLIENTS}", f"-c{CLIENTS}", f"-d{seconds:g}s", "--timeout", "10s", "-s", file.name]
        before = worker_seconds(site.pid)
        printed = subprocess.run([*command, site.url], capture_output=True, text=True, check=True).stdout
        used = worker_seconds(site.pid) - before
    told = json.loads(printed.splitlines()[-1])
    if told["failed"] or not told["calls"]:
        raise RuntimeError(f"{told['failed']} of {told['calls']} calls failed")
    calls = told["calls"]
    rate = calls / told["microseconds"] * 1e6
    return Slice(rate, used / calls * 1e6, told["p50"], told["p99"], told["bytes"] / calls)


def worker_seconds(master: int) -> float:
    """The processor time of gunicorn's workers so far."""
    return sum(user + system for _, user, system in _children(master)) / TICKS


def worker_kibibytes(master: int) -> float:
    """The memory of one worker: what is its own, and its share of what several have."""
    sizes = []
    for pid, _, _ in _children(master):
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes.append(int(next(line for line in told.splitlines() if line.startswith("Pss:")).split()[1]))
    return statistics.mean(sizes)


def median(slices: Sequence[Slice]) -> Slice:
    """The median of each reading."""
    rows = [(one.rate, one.cost, one.p50, one.p99, one.size) for one in slices]
    return Slice(*(statistics.median(column) for column in zip(*rows, strict=True)))


@contextmanager
def running(site: LiveSite) -> Iterator[LiveSite]:
    """A site that is closed in the end."""
    try:
        yield site
    finally:
        site.close()


def _children(master: int) -> Iterator[tuple[int, int, int]]:
    """The workers: process id, ticks in user space, ticks in the kernel."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == master:
            yield int(stat.parent.name), int(fields[11]), int(fields[12])


def _text(name: str) -> str:
    return (SCRIPTS / f"{name}.lua").read_text(encoding="utf-8")


def _quoted(text: str) -> str:
    """A string of Lua; ASCII, without what would need more than JSON's escapes."""
    return json.dumps(text)
