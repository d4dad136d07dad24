"""What the pages keep: styles, the order of drawing, where panels stand, labels of workers, uploads, preferences."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
NAME = sa.String(200)
STYLE = sa.String(500)
READY = sa.text("status = 'queued' AND available_at IS NULL")
FAILED = sa.text("ended = 'failed'")
PAUSED = sa.text("status = 'paused'")
TROUBLE = sa.text("type NOT IN ('queued', 'handed_out', 'running', 'completed')")
PLACES = {"chapter": NAME, "strip": NAME, "caption": sa.Text(), "speech": sa.Text(), "notes": sa.Text()}


def upgrade() -> None:
    """Make it. What is queued is drawn in the order of its numbers, and with its style as it was given."""
    op.add_column("comic", sa.Column("style_text", STYLE, nullable=True))
    op.add_column("task", sa.Column("style_text", STYLE, nullable=True))
    op.execute("UPDATE comic SET style_text = style WHERE style IS NOT NULL")
    op.execute("UPDATE task SET style_text = style WHERE style IS NOT NULL")
    for name, kind in PLACES.items():
        op.add_column("task", sa.Column(name, kind, nullable=True))
    op.add_column("task", sa.Column("position", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE task SET position = number")
    op.drop_index("ix_task_ready", "task")
    op.create_index("ix_task_ready", "task", ["comic_id", "position"], sqlite_where=READY, postgresql_where=READY)

    op.add_column("worker", sa.Column("label", NAME, nullable=True))
    op.add_column("worker", sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_attempt_failed", "attempt", ["worker_id", "ended_at"], sqlite_where=FAILED, postgresql_where=FAILED
    )
    op.create_index("ix_comic_paused", "comic", ["id"], sqlite_where=PAUSED, postgresql_where=PAUSED)
    op.create_index("ix_event_trouble", "event", ["type", "id"], sqlite_where=TROUBLE, postgresql_where=TROUBLE)

    op.create_table(
        "style",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(50), nullable=False),
        sa.Column("text", STYLE, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "preferences",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "upload",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("rows", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_upload_updated", "upload", ["updated_at"])


def downgrade() -> None:
    """Drop it; prompts lose their presets, and panels that were moved are drawn by their numbers again."""
    for table in ("upload", "preferences", "style"):
        op.drop_table(table)
    op.drop_index("ix_event_trouble", "event")
    op.drop_index("ix_comic_paused", "comic")
    op.drop_index("ix_attempt_failed", "attempt")
    op.drop_column("worker", "held")
    op.drop_column("worker", "label")
    op.drop_index("ix_task_ready", "task")
    op.create_index("ix_task_ready", "task", ["comic_id", "number"], sqlite_where=READY, postgresql_where=READY)
    for name in ("position", *reversed(PLACES), "style_text"):
        op.drop_column("task", name)
    op.drop_column("comic", "style_text")
