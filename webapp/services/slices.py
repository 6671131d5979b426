"""Rows that are over go a slice at a time, so that no lock is held for long."""

from typing import Any

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import InstrumentedAttribute

from webapp.services.transaction import transaction


def delete_slice(key: InstrumentedAttribute[Any], condition: ColumnElement[bool], limit: int) -> int:
    """Delete, in a transaction of its own, at most `limit` rows for which `condition` holds; how many there were."""
    table = key.class_
    # Another worker that tidies up at the same time takes other rows.
    slice_of_keys = select(key).where(condition).limit(limit).with_for_update(skip_locked=True).scalar_subquery()
    with transaction() as tx:
        statement = delete(table).where(condition, key.in_(slice_of_keys)).returning(key)
        return len(tx.execute(statement, execution_options={"synchronize_session": False}).all())
