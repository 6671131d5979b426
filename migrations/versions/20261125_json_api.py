"""The JSON API: generations of refresh tokens, keys that sign access tokens, a warning for the next page."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "20261125_json_api"
down_revision = "20261123_login_area"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# Not in batches: where SQLite copies a table to drop a column, dropping the old one takes along what refers to it.


def upgrade() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_keys")),
        sa.UniqueConstraint("number", name=op.f("uq_signing_keys_number")),
    )
    op.add_column("login_sessions", sa.Column("generation", sa.Integer(), nullable=True))
    op.add_column("login_sessions", sa.Column("rotated_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sign_ins_in_progress", sa.Column("device_name", sa.String(length=100), nullable=True))
    op.add_column("sign_ins_in_progress", sa.Column("refresh_transport", sa.String(length=8), nullable=True))
    op.add_column("users", sa.Column("warning", sa.String(length=32), nullable=True))


def downgrade() -> None:
    op.drop_column("users", "warning")
    op.drop_column("sign_ins_in_progress", "refresh_transport")
    op.drop_column("sign_ins_in_progress", "device_name")
    op.drop_column("login_sessions", "rotated_at")
    op.drop_column("login_sessions", "generation")
    op.drop_table("signing_keys")
