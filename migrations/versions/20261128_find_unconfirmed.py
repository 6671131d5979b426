"""An index by which accounts that were never confirmed are found: tidying up read every user every ten minutes."""

from collections.abc import Sequence

from alembic import op

revision = "20261128_find_unconfirmed"
down_revision = "20261127_second_factors"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_index(op.f("ix_users_email_verified_at_created_at"), "users", ["email_verified_at", "created_at"])


def downgrade() -> None:
    op.drop_index(op.f("ix_users_email_verified_at_created_at"), table_name="users")
