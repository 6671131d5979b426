"""The tables of `make bench`, printed or written into docs/performance.md between their marks."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from bench.load import Slice

_HEAD = (
    "| call | beside | ratio | wanted | µs | beside, µs | calls/s | p50, ms | p99, ms | queries | bytes |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True)
class Row:
    """One operation on one kind of stores."""

    stores: str
    name: str
    against: str
    target: float | None
    ours: Slice
    beside: Slice
    ratio: float  # by processor time
    queries: int

    @property
    def line(self) -> str:
        """As a line of the table."""
        wanted = "" if self.target is None else f"{self.target:.2f}"
        ours = f"{self.ours.rate:.0f} | {self.ours.p50 / 1000:.1f} | {self.ours.p99 / 1000:.1f}"
        costs = f"{self.ours.cost:.0f} | {self.beside.cost:.0f}"
        return (
            f"| {self.name} | {self.against} | **{self.ratio:.2f}** | {wanted} | {costs} | {ours} | {self.queries} "
            f"| {self.ours.size:.0f} |"
        )


def text_of(rows: list[Row], memory: dict[str, float]) -> str:
    """Everything, as Markdown."""
    parts = []
    for stores, title in (("sqlite", "SQLite"), ("postgres", "PostgreSQL and Valkey")):
        lines = [row.line for row in rows if row.stores == stores]
        if lines:
            parts.append(f"### {title}\n\n{_HEAD}\n" + "\n".join(lines))
            parts.append(f"Memory of a worker after it: {memory[stores] / 1024:.0f} MiB (proportional set size).")
    parts.append(f"Python {platform.python_version()}, {platform.machine()}, {_cpus()} processors.")
    return "\n\n".join(parts)


def write(rows: list[Row], memory: dict[str, float], output: Path | None) -> None:
    """Print it, and put it into `output` where one is named."""
    text = text_of(rows, memory)
    print(text)
    if output is not None:
        replace_part(output, "bench", text)


def replace_part(document: Path, name: str, text: str) -> None:
    """Put `text` into a document, between the marks of that name."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    old = document.read_text(encoding="utf-8")
    new = re.sub(f"{begin}.*{end}", lambda _: f"{begin}\n\n{text}\n\n{end}", old, flags=re.S)
    document.write_text(new, encoding="utf-8")


def _cpus() -> int:
    return sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
