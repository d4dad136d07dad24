"""The migrations make exactly the tables of the models, once, however many processes start at once."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, text

from semantest_server import create_app
from semantest_server.database import db
from semantest_server.models import Base
from semantest_server.upgrade import UpgradeError, upgrade

STARTS = 10
START_AT_ONCE = f"""
from multiprocessing import get_context
from semantest_server import create_app
from semantest_server.upgrade import upgrade

fork = get_context("fork")
barrier = fork.Barrier({STARTS})

def start():
    app = create_app()
    barrier.wait()
    upgrade(app)

processes = [fork.Process(target=start) for _ in range({STARTS})]
for process in processes:
    process.start()
for process in processes:
    process.join()
print([process.exitcode for process in processes])
"""


@pytest.fixture
def empty_app(empty_database_url: str, tmp_path: Path) -> Flask:
    return create_app({"SEMANTEST_DATABASE_URL": empty_database_url, "SEMANTEST_INSTANCE": str(tmp_path)})


@pytest.fixture
def empty_database(empty_database_url: str, empty_app: Flask) -> Iterator[Engine]:
    """Connections to a database that has no tables yet."""
    engine = create_engine(empty_database_url, poolclass=NullPool)
    yield engine
    engine.dispose()


def describe(connection: Connection) -> list[str]:
    """Every table, column, constraint and index, in the database's own words; columns in any order."""
    if connection.dialect.name == "sqlite":
        statement = "SELECT sql FROM sqlite_master WHERE name NOT LIKE 'alembic%' AND sql IS NOT NULL"
    else:
        statement = """
            SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%'
            UNION ALL SELECT indexdef FROM pg_indexes
            WHERE schemaname = 'public' AND tablename NOT LIKE 'alembic%'
            UNION ALL SELECT concat_ws(' ', table_name, column_name, data_type,
                character_maximum_length, is_nullable, column_default) FROM information_schema.columns
            WHERE table_schema = 'public' AND table_name NOT LIKE 'alembic%'
        """
    return sorted(map(in_any_order, connection.scalars(text(statement))))


def in_any_order(statement: str) -> str:
    """A statement that makes a table, with its columns and constraints sorted; another one as it is."""
    head, _, rest = statement.partition("(")
    if not head.startswith("CREATE TABLE"):
        return statement
    body, _, end = rest.rpartition(")")
    parts = re.split(r",\s*(?![^()]*\))", body)  # not those in parentheses
    return f"{head}({', '.join(sorted(part.strip() for part in parts))}){end}"


def test_the_migrations_make_what_the_models_say(empty_app: Flask, empty_database: Engine) -> None:
    upgrade(empty_app)
    with empty_database.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_and_partial_indexes_are_the_same_too(empty_app: Flask, empty_database: Engine) -> None:
    with empty_database.begin() as connection:
        Base.metadata.create_all(connection)
        from_models = describe(connection)
        Base.metadata.drop_all(connection)
    upgrade(empty_app)
    with empty_database.connect() as connection:
        assert describe(connection) == from_models


def test_the_one_row_of_revision_is_there(empty_app: Flask, empty_database: Engine) -> None:
    upgrade(empty_app)
    with empty_database.connect() as connection:
        assert connection.execute(text("SELECT id, number FROM revision")).all() == [(1, 0)]


def test_upgrading_again_changes_nothing(empty_app: Flask, empty_database: Engine) -> None:
    upgrade(empty_app)
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE revision SET number = 7"))
        before = describe(connection)
    upgrade(empty_app)
    with empty_database.connect() as connection:
        assert describe(connection) == before
        assert connection.scalar(text("SELECT number FROM revision")) == 7


def test_taking_every_migration_back_leaves_no_table(empty_app: Flask, empty_database: Engine) -> None:
    from flask_migrate import downgrade

    upgrade(empty_app)
    with empty_app.app_context():
        downgrade(revision="base")
        db.engine.dispose()
    assert inspect(empty_database).get_table_names() == ["alembic_version"]


def test_processes_that_start_at_once_migrate_once(
    empty_database_url: str, empty_database: Engine, tmp_path: Path
) -> None:
    settings = {"SEMANTEST_DATABASE_URL": empty_database_url, "SEMANTEST_INSTANCE": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-c", START_AT_ONCE],
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said.stdout.strip() == str([0] * STARTS), said.stderr
    with empty_database.connect() as connection:
        assert connection.execute(text("SELECT id FROM revision")).all() == [(1,)]


def test_a_database_from_a_newer_version_is_left_alone(empty_app: Flask, empty_database: Engine) -> None:
    upgrade(empty_app)
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UpgradeError, match="newer version of Semantest server"):
        upgrade(empty_app)


def test_a_migration_that_fails_leaves_nothing_behind(empty_app: Flask, empty_database: Engine) -> None:
    with empty_database.begin() as connection:
        connection.execute(text("CREATE TABLE task (id INTEGER)"))
    with pytest.raises(UpgradeError, match="already exists"):
        upgrade(empty_app)
    assert set(inspect(empty_database).get_table_names()) <= {"task", "alembic_version"}


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_migration_keeps_the_checks_of_foreign_keys_off_only_while_it_runs(empty_app: Flask) -> None:
    upgrade(empty_app)
    with empty_app.app_context(), db.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    with empty_app.app_context():
        db.engine.dispose()
