"""What is read from a file: rows of cells, as they were given, each with the place that it came from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

from semantest_server.errors import FieldError, Invalid

OPTION_NAMES = {"download_folder": "downloadFolder"}  # on the wire, where they differ


class Kind(StrEnum):
    """What a file is."""

    LINES = "lines"
    CSV = "csv"
    JSON = "json"

    @property
    def place(self) -> str:
        """What its rows are counted by: lines, or the items of a list."""
        return "item" if self is Kind.JSON else "line"


@dataclass(frozen=True)
class Problem:
    """Something about one row: in a column, or in all of it."""

    column: str | None
    message: str


@dataclass(frozen=True)
class Notice:
    """Something about the file as a whole, that keeps nothing from being queued."""

    line: int | None
    message: str


@dataclass(frozen=True)
class Row:
    """One panel as it was given: its cells by column, without the empty ones.

    `place` is its line, or its number in the list, from 1; `faults` are what reading found wrong, which the cells
    do not tell; `is_on` is whether it is to be queued.
    """

    place: int
    cells: dict[str, str]
    faults: tuple[Problem, ...] = ()
    is_on: bool = True

    def plain(self) -> dict[str, Any]:
        """The row as JSON."""
        faults = [[fault.column, fault.message] for fault in self.faults]
        rest = {"faults": faults} if faults else {}
        return {"place": self.place, "cells": self.cells, **rest, **({} if self.is_on else {"off": True})}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Row":
        """The row that was made plain."""
        faults = tuple(Problem(column, message) for column, message in plain.get("faults", ()))
        return cls(plain["place"], plain["cells"], faults, not plain.get("off"))


@dataclass(frozen=True)
class Options:
    """What holds for the whole comic, as it was written; empty is not said."""

    title: str = ""
    style: str = ""
    priority: str = ""
    parallel: str = ""
    domain: str = ""
    download_folder: str = ""

    def over(self, other: "Options") -> "Options":
        """These, and where nothing is said the other ones."""
        return Options(*[getattr(self, one.name) or getattr(other, one.name) for one in fields(self)])

    def plain(self) -> dict[str, str]:
        """The options as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Reading:
    """What a file says."""

    kind: Kind
    rows: Sequence[Row]
    options: Options = field(default_factory=Options)
    notices: Sequence[Notice] = ()


class Unreadable(Invalid):
    """No rows can be read from a file; `line` is where, if it is known."""

    title = "The file cannot be read"

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        at = f"Line {line}, column {column}: " if line and column else f"Line {line}: " if line else ""
        super().__init__(f"Nothing can be read from it. {at}{message}", [FieldError("", f"{at}{message}")])
        self.message = message
        self.line = line
        self.column = column


def readable(text: str) -> str:
    """The text without halves of characters, which no page and no database takes."""
    return text.encode("utf-8", "replace").decode()
