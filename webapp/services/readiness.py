"""Whether the stores that the site needs answer, and have what it needs."""

import redis
import sqlalchemy as sa
import structlog

from webapp.services.runtime import runtime
from webapp.services.schema import find_schema

_log = structlog.get_logger("readiness")

REDIS_CONNECT_TIMEOUT = 0.5  # seconds
REDIS_ANSWER_TIMEOUT = 1.0  # seconds


def is_draining() -> bool:
    """Whether whoever runs this site is about to stop it and wants nobody new to be sent here."""
    file = runtime().settings.DRAIN_FILE
    return file is not None and file.exists()


def stores_that_are_down() -> list[str]:
    """The names of what is down, asked now: "database", "migrations" (it answers, and lacks tables), "redis"."""
    answers = {"database": database_answers()}
    if answers["database"]:
        answers["migrations"] = not find_schema().is_behind
    if url := runtime().settings.REDIS_URL:
        answers["redis"] = redis_answers(url)
    return [name for name, does_answer in answers.items() if not does_answer]


def database_answers() -> bool:
    """Whether the database runs a statement, within its timeout."""
    try:
        with runtime().single.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
    except sa.exc.SQLAlchemyError as error:
        _log.warning("store_down", store="database", error=type(error).__name__)
        return False
    return True


def redis_answers(url: str) -> bool:
    """Whether Redis answers, asked over a connection of its own, without retries."""
    client = redis.Redis.from_url(
        url, socket_connect_timeout=REDIS_CONNECT_TIMEOUT, socket_timeout=REDIS_ANSWER_TIMEOUT, retry=None
    )
    try:
        return bool(client.ping())
    except redis.RedisError as error:
        _log.warning("store_down", store="redis", error=type(error).__name__)
        return False
    finally:
        client.close()
