"""PostgreSQL's driver as this site has it: it gives up on a server that says nothing, and tells only what is asked."""

import select
from collections.abc import Sequence
from typing import Any, TypeVar, overload

import psycopg
from psycopg.abc import PQGen

IDLE = psycopg.pq.TransactionStatus.IDLE
T = TypeVar("T")

UNAVAILABLE = (
    psycopg.errors.UndefinedTable,  # the migrations have not run
    psycopg.errors.UndefinedColumn,
    psycopg.errors.ReadOnlySqlTransaction,  # a standby, or a server that ran out of space
    psycopg.errors.IdleInTransactionSessionTimeout,
)


class Columns(Sequence[psycopg.Column]):
    """What a result's columns are, each found out when it is asked for. Once SQLAlchemy knows a statement it only asks
    whether there are any, and the driver by itself would make an object of each.
    """

    def __init__(self, cursor: psycopg.Cursor[Any], amount: int) -> None:
        self._cursor, self._amount = cursor, amount

    def __len__(self) -> int:
        return self._amount

    @overload
    def __getitem__(self, at: int) -> psycopg.Column: ...

    @overload
    def __getitem__(self, at: slice) -> list[psycopg.Column]: ...

    def __getitem__(self, at: int | slice) -> psycopg.Column | list[psycopg.Column]:
        numbers = range(self._amount)[at]
        if isinstance(numbers, range):
            return [psycopg.Column(self._cursor, number) for number in numbers]
        return psycopg.Column(self._cursor, numbers)


class QuietCursor(psycopg.Cursor[Any]):
    """A cursor that does not describe its columns before somebody looks at them."""

    @property
    def description(self) -> Columns | None:  # type: ignore[override]
        """The columns of the result; None where the statement gives none."""
        result = self.pgresult
        if result is None or not (result.nfields or result.status == psycopg.pq.ExecStatus.TUPLES_OK):
            return None
        return Columns(self, result.nfields)


class ImpatientConnection(psycopg.Connection[Any]):
    """A connection that gives up on a server that neither answers nor goes away: frozen, or behind a dead network.

    The server's own timeouts cannot help there, and the driver by itself waits for ever.
    """

    patience: float | None = None  # seconds
    used_at = float("-inf")  # time.monotonic()

    def is_hung_up(self) -> bool:
        """Whether there is anything to read although nothing was asked: the end, or a farewell before it."""
        looking = select.poll()
        looking.register(self.fileno(), select.POLLIN)
        return bool(looking.poll(0))

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """As psycopg's, within `patience`. A connection that still waits for its answer then is of no more use."""
        try:
            return super().wait(gen, interval, self.patience if timeout is None else timeout)
        except psycopg.OperationalError:
            if self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE:
                self.close()
            raise
