"""What the columns of a file, and the names in JSON, mean."""

import re
from collections.abc import Iterator, Sequence

from semantest_server.imports.hints import Hints
from semantest_server.imports.rows import Notice, Unreadable, readable

COLUMNS = (
    "prompt",
    "chapter",
    "strip",
    "panel",
    "style",
    "priority",
    "caption",
    "speech",
    "filename",
    "folder",
    "domain",
    "id",
    "notes",
)
ALIASES = {
    "outputpath": "filename",
    "imagepath": "filename",
    "downloadfolder": "folder",
    "correlationid": "id",
    "dialogue": "speech",
    "scene": "strip",
    "number": "panel",
}
PASSED_OVER = {"errors", "warnings"}  # what the file back says about its rows
MEANT = (*COLUMNS, "outputPath", "fileName", "imagePath", "downloadFolder", "correlationId", "dialogue", "scene")
SHOWN_CHARACTERS = 40


def plain_name(name: str) -> str:
    """A name as it is compared: `Output Path`, `output_path` and `outputPath` are one."""
    return re.sub(r"[\s_-]", "", name).casefold()


def column_of(name: str) -> str | None:
    """The column that a name means, if it means one."""
    name = plain_name(name)
    return name if name in COLUMNS else ALIASES.get(name)


def known_among(names: Sequence[str]) -> int:
    """How many of the names mean a column."""
    return sum(column_of(name) is not None for name in names)


def header_columns(names: Sequence[str], line: int, hints: Hints) -> tuple[list[str | None], list[Notice]]:
    """The column that each name of a header means, and what is to be said about it.

    Raises `Unreadable` if two mean the same, or if there is no prompt.
    """
    columns = [column_of(name) for name in names]
    if "prompt" not in columns:
        columns = [
            "prompt" if plain_name(name) == "scene" else column for name, column in zip(names, columns, strict=True)
        ]
    for index, column in enumerate(columns):
        if column is not None and columns.index(column) < index:
            first = shown(names[columns.index(column)])
            raise Unreadable(f"The columns {first} and {shown(names[index])} mean the same; keep one.", line)
    notices = list(_notices(names, columns, line, hints))
    if "prompt" not in columns:
        there = ", ".join(shown(name) for name in names if name.strip())
        unknown = [name for name in names if column_of(name) is None]
        asked = next((hint for name in unknown if (hint := hints.ask(name, ("prompt",)))), "")
        raise Unreadable(f"There is no column prompt. There are {there}.{asked}", line)
    return columns, notices


def passed_over(name: str, hints: Hints) -> str:
    """What is said about a name that means nothing here."""
    return f"{shown(name)} is not known here and is passed over.{hints.ask(name, MEANT)}"


def shown(name: str) -> str:
    """A name from a file, short enough for a sentence."""
    name = " ".join(readable(name).split())
    return name if len(name) <= SHOWN_CHARACTERS else f"{name[:SHOWN_CHARACTERS]}…"


def _notices(names: Sequence[str], columns: Sequence[str | None], line: int, hints: Hints) -> Iterator[Notice]:
    for name, column in zip(names, columns, strict=True):
        if column is None and name.strip() and plain_name(name) not in PASSED_OVER:
            yield Notice(line, passed_over(name, hints))
