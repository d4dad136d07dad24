"""What Alembic runs around the migrations: one connection of its own, one transaction, one process at a time."""

from typing import Any, Literal

from alembic import context
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from flask import current_app
from sqlalchemy import Connection, Enum, NullPool, create_engine, text

from semantest_server.database import db
from semantest_server.models import UtcDateTime

LOCK = 0x53656D616E74  # "Semant", a number for PostgreSQL's advisory lock


def run_online() -> None:
    """Migrate in one transaction; what waited for its turn finds nothing left to do."""
    engine = create_engine(db.engine.url, poolclass=NullPool)
    with engine.connect().execution_options(semantest_begin="IMMEDIATE") as connection:
        set_foreign_keys(connection, "OFF")  # or rebuilding a table would delete what refers to it
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            configure(connection)
            refuse_newer()
            context.run_migrations()
            check_foreign_keys(connection)


def configure(connection: Connection) -> None:
    """Tell Alembic what to migrate and what to compare it with."""
    options = current_app.extensions["migrate"].configure_args
    context.configure(connection=connection, target_metadata=db.metadata, render_item=render_item, **options)


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write new migrations with plain types, so that they stay what they are when the models change."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Enum):
        return f"sa.String(length={item.length})"
    return False


def refuse_newer() -> None:
    """Stop before anything is touched if a later version of this package has been here."""
    known = {script.revision for script in ScriptDirectory.from_config(context.config).walk_revisions()}
    if not known.issuperset(context.get_context().get_current_heads()):
        raise CommandError(
            "A newer version of Semantest server made this database. Install that version, or a later one."
        )


def set_foreign_keys(connection: Connection, state: str) -> None:
    """Turn SQLite's checks on or off, past SQLAlchemy: inside a transaction the pragma does nothing."""
    if connection.dialect.name == "sqlite":
        connection.connection.cursor().execute(f"PRAGMA foreign_keys = {state}")


def check_foreign_keys(connection: Connection) -> None:
    """Make up for the checks that were off."""
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if broken:
            raise CommandError(f"After the migration, {len(broken)} rows would refer to rows that are not there.")


def run_offline() -> None:
    """Print the statements instead (`db upgrade --sql`)."""
    context.configure(url=db.engine.url, target_metadata=db.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
