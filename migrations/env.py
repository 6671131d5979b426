"""How Alembic runs the migrations: on the application's own engine, in batch mode so that SQLite can alter tables."""

from alembic import context
from flask import current_app

from webapp.models import Base

engine = current_app.extensions["migrate"].db.engine

with engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=True,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
