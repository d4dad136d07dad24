"""CSV: a header that names the columns, and a row for each panel."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from semantest_server.imports.columns import column_of, header_columns, known_among
from semantest_server.imports.hints import Hints
from semantest_server.imports.rows import Kind, Problem, Reading, Row, Unreadable
from semantest_server.spreadsheets import undefused

DELIMITERS = ",;\t"
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
SAID_BY_EXCEL = re.compile(r"sep=([,;\t])\s*")  # a first line that names the delimiter
BAD_QUOTES = 'There is a lone " in this row: write "" for a quote within quotes.'


@dataclass(frozen=True)
class Header:
    """The names of the columns, the line that they stand on, and what stands between them."""

    names: Sequence[str]
    line: int
    delimiter: str

    @property
    def is_some(self) -> bool:
        """Whether it may be meant as one: a line of one cell that names nothing is a prompt."""
        return known_among(self.names) > 0 or len(self.names) > 1

    @property
    def is_surely_one(self) -> bool:
        """Whether nobody would write such a line as a prompt."""
        known, named = known_among(self.names), sum(bool(name.strip()) for name in self.names)
        has_prompt = any(column_of(name) == "prompt" for name in self.names)
        return 2 * known >= named and (has_prompt or known > 1)


@dataclass(frozen=True)
class Record:
    """A record: its first line, its cells, and as it is written; `fault` is what is wrong with that."""

    line: int
    cells: list[str]
    text: str
    fault: str | None = None


def find_header(text: str) -> Header | None:
    """The first line that says anything, cut where most columns come out of it; None if no line does."""
    lines = LINE.findall(text)
    said = SAID_BY_EXCEL.fullmatch(lines[0]) if lines else None
    for number, line in enumerate(lines[1:] if said else lines, start=2 if said else 1):
        if line.strip(" \t\r\n,;"):
            delimiters = said[1] if said else DELIMITERS
            return max((Header(_cut(line, one), number, one) for one in delimiters), key=_likelihood)
    return None


def read_table(text: str, header: Header) -> Reading:
    """The rows below a header. Raises `Unreadable` if the header, or a quote that never ends, makes no sense."""
    if not known_among(header.names):
        raise Unreadable("The first line must name the columns, such as: prompt,chapter,strip.", header.line)
    columns, notices = header_columns(header.names, header.line, Hints())
    lines = LINE.findall(text)[header.line :]
    said = (record for record in _records(lines, header) if any(cell.strip() for cell in record.cells))
    rows = [_row(columns, record, header.delimiter) for record in said]
    return Reading(Kind.CSV, rows, notices=notices)


def _records(lines: list[str], header: Header) -> Iterator[Record]:
    reader = csv.reader(iter(lines), delimiter=header.delimiter, skipinitialspace=True, strict=True)
    while True:
        start = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "expected after" not in str(error):
                raise Unreadable('A " that is opened here is never closed.', header.line + start) from None
            cells = _cut("".join(lines[start - 1 : reader.line_num]), header.delimiter)
            yield Record(header.line + start, cells, "", BAD_QUOTES)
        else:
            yield Record(header.line + start, cells, "".join(lines[start - 1 : reader.line_num]))


def _row(columns: list[str | None], record: Record, delimiter: str) -> Row:
    faults = [Problem(None, record.fault)] if record.fault else []
    cells = record.cells
    filled = max((index for index, cell in enumerate(cells, start=1) if cell.strip()), default=0)
    if filled > len(columns):
        faults.append(Problem(None, _too_many(len(cells), len(columns))))
        cells = _put_together(record, columns, delimiter)
    named = zip(columns, cells, strict=False)
    return Row(record.line, {name: undefused(cell) for name, cell in named if name and cell.strip()}, tuple(faults))


def _put_together(record: Record, columns: list[str | None], delimiter: str) -> list[str]:
    """The cells of a row that has too many of them: what is too much is most likely of the prompt."""
    spaced = _cut(record.text, delimiter, skipinitialspace=False)
    cells = record.cells if len(spaced) != len(record.cells) else spaced
    first = columns.index("prompt")
    behind = first + 1 + len(cells) - len(columns)
    joined = delimiter.join(cells[first:behind]).strip()
    return [*record.cells[:first], joined, *record.cells[behind:]]


def _too_many(cells: int, columns: int) -> str:
    return (
        f"This row has {cells} cells and the header {columns}: most likely its prompt has no quotes around it. "
        "It was put together again; look whether it is right."
    )


def _likelihood(header: Header) -> tuple[int, int]:
    return known_among(header.names), len(header.names)


def _cut(line: str, delimiter: str, *, skipinitialspace: bool = True) -> list[str]:
    """The cells of a line, however strangely it is quoted."""
    try:
        return next(csv.reader(LINE.findall(line), delimiter=delimiter, skipinitialspace=skipinitialspace), [])
    except csv.Error:
        return line.split(delimiter)
