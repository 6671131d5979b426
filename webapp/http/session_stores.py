"""Where the bags of signed-in browsers are kept: the database, or Redis when there is one.

A store maps a key to bytes until a time. It knows neither ids nor what is in the bytes. It talks on connections of
its own, so that nothing of a view is ever committed by it. When it does not answer it raises StoreUnavailable.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Protocol, cast

from redis import Redis, RedisError, ResponseError
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from sqlalchemy import Engine, Table, bindparam, delete, insert, literal, select, update
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from webapp import clock
from webapp.errors import StoreUnavailable
from webapp.models import CookieSession
from webapp.settings import Settings

REDIS_PREFIX = "cookie_session:"
REDIS_CONNECT_SECONDS = 0.5
REDIS_ANSWER_SECONDS = 1.0


class SessionStore(Protocol):
    """Bytes under a key until a time. Every method raises StoreUnavailable when the store does not answer."""

    def get(self, key: str) -> bytes | None:
        """The bytes under a key that is there and not over."""

    def insert(self, key: str, data: bytes, expires_at: datetime) -> None:
        """Keep the bytes under a new key until that time."""

    def update(self, key: str, data: bytes) -> bool:
        """Replace the bytes under a key, its time unchanged. False, and nothing is written, where there is none."""

    def rename(self, key: str, new_key: str, data: bytes) -> bool:
        """Move a key, its time unchanged, and replace its bytes, in one step. False where there is none."""

    def delete(self, key: str) -> None:
        """Forget a key, whether or not it is there."""

    def purge(self, limit: int) -> int:
        """Delete at most `limit` entries that are over; how many it were."""

    def ping(self) -> None:
        """Return when the store answers."""


def make_store(settings: Settings, engine_getter: Callable[[], Engine]) -> SessionStore:
    """The store the settings ask for. Opens no connection: a worker may still be forked."""
    if not settings.REDIS_URL:
        return SqlSessionStore(engine_getter)
    client = Redis.from_url(
        settings.REDIS_URL,
        protocol=2,
        socket_connect_timeout=REDIS_CONNECT_SECONDS,
        socket_timeout=REDIS_ANSWER_SECONDS,
        # Once more at once where the connection was cut, as after a restart; never after waiting for an answer in vain.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
    )
    return RedisSessionStore(client)


class SqlSessionStore:
    """The table `cookie_sessions`. What is over stays until `purge`, and is not found."""

    def __init__(self, engine_getter: Callable[[], Engine]) -> None:
        self._engine = engine_getter
        self._table = cast(Table, CookieSession.__table__)
        self._columns = self._table.c
        # Built once, with its values left open: this one runs on every page view.
        self._read = select(self._columns.data).where(
            self._columns.key == bindparam("key"), self._columns.expires_at > bindparam("now")
        )

    def get(self, key: str) -> bytes | None:
        with _database_answers(), self._engine().connect() as connection:
            return cast(bytes | None, connection.execute(self._read, {"key": key, "now": clock.now()}).scalar())

    def insert(self, key: str, data: bytes, expires_at: datetime) -> None:
        with _database_answers(), self._engine().begin() as connection:
            connection.execute(insert(self._table).values(key=key, data=data, expires_at=expires_at))

    def update(self, key: str, data: bytes) -> bool:
        with _database_answers(), self._engine().begin() as connection:
            statement = update(self._table).where(self._columns.key == key).values(data=data)
            return connection.execute(statement).rowcount == 1

    def rename(self, key: str, new_key: str, data: bytes) -> bool:
        with _database_answers(), self._engine().begin() as connection:
            statement = update(self._table).where(self._columns.key == key).values(key=new_key, data=data)
            return connection.execute(statement).rowcount == 1

    def delete(self, key: str) -> None:
        with _database_answers(), self._engine().begin() as connection:
            connection.execute(delete(self._table).where(self._columns.key == key))

    def purge(self, limit: int) -> int:
        over = select(self._columns.key).where(self._columns.expires_at <= clock.now())
        slice_ = over.order_by(self._columns.expires_at).limit(limit).with_for_update(skip_locked=True)
        with _database_answers(), self._engine().begin() as connection:
            return connection.execute(delete(self._table).where(self._columns.key.in_(slice_))).rowcount

    def ping(self) -> None:
        with _database_answers(), self._engine().connect() as connection:
            connection.execute(select(literal(1)))


class RedisSessionStore:
    """Redis or Valkey; it forgets by itself what is over."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def get(self, key: str) -> bytes | None:
        with _redis_answers():
            return cast(bytes | None, self._client.get(REDIS_PREFIX + key))

    def insert(self, key: str, data: bytes, expires_at: datetime) -> None:
        with _redis_answers():
            self._client.set(REDIS_PREFIX + key, data, pxat=int(expires_at.timestamp() * 1000))

    def update(self, key: str, data: bytes) -> bool:
        with _redis_answers():
            return bool(self._client.set(REDIS_PREFIX + key, data, xx=True, keepttl=True))

    def rename(self, key: str, new_key: str, data: bytes) -> bool:
        with _redis_answers(), self._client.pipeline(transaction=True) as pipeline:
            pipeline.rename(REDIS_PREFIX + key, REDIS_PREFIX + new_key)
            pipeline.set(REDIS_PREFIX + new_key, data, xx=True, keepttl=True)
            renamed, written = pipeline.execute(raise_on_error=False)
            if isinstance(renamed, ResponseError) and "no such key" in str(renamed):
                return False
            for answer in (renamed, written):
                if isinstance(answer, Exception):
                    raise answer
            return bool(written)

    def delete(self, key: str) -> None:
        with _redis_answers():
            self._client.delete(REDIS_PREFIX + key)

    def purge(self, limit: int) -> int:
        return 0

    def ping(self) -> None:
        with _redis_answers():
            self._client.ping()


@contextmanager
def _database_answers() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        raise StoreUnavailable(store="database") from error


@contextmanager
def _redis_answers() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise StoreUnavailable(store="redis") from error
