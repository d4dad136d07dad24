"""Moving an installation to another database."""

from collections.abc import Callable

from sqlalchemy import Connection, Engine, Table, func, insert, select, text

from semantest_server.models import Base

BATCH_ROWS = 1_000
KEPT = {"revision"}  # counts what happens to one database; each has its own


class CopyError(Exception):
    """The copy was not made, and the target is as it was; the message says why."""


def copy(source: Engine, target: Engine, tell: Callable[[str, int], None]) -> None:
    """Copy every row to an empty database that has been migrated, all or nothing.

    Nothing is written to the source meanwhile: on SQLite the copy holds the write lock, so that a server that
    still runs answers 503 to what it cannot write. `tell` is called with each table's name and number of rows.
    """
    with source.connect() as reading, target.begin() as writing:
        _hold(reading)
        tables = [table for table in Base.metadata.sorted_tables if table.name not in KEPT]
        for table in tables:
            if _count(writing, table):
                raise CopyError(f"The target's table {table.name!r} is not empty; copy to a new database.")
        for table in tables:
            tell(table.name, _copy_table(reading, writing, table))
        reading.rollback()


def _hold(reading: Connection) -> None:
    if reading.dialect.name == "sqlite":
        reading.execution_options(semantest_begin="IMMEDIATE").begin()
    else:
        reading.execution_options(isolation_level="REPEATABLE READ").begin()


def _copy_table(reading: Connection, writing: Connection, table: Table) -> int:
    rows = reading.execution_options(yield_per=BATCH_ROWS).execute(select(table).order_by(*table.primary_key.columns))
    for batch in rows.mappings().partitions():
        writing.execute(insert(table), [dict(row) for row in batch])
    copied, there = _count(writing, table), _count(reading, table)
    if copied != there:
        raise CopyError(f"{table.name!r} has {there} rows, and {copied} arrived.")
    _continue_numbers(writing, table)
    return copied


def _continue_numbers(writing: Connection, table: Table) -> None:
    """Let PostgreSQL number new rows after the copied ones; SQLite does so by itself."""
    if writing.dialect.name != "postgresql" or table.autoincrement_column is None:
        return
    column = table.autoincrement_column.name
    sequence = writing.scalar(select(func.pg_get_serial_sequence(table.name, column)))
    if sequence:
        last = writing.scalar(select(func.max(table.c[column])))
        writing.execute(
            text("SELECT setval(:sequence, :value, :used)"),
            {"sequence": sequence, "value": last or 1, "used": last is not None},
        )


def _count(connection: Connection, table: Table) -> int:
    return connection.scalar(select(func.count()).select_from(table)) or 0
