"""Looks into the stores of cookie sessions, past the application."""

from datetime import UTC, datetime
from typing import Any, Protocol

import redis
from sqlalchemy import Engine, create_engine, event, text

REDIS_COMMANDS = ("get", "getex", "set", "setex", "del", "rename", "expire")


class Storage(Protocol):
    """A look into the store, past the application."""

    def keys(self) -> list[str]: ...
    def values(self) -> list[bytes]: ...
    def plant(self, key: str, data: bytes) -> None: ...
    def over_at(self) -> list[datetime]: ...
    def calls(self) -> list[str]: ...
    def close(self) -> None: ...


class SqlStorage:
    """The rows of one table, and every statement the application sends about it."""

    def __init__(self, url: str, app_engine: Engine, table: str, columns: tuple[str, str, str]) -> None:
        self._engine = create_engine(url)
        self._table = table
        self._key, self._data, self._expiry = columns
        self._calls: list[str] = []

        @event.listens_for(app_engine, "before_cursor_execute")
        def remember(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if table in statement:
                self._calls.append(statement.split()[0].lower())

    def keys(self) -> list[str]:
        return [str(key) for key in self._read(self._key)]

    def values(self) -> list[bytes]:
        return [bytes(value) for value in self._read(self._data)]

    def plant(self, key: str, data: bytes) -> None:
        columns = f"{self._key}, {self._data}, {self._expiry}"
        statement = text(f"INSERT INTO {self._table} ({columns}) VALUES (:k, :d, '2999-01-01 00:00:00.000000')")  # noqa: S608
        with self._engine.begin() as connection:
            connection.execute(statement, {"k": key, "d": data})

    def over_at(self) -> list[datetime]:
        times = [datetime.fromisoformat(str(time)) for time in self._read(self._expiry)]
        return [time.replace(tzinfo=time.tzinfo or UTC) for time in times]

    def calls(self) -> list[str]:
        """The kinds of statements about the table since the last time this was asked."""
        calls, self._calls[:] = list(self._calls), []
        return calls

    def close(self) -> None:
        self._engine.dispose()

    def _read(self, column: str) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.execute(text(f"SELECT {column} FROM {self._table} ORDER BY 1")).scalars())  # noqa: S608


class RedisStorage:
    """The keys of a Redis, and every command the application sends about them."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, protocol=2)
        self._before = self._counts()

    def keys(self) -> list[str]:
        return sorted(key.decode() for key in self._client.scan_iter())

    def values(self) -> list[bytes]:
        return [self._client.get(key) or b"" for key in self.keys()]

    def plant(self, key: str, data: bytes) -> None:
        self._client.set(key, data)

    def over_at(self) -> list[datetime]:
        return [datetime.fromtimestamp(self._client.pexpiretime(key) / 1000, UTC) for key in self.keys()]

    def calls(self) -> list[str]:
        """The commands about keys since the last time this was asked."""
        counts = self._counts()
        calls = [name for name in counts for _ in range(counts[name] - self._before.get(name, 0))]
        self._before = counts
        return calls

    def close(self) -> None:
        self._client.close()

    def _counts(self) -> dict[str, int]:
        statistics = self._client.info("commandstats")
        counts = {name.removeprefix("cmdstat_"): int(entry["calls"]) for name, entry in statistics.items()}
        return {name: count for name, count in counts.items() if name in REDIS_COMMANDS}
