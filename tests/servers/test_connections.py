"""Connections: few rights, never more than the pool allows, and always enough for every thread at once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask_migrate import downgrade, upgrade
from sqlalchemy.exc import ProgrammingError

from tests.conftest import NewApp
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of
from tests.servers.postgres import PostgresServer
from tests.stores import Stores
from webapp import clock
from webapp.extensions import db
from webapp.models import User
from webapp.policy.throttling import Limit
from webapp.services.transaction import transaction

POSTGRES_ONLY = pytest.mark.parametrize("stores", ["postgres"], indirect=True)
THREADS = 8


def run_as_owner(url: str, *statements: str) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.fixture
def clerk(stores: Stores) -> Iterator[str]:
    """The URL of the test's database for a role that reads and writes rows, and nothing else."""
    rights = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk"
    run_as_owner(stores.database_url, "CREATE ROLE clerk LOGIN", rights)
    yield stores.database_url.replace("//postgres@", "//clerk@")
    run_as_owner(stores.database_url, "DROP OWNED BY clerk", "DROP ROLE clerk")


@POSTGRES_ONLY
@pytest.mark.asvs("13.2.2")
def test_a_role_that_may_only_read_and_write_rows_is_enough_for_a_whole_life(new_app: NewApp, clerk: str) -> None:
    app = new_app(DATABASE_URL=clerk, REDIS_URL="")
    browser, mailbox = Browser(app), Mailbox(app)
    browser.submit("/register", email="alice@example.com", password=PASSWORD, name="Alice")
    assert browser.submit(mailbox.link("alice@example.com", "/verify-email/")).status_code == 303
    for page in ("", "/password", "/email", "/sessions", "/activity", "/data"):
        assert browser.get(f"/account{page}").status_code == 200
    assert browser.submit("/account", name="Alice B.", locale="ko").status_code == 303
    assert browser.submit("/account/email", email="new@example.com").status_code in (200, 303)
    assert browser.submit(mailbox.link("new@example.com", "/email/confirm/")).status_code == 303
    changed = browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    assert changed.status_code == 303
    browser.submit("/password/forgot", email="new@example.com")
    assert browser.submit(mailbox.link("new@example.com", "/password/reset/"), password=PASSWORD).status_code == 303
    assert browser.sign_in("new@example.com").status_code == 303
    assert browser.submit("/account/data", "/account/data/export").status_code == 200
    assert browser.submit("/account/data", "/account/data/delete", password=PASSWORD).status_code == 303
    commands = (["users", "list"], ["sessions", "purge"], ["sessions", "revoke-all"], ["mail", "send"])
    for command in commands:
        assert app.test_cli_runner().invoke(args=command).exit_code == 0, command
    assert browser.get("/readyz").status_code == 200


@POSTGRES_ONLY
@pytest.mark.asvs("13.2.2")
def test_that_role_can_neither_make_tables_nor_drop_them(
    new_app: NewApp, clerk: str, stores: Stores, postgres_server: PostgresServer
) -> None:
    empty = postgres_server.new_database()
    with new_app(DATABASE_URL=empty.replace("//postgres@", "//clerk@")).app_context():
        with pytest.raises(ProgrammingError, match="permission denied"):
            upgrade()
        db.engine.dispose()
    postgres_server.drop_database(empty)
    with new_app(DATABASE_URL=clerk).app_context(), pytest.raises(ProgrammingError, match="must be owner"):
        downgrade(revision="base")


@POSTGRES_ONLY
def test_times_are_utc_whatever_zone_the_server_lives_in(new_app: NewApp, stores: Stores) -> None:
    name = sa.make_url(stores.database_url).database
    run_as_owner(stores.database_url, f"ALTER DATABASE \"{name}\" SET timezone TO 'Asia/Seoul'")
    app = new_app()
    app.test_cli_runner().invoke(args=["users", "create", "alice@example.com"])
    with app.app_context():
        assert db.session.execute(sa.text("SHOW timezone")).scalar() == "Asia/Seoul"
        user = db.session.scalars(sa.select(User)).one()
        assert user.created_at.tzname() == "UTC"
        assert abs(clock.now() - user.created_at) < timedelta(minutes=1)
        hour = db.session.execute(
            sa.text("SELECT extract(hour FROM created_at AT TIME ZONE 'UTC') FROM users")
        ).scalar()
        assert hour == user.created_at.hour


@pytest.mark.asvs("15.4.3")
def test_every_thread_of_a_worker_can_have_its_two_connections_at_once(new_app: NewApp) -> None:
    """All hold the connection of their unit of work, and only then each asks for its second one."""
    app = new_app(REDIS_URL="", THREADS=THREADS)
    runtime, gate = runtime_of(app), threading.Barrier(THREADS)

    def work(number: int) -> bool:
        with app.app_context(), transaction() as tx:
            tx.execute(sa.select(User)).all()
            gate.wait(20)
            runtime.throttle.hit(Limit.EXPORT, str(number))
            gate.wait(20)
        return True

    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(work, range(THREADS))) == [True] * THREADS


@POSTGRES_ONLY
def test_a_worker_never_opens_more_connections_than_its_threads_need(new_app: NewApp, stores: Stores) -> None:
    app = new_app(REDIS_URL="", THREADS=THREADS, ARGON2_CONCURRENCY=2)
    app.test_cli_runner().invoke(args=["users", "create", "alice@example.com"])
    link = Mailbox(app).link("alice@example.com", "/password/reset/")
    Browser(app).submit(link, password=PASSWORD)

    def visit(number: int) -> set[int]:
        browser = Browser(app, ip=f"192.0.2.{number}")
        tasks: list[Callable[[], int]] = [
            lambda: browser.sign_in("alice@example.com").status_code,
            lambda: browser.get("/account/sessions").status_code,
            lambda: browser.submit("/account", name=f"Alice {number}", locale="en").status_code,
            lambda: browser.sign_out().status_code,
        ]
        return {task() for task in tasks}

    with ThreadPoolExecutor(THREADS) as pool:
        assert set().union(*pool.map(visit, range(THREADS))) == {200, 303}
    with app.app_context():
        assert db.engine.pool.size() == 2 * THREADS + 2
        mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert db.session.execute(sa.text(mine)).scalar_one() <= db.engine.pool.size()
