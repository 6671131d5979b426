"""Nobody holds a connection to the database while a password is hashed, at whatever door; and a connection gives up in
the time that is set.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from werkzeug.test import TestResponse

from tests.apps import App
from tests.conftest import NewApp
from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox, runtime_of
from tests.servers.process import wait_until
from webapp.metrics import HASHES

POSTGRES_ONLY = pytest.mark.parametrize("stores", ["postgres"], indirect=True)
PLACES = 2
Door = Callable[[Flask, str], Callable[[], TestResponse]]


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    return new_app(ARGON2_CONCURRENCY=PLACES, RATELIMIT_ENABLED=False)


def signed_in(app: Flask, email: str) -> Browser:
    browser = Browser(app)
    assert browser.sign_in(email).status_code == 303
    return browser


def phone_of(app: Flask, email: str) -> App:
    phone = App(app)
    phone.sign_in(email)
    return phone


def resetting(app: Flask, email: str) -> Callable[[], TestResponse]:
    browser, mailbox = Browser(app), Mailbox(app)
    browser.submit("/password/forgot", email=email)
    link = mailbox.link(email, "/password/reset/")
    return lambda: browser.submit(link, password=NEW_PASSWORD)


def changing(app: Flask, email: str) -> Callable[[], TestResponse]:
    browser = signed_in(app, email)
    return lambda: browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)


def proving_again(app: Flask, email: str) -> Callable[[], TestResponse]:
    browser = signed_in(app, email)
    return lambda: browser.submit("/reauthenticate", password=PASSWORD)


def changing_in_an_app(app: Flask, email: str) -> Callable[[], TestResponse]:
    phone = phone_of(app, email)
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    return lambda: phone.post("/me/password", body)


def leaving_in_an_app(app: Flask, email: str) -> Callable[[], TestResponse]:
    phone = phone_of(app, email)
    return lambda: phone.call("DELETE", "/me", {"password": PASSWORD})


DOORS: dict[str, Door] = {
    "signing in": lambda app, email: lambda: Browser(app).sign_in(email),
    "signing in with a wrong password": lambda app, email: lambda: Browser(app).sign_in(email, "not the one at all"),
    "signing in as nobody": lambda app, _: lambda: Browser(app).sign_in("nobody@example.com"),
    "signing in with an app": lambda app, email: lambda: App(app).sign_in(email),
    "registering": lambda app, _: (
        lambda: Browser(app).submit("/register", email="new@example.com", password=PASSWORD, name="")
    ),
    "registering with an app": lambda app, _: lambda: App(app).register("new@example.com"),
    "setting a password anew": resetting,
    "changing it": changing,
    "changing it in an app": changing_in_an_app,
    "proving it again": proving_again,
    "leaving in an app": leaving_in_an_app,
}


@contextmanager
def every_place_taken(app: Flask) -> Iterator[None]:
    """Within the block whoever wants to hash waits."""
    places = runtime_of(app).hashing._places
    for _ in range(PLACES):
        places.acquire()
    try:
        yield
    finally:
        for _ in range(PLACES):
            places.release()


def waiting() -> float:
    return sum(s.value for m in HASHES.collect() for s in m.samples if s.labels == {"state": "waiting"})


@pytest.mark.asvs("13.1.3")
@pytest.mark.parametrize("door", DOORS)
def test_while_a_password_is_hashed_no_connection_is_held(app: Flask, alice: str, door: str) -> None:
    come_in, pool = DOORS[door](app, alice), runtime_of(app).engine.pool
    before = waiting()
    with ThreadPoolExecutor(1) as thread:
        with every_place_taken(app):
            answer = thread.submit(come_in)
            wait_until(lambda: waiting() > before or answer.done())
            assert not answer.done(), "nothing was hashed"
            assert pool.checkedout() == 0  # type: ignore[attr-defined]
        assert answer.result().status_code < 500


@POSTGRES_ONLY
@pytest.mark.asvs("13.2.6")
def test_a_connection_gives_up_in_the_time_that_is_set(new_app: NewApp) -> None:
    engine = runtime_of(new_app(DATABASE_TIMEOUT=timedelta(seconds=4))).engine
    with engine.connect() as connection:
        names = ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        told = {name: connection.execute(sa.text(f"SHOW {name}")).scalar() for name in names}
        driver = connection.connection.dbapi_connection
        assert driver is not None
        assert driver.info.get_parameters()["connect_timeout"] == "4"
        assert driver.patience == 6  # seconds for a server that says nothing at all
    assert told == {
        "lock_timeout": "4s",
        "statement_timeout": "5s",
        "idle_in_transaction_session_timeout": "2min",
    }


def test_an_application_that_is_made_has_opened_nothing(new_app: NewApp) -> None:
    """gunicorn forks before it makes one, and a command may make several."""
    runtime = runtime_of(new_app())
    pool = runtime.engine.pool
    assert (pool.checkedin(), pool.checkedout()) == (0, 0)  # type: ignore[attr-defined]
    assert runtime.single.pool is pool
    assert runtime.key_ring._known.keys == {}
    assert runtime.revoked.age == float("inf")


@POSTGRES_ONLY
def test_columns_are_described_as_the_driver_would_when_somebody_looks(new_app: NewApp) -> None:
    with runtime_of(new_app()).engine.connect() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        quiet, plain = driver.cursor(), psycopg.Cursor(driver)
        for cursor in (quiet, plain):
            cursor.execute("SELECT 1::int AS one, 'a'::text AS two, now() AS three")
        described, usual = quiet.description, plain.description
        assert described is not None
        assert usual is not None
        assert [tuple(column) for column in described] == [tuple(column) for column in usual]
        assert (len(described), described[1].name, described[-1].name) == (3, "two", "three")
        assert [column.name for column in described[:2]] == ["one", "two"]
        quiet.execute("UPDATE users SET name = name")
        assert quiet.description is None
