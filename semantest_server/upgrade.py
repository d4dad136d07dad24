"""Bringing a database to this version's tables, with the migrations of `migrations/`.

`migrations/env.py` holds the lock, so that starts at the same time migrate once, `db upgrade` included.

Alembic and Flask-Migrate take 9 MiB of memory, so they are imported where something is migrated, and only then.
"""

from flask import Flask
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from semantest_server.config import MIGRATIONS
from semantest_server.database import db, write_transaction
from semantest_server.queue.preferences import begin


class UpgradeError(Exception):
    """The database cannot be brought to this version's tables; the message names it and says why."""


def set_up_migrations(app: Flask) -> None:
    """Tell Flask-Migrate where the migrations of this app are."""
    from flask_migrate import Migrate

    Migrate(app, db, directory=MIGRATIONS)


def upgrade(app: Flask) -> None:
    """Apply the migrations that the database lacks; waits while another process does."""
    from alembic import command
    from alembic.util import CommandError

    set_up_migrations(app)
    with app.app_context():
        try:
            command.upgrade(app.extensions["migrate"].migrate.get_config(), "head")
        except (CommandError, SQLAlchemyError, OSError) as error:
            raise UpgradeError(f"The database {where(db.engine.url)} cannot be used: {reason(error)}") from error
        finally:
            db.engine.dispose()  # the caller may fork, and connections do not survive that


def prepare(app: Flask) -> None:
    """Bring the database up to date, and give a new one what it begins with."""
    upgrade(app)
    with app.app_context():
        try:
            with write_transaction(db.session()) as session:
                begin(session, app.config["SEMANTEST_STYLES"])
        except SQLAlchemyError as error:
            raise UpgradeError(f"The database {where(db.engine.url)} cannot be used: {reason(error)}") from error
        finally:
            db.session.remove()
            db.engine.dispose()


def where(url: URL) -> str:
    """Where a database is, for a person: its file, or its address without the password."""
    if url.get_backend_name() == "sqlite" and url.database:
        return url.database
    return url.render_as_string(hide_password=True)


def reason(error: Exception) -> str:
    """What went wrong, in one line and without the statement."""
    text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    return " ".join(text.split())
