"""Counters of the `limits` library in a table of ours, for one machine without Redis or many with PostgreSQL."""

from datetime import timedelta
from typing import Any

from limits.storage import Storage
from sqlalchemy import Connection, Engine, Table, case, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from webapp import clock


class SqlStorage(Storage):
    """A `limits` storage on `table`, which has the columns key, count and expires_at.

    Counting is one statement, so no two workers get the same number. It runs on a connection of its own and is durable
    at once: a request that fails later has still used up its attempt. On SQLite, which has one writer at a time, it
    must therefore not be called from within a transaction that has written already.
    """

    STORAGE_SCHEME = None

    def __init__(self, engine: Engine, table: Table) -> None:
        super().__init__()
        self._engine = engine
        self._table = table
        self._insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the database raises when it does not answer."""
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count `amount` and say how many it makes; `expiry` is in seconds from the first one of a window."""
        with self._engine.begin() as connection:
            return self._count(connection, self._upsert(key, timedelta(seconds=expiry), amount))

    def get(self, key: str) -> int:
        """How many were counted in the window under way; 0 where there is none."""
        c = self._table.c
        with self._engine.connect() as connection:
            return self._count(connection, select(c.count).where(c.key == key, c.expires_at > clock.now()))

    def get_expiry(self, key: str) -> float:
        """When the window under way ends, in seconds since 1970; now, where there is none."""
        c, now = self._table.c, clock.now()
        with self._engine.connect() as connection:
            ends = connection.execute(select(c.expires_at).where(c.key == key, c.expires_at > now)).scalar()
        return float((ends or now).timestamp())

    def check(self) -> bool:
        """Whether the database answers."""
        try:
            with self._engine.connect() as connection:
                connection.execute(select(self._table.c.key).limit(1))
        except SQLAlchemyError:
            return False
        return True

    def reset(self) -> int:
        """Forget every counter; how many there were."""
        with self._engine.begin() as connection:
            return connection.execute(delete(self._table)).rowcount

    def clear(self, key: str) -> None:
        """Forget one counter."""
        with self._engine.begin() as connection:
            connection.execute(delete(self._table).where(self._table.c.key == key))

    def purge(self, limit: int) -> int:
        """Remove up to `limit` counters whose window is over; how many it were."""
        c = self._table.c
        is_over = c.expires_at <= clock.now()
        keys = select(c.key).where(is_over).order_by(c.expires_at).limit(limit).with_for_update(skip_locked=True)
        with self._engine.begin() as connection:
            # Asked again: a counter that was begun anew meanwhile is not over.
            return connection.execute(delete(self._table).where(is_over, c.key.in_(keys.scalar_subquery()))).rowcount

    def _upsert(self, key: str, expiry: timedelta, amount: int) -> Any:
        c, now = self._table.c, clock.now()
        insert = self._insert(self._table).values(key=key, count=amount, expires_at=now + expiry)
        is_over = c.expires_at <= now
        return insert.on_conflict_do_update(
            index_elements=[c.key],
            set_={
                "count": case((is_over, insert.excluded.count), else_=c.count + insert.excluded.count),
                "expires_at": case((is_over, insert.excluded.expires_at), else_=c.expires_at),
            },
        ).returning(c.count)

    @staticmethod
    def _count(connection: Connection, statement: Any) -> int:
        return int(connection.execute(statement).scalar() or 0)
