"""Of rows that could pile up, the newest few stay."""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, ScalarSelect, delete, select
from sqlalchemy.orm import InstrumentedAttribute, Session

AT_ONCE = 100  # rows that give way at a time; SQLite knows no OFFSET without a LIMIT


def beyond_newest(
    key: ColumnElement[Any] | InstrumentedAttribute[Any],
    *mine: ColumnElement[bool],
    order: tuple[Any, ...],
    keep: int | BindParameter[int],
) -> ScalarSelect[Any]:
    """The keys of those of `mine` that come after the first `keep` in `order`."""
    return select(key).where(*mine).order_by(*order).offset(keep).limit(AT_ONCE).scalar_subquery()


def drop_beyond_newest(
    tx: Session, key: InstrumentedAttribute[Any], *mine: ColumnElement[bool], order: tuple[Any, ...], keep: int
) -> None:
    """Delete them in `tx`, which has flushed what is new."""
    surplus = beyond_newest(key, *mine, order=order, keep=keep)
    statement = delete(key.class_).where(*mine, key.in_(surplus))
    tx.execute(statement, execution_options={"synchronize_session": False})
