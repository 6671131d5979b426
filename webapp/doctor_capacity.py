"""What `flask doctor` says of numbers that have to fit together: connections of all sites, memory of all hashes."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, text

from webapp.database import pool_size
from webapp.findings import Finding
from webapp.settings import Settings

SPARE = 5  # connections that nobody of ours takes: a migration, `flask doctor`, a backup, a person with psql
_LIMITS = text(
    "SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int, "
    "(SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user), "
    "(SELECT datconnlimit FROM pg_database WHERE datname = current_database())"
)
_CGROUP = Path("/sys/fs/cgroup/memory.max")
_MEMINFO = Path("/proc/meminfo")


def examine_capacity(engine: Engine, settings: Settings) -> Iterator[Finding]:
    """Connections, where there is a server that counts them, and memory."""
    if engine.dialect.name == "postgresql":
        yield _connections(engine, settings)
    memory = memory_bytes()
    if memory is not None:
        yield _memory(memory, settings)


def _connections(engine: Engine, settings: Settings) -> Finding:
    wanted = settings.SITES * settings.WEB_CONCURRENCY * pool_size(settings)
    sum_of = f"{settings.SITES} × {settings.WEB_CONCURRENCY} × {pool_size(settings)} = {wanted}"
    with engine.connect() as connection:
        most, reserved, *limits = connection.execute(_LIMITS).one()
    given = min([most - reserved, *(limit for limit in limits if limit is not None and limit >= 0)])
    if wanted + SPARE <= given:
        return Finding("connections", True, f"SITES × WEB_CONCURRENCY × pool is {sum_of} of {given}")
    return Finding(
        "connections",
        False,
        f"SITES × WEB_CONCURRENCY × pool is {sum_of}, and the server gives {given} of which {SPARE} should be spare: "
        "raise max_connections or the role's limit, lower WEB_CONCURRENCY or THREADS, or put a pooler in between",
    )


def _memory(available: int, settings: Settings) -> Finding:
    """All places for hashes taken at once, in all workers of this machine."""
    hashes = settings.WEB_CONCURRENCY * settings.ARGON2_CONCURRENCY * settings.ARGON2_MEMORY_KIB * 1024
    told = f"hashes take up to {hashes >> 20} MiB of {available >> 20}"
    if 2 * hashes <= available:
        return Finding("memory", True, told)
    return Finding("memory", False, f"{told}: lower ARGON2_CONCURRENCY or WEB_CONCURRENCY, not what a hash costs")


def memory_bytes() -> int | None:
    """What this machine has, or this container may have; None where nobody tells."""
    found = []
    if _MEMINFO.exists():
        line = next(line for line in _MEMINFO.read_text().splitlines() if line.startswith("MemTotal:"))
        found.append(int(line.split()[1]) * 1024)
    if _CGROUP.exists() and (limit := _CGROUP.read_text().strip()).isdigit():
        found.append(int(limit))
    return min(found, default=None)
