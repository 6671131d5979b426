"""Slows guessing down: counts attempts in a store that all workers share, and refuses those over a limit."""

import hashlib
import hmac
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import cast

import redis
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.storage import RedisStorage, Storage
from limits.strategies import FixedWindowRateLimiter
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import Engine, Table

from webapp import clock
from webapp.errors import StoreUnavailable, TooManyAttempts
from webapp.gateways.limit_storage import SqlStorage
from webapp.models import RateLimit
from webapp.policy.throttling import Limit, OnSuccess, Window
from webapp.settings import Settings

REDIS_CONNECT_TIMEOUT = timedelta(seconds=0.5)
REDIS_ANSWER_TIMEOUT = timedelta(seconds=1)
SHORTEST_WAIT = timedelta(seconds=1)


@dataclass(frozen=True)
class Usage:
    """One counter after an attempt was counted."""

    counter: str  # and its window
    amount: int  # at most, in its window
    remaining: int
    resets_in: Callable[[], timedelta]  # asks the store; raises StoreUnavailable


def _unseen(_usage: Usage) -> None:
    pass


class Throttle:
    """The limits of policy.throttling, kept.

    An attempt is counted first and judged by the number that came back, so of any crowd arriving at once exactly as
    many pass as the limit allows. Windows are fixed and begin with the first attempt: that is one atomic step on every
    store, a refused attempt never prolongs the wait, and when it ends is known to the second. The price is that around
    the end of a window up to twice the amount may pass, for which the amounts are low enough.

    Call it before the transaction begins: it writes on a connection of its own. When the store is down it raises
    StoreUnavailable, and nobody gets in uncounted (ASVS 16.5.3).
    """

    def __init__(
        self,
        storage: Storage,
        *,
        enabled: bool,
        secret: str = "",
        observe: Callable[[Usage], None] = _unseen,
    ) -> None:
        self._storage = storage
        self._observe = observe
        self._windows = FixedWindowRateLimiter(storage)
        self._enabled = enabled
        self._secret = hashlib.sha256(b"throttle: " + secret.encode()).digest()

    def hit(self, limit: Limit, *key: str) -> None:
        """Count an attempt. Raises TooManyAttempts when it is one too many, and StoreUnavailable."""
        self._count(limit, key, self._observe)

    def _count(self, limit: Limit, key: tuple[str, ...], observe: Callable[[Usage], None]) -> None:
        if not self._enabled:
            return
        digest = self._digest(key)
        with self._store():
            for window in limit.windows:
                item = _item(limit, window)
                counted = self._storage.incr(item.key_for(digest), item.get_expiry())
                remaining = max(0, item.amount - counted)
                observe(Usage(item.key_for(), item.amount, remaining, partial(self._resets_in, item, digest)))
                if counted > item.amount:
                    # What a short window refuses is not counted in a longer one, or hammering would make an hour a day.
                    raise TooManyAttempts(self._wait(item, digest))

    def allows(self, limit: Limit, *key: str) -> bool:
        """Count an attempt and say whether it may be, for what is left undone in silence. Raises StoreUnavailable."""
        try:
            self._count(limit, key, _unseen)
        except TooManyAttempts:
            return False
        return True

    def forgive(self, limit: Limit, *key: str) -> None:
        """Say that the attempt just counted was right; the limit knows what follows. Raises StoreUnavailable."""
        if not self._enabled or limit.on_success is OnSuccess.STANDS:
            return
        digest = self._digest(key)
        with self._store():
            for window in limit.windows:
                item = _item(limit, window)
                if limit.on_success is OnSuccess.START_AGAIN:
                    self._windows.clear(item, digest)
                    self._observe(Usage(item.key_for(), item.amount, item.amount, _always(window.length)))
                elif self._storage.get(item.key_for(digest)) > 0:  # else its window ended in the meantime
                    self._windows.hit(item, digest, cost=-1)

    def counted(self, limit: Limit, *key: str) -> int:
        """How many attempts stand in the limit's shortest window, the present one included. Raises StoreUnavailable."""
        if not self._enabled:
            return 0
        with self._store():
            return self._storage.get(_item(limit, limit.windows[0]).key_for(self._digest(key)))

    def purge(self, limit: int) -> int:
        """Remove up to `limit` rows of windows that are over; how many it were. Redis does it by itself."""
        if not isinstance(self._storage, SqlStorage):
            return 0
        with self._store():
            return self._storage.purge(limit)

    def _digest(self, key: tuple[str, ...]) -> str:
        # Keyed, because a plain digest of an IP address is undone by trying all of them.
        return hmac.digest(self._secret, json.dumps(key).encode(), "sha256").hex()

    def _resets_in(self, item: RateLimitItem, digest: str) -> timedelta:
        with self._store():
            return self._wait(item, digest)

    def _wait(self, item: RateLimitItem, digest: str) -> timedelta:
        seconds = self._storage.get_expiry(item.key_for(digest)) - clock.now().timestamp()
        return max(SHORTEST_WAIT, timedelta(seconds=math.ceil(seconds)))

    @contextmanager
    def _store(self) -> Iterator[None]:
        try:
            yield
        except self._storage.base_exceptions as error:
            raise StoreUnavailable from error


def _always(life: timedelta) -> Callable[[], timedelta]:
    return lambda: life


def make_throttle(settings: Settings, engine: Engine, observe: Callable[[Usage], None] = _unseen) -> Throttle:
    """The throttle that the settings ask for: counting in Redis where there is one, else in the database. `observe` is
    called after each attempt that was counted openly.
    """
    storage = _redis_storage(settings.REDIS_URL) if settings.REDIS_URL else _sql_storage(engine)
    return Throttle(storage, enabled=settings.RATELIMIT_ENABLED, secret=settings.SECRET_KEY, observe=observe)


def _sql_storage(engine: Engine) -> SqlStorage:
    return SqlStorage(engine, cast(Table, RateLimit.__table__))


def _redis_storage(url: str) -> RedisStorage:
    pool = redis.ConnectionPool.from_url(
        url,
        socket_connect_timeout=REDIS_CONNECT_TIMEOUT.total_seconds(),
        socket_timeout=REDIS_ANSWER_TIMEOUT.total_seconds(),
        # Once more, at once, on a connection that a restart of Redis cut; never where waiting was the trouble.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
    return RedisStorage(url, connection_pool=pool, key_prefix="limits")


def _item(limit: Limit, window: Window) -> RateLimitItem:
    return RateLimitItemPerSecond(window.amount, int(window.length.total_seconds()), namespace=limit.counter)
