"""A database as it is after years: so many users, each with a login session, an event, a mail and a bag, made by the
database itself. Ids are spread as those of people who came over a year.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url

_USERS = """INSERT INTO users (id, email, email_key, email_verified_at, name, locale, password_hash,
password_changed_at, created_at)
SELECT {id}, {email}, {email}, {then}, 'Crowd', 'en', '{hash}', {then}, {then} FROM {numbers}"""
_SESSIONS = """INSERT INTO login_sessions (id, user_id, kind, methods, auth_time, created_at, last_seen_at, idle_limit,
expires_at, persistent, ip, user_agent, generation) SELECT {id}, {id}, 'api', 'pwd', {then}, {then}, {now}, 2592000,
{later}, {no}, '203.0.113.9', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 1
FROM {numbers}"""
_EVENTS = """INSERT INTO security_events (id, user_id, kind, at, ip, user_agent, login_session_id, details)
SELECT {id}, {id}, 'signed_in', {then}, '203.0.113.9', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0)', {id}, '{{}}'
FROM {numbers}"""
_MAILS = """INSERT INTO outbox_messages (id, event, sealed, created_at, next_attempt_at, attempts, finished_at, outcome)
SELECT {id}, 'new_device', {nothing}, {now}, {now}, 1, {now}, 'sent' FROM {numbers}"""
_BAGS = """INSERT INTO cookie_sessions (key, data, expires_at) SELECT {key}, {nothing}, {later} FROM {numbers}"""
STATEMENTS = (_USERS, _SESSIONS, _EVENTS, _MAILS, _BAGS)
# Of the cost that the site's own have, so that none is found to be old; nobody signs in with it.
_HASH = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b6dWRWJTmaaJObG"


@dataclass(frozen=True)
class Dialect:
    """How one database writes what the other writes differently; n counts from 1."""

    numbers: str
    words: dict[str, str]


_SQLITE = Dialect(
    "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {amount}) SELECT n FROM c)",
    {
        "id": "printf('%08x%024x', 26000000 + n * 8, n)",
        "key": "printf('%064x', n * 7919)",
        "email": "'crowd-' || n || '@example.com'",
        "now": "datetime('now')",
        "then": "datetime('now', '-' || (n % 300) || ' days')",
        "later": "datetime('now', '+20 days')",
        "nothing": "x''",
        "no": "0",
    },
)
_POSTGRESQL = Dialect(
    "generate_series(1, {amount}) AS n",
    {
        "id": "(lpad(to_hex(26000000 + n * 8), 8, '0') || lpad(to_hex(n), 24, '0'))::uuid",
        "key": "lpad(to_hex(n * 7919::bigint), 64, '0')",
        "email": "'crowd-' || n || '@example.com'",
        "now": "now()",
        "then": "now() - (n % 300) * interval '1 day'",
        "later": "now() + interval '20 days'",
        "nothing": "''::bytea",
        "no": "false",
    },
)


def fill(url: str, amount: int) -> None:
    """Put so many rows into each of the tables that grow, and have the database count them."""
    if url.startswith("postgresql:"):
        url = make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    engine = create_engine(url)
    dialect = _SQLITE if engine.dialect.name == "sqlite" else _POSTGRESQL
    with engine.begin() as connection:
        for statement in STATEMENTS:
            _insert(connection, statement, dialect, amount)
    _count(engine)
    engine.dispose()


def _insert(connection: Connection, statement: str, dialect: Dialect, amount: int) -> None:
    numbers = dialect.numbers.format(amount=amount)
    written = statement.format(numbers=numbers, hash=_HASH, **dialect.words)
    connection.exec_driver_sql(written.replace("%", "%%") if connection.dialect.name != "sqlite" else written)


def _count(engine: Engine) -> None:
    """As autovacuum does by itself on a server that runs for longer."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
