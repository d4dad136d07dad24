"""CSV that a spreadsheet opens as it was written: no cell is taken for a formula."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

BYTE_ORDER_MARK = "\ufeff"  # without it, spreadsheets take UTF-8 for something older
DANGEROUS = re.compile(r"'*[=+\-@\t\r]")
DEFUSED = re.compile(r"'+[=+\-@\t\r]")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of a CSV file, its byte order mark first; None is an empty cell, and text is defused."""
    yield BYTE_ORDER_MARK
    yield _line(header)
    for row in rows:
        yield _line(row)


def defused(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet could take it for a formula."""
    return f"'{text}" if DANGEROUS.match(text) else text


def undefused(text: str) -> str:
    """The text as it was before `defused`."""
    return text[1:] if DEFUSED.match(text) else text


def _line(row: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([defused(cell) if isinstance(cell, str) else cell for cell in row])
    return line.getvalue()
