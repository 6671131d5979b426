"""How Alembic runs the migrations: all that are missing in one transaction, one run at a time.

On connections of their own: the application's give up soon, and on SQLite they hold foreign keys, by which the
rebuilding of a table in batch mode would delete the rows that refer to it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context
from flask import current_app

from webapp.models import Base

LOCK = 7_203_518_894  # any number, as long as it stays the same
LOCK_SECONDS = 60  # for the run that was first

url = current_app.extensions["migrate"].db.engine.url
on_sqlite = url.get_backend_name() == "sqlite"
engine = sa.create_engine(url, poolclass=sa.NullPool, connect_args={"timeout": LOCK_SECONDS} if on_sqlite else {})


if on_sqlite:

    @sa.event.listens_for(engine, "connect")
    def leave_transactions_to_us(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the driver would begin none before CREATE TABLE

    @sa.event.listens_for(engine, "begin")
    def keep_others_out(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        compare_server_default=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        if not on_sqlite:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        context.run_migrations()
