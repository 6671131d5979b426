"""The documents as something to hold against the code: headings, tables, values."""

import re
import runpy
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.source import ROOT
from webapp.database import CONNECTIONS_A_REQUEST, CONNECTIONS_BESIDE
from webapp.http.session_stores import RedisSessionStore, make_store
from webapp.policy.throttling import Limit
from webapp.settings import Settings

SECURITY = ROOT / "docs" / "security.md"
DATA = ROOT / "docs" / "data.md"
FEDERATION = ROOT / "docs" / "federation.md"
DOCUMENTS = (SECURITY, DATA, FEDERATION)

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_AMOUNT = re.compile(r"([\d,]+(?:\.\d+)?)(?: (second|minute|hour|day)s?\b)?")

Row = dict[str, str]


@dataclass(frozen=True)
class Table:
    """One table of a document, by the heading it stands under."""

    document: str
    heading: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@cache
def tables(document: Path) -> tuple[Table, ...]:
    """Every table of a document, in its order."""
    found: list[Table] = []
    heading, lines = "", [*document.read_text(encoding="utf-8").splitlines(), ""]
    block: list[list[str]] = []
    for line in lines:
        if line.startswith("#"):
            heading = line.lstrip("# ").strip()
        if line.startswith("|"):
            block.append([cell.strip() for cell in line.strip().strip("|").split("|")])
        elif block:
            columns, rows = tuple(block[0]), block[2:]
            assert all(len(row) == len(columns) for row in rows), f"{document.name}, {heading}: a row is too short"
            found.append(
                Table(document.name, heading, columns, tuple(dict(zip(columns, row, strict=True)) for row in rows))
            )
            block = []
    return tuple(found)


def table(document: Path, heading: str, number: int = 0) -> tuple[Row, ...]:
    """The rows of the first table (or another) under a heading."""
    under = [found for found in tables(document) if found.heading == heading]
    assert len(under) > number, f"docs/{document.name} has no table under the heading {heading}"
    return under[number].rows


def names(cell: str) -> list[str]:
    """What stands in a cell as code."""
    return re.findall(r"`([^`]+)`", cell)


def name(cell: str) -> str:
    """The one thing that stands in a cell as code."""
    found = names(cell)
    assert len(found) == 1, f"one name was expected in {cell!r}"
    return found[0]


def meaning(cell: str) -> object:
    """What a cell such as "10 minutes", "64 KiB" or "1 minute, 1 hour" says: a number, a time, or a tuple of times."""
    parts = [_AMOUNT.match(part) for part in re.split(r", (?=\d)", cell)]
    if not all(parts):
        return cell
    values = [_value(part[1], part[2]) for part in parts if part is not None]
    return values[0] if len(values) == 1 else tuple(values)


def _value(number: str, unit: str | None) -> float | timedelta:
    amount = float(number.replace(",", ""))
    return timedelta(seconds=amount * _UNITS[unit]) if unit else amount


def is_value(documented: str, real: object) -> bool:
    """Whether a cell says what the code says."""
    return _is_same(meaning(documented), real)


def _is_same(told: object, real: object) -> bool:
    if isinstance(told, tuple) and isinstance(real, tuple):
        return len(told) == len(real) and all(map(_is_same, told, real))
    if isinstance(told, timedelta) and isinstance(real, int | float):
        return told.total_seconds() == real
    return told == real


def value_of(name: str) -> Any:
    """What the code says: `SESSION_IDLE_SECONDS` (a setting's default), `policy.one_time.LIFE[CONFIRM_EMAIL]` (a
    constant, below webapp), `gunicorn.threads`, `pool.database`, `pool.redis`, `limits.export` (how many) or
    `limits.longest` (the longest time that anything is counted for).
    """
    head, _, tail = name.partition(".")
    if head == "gunicorn":
        return runpy.run_path(str(ROOT / "gunicorn.conf.py"))[tail]
    if head == "pool":
        return _pool(tail)
    if head == "limits":
        return _limit(tail)
    if not tail:
        return settings_field(name)
    module, _, constant = f"webapp.{name}".rpartition(".")
    constant, _, key = constant.partition("[")
    value = getattr(import_module(module), constant)
    return {str(member).upper(): item for member, item in value.items()}[key.rstrip("]")] if key else value


def settings_field(variable: str) -> object:
    """The default of an environment variable."""
    for field, info in Settings.model_fields.items():
        if variable in (info.alias, field):
            return info.default
    raise LookupError(f"there is no setting {variable}")


def _limit(which: str) -> object:
    if which == "longest":
        return max(window.length for limit in Limit for window in limit.windows)
    return next(limit.windows[0].amount for limit in Limit if limit.counter == which)


def _pool(which: str) -> int:
    if which == "redis":
        settings = Settings.checked(APP_ENV="testing", SECRET_KEY="k" * 40, REDIS_URL="redis://127.0.0.1:1")
        store = make_store(settings, lambda: None)  # type: ignore[arg-type, return-value]
        assert isinstance(store, RedisSessionStore)
        most: int = store._client.connection_pool.max_connections
        return most
    threads = settings_field("THREADS")
    assert isinstance(threads, int)
    return CONNECTIONS_A_REQUEST * threads + CONNECTIONS_BESIDE
