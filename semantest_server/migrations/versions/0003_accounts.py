"""Accounts, their sign-ins, and tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
WORD = sa.String(20)
NAME = sa.String(200)
DIGEST = sa.String(64)


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "account",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("password", NAME, nullable=False),
        sa.Column("scope", WORD, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "sign_in",
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("address", NAME, nullable=False),
        sa.Column("user_agent", NAME, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"]),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("ix_sign_in_account", "sign_in", ["account_id"])
    op.create_index("ix_sign_in_expires", "sign_in", ["expires_at"])
    op.create_table(
        "token",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("digest", DIGEST, nullable=False),
        sa.Column("scope", WORD, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=True),
        sa.Column("used_at", TIME, nullable=True),
        sa.Column("revoked_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    live = sa.text("revoked_at IS NULL")
    op.create_index("ix_token_name", "token", ["name"], unique=True, sqlite_where=live, postgresql_where=live)


def downgrade() -> None:
    """Drop them with everything in them."""
    op.drop_table("token")
    op.drop_table("sign_in")
    op.drop_table("account")
