"""`flask doctor` names everything that keeps the site from running well, and what to do about it."""

import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from tests.conftest import SECRET_KEY, NewApp
from tests.servers.postgres import PostgresServer
from tests.servers.valkey import ValkeyServer
from tests.stores import Stores
from webapp import clock
from webapp.extensions import db
from webapp.gateways.mail_transport import SmtpTransport
from webapp.policy.signing_keys import ANNOUNCED_FOR, ROTATE_EVERY

STRONG = {"ARGON2_TIME_COST": 2, "ARGON2_MEMORY_KIB": 19456}
HTTPS = {"PUBLIC_URL": "https://login.example.com", "TRUSTED_PROXIES": 1}
PRODUCTION = {**HTTPS, "APP_ENV": "production", "SECURITY_CONTACT": "mailto:security@example.com"}
SQLITE_ONLY = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
POSTGRES_ONLY = pytest.mark.parametrize("stores", ["postgres"], indirect=True)

Lines = dict[str, tuple[bool, str]]


def examined(app: Flask) -> Lines:
    """What the doctor says: (is well, words) by subject. The exit code must fit."""
    result = app.test_cli_runner().invoke(args=["doctor"])
    lines: Lines = {}
    for line in result.stdout.splitlines():
        mark, subject, words = line[:4], line[5:17].strip(), line[18:]
        assert mark in ("ok  ", "DO  "), line
        lines[subject] = (mark == "ok  ", words)
    assert result.exit_code == (0 if all(well for well, _ in lines.values()) else 1), result.output
    assert "Traceback" not in result.output
    return lines


def complaints(app: Flask) -> dict[str, str]:
    """Only what is not well."""
    return {subject: words for subject, (well, words) in examined(app).items() if not well}


def test_a_site_that_is_well_has_a_line_for_everything(new_app: NewApp, stores: Stores) -> None:
    found = examined(new_app(**STRONG))
    expected = {"settings", "secret key", "database", "migrations", "cookies", "origins", "proxies", "mail", "outbox"}
    expected |= {"signing keys", "providers", "app returns", "memory"}
    expected |= {"redis", "clock", "connections"} if stores.redis_url else set()
    assert found.keys() == expected
    assert all(well for well, _ in found.values())
    assert found["settings"][1] == "testing, users see http://127.0.0.1:8000"
    assert "not Secure" in found["cookies"][1]


def test_over_https_it_tells_the_cookies_and_the_proxies_that_the_outside_sees(new_app: NewApp) -> None:
    found = examined(new_app(**STRONG, **HTTPS))
    assert found["cookies"] == (True, "__Host-session: Secure, HttpOnly, SameSite=Lax; HSTS is sent")
    assert found["proxies"] == (True, "1 believed about address and scheme")


@pytest.mark.asvs("11.4.2")
@SQLITE_ONLY
@pytest.mark.parametrize(
    ("settings", "subject", "words"),
    [
        ({"RATELIMIT_ENABLED": False}, "settings", "RATELIMIT_ENABLED=0 is for benchmarks only"),
        ({"ARGON2_MEMORY_KIB": 8192}, "settings", "ARGON2_TIME_COST and ARGON2_MEMORY_KIB are below 2 and 19456"),
        ({"PUBLIC_URL": "https://login.example.com"}, "proxies", "Set it to the number of proxies in front"),
        ({**PRODUCTION, "SECURITY_CONTACT": ""}, "settings", "SECURITY_CONTACT is not set"),
        ({"SECRET_KEY": "Xq3" * 10 + ",Zr8kP"}, "secret key", "could never stand in SECRET_KEY_FALLBACKS"),
        (PRODUCTION, "mail", "set MAIL_URL to smtp:// or smtps://"),
        ({"MAIL_URL": "smtp://127.0.0.1:1"}, "mail", "does not answer (ConnectionRefusedError)"),
        ({"MAIL_URL": "file:/dev/null/mail"}, "mail", "does not answer (NotADirectoryError)"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "redis", "does not answer (ConnectionError)"),
    ],
)
def test_it_says_what_to_do(new_app: NewApp, settings: dict[str, object], subject: str, words: str) -> None:
    found = complaints(new_app(**{**STRONG, **settings}))
    beside = {"front", "mail"} if settings.get("APP_ENV") else set()  # nobody serves login.example.com here
    assert found.keys() - beside == {subject} - beside
    assert words in found[subject]


@pytest.mark.asvs("3.4.2")
@SQLITE_ONLY
def test_it_tells_who_may_call_the_api_and_in_production_lets_no_page_that_came_in_clear(new_app: NewApp) -> None:
    assert examined(new_app(**STRONG))["origins"] == (True, "the API may be called by pages of this site alone")
    origins = ("https://app.example.com", "http://old.example.com")
    told = "the API may be called by pages of https://app.example.com, http://old.example.com"
    assert examined(new_app(**STRONG, CORS_ORIGINS=origins))["origins"] == (True, told)
    found = complaints(new_app(**STRONG, **HTTPS, APP_ENV="production", CORS_ORIGINS=origins))
    assert found["origins"] == "CORS_ORIGINS lists http://old.example.com: serve it by https, or take it out"


def keys(app: Flask, *arguments: str) -> str:
    """The id of the key that `flask keys` shows first."""
    result = app.test_cli_runner().invoke(args=["keys", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout.partition(" ")[0]


@SQLITE_ONLY  # elsewhere the database's clock would have to be moved, too
def test_it_tells_which_key_signs_and_which_are_to_come(new_app: NewApp) -> None:
    app = new_app(**STRONG)
    assert examined(app)["signing keys"] == (True, "none yet; whoever first needs one makes it")
    app.test_client().get("/.well-known/jwks.json")
    first = keys(app, "list")
    assert examined(app)["signing keys"] == (True, f"{first} signs since {clock.now():%Y-%m-%d}")
    second = keys(app, "rotate")
    assert examined(app)["signing keys"][1].endswith(f", {second} announced")
    with time_machine.travel(clock.now() + ANNOUNCED_FOR):
        assert examined(app)["signing keys"][1].startswith(f"{second} signs since ")
        assert examined(app)["signing keys"][1].endswith(f", {first} retired")


@pytest.mark.asvs("11.1.1")
def test_it_names_a_key_whose_secret_key_is_gone_and_how_to_mend_it(new_app: NewApp) -> None:
    app, other = new_app(**STRONG), "another key of more than thirty-two characters"
    app.test_client().get("/.well-known/jwks.json")
    kid = keys(app, "list")
    found = complaints(new_app(**STRONG, SECRET_KEY=other))
    assert found.keys() == {"signing keys"}
    assert found["signing keys"].startswith(f"{kid} cannot be read")
    assert "put the SECRET_KEY it was sealed under into SECRET_KEY_FALLBACKS" in found["signing keys"]
    assert complaints(new_app(**STRONG, SECRET_KEY=other, SECRET_KEY_FALLBACKS=(SECRET_KEY,))) == {}
    keys(new_app(**STRONG, SECRET_KEY=other), "retire", kid)
    assert complaints(new_app(**STRONG, SECRET_KEY=other)) == {}, "the other way that it told"


@SQLITE_ONLY
def test_it_notices_a_key_from_the_future_and_one_that_nothing_follows(new_app: NewApp) -> None:
    app = new_app(**STRONG)
    app.test_client().get("/.well-known/jwks.json")
    with time_machine.travel(clock.now() - timedelta(hours=1)):
        assert "check this machine's clock" in complaints(app)["signing keys"]
    with time_machine.travel(clock.now() + ROTATE_EVERY + timedelta(hours=1)):
        assert complaints(app) == {}, "the next to tidy up announces one"
    with time_machine.travel(clock.now() + ROTATE_EVERY + timedelta(days=1)):
        assert "run `flask --app wsgi keys rotate`" in complaints(app)["signing keys"]
        keys(app, "rotate")
        assert complaints(app) == {}


@pytest.mark.asvs("13.3.2")
@SQLITE_ONLY
def test_it_notices_that_others_have_come_to_read_the_kept_key(
    new_app: NewApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SECRET_KEY", raising=False)
    app = new_app(**STRONG, SECRET_KEY="")
    assert examined(app)["secret key"] == (True, "kept in secret_key, mode 600")
    (tmp_path / "instance" / "secret_key").chmod(stat.S_IRUSR | stat.S_IRGRP)
    assert complaints(app) == {"secret key": "kept in secret_key, mode 440; chmod 600 it"}


@POSTGRES_ONLY
def test_it_names_a_store_that_is_gone_and_still_looks_at_the_rest(
    new_app: NewApp, stores: Stores, postgres_server: PostgresServer, valkey_server: ValkeyServer
) -> None:
    app = new_app(**STRONG)
    with valkey_server.outage():
        assert complaints(app) == {"redis": "does not answer (ConnectionError): check its setting"}
    with valkey_server.frozen(), postgres_server.outage(stores.database_url):
        assert complaints(app) == {
            "database": "does not answer (OperationalError): check DATABASE_URL",
            "redis": "does not answer (TimeoutError): check its setting",
        }
    assert complaints(app) == {}


def forget_the_version() -> None:
    db.session.execute(sa.text("DELETE FROM alembic_version"))


def drop_everything() -> None:
    db.drop_all()
    db.session.execute(sa.text("DROP TABLE alembic_version"))


@pytest.mark.parametrize("undo", [forget_the_version, drop_everything])
def test_it_tells_how_to_migrate(new_app: NewApp, undo: Callable[[], None]) -> None:
    app = new_app(**STRONG)
    with app.app_context():
        undo()
        db.session.commit()
    found = complaints(app)
    assert found.keys() == {"migrations"}
    assert found["migrations"].endswith("run `flask --app wsgi db upgrade`")


def test_it_notices_mails_that_wait_too_long(new_app: NewApp, alice: str) -> None:
    app = new_app(**STRONG)
    app.test_cli_runner().invoke(args=["users", "create", "bob@example.com"])
    assert examined(app)["outbox"] == (True, "1 waiting")
    with app.app_context():
        long_ago = clock.now() - timedelta(minutes=16)
        db.session.execute(sa.text("UPDATE outbox_messages SET created_at = :then"), {"then": long_ago})
        db.session.commit()
    assert "look for mail_postponed" in complaints(app)["outbox"]


@POSTGRES_ONLY
def test_it_notices_a_clock_that_disagrees(new_app: NewApp) -> None:
    app = new_app(**STRONG)
    with time_machine.travel(clock.now() + timedelta(minutes=1)):
        assert complaints(app).keys() == {"clock"}


@SQLITE_ONLY
def test_it_tells_of_a_connection_that_leaves_the_machine_in_the_clear(
    new_app: NewApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SmtpTransport, "check", lambda _transport: None)
    for url, is_open in [
        ("smtp://127.0.0.1:25", False),
        ("smtp://mail.example.com:25", True),
        ("smtp://mail.example.com:587?starttls=1", False),
        ("smtps://mail.example.com", False),
    ]:
        well, words = examined(new_app(**STRONG, MAIL_URL=url))["mail"]
        assert well
        assert ("without TLS" in words) is is_open, url
