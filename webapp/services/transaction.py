"""The unit of work: the only place that commits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from webapp.services.runtime import runtime

_AFTER_COMMIT = "after_commit"  # the key in a session's `info`


@contextmanager
def transaction() -> Iterator[Session]:
    """One use case, all or nothing: commits at the end of the block, rolls back when it raises.

    A refusal that must leave a trace is raised after the block, or its trace is rolled back with it. Rows that were
    read stay readable afterwards, and the next block reads them anew: what it decides on is never from before.
    """
    tx = runtime().database_session()
    try:
        yield tx
        tx.commit()
        tx.expunge_all()
    except BaseException:
        tx.info.pop(_AFTER_COMMIT, None)
        tx.rollback()
        raise
    for call in tx.info.pop(_AFTER_COMMIT, ()):
        call()


@contextmanager
def statement(*, alone: bool) -> Iterator[Connection]:
    """A transaction for a use case that is one statement and runs all day: on a connection of its own, without the unit
    of work, which would take longer than the statement. Commits at the end of the block, rolls back when it raises.

    `alone`: nothing in the block would have to be rolled back after it, so that PostgreSQL is sent no BEGIN and COMMIT.
    """
    with (runtime().single if alone else runtime().engine).begin() as connection:
        yield connection


def after_commit(tx: Session, call: Callable[[], None]) -> None:
    """Have `call` run once `tx` is committed, and not at all when it is rolled back. It must not raise."""
    calls: list[Callable[[], None]] = tx.info.setdefault(_AFTER_COMMIT, [])
    if call not in calls:
        calls.append(call)
