"""The limits hold, on every store, for any crowd; they end by themselves, and without their store nobody passes."""

import re
import time as real_time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import redis
import sqlalchemy
import time_machine
from sqlalchemy import Engine

from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer
from webapp import clock
from webapp.errors import StoreUnavailable, TooManyAttempts
from webapp.models import Base, RateLimit
from webapp.policy.throttling import Limit
from webapp.services.throttle import Throttle, make_throttle
from webapp.settings import Settings

TABLE = Base.metadata.tables[RateLimit.__tablename__]
SECRET_KEY = "a secret of forty characters or more, ok"
LOGIN = Limit.LOGIN_ACCOUNT_NETWORK
AMOUNT = LOGIN.windows[0].amount


@dataclass
class Store:
    """Where a throttle counts, and what a test may do to it."""

    settings: Settings
    engine: Engine
    outage: Callable[[], AbstractContextManager[None]]
    stored: Callable[[], list[str]]  # every key there is

    def throttle(self, **changes: object) -> Throttle:
        return make_throttle(self.settings.model_copy(update=changes), self.engine)


def make_settings(**values: object) -> Settings:
    return Settings.checked(APP_ENV="testing", SECRET_KEY=SECRET_KEY, **values)


def keys_in(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(sqlalchemy.select(TABLE.c.key)).scalars())


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    file = tmp_path / "limits.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{file}", connect_args={"timeout": 2})
    sqlalchemy.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    TABLE.create(engine)

    @contextmanager
    def outage() -> Iterator[None]:
        engine.dispose()
        kept = file.rename(tmp_path / "away.db")
        file.mkdir()
        yield
        file.rmdir()
        kept.rename(file)

    yield Store(make_settings(REDIS_URL=""), engine, outage, lambda: keys_in(engine))
    engine.dispose()


@pytest.fixture
def postgres_store(postgres_server: PostgresServer) -> Iterator[Store]:
    url = postgres_server.new_database()
    engine = sqlalchemy.create_engine(url, pool_pre_ping=True, pool_size=20)
    TABLE.create(engine)
    yield Store(make_settings(REDIS_URL=""), engine, lambda: postgres_server.outage(url), lambda: keys_in(engine))
    engine.dispose()


@pytest.fixture
def valkey_store(valkey_server: ValkeyServer, sqlite_store: Store) -> Store:
    valkey_server.flush()

    def stored() -> list[str]:
        with redis.Redis.from_url(valkey_server.url, decode_responses=True) as client:
            return list(client.scan_iter())

    settings = make_settings(REDIS_URL=valkey_server.url)
    return Store(settings, sqlite_store.engine, valkey_server.outage, stored)


@pytest.fixture(params=["sqlite", "postgres", "valkey"])
def store(request: pytest.FixtureRequest) -> Store:
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture(params=["sqlite", "postgres"])
def sql_store(request: pytest.FixtureRequest) -> Store:
    return request.getfixturevalue(f"{request.param}_store")


@pytest.fixture
def throttle(store: Store) -> Throttle:
    return store.throttle()


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


def hits(throttle: Throttle, limit: Limit, count: int, *key: str) -> int:
    """Of that many attempts, how many were let through."""
    return sum(throttle.allows(limit, *key) for _ in range(count))


@pytest.mark.asvs("2.4.1", "6.3.1")
@pytest.mark.parametrize("limit", Limit)
def test_every_limit_lets_its_amount_through_and_no_more(throttle, limit):
    shortest = limit.windows[0]
    assert hits(throttle, limit, shortest.amount, "key") == shortest.amount
    with pytest.raises(TooManyAttempts) as refused:
        throttle.hit(limit, "key")
    assert shortest.length - timedelta(seconds=30) < refused.value.retry_after <= shortest.length
    assert throttle.allows(limit, "another key")


@pytest.mark.asvs("2.4.1", "6.3.1", "15.4.2")
def test_of_twenty_guesses_at_once_only_the_allowed_ones_pass(throttle):
    with ThreadPoolExecutor(20) as threads:
        passed = list(threads.map(lambda _: throttle.allows(LOGIN, "alice", "192.0.2.1"), range(20)))
    assert passed.count(True) == AMOUNT


@pytest.mark.asvs("2.4.1")
def test_workers_share_their_counters(store):
    one, other = store.throttle(), store.throttle()
    assert hits(one, LOGIN, AMOUNT - 1, "alice") == AMOUNT - 1
    assert hits(other, LOGIN, 2, "alice") == 1
    assert hits(one, LOGIN, 1, "alice") == 0


def test_keys_in_parts_are_not_mistaken_for_each_other(throttle):
    assert hits(throttle, LOGIN, AMOUNT + 1, "ab", "c") == AMOUNT
    assert throttle.allows(LOGIN, "a", "bc")
    assert throttle.allows(LOGIN, "abc")
    assert throttle.allows(Limit.LOGIN_DEVICE, "ab", "c")


@pytest.mark.parametrize("key", ["", "\ud800", "\0", "a/b:{c}*", "등불" * 1000])
def test_any_text_may_be_a_key(throttle, key):
    assert hits(throttle, LOGIN, AMOUNT + 1, key) == AMOUNT


def test_waiting_is_over_when_it_was_said_to_be_whatever_was_tried_meanwhile(sql_store, time):
    throttle = sql_store.throttle()
    hits(throttle, LOGIN, AMOUNT, "alice")
    with pytest.raises(TooManyAttempts) as refused:
        throttle.hit(LOGIN, "alice")
    wait = refused.value.retry_after
    assert wait == LOGIN.windows[0].length
    for _ in range(59):
        time.shift(wait / 60)
        assert not throttle.allows(LOGIN, "alice")
    time.shift(wait / 60)
    assert hits(throttle, LOGIN, AMOUNT + 1, "alice") == AMOUNT


def test_waiting_never_grows_on_redis_either(valkey_store):
    throttle = valkey_store.throttle()
    hits(throttle, LOGIN, AMOUNT, "alice")
    (key,) = valkey_store.stored()
    with redis.Redis.from_url(valkey_store.settings.REDIS_URL) as client:
        client.expire(key, 100)
        with pytest.raises(TooManyAttempts) as refused:
            throttle.hit(LOGIN, "alice")
        assert timedelta(seconds=90) < refused.value.retry_after <= timedelta(seconds=101)
        client.expire(key, 0)
    assert hits(throttle, LOGIN, AMOUNT + 1, "alice") == AMOUNT


def test_the_wait_is_never_nothing(sql_store, time):
    throttle = sql_store.throttle()
    hits(throttle, LOGIN, AMOUNT, "alice")
    time.shift(LOGIN.windows[0].length - timedelta(milliseconds=1))
    with pytest.raises(TooManyAttempts) as refused:
        throttle.hit(LOGIN, "alice")
    assert refused.value.retry_after == timedelta(seconds=1)


def test_both_windows_of_a_limit_hold_and_hammering_at_the_short_one_does_not_fill_the_long_one(sql_store, time):
    throttle = sql_store.throttle()
    hour, day = Limit.LOGIN_ACCOUNT.windows
    passed = []
    for _ in range(5):
        passed.append(hits(throttle, Limit.LOGIN_ACCOUNT, 2 * hour.amount, "alice"))
        time.shift(hour.length)
    assert passed == [hour.amount, hour.amount, hour.amount, day.amount - 3 * hour.amount, 0]
    with pytest.raises(TooManyAttempts) as refused:
        throttle.hit(Limit.LOGIN_ACCOUNT, "alice")
    assert refused.value.retry_after == day.length - 5 * hour.length


def test_after_success_the_right_persons_slips_are_forgotten(throttle):
    hits(throttle, LOGIN, AMOUNT, "alice")
    throttle.forgive(LOGIN, "alice")
    assert hits(throttle, LOGIN, AMOUNT + 1, "alice") == AMOUNT


@pytest.mark.asvs("6.3.1")
def test_success_on_a_guessers_own_account_gives_back_only_itself(throttle):
    amount = Limit.LOGIN_NETWORK.windows[0].amount
    hits(throttle, Limit.LOGIN_NETWORK, amount - 1, "192.0.2.1")
    throttle.hit(Limit.LOGIN_NETWORK, "192.0.2.1")
    throttle.forgive(Limit.LOGIN_NETWORK, "192.0.2.1")
    assert hits(throttle, Limit.LOGIN_NETWORK, 5, "192.0.2.1") == 1


def test_every_window_gets_its_attempt_back(throttle):
    for _ in range(Limit.LOGIN_ACCOUNT.windows[-1].amount + 1):
        throttle.hit(Limit.LOGIN_ACCOUNT, "alice")
        throttle.forgive(Limit.LOGIN_ACCOUNT, "alice")


def test_what_has_already_run_out_earns_no_credit(throttle):
    for _ in range(5):
        throttle.forgive(Limit.LOGIN_NETWORK, "192.0.2.1")
    amount = Limit.LOGIN_NETWORK.windows[0].amount
    assert hits(throttle, Limit.LOGIN_NETWORK, amount + 1, "192.0.2.1") == amount


def test_what_costs_in_any_case_is_not_forgiven(throttle):
    amount = Limit.MAIL_ADDRESS.windows[0].amount
    hits(throttle, Limit.MAIL_ADDRESS, amount, "alice@example.com")
    throttle.forgive(Limit.MAIL_ADDRESS, "alice@example.com")
    assert not throttle.allows(Limit.MAIL_ADDRESS, "alice@example.com")


def test_the_store_names_nobody(store):
    store.throttle().hit(LOGIN, "alice@example.com", "192.0.2.1")
    (key,) = store.stored()
    assert re.fullmatch(r"(limits:)?login_account_network/[0-9a-f]{64}/10/900/second", key)
    store.throttle(SECRET_KEY="another secret of forty characters here").hit(LOGIN, "alice@example.com", "192.0.2.1")
    assert len(store.stored()) == 2


@pytest.mark.asvs("16.5.2", "16.5.3")
def test_without_its_store_nobody_passes_soon_and_everybody_again_when_it_is_back(store):
    throttle = store.throttle()
    throttle.hit(LOGIN, "alice")
    with store.outage():
        began = real_time.monotonic()
        for attempt in (throttle.hit, throttle.allows, throttle.forgive):
            with pytest.raises(StoreUnavailable):
                attempt(LOGIN, "alice")
        assert real_time.monotonic() - began < 20
    throttle.hit(LOGIN, "alice")


@pytest.mark.asvs("16.5.3")
def test_a_redis_that_does_not_answer_is_given_up_soon(valkey_store, valkey_server):
    throttle = valkey_store.throttle()
    throttle.hit(LOGIN, "alice")
    with valkey_server.frozen():
        began = real_time.monotonic()
        with pytest.raises(StoreUnavailable):
            throttle.hit(LOGIN, "alice")
        assert real_time.monotonic() - began < 20
    throttle.hit(LOGIN, "alice")


def test_a_restart_of_redis_between_two_attempts_is_not_noticed(valkey_store, valkey_server):
    throttle = valkey_store.throttle()
    throttle.hit(LOGIN, "alice")
    valkey_server.stop()
    valkey_server.start()
    throttle.hit(LOGIN, "alice")


def test_a_locked_database_lets_nobody_pass(sqlite_store):
    impatient = sqlalchemy.create_engine(sqlite_store.engine.url, connect_args={"timeout": 0.05})
    throttle = make_throttle(sqlite_store.settings, impatient)
    with sqlite_store.engine.connect() as writer:
        writer.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable):
            throttle.hit(LOGIN, "alice")
        writer.rollback()
    throttle.hit(LOGIN, "alice")
    impatient.dispose()


def test_old_rows_are_removed_in_slices(sql_store, time):
    throttle = sql_store.throttle()
    for number in range(5):
        throttle.hit(Limit.EXPORT, str(number))
    assert throttle.purge(3) == 0
    time.shift(Limit.EXPORT.windows[0].length)
    assert [throttle.purge(3), throttle.purge(3)] == [3, 2]
    assert sql_store.stored() == []


def test_redis_removes_what_is_over_by_itself(valkey_store):
    throttle = valkey_store.throttle()
    throttle.hit(Limit.LOGIN_ACCOUNT, "alice")
    throttle.hit(Limit.LOGIN_NETWORK, "192.0.2.1")
    throttle.forgive(Limit.LOGIN_NETWORK, "192.0.2.1")
    throttle.forgive(Limit.LOGIN_NETWORK, "192.0.2.1")
    with redis.Redis.from_url(valkey_store.settings.REDIS_URL) as client:
        assert all(0 < client.ttl(key) <= 86400 for key in valkey_store.stored())
    assert throttle.purge(10) == 0


def test_switched_off_it_counts_nothing(store):
    throttle = store.throttle(RATELIMIT_ENABLED=False)
    assert hits(throttle, LOGIN, 3 * AMOUNT, "alice") == 3 * AMOUNT
    throttle.forgive(LOGIN, "alice")
    assert store.stored() == []
