"""Whoever steals the stores has no session, no link, no password and no mail; and what was deleted is gone."""

import base64
import sqlite3
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
import sqlalchemy as sa
import time_machine
from flask import Flask

from tests.people import NEW_PASSWORD, PASSWORD, Browser, Mailbox
from tests.stores import Stores
from webapp import clock
from webapp.extensions import db

SQLITE_ONLY = pytest.mark.parametrize("stores", ["sqlite"], indirect=True)
EMAIL, NEXT_EMAIL, NAME = "quetzalcoatl@example.com", "next.quetzal@example.com", "Xochiquetzal"
ODD_BROWSER = "Netscape Navigator/4.08 (OS/2; Quetzal)"
WRONG_PASSWORD = "nineteen wrong pelicans"


def everything_stored(app: Flask, stores: Stores) -> bytes:
    """All that a thief of the stores would have: every row of every table, every key of Redis, files as they are."""
    parts: list[bytes] = []
    with app.app_context(), db.engine.connect() as connection:
        tables = sa.MetaData()
        tables.reflect(connection)
        for table in tables.tables.values():
            for row in connection.execute(sa.select(table)):
                parts += [value if isinstance(value, bytes) else str(value).encode() for value in row]
    if stores.redis_url:
        with redis.Redis.from_url(stores.redis_url, protocol=2) as client:
            parts += [part for key in client.scan_iter() for part in (key, client.dump(key) or b"", client.get(key))]
    else:
        parts += list(files_of(stores))
    return b"\n".join(parts)


def files_of(stores: Stores) -> Iterator[bytes]:
    """SQLite's file with all that was written ahead brought in, free pages and all."""
    path = stores.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    connection.close()
    with open(path, "rb") as stream:  # noqa: PTH123  (a URL's path, not a Path)
        yield stream.read()


def spellings(secret: str) -> Iterator[bytes]:
    """A secret as it is, and as the octets it stands for."""
    yield secret.encode()
    yield secret.encode().hex().encode()
    if len(secret) == 43:  # 32 octets in URL-safe base64
        raw = base64.urlsafe_b64decode(secret + "=")
        yield from (raw, raw.hex().encode())


def a_busy_day(app: Flask, browser: Browser, mailbox: Mailbox) -> dict[str, str]:
    """What a person does in a day; gives every secret that was ever in their hands."""
    secrets = {"password": PASSWORD, "new password": NEW_PASSWORD, "wrong password": WRONG_PASSWORD}

    def keep(name: str, value: str | None) -> str:
        assert value, name
        secrets[name] = value
        return value

    def link(to: str, containing: str) -> str:
        path = mailbox.link(to, containing)
        keep(f"link {containing}", path.rpartition("/")[2])
        return path

    browser.submit("/register", email=EMAIL, password=PASSWORD, name=NAME)
    browser.submit(link(EMAIL, "/verify-email/"))
    keep("first session", browser.cookie("session"))
    keep("device", browser.cookie("device"))
    browser.sign_out()
    browser.sign_in(EMAIL, WRONG_PASSWORD)
    browser.sign_in(EMAIL)
    keep("second session", browser.cookie("session"))
    browser.submit("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)
    keep("renewed session", browser.cookie("session"))
    browser.submit("/account/email", email=NEXT_EMAIL)
    browser.submit(link(NEXT_EMAIL, "/email/confirm/"))
    link(EMAIL, "/email/undo/")
    Browser(app).submit("/password/forgot", email=NEXT_EMAIL)
    link(NEXT_EMAIL, "/password/reset/")
    # Left in the outbox, unsent: what a mail will say lies there until it is out.
    Browser(app).submit("/password/forgot", email=NEXT_EMAIL)
    Browser(app, user_agent=ODD_BROWSER).sign_in(NEXT_EMAIL, NEW_PASSWORD)
    return secrets


@pytest.mark.asvs("14.2.4", "11.3.2", "6.4.1")
def test_after_a_busy_day_no_secret_lies_in_any_store(
    app: Flask, stores: Stores, browser: Browser, mailbox: Mailbox
) -> None:
    secrets = a_busy_day(app, browser, mailbox)
    assert len(secrets) == 11
    stored = everything_stored(app, stores)
    assert EMAIL.encode() in stored  # this looks in the right place
    found = [name for name, secret in secrets.items() if any(spelling in stored for spelling in spellings(secret))]
    assert found == []
    with app.app_context():
        sealed = list(db.session.scalars(sa.text("SELECT sealed FROM outbox_messages WHERE finished_at IS NULL")))
    assert len(sealed) == 2
    for mail in sealed:
        assert b"http" not in bytes(mail)
        assert NEXT_EMAIL.encode() not in bytes(mail)


@SQLITE_ONLY
@pytest.mark.asvs("14.2.7")
def test_when_an_account_was_deleted_nothing_of_it_is_left_in_the_file(
    app: Flask, stores: Stores, browser: Browser, mailbox: Mailbox
) -> None:
    a_busy_day(app, browser, mailbox)
    assert browser.submit("/account/data", "/account/data/delete").status_code == 303
    personal = [EMAIL, NEXT_EMAIL, NAME, ODD_BROWSER, EMAIL.partition("@")[0]]
    assert all(any(word.encode() in content for content in files_of(stores)) for word in personal)
    mailbox.deliver()
    with time_machine.travel(clock.now() + timedelta(days=8)):
        assert app.test_cli_runner().invoke(args=["sessions", "purge"]).exit_code == 0
        mailbox.deliver()
    assert "account" in str(mailbox.newest(NEXT_EMAIL)["Subject"])
    with app.app_context():
        assert db.session.scalar(sa.text("SELECT count(*) FROM users")) == 0
    left = [word for word in personal if any(word.encode() in content for content in files_of(stores))]
    assert left == []
