"""A preview as its page shows it: rows by filter and page, each with the cells that are to be mended."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from semantest_server.imports.checked import Checked, CheckedRow
from semantest_server.models import PROMPT_CHARACTERS
from semantest_server.queue.drafts import PLACES

ROWS_ON_A_PAGE = 50
ALL, ERRORS, WARNINGS, DESELECTED = FILTERS = ("all", "errors", "warnings", "deselected")
LABELS = {
    "prompt": "Prompt",
    "chapter": "Chapter",
    "strip": "Strip",
    "panel": "Number",
    "style": "Style",
    "caption": "Caption",
    "speech": "Speech",
    "filename": "File name",
    "folder": "Folder",
    "id": "Id",
    "notes": "Notes",
    "priority": "Priority",
    "domain": "Site",
}
OF_COMIC = ("priority", "domain")  # shown in a row only if it says something about them
LONG = {name for name, longest in PLACES.items() if longest > 200} | {"prompt"}


@dataclass(frozen=True)
class CellField:
    """A cell that can be changed, and what is said about it."""

    name: str
    column: str
    label: str
    value: str
    errors: Sequence[str]

    @property
    def is_long(self) -> bool:
        """Whether it is text of some lines."""
        return self.column in LONG

    @property
    def lines(self) -> int:
        """How many lines it is shown on."""
        return min(2 + len(self.value) // 120, 8, PROMPT_CHARACTERS)


@dataclass(frozen=True)
class RowView:
    """A row as the page shows it; `fields` are its cells that can be changed here."""

    checked: CheckedRow
    place: str
    fields: Sequence[CellField]
    is_open: bool

    @property
    def faults(self) -> list[str]:
        """What is wrong with the row as a whole."""
        return [problem.message for problem in self.checked.errors if problem.column is None]

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """What is strange, with the label of its cell."""
        return [(LABELS.get(problem.column or "", ""), problem.message) for problem in self.checked.warnings]

    @property
    def state(self) -> str:
        """What a page colours it by."""
        if self.checked.errors:
            return "wrong"
        return "strange" if self.checked.warnings else "off" if self.checked.panel is None else "fine"


@dataclass(frozen=True)
class View:
    """Which rows are looked at, and which one is open to be changed."""

    show: str = ""
    page: int = 1
    edit: int | None = None

    def of(self, checked: Checked) -> "View":
        """The same where it makes sense for these rows: opened on the errors, if there are any."""
        show = self.show if self.show in FILTERS else ERRORS if checked.wrong else ALL
        last = max(1, -(-len(matching(checked, show)) // ROWS_ON_A_PAGE))
        return View(show, min(max(self.page, 1), last), self.edit)

    def address(self) -> dict[str, str | int | None]:
        """The view as the query of an address."""
        return {"show": self.show or None, "page": self.page if self.page > 1 else None, "edit": self.edit}


def matching(checked: Checked, show: str) -> Sequence[CheckedRow]:
    """The rows that a filter shows."""
    if show == ERRORS:
        return checked.wrong
    if show == WARNINGS:
        return [row for row in checked.rows if row.warnings]
    if show == DESELECTED:
        return [row for row in checked.rows if row.panel is None]
    return checked.rows


def shown_rows(checked: Checked, view: View) -> list[RowView]:
    """The rows of a page."""
    first = (view.page - 1) * ROWS_ON_A_PAGE
    return [
        _row_view(checked, row, is_open=row.index == view.edit)
        for row in matching(checked, view.show)[first : first + ROWS_ON_A_PAGE]
    ]


def _row_view(checked: Checked, row: CheckedRow, *, is_open: bool) -> RowView:
    errors: dict[str, list[str]] = {}
    for problem in row.errors:
        errors.setdefault(problem.column or "", []).append(problem.message)
    at = f"{checked.kind.place} {row.row.place}"
    return RowView(row, at, list(_fields(row, errors, is_open=is_open)), is_open)


def _fields(row: CheckedRow, errors: Mapping[str, Sequence[str]], *, is_open: bool) -> Iterator[CellField]:
    cells = row.row.cells
    is_whole = is_open or "" in errors
    for column, label in LABELS.items():
        is_shown = column in errors or (is_whole and (column in cells or (is_open and column not in OF_COMIC)))
        if is_shown:
            name = f"cell-{row.index}-{column}"
            yield CellField(name, column, label, cells.get(column, ""), errors.get(column, ()))
