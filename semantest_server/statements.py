"""Statements that are written by SQLAlchemy once for each database, and then executed by its driver.

Polls and reports are what a server does all day, ten statements each, while all other writers wait. SQLAlchemy needs
30 to 130 µs of Python for each execution of what the database does in 5: it looks for the compiled statement, writes
lists of parameters into it, and makes a result of rows that answer to names. These statements keep what it has found
out, so that a claim or a report costs a third of the time. Whatever else is asked of the database goes through
SQLAlchemy as ever, in the same transaction.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Dialect, Executable
from sqlalchemy.sql.compiler import SQLCompiler

Found = TypeVar("Found")
Values = Mapping[str, Any]
Convert = Callable[[Any], Any]


class Statement(Generic[Found]):
    """A statement with `bindparam`s, those of lists `expanding`; `row` makes of the columns what is found.

    `columns`: those of an insert that names none itself.
    """

    def __init__(self, statement: Executable, row: Callable[..., Found], *, columns: Sequence[str] = ()) -> None:
        self._statement, self._row, self._columns = statement, row, list(columns) or None
        self._written: dict[str, _Written] = {}  # by the name of the database's kind

    def rows(self, connection: Connection, **values: Any) -> list[Found]:
        """Execute it once; what it finds or returns."""
        asked = self.asked(values)
        send(connection, asked)
        return asked.rows

    def each(self, connection: Connection, rows: Sequence[Values]) -> int:
        """Execute it with the values of each; how many rows of the table it met."""
        asked = self.asked(*rows)
        send(connection, asked)
        return asked.count

    def asked(self, *values: Values) -> "Asked[Found]":
        """The statement with the values for each execution, to be sent with others."""
        return Asked(self, values, self._row)

    def written_for(self, dialect: Dialect) -> "_Written":
        """As this kind of database takes it."""
        written = self._written.get(dialect.name)
        if written is None:
            compiled = self._statement.compile(dialect=dialect, column_keys=self._columns)  # type: ignore[attr-defined]
            written = self._written[dialect.name] = _Written(compiled, dialect)
        return written


class Write(Statement[None]):
    """A statement that finds nothing."""

    def __init__(self, statement: Executable, *, columns: Sequence[str] = ()) -> None:
        super().__init__(statement, lambda *_: None, columns=columns)


class Asked(Generic[Found]):
    """A statement on its way to the database, and then what came back."""

    def __init__(self, statement: Statement[Found], values: Sequence[Values], row: Callable[..., Found]) -> None:
        self.statement, self.values, self._row = statement, values, row
        self.rows: list[Found] = []
        self.count = 0  # of the rows of the table that it met

    def execute(self, connection: Connection, driver: Any) -> Any:
        """Execute it; the cursor, None if there are no values to execute it with."""
        if not self.values:
            return None
        written = self.statement.written_for(connection.dialect)
        cursor = driver.cursor()
        sql, first = written.with_values(self.values[0])
        parameters = [first, *(written.with_values(values)[1] for values in self.values[1:])]
        is_many = len(parameters) > 1
        for listener in connection.dispatch.before_cursor_execute:
            listener(connection, cursor, sql, parameters if is_many else first, None, is_many)
        if is_many:
            cursor.executemany(sql, parameters)
        else:
            cursor.execute(sql, first)
        return cursor

    def take(self, connection: Connection, cursor: Any) -> None:
        """Keep what came back."""
        if cursor.description is not None:
            converted = self.statement.written_for(connection.dialect).converted
            self.rows = [self._row(*row) for row in converted(cursor)]
        self.count = cursor.rowcount


def send(connection: Connection, *asked: Asked[Any]) -> None:
    """Execute statements one after the other. PostgreSQL is sent all of them before it has answered the first."""
    driver = connection.connection.driver_connection
    together = driver.pipeline() if len(asked) > 1 and hasattr(driver, "pipeline") else nullcontext()  # type: ignore[union-attr]
    try:
        with together:
            cursors = [one.execute(connection, driver) for one in asked]
        for one, cursor in zip(asked, cursors, strict=True):
            if cursor is not None:
                one.take(connection, cursor)
    except Exception as error:  # as SQLAlchemy does it, which also lets go of a connection that is lost
        connection._handle_dbapi_exception(error, None, None, None, None)


class _Written:
    """What SQLAlchemy has written: the text, and how values and columns are converted."""

    def __init__(self, compiled: SQLCompiler, dialect: Dialect) -> None:
        self._compiled = compiled
        self._dialect = dialect
        self._constants: dict[str, Any] = {}
        self._constant_lists: dict[str, Any] = {}
        self._singles: list[tuple[str, Convert | None]] = []
        self._lists: list[tuple[str, Convert | None]] = []
        for bind, name in compiled.bind_names.items():
            convert = bind.type.dialect_impl(dialect).bind_processor(dialect)
            if bind.expanding:
                self._lists.append((name, convert))
                self._constant_lists |= {} if bind.required else {name: bind.effective_value}
            elif bind.required:
                self._singles.append((name, convert))
            else:
                self._constants[name] = convert(bind.effective_value) if convert else bind.effective_value
        self._texts: dict[tuple[int, ...], tuple[str, Sequence[str] | None, Mapping[str, list[str]]]] = {}
        self._results: list[tuple[int, Convert]] | None = None

    def with_values(self, values: Values) -> tuple[str, Any]:
        """The text, which depends on how long the lists are, and its parameters as the driver takes them."""
        if self._constant_lists:
            values = {**self._constant_lists, **values}
        text, order, names = self._text(tuple(len(values[name]) for name, _ in self._lists))
        given = dict(self._constants)
        for name, convert in self._singles:
            given[name] = convert(values[name]) if convert else values[name]
        for name, convert in self._lists:
            members = map(convert, values[name]) if convert else values[name]
            given.update(zip(names[name], members, strict=True))
        return text, given if order is None else tuple(given[name] for name in order)

    def converted(self, cursor: Any) -> Iterator[list[Any]]:
        """The rows that came, their columns as Python values."""
        if self._results is None:
            self._results = [*self._conversions(cursor.description)]
        for row in cursor.fetchall():
            values = list(row)
            for index, convert in self._results:
                values[index] = convert(values[index])
            yield values

    def _conversions(self, description: Sequence[Any]) -> Iterator[tuple[int, Convert]]:
        for index, (column, told) in enumerate(zip(self._compiled._result_columns, description, strict=True)):
            convert = column.type.dialect_impl(self._dialect).result_processor(self._dialect, told[1])
            if convert is not None:
                yield index, convert

    def _text(self, lengths: tuple[int, ...]) -> tuple[str, Sequence[str] | None, Mapping[str, list[str]]]:
        known = self._texts.get(lengths)
        if known is None:
            pairs = zip(self._lists, lengths, strict=True)
            lists = {name: [None] * length for (name, _), length in pairs}
            state = self._compiled.construct_expanded_state({**dict.fromkeys(dict(self._singles)), **lists})
            known = self._texts[lengths] = (state.statement, state.positiontup, state.parameter_expansion)
        return known
