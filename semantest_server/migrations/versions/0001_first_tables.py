"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
WORD = sa.String(20)


def upgrade() -> None:
    """Make them, and the one row of `revision`."""
    create_revision()
    create_site()
    create_worker()
    create_comic()
    create_missing_tab()
    create_task()
    create_attempt()
    create_event()
    create_submission()


def downgrade() -> None:
    """Drop them with everything in them."""
    op.drop_table("submission")
    op.drop_table("event")
    op.drop_table("attempt")
    op.drop_table("task")
    op.drop_table("missing_tab")
    op.drop_table("comic")
    op.drop_table("worker")
    op.drop_table("site")
    op.drop_table("revision")


def create_index(name: str, table: str, columns: list[str], *, unique: bool = False, where: str = "") -> None:
    """Make an index, of only those rows of which `where` is true if it is given."""
    partial = {"sqlite_where": sa.text(where), "postgresql_where": sa.text(where)} if where else {}
    op.create_index(name, table, columns, unique=unique, **partial)


def create_revision() -> None:
    op.create_table(
        "revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.execute("INSERT INTO revision (id, number) VALUES (1, 0)")


def create_site() -> None:
    op.create_table(
        "site",
        sa.Column("domain", sa.String(200), nullable=False),
        sa.Column("gap_seconds", sa.Double(), nullable=False),
        sa.Column("break_after", sa.Integer(), nullable=False),
        sa.Column("break_seconds", sa.Double(), nullable=False),
        sa.Column("daily_cap", sa.Integer(), nullable=False),
        sa.Column("handed_out_at", TIME, nullable=True),
        sa.Column("since_break", sa.Integer(), nullable=False),
        sa.Column("break_until", TIME, nullable=True),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("today", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("domain"),
    )


def create_worker() -> None:
    op.create_table(
        "worker",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("address", sa.String(200), nullable=False),
        sa.Column("user_agent", sa.String(200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    create_index("ix_worker_name", "worker", ["name", "named"], unique=True)
    create_index("ix_worker_seen", "worker", ["seen_at"])


def create_comic() -> None:
    op.create_table(
        "comic",
        sa.Column("id", ID, nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("style", sa.String(500), nullable=True),
        sa.Column("status", WORD, nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("parallel", sa.Integer(), nullable=False),
        sa.Column("domain", sa.String(200), nullable=False),
        sa.Column("download_folder", sa.String(500), nullable=False),
        sa.Column("single_pictures", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("served_at", TIME, nullable=False),
        sa.Column("paused_at", TIME, nullable=True),
        sa.Column("paused_seconds", sa.Double(), nullable=False),
        sa.Column("completions", sa.JSON(), nullable=False),
        sa.Column("ready", sa.Integer(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("out", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        sa.CheckConstraint("status IN ('active', 'paused', 'cancelled')", name="ck_comic_status"),
        sa.CheckConstraint("priority BETWEEN 0 AND 2", name="ck_comic_priority"),
        sa.CheckConstraint("parallel BETWEEN 1 AND 100", name="ck_comic_parallel"),
        sa.CheckConstraint(
            "ready >= 0 AND waiting >= 0 AND out >= 0 AND completed >= 0 AND failed >= 0 AND cancelled >= 0",
            name="ck_comic_counters",
        ),
        sa.ForeignKeyConstraint(["domain"], ["site.domain"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    create_index(
        "ix_comic_open",
        "comic",
        ["domain", "priority", "out", "served_at", "id"],
        where="status = 'active' AND ready > 0 AND out < parallel",
    )
    create_index("ix_comic_single_pictures", "comic", ["domain"], unique=True, where="single_pictures")
    create_index("ix_comic_unfinished", "comic", ["id"], where="status = 'active' AND ready + waiting + out > 0")


def create_missing_tab() -> None:
    op.create_table(
        "missing_tab",
        sa.Column("worker_id", ID, nullable=False),
        sa.Column("domain", sa.String(200), nullable=False),
        sa.Column("until", TIME, nullable=False),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"]),
        sa.ForeignKeyConstraint(["domain"], ["site.domain"]),
        sa.PrimaryKeyConstraint("worker_id", "domain"),
    )


def create_task() -> None:
    op.create_table(
        "task",
        sa.Column("id", ID, nullable=False),
        sa.Column("comic_id", ID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("style", sa.String(500), nullable=True),
        sa.Column("output_path", sa.String(500), nullable=False),
        sa.Column("download_folder", sa.String(500), nullable=False),
        sa.Column("correlation_id", sa.String(200), nullable=True),
        sa.Column("status", WORD, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("worker_id", ID, nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("available_at", TIME, nullable=True),
        sa.Column("attempts_used", sa.Integer(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("lapses", sa.Integer(), nullable=False),
        sa.Column("retried_after", sa.Integer(), nullable=False),
        sa.Column("progress", sa.SmallInteger(), nullable=True),
        sa.Column("image_url", sa.Text(), nullable=True),
        sa.Column("download_path", sa.Text(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "(status IN ('leased', 'running')) = (leased_until IS NOT NULL)"
            " AND (leased_until IS NULL OR worker_id IS NOT NULL)",
            name="ck_task_lease",
        ),
        sa.CheckConstraint("available_at IS NULL OR status = 'queued'", name="ck_task_available"),
        sa.CheckConstraint("progress BETWEEN 0 AND 100", name="ck_task_progress"),
        sa.ForeignKeyConstraint(["comic_id"], ["comic.id"]),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    create_index("ix_task_available", "task", ["available_at"], where="available_at IS NOT NULL")
    create_index("ix_task_comic_updated", "task", ["comic_id", "updated_at", "id"])
    create_index("ix_task_correlation", "task", ["correlation_id", "id"], where="correlation_id IS NOT NULL")
    create_index("ix_task_held", "task", ["worker_id"], where="leased_until IS NOT NULL")
    create_index("ix_task_leased_until", "task", ["leased_until"], where="leased_until IS NOT NULL")
    create_index("ix_task_number", "task", ["comic_id", "number"], unique=True)
    create_index(
        "ix_task_open_correlation",
        "task",
        ["correlation_id"],
        unique=True,
        where="correlation_id IS NOT NULL AND status NOT IN ('completed', 'cancelled')",
    )
    create_index("ix_task_out", "task", ["comic_id", "number"], where="leased_until IS NOT NULL")
    create_index("ix_task_ready", "task", ["comic_id", "number"], where="status = 'queued' AND available_at IS NULL")
    create_index("ix_task_status_updated", "task", ["status", "updated_at", "id"])
    create_index("ix_task_updated", "task", ["updated_at", "id"])
    create_index("ix_task_worker_updated", "task", ["worker_id", "updated_at", "id"])


def create_attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("task_id", ID, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("worker_id", ID, nullable=False),
        sa.Column("poll", sa.String(40), nullable=False),
        sa.Column("handed_out_at", TIME, nullable=False),
        sa.Column("reported_at", TIME, nullable=True),
        sa.Column("resent", sa.Boolean(), nullable=False),
        sa.Column("ended", WORD, nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("tab_id", sa.String(200), nullable=True),
        sa.Column("said", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"]),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"]),
        sa.PrimaryKeyConstraint("task_id", "number"),
        sqlite_with_rowid=False,
    )
    create_index("ix_attempt_poll", "attempt", ["poll"])
    create_index("ix_attempt_result", "attempt", ["task_id"], unique=True, where="ended = 'completed'")


def create_event() -> None:
    op.create_table(
        "event",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("type", WORD, nullable=False),
        sa.Column("task_id", ID, nullable=False),
        sa.Column("comic_id", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("worker_id", ID, nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"]),
        sa.ForeignKeyConstraint(["worker_id"], ["worker.id"]),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    create_index("ix_event_task", "event", ["task_id", "id"])


def create_submission() -> None:
    op.create_table(
        "submission",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("comic_id", ID, nullable=True),
        sa.Column("task_id", ID, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["comic_id"], ["comic.id"]),
        sa.ForeignKeyConstraint(["task_id"], ["task.id"]),
        sa.PrimaryKeyConstraint("key"),
    )
    create_index("ix_submission_comic", "submission", ["comic_id"])
    create_index("ix_submission_task", "submission", ["task_id"])
