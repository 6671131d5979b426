"""What every test can ask for: an application on either kind of stores, people at browsers, their mailbox."""

from __future__ import annotations

import gc
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import event

from tests import loopback_only  # noqa: F401  closes the network for the whole run
from tests.people import PASSWORD, Browser, Mailbox, runtime_of
from webapp import create_app
from webapp.extensions import db
from webapp.http import session_stores
from webapp.services import throttle
from webapp.settings import Settings

if TYPE_CHECKING:
    from tests.stores import Stores  # a plugin, which pytest wants to import itself

pytest_plugins = [
    "tests.servers.fixtures",
    "tests.stores",
    "tests.rows",
    "tests.whole_site",
    "tests.providers.fixtures",
    "tests.providers.site",
]

NewApp = Callable[..., Flask]
NewBrowser = Callable[..., Browser]
NewUser = Callable[..., str]

SECRET_KEY = "ng5Tq0vXhLw2Zp8RbY4uKc7JdF1sMe9A"
GOOGLE = {"GOOGLE_CLIENT_ID": "client-of-tests", "GOOGLE_CLIENT_SECRET": "secret-of-tests"}
# The machine may have other things to do for some seconds. Tests of what gives up set what they need.
PATIENCE = timedelta(seconds=30)
# A hash in a test costs next to nothing; what it costs for real is measured elsewhere.
CHEAP_HASHES = {"ARGON2_TIME_COST": 1, "ARGON2_MEMORY_KIB": 8}

FULLY_AFTER = 50  # tests
_tests_so_far = count(1)


def _let_the_disk_take_its_time(connection: Any, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")  # no test here cuts the power


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Templates compiled once for all applications of a run: that takes longer than most tests."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
def new_app(stores: Stores, tmp_path: Path, compiled_templates: FileSystemBytecodeCache) -> Iterator[NewApp]:
    """Makes applications on the test's stores: new_app(PUBLIC_URL="https://login.example.com")."""
    made: list[Flask] = []

    def make(**values: object) -> Flask:
        settings = {
            "APP_ENV": "testing",
            "PUBLIC_URL": "http://127.0.0.1:8000",
            "SECRET_KEY": SECRET_KEY,
            "DATABASE_URL": stores.database_url,
            "REDIS_URL": stores.redis_url,
            "MAIL_URL": f"file:{tmp_path / 'mail'}",
            "INSTANCE_PATH": tmp_path / "instance",
            "DATABASE_TIMEOUT": PATIENCE,
            **({} if values.get("APP_ENV") == "production" else CHEAP_HASHES),
            **values,
        }
        checked = Settings.checked(**settings)
        with pytest.MonkeyPatch.context() as patience:
            if checked.DATABASE_TIMEOUT >= PATIENCE:
                patience.setattr(throttle, "REDIS_ANSWER_TIMEOUT", PATIENCE)
                patience.setattr(throttle, "REDIS_CONNECT_TIMEOUT", PATIENCE)
                patience.setattr(session_stores, "REDIS_ANSWER_SECONDS", PATIENCE.total_seconds())
                patience.setattr(session_stores, "REDIS_CONNECT_SECONDS", PATIENCE.total_seconds())
            app = create_app(checked)
        runtime_of(app).hashing._longest_wait = PATIENCE.total_seconds()
        app.config["PROPAGATE_EXCEPTIONS"] = False
        app.jinja_env.bytecode_cache = compiled_templates
        if not stores.redis_url:
            event.listen(runtime_of(app).engine, "connect", _let_the_disk_take_its_time)
        made.append(app)
        return app

    yield make
    for app in made:
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def app(new_app: NewApp) -> Flask:
    """The application as most will run it: with a button for Google, where nobody answers."""
    return new_app(**GOOGLE)


@pytest.fixture
def new_browser(app: Flask) -> NewBrowser:
    """Opens another browser: new_browser(ip="203.0.113.7")."""

    def make(**values: str) -> Browser:
        return Browser(app, **values)

    return make


@pytest.fixture
def browser(new_browser: NewBrowser) -> Browser:
    """A browser that nobody has used yet."""
    return new_browser()


@pytest.fixture
def mailbox(app: Flask) -> Mailbox:
    """What the application has mailed."""
    return Mailbox(app)


@pytest.fixture
def new_user(app: Flask, mailbox: Mailbox) -> NewUser:
    """Makes a confirmed account through the pages, signed in nowhere; gives its address."""

    def make(email: str = "alice@example.com", password: str = PASSWORD, name: str = "Alice") -> str:
        browser = Browser(app)
        assert browser.submit("/register", email=email, password=password, name=name).status_code == 200
        link = mailbox.link(email, "/verify-email/")
        assert browser.submit(link).status_code == 303
        assert browser.sign_out().status_code == 303
        return email

    return make


@pytest.fixture
def alice(new_user: NewUser) -> str:
    """The address of a confirmed account."""
    return new_user()


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the collector need not look through it again and again."""
    gc.collect()
    gc.freeze()
    gc.disable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """The collector comes between two tests. In the midst of one it could come while a document without a bottom is
    read, when what it finalizes has no room left on the stack, and fails.
    """
    result = yield
    gc.collect(2 if next(_tests_so_far) % FULLY_AFTER == 0 else 1)
    return result
