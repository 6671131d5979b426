"""Counters in a table, on SQLite and on PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy
import time_machine
from limits import RateLimitItemPerMinute
from limits.strategies import FixedWindowRateLimiter
from sqlalchemy import Engine, func, select

from webapp import clock
from webapp.gateways.limit_storage import SqlStorage
from webapp.models import Base, RateLimit

TABLE = Base.metadata.tables[RateLimit.__tablename__]
MINUTE = 60  # seconds


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request, tmp_path) -> Iterator[Engine]:
    if request.param == "sqlite":
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path / 'limits.db'}")
        sqlalchemy.event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    else:
        engine = sqlalchemy.create_engine(request.getfixturevalue("postgres_server").new_database())
    TABLE.create(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def storage(engine) -> SqlStorage:
    return SqlStorage(engine, TABLE)


@pytest.fixture
def time() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(TABLE)).scalar_one()


def test_counting_says_how_many_it_makes(storage):
    assert [storage.incr("alice", MINUTE), storage.incr("alice", MINUTE), storage.incr("bob", MINUTE)] == [1, 2, 1]
    assert storage.incr("alice", MINUTE, amount=5) == 7
    assert storage.get("alice") == 7
    assert storage.get("nobody") == 0


def test_what_is_given_back_is_not_counted(storage):
    storage.incr("alice", MINUTE, amount=3)
    assert storage.incr("alice", MINUTE, amount=-1) == 2


def test_a_window_begins_with_its_first_attempt_and_no_later_one_prolongs_it(storage, time):
    began = clock.now()
    storage.incr("alice", MINUTE)
    time.shift(59)
    assert storage.incr("alice", MINUTE) == 2
    assert storage.get_expiry("alice") == pytest.approx((began + timedelta(minutes=1)).timestamp(), abs=0.001)
    time.shift(1)
    assert storage.get("alice") == 0
    assert storage.get_expiry("alice") == pytest.approx(clock.now().timestamp(), abs=0.001)
    assert storage.incr("alice", MINUTE) == 1
    assert storage.get_expiry("alice") == pytest.approx((clock.now() + timedelta(minutes=1)).timestamp(), abs=0.001)


def test_a_counter_can_be_forgotten_and_so_can_all(storage, engine):
    for key in ("alice", "bob", "carol"):
        storage.incr(key, MINUTE)
    storage.clear("alice")
    assert (storage.get("alice"), storage.get("bob")) == (0, 1)
    assert storage.reset() == 2
    assert rows(engine) == 0


def test_purging_removes_what_is_over_in_slices(storage, engine, time):
    for number in range(5):
        storage.incr(f"old {number}", MINUTE)
    time.shift(30)
    storage.incr("young", MINUTE)
    time.shift(30)
    assert [storage.purge(3), storage.purge(3), storage.purge(3)] == [3, 2, 0]
    assert rows(engine) == 1
    assert storage.get("young") == 1


@pytest.mark.asvs("15.4.2")
def test_twenty_threads_at_once_get_twenty_different_numbers(storage):
    with ThreadPoolExecutor(20) as threads:
        numbers = list(threads.map(lambda _: storage.incr("alice", MINUTE), range(100)))
    assert sorted(numbers) == list(range(1, 101))


def test_it_serves_the_library_as_a_storage(storage):
    limiter, item = FixedWindowRateLimiter(storage), RateLimitItemPerMinute(2)
    assert [limiter.hit(item, "alice") for _ in range(3)] == [True, True, False]
    assert limiter.get_window_stats(item, "alice").remaining == 0
    limiter.clear(item, "alice")
    assert limiter.hit(item, "alice")


def test_it_knows_whether_the_database_answers(storage, engine):
    assert storage.check()
    TABLE.drop(engine)
    assert not storage.check()
    with pytest.raises(storage.base_exceptions):
        storage.incr("alice", MINUTE)
    TABLE.create(engine)
    assert storage.incr("alice", MINUTE) == 1


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_a_counter_that_is_begun_anew_while_others_go_stays(engine, storage, time):
    storage.incr("alice", MINUTE)
    storage.incr("bob", MINUTE)
    time.shift(2 * MINUTE)
    with engine.begin() as connection:
        connection.execute(storage._upsert("alice", timedelta(minutes=1), 1))
        assert storage.purge(10) == 1, "it neither waits for her row nor takes it"
    assert (storage.get("alice"), rows(engine)) == (1, 1)
