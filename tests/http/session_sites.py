"""Small sites with cookie sessions, ours or Flask-Session's own, on every store: what the session tests talk to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import redis
import sqlalchemy
from flask import Flask, Response, request, session
from flask.testing import FlaskClient
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine, select

from tests.http.session_pages import notes, pages
from tests.http.session_storages import RedisStorage, SqlStorage, Storage
from webapp.errors import StoreUnavailable
from webapp.extensions import db
from webapp.http import cookie_sessions
from webapp.http.session_stores import REDIS_PREFIX, make_store
from webapp.models import CookieSession
from webapp.settings import Settings

KEEP_FOR = timedelta(hours=24)
PLAIN = {"HttpOnly", "Path=/", "SameSite=Lax"}
SECURE = PLAIN | {"Secure"}
NO_REDIS = "unix:///nowhere"  # a client is made and never used


@dataclass
class Site:
    """An application, and a look past it."""

    flavour: str  # "ours" or "stock"
    backend: str  # "sqlite", "postgres" or "redis"
    app: Flask
    database: SQLAlchemy
    storage: Storage
    key_of: Callable[[str], str]  # what the store calls an id
    sign_in: Callable[[], None]
    renew: Callable[[], None]
    sign_out: Callable[[], None]
    during_slow: Callable[[], object] = lambda: None

    @property
    def cookie_name(self) -> str:
        return str(self.app.config["SESSION_COOKIE_NAME"])

    @property
    def visitor_cookie_name(self) -> str:
        return self.cookie_name.replace("session", "visitor")

    def browser(self, sid: str | None = None) -> FlaskClient:
        """A fresh browser, or one that holds a copied id."""
        client = self.app.test_client()
        if sid is not None:
            client.set_cookie(self.cookie_name, sid)
        return client

    def id_in(self, browser: FlaskClient) -> str | None:
        """The signed-in id that a browser holds."""
        cookie = browser.get_cookie(self.cookie_name)
        return cookie.value if cookie else None

    def visitor_cookie_in(self, browser: FlaskClient) -> str | None:
        """The visitor's cookie that a browser holds."""
        cookie = browser.get_cookie(self.visitor_cookie_name)
        return cookie.value if cookie else None

    def notes(self) -> list[str]:
        """The notes that were committed."""
        with self.app.app_context():
            engine = self.database.engine
        with engine.connect() as connection:
            return list(connection.execute(select(notes.c.text)).scalars())

    def plant(self, sid: str, data: bytes) -> None:
        """Lay something into the store under an id."""
        self.storage.plant(self.key_of(sid), data)


def signed_in_browser(site: Site, **form: str) -> FlaskClient:
    """A browser that has just signed in."""
    browser = site.browser()
    assert browser.post("/sign-in", data=form).status_code == 303
    return browser


def in_another_thread(work: Callable[[], object]) -> None:
    """Do the work as another worker would, and wait for it."""
    thread = Thread(target=work)
    thread.start()
    thread.join()


@contextmanager
def our_site(backend: str, database_url: str, redis_url: str, *, https: bool = False, **more: Any) -> Iterator[Site]:
    """A site with our sessions. The table is made as a migration would have made it."""
    settings = Settings(
        SECRET_KEY=more.pop("SECRET_KEY", "a key of the tests, nothing more"),
        PUBLIC_URL="https://localhost" if https else "http://localhost",
        REDIS_URL=redis_url if backend == "redis" else "",
        **more,
    )
    app = _application(database_url, https=https)
    app.secret_key = settings.SECRET_KEY
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    store = make_store(settings, lambda: engine)
    CookieSession.__table__.create(engine, checkfirst=True)
    app.before_request(cookie_sessions.refuse_without_store)
    interface = cookie_sessions.install_cookie_sessions(app, store, settings)
    storage: Storage
    if backend == "redis":
        storage = RedisStorage(redis_url)
    else:
        storage = SqlStorage(database_url, engine, "cookie_sessions", ("key", "data", "expires_at"))
    prefix = REDIS_PREFIX if backend == "redis" else ""

    def sign_in() -> None:
        cookie_sessions.begin(session, keep_until=_now() + KEEP_FOR, persistent="remember" in request.form)

    site = Site(
        *("ours", backend, app, db, storage, lambda sid: prefix + interface._get_store_id(sid)),
        sign_in=sign_in,
        renew=lambda: cookie_sessions.renew(session),
        sign_out=lambda: cookie_sessions.end(session),
    )
    with _served(site, engine):
        yield site


@contextmanager
def stock_site(
    backend: str, database_url: str, redis_url: str, *, https: bool = False, database: SQLAlchemy | None = None
) -> Iterator[Site]:
    """A site with Flask-Session as its documentation sets it up."""
    app = _application(database_url, https=https)
    app.secret_key = "a key of the tests, nothing more"
    database = database or SQLAlchemy()
    database.init_app(app)
    app.config["SESSION_COOKIE_NAME"] = "__Host-session" if https else "session"
    app.config["SESSION_COOKIE_SECURE"] = https
    client = redis.Redis.from_url(redis_url or NO_REDIS, protocol=2)
    if backend == "redis":
        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=client)
    else:
        app.config.update(SESSION_TYPE="sqlalchemy", SESSION_SQLALCHEMY=database)
    Session(app)
    with app.app_context():
        engine = database.engine
    storage: Storage
    if backend == "redis":
        storage = RedisStorage(redis_url)
    else:
        storage = SqlStorage(database_url, engine, "sessions", ("session_id", "data", "expiry"))

    def renew() -> None:
        app.session_interface.regenerate(session)

    def sign_in() -> None:
        session.clear()
        renew()

    site = Site(
        *("stock", backend, app, database, storage, "session:{}".format),
        sign_in=sign_in,
        renew=renew,
        sign_out=lambda: session.clear(),
    )
    with _served(site, engine):
        yield site
    client.close()


@contextmanager
def _served(site: Site, engine: Engine) -> Iterator[None]:
    site.app.register_blueprint(pages)
    site.app.extensions["site"] = site
    notes.create(engine, checkfirst=True)
    site.storage.calls()
    try:
        yield
    finally:
        site.storage.close()
        engine.dispose()


def _application(database_url: str, *, https: bool) -> Flask:
    app = Flask(__name__)
    waits = {"timeout": 0.3} if database_url.startswith("sqlite") else {"connect_timeout": 2}
    app.config.update(
        PREFERRED_URL_SCHEME="https" if https else "http",
        SQLALCHEMY_DATABASE_URI=database_url,
        SQLALCHEMY_ENGINE_OPTIONS={"connect_args": waits, "pool_pre_ping": True},
    )

    @app.errorhandler(StoreUnavailable)
    def unavailable(_error: StoreUnavailable) -> tuple[str, int, dict[str, str]]:
        return "The store does not answer.", 503, {"Retry-After": "5"}

    return app


def sqlite_url(folder: Path, name: str = "site") -> str:
    """The URL of a SQLite file in the folder."""
    return f"sqlite:///{folder / name}.db"


def has_table(site: Site, name: str) -> bool:
    """Whether the site's database has a table of that name."""
    with site.app.app_context():
        return sqlalchemy.inspect(site.database.engine).has_table(name)


def _now() -> datetime:
    return datetime.now(UTC)


def set_cookies(answer: Response) -> dict[str, str]:
    """The cookies that an answer sets: name to all that stands behind it."""
    return dict(line.split("=", 1) for line in answer.headers.getlist("Set-Cookie"))


def attributes(cookie: str) -> set[str]:
    """What stands behind a cookie's value, its life left out."""
    return {part for part in cookie.split("; ")[1:] if not part.startswith(("Expires", "Max-Age"))}
