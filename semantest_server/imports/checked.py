"""A comic as it will be queued, row by row, with what is wrong and strange about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from semantest_server.errors import FieldError, Invalid
from semantest_server.imports.rows import Kind, Notice, Problem, Row
from semantest_server.queue.drafts import ComicDraft, PanelDraft


@dataclass(frozen=True)
class Known:
    """What is known beside the file: presets by name, ids of open tasks, and where prompts are queued already."""

    presets: Mapping[str, str] = field(default_factory=dict)
    open_ids: frozenset[str] = frozenset()
    elsewhere: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckedRow:
    """A row as it will be queued, and what is wrong or strange about it; without a panel it is deselected."""

    index: int
    row: Row
    panel: PanelDraft | None
    final_prompt: str
    errors: Sequence[Problem]
    warnings: Sequence[Problem]


@dataclass(frozen=True)
class Checked:
    """A comic as it will be queued, row by row, and what is wrong with its options."""

    kind: Kind
    comic: ComicDraft
    rows: Sequence[CheckedRow]
    errors: Sequence[FieldError]
    notices: Sequence[Notice]

    @cached_property
    def wrong(self) -> list[CheckedRow]:
        """The rows that cannot be queued."""
        return [row for row in self.rows if row.errors]

    @cached_property
    def good(self) -> list[CheckedRow]:
        """The rows that can be queued, and are to be."""
        return [row for row in self.rows if row.panel and not row.errors]

    def place(self, row: CheckedRow, column: str | None) -> str:
        """Where something stands in the file: `Line 4, column prompt`."""
        at = f"{self.kind.place.capitalize()} {row.row.place}"
        return f"{at}, column {column}" if column else at

    def all_errors(self) -> list[FieldError]:
        """Everything that is wrong, with pointers to options and rows."""
        of_rows = (
            FieldError(pointer(row, problem), f"{self.place(row, problem.column)}: {problem.message}")
            for row in self.wrong
            for problem in row.errors
        )
        return [*self.errors, *of_rows]

    def all_warnings(self) -> list[FieldError]:
        """Everything that is strange about rows."""
        return [
            FieldError(pointer(row, problem), f"{self.place(row, problem.column)}: {problem.message}")
            for row in self.rows
            for problem in row.warnings
        ]

    def draft(self, *, but_wrong: bool = False) -> ComicDraft:
        """The comic to queue, without the rows that are wrong if so asked; the others keep their numbers.

        Raises `Invalid` with all that is wrong.
        """
        errors = list(self.errors) if but_wrong else self.all_errors()
        if errors:
            raise Invalid("The comic cannot be queued.", errors)
        if not self.good:
            raise Invalid("The comic cannot be queued.", [FieldError("/panels", "Every row is wrong or deselected.")])
        return replace(self.comic, panels=[row.panel for row in self.good if row.panel])


def pointer(row: CheckedRow, problem: Problem) -> str:
    """Where a problem is, as a JSON pointer."""
    return f"/rows/{row.index}/{problem.column}" if problem.column else f"/rows/{row.index}"
