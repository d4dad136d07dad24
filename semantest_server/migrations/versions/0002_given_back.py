"""An index of what was given back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make it."""
    given_back = sa.text("ended = 'given_back'")
    op.create_index(
        "ix_attempt_given_back",
        "attempt",
        ["worker_id", "ended_at"],
        sqlite_where=given_back,
        postgresql_where=given_back,
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_index("ix_attempt_given_back", "attempt")
