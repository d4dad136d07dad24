"""Statements that the driver executes: the same values, rows, errors and events as with SQLAlchemy."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, Engine, bindparam, event, insert, literal, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError

from semantest_server.models import NEVER, Comic, ComicStatus, Site, Style, Task, TaskStatus
from semantest_server.statements import Statement, Write, send

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
BY_IDS = Statement(
    select(Comic.id, Comic.status, Comic.created_at, Comic.paused_at, Comic.completions, Comic.paused_seconds)
    .where(Comic.id.in_(bindparam("ids", expanding=True)), Comic.status != bindparam("status"))
    .order_by(Comic.id),
    lambda *columns: columns,
)
RENAME = Write(update(Comic).where(Comic.id == bindparam("of")).values(title=bindparam("new")))
NOIR = {"name": "noir", "text": "noir, high contrast"}
ADD_STYLE = Write(insert(Style).inline(), columns=["name", "text"])


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection to a database with three comics."""
    with engine.connect() as connection:
        connection.execute(insert(Site), {"domain": "a.com"})
        comic = {"parallel": 1, "domain": "a.com", "download_folder": "", "created_at": NOON, "updated_at": NOON}
        connection.execute(insert(Comic), [{**comic, "title": f"Comic {n}", "completions": [n]} for n in (1, 2, 3)])
        yield connection


@pytest.mark.parametrize("ids", [[], [1], [3, 1], [1, 2, 3]])
def test_rows_have_the_values_that_sqlalchemy_finds(connection: Connection, ids: list[int]) -> None:
    values = {"ids": ids, "status": ComicStatus.PAUSED}
    expected = [tuple(row) for row in connection.execute(BY_IDS._statement, values)]
    assert BY_IDS.rows(connection, **values) == expected
    assert expected == [(n, ComicStatus.ACTIVE, NOON, None, [n], 0.0) for n in sorted(ids)]


def test_rows_are_what_they_are_made_to_be(connection: Connection) -> None:
    titles = Statement(select(Comic.title).where(Comic.served_at == bindparam("at")).order_by(Comic.id), str.upper)
    assert titles.rows(connection, at=NEVER) == ["COMIC 1", "COMIC 2", "COMIC 3"]


@pytest.mark.parametrize("ids", [[], [1], [1, 2, 9]])
def test_a_statement_for_each_of_several_values_says_how_many_rows_it_met(
    connection: Connection, ids: list[int]
) -> None:
    assert RENAME.each(connection, [{"of": n, "new": f"New {n}"} for n in ids]) == len({*ids} & {1, 2, 3})
    titles = connection.scalars(select(Comic.title).order_by(Comic.id)).all()
    assert titles == [f"New {n}" if n in ids else f"Comic {n}" for n in (1, 2, 3)]


def test_several_statements_are_executed_in_their_order(connection: Connection) -> None:
    titles = Statement(select(Comic.title).where(Comic.id == 1), str)
    before, changed, after = titles.asked({}), RENAME.asked({"of": 1, "new": "New"}), titles.asked({})
    send(connection, before, changed, RENAME.asked(), after)
    assert (before.rows, changed.count, after.rows) == (["Comic 1"], 1, ["New"])


def test_constants_and_constant_lists_are_part_of_the_statement(connection: Connection) -> None:
    words = select(literal(TaskStatus.LEASED, Task.status.type)).where(Comic.status.in_([*ComicStatus]))
    assert Statement(words.where(Comic.id == bindparam("of")), str).rows(connection, of=1) == ["leased"]


def test_an_error_is_sqlalchemys(connection: Connection) -> None:
    with pytest.raises(IntegrityError):
        ADD_STYLE.each(connection, [NOIR, NOIR])
    connection.rollback()
    assert connection.scalar(select(Style.id)) is None


def test_an_error_of_several_that_are_sent_at_once_is_sqlalchemys_too(connection: Connection) -> None:
    with pytest.raises(IntegrityError):
        send(connection, ADD_STYLE.asked(NOIR), ADD_STYLE.asked(NOIR))
    connection.rollback()
    assert connection.scalar(select(Style.id)) is None


def test_a_table_that_is_not_there_is_an_error_of_sqlalchemy_too(connection: Connection) -> None:
    with pytest.raises((OperationalError, ProgrammingError)):
        Write(text("SELECT number FROM nothing")).rows(connection)


def test_who_watches_the_engine_sees_the_statements(connection: Connection) -> None:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    RENAME.each(connection, [{"of": 1, "new": "New"}])
    assert [statement.split()[:2] for statement in seen] == [["UPDATE", "comic"]]
