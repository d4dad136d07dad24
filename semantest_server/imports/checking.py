"""Whether rows can be queued as one comic: by the queue's own rules, and by what else a person should know."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from semantest_server.errors import FieldError
from semantest_server.imports.checked import Checked, CheckedRow, Known
from semantest_server.imports.hints import Hints
from semantest_server.imports.rows import Notice, Options, Problem, Reading
from semantest_server.models import Priority
from semantest_server.paths import make_relative
from semantest_server.prompts import compose, final_style
from semantest_server.queue.drafts import (
    DOMAIN,
    PARALLEL,
    PLACES,
    ComicDraft,
    PanelDraft,
    comic_errors,
    filled_comic,
)
from semantest_server.queue.styles import NONE, Styles

PRIORITIES = tuple(priority.name.lower() for priority in Priority)
POINTER = re.compile(r"/panels/(\d+)/(\w+)")
OTHER_PANEL = re.compile(r"/panels/(\d+)(/\w+)?")
ABSOLUTE = re.compile(r"file:|[/\\]|[a-zA-Z]:")
WHOLE = re.compile(r"[0-9]{1,9}")
SHORT_CHARACTERS = 4
COLUMNS_OF_FIELDS = {
    "number": "panel",
    "outputPath": "filename",
    "downloadFolder": "folder",
    "correlationId": "id",
}


def check(reading: Reading, options: Options, known: Known) -> Checked:
    """Say of every row what will be queued, and what is wrong or strange about it. `options` hold for the comic."""
    return _Check(reading, options, known).checked()


def site_name(text: str | None) -> str:
    """The name of a site, from its name or its address."""
    return re.sub(r"^https?://|/.*$", "", (text or "").strip().lower())


def compared(prompt: str) -> str:
    """A prompt as it is compared with others."""
    return " ".join(prompt.split()).casefold()


class _Check:
    """One check, which collects what it finds by row."""

    def __init__(self, reading: Reading, options: Options, known: Known) -> None:
        self._reading = reading
        self._rows = reading.rows
        self._options = options
        self._known = known
        self._on = [index for index, row in enumerate(reading.rows) if row.is_on]
        self._errors: dict[int, list[Problem]] = defaultdict(list)
        self._warnings: dict[int, list[Problem]] = defaultdict(list)
        self._option_errors: list[FieldError] = []
        self._notices: list[Notice] = []
        self._hints = Hints()
        self._styles = Styles(known.presets)
        self._style_names = tuple(known.presets)

    def checked(self) -> Checked:
        """Check everything."""
        for index in self._on:
            for fault in self._rows[index].faults:
                self._wrong(index, fault.column, fault.message)
        comic = filled_comic(self._comic())
        for error in comic_errors(comic):
            self._take(error)
        self._warn(comic)
        panels = dict(zip(self._on, comic.panels, strict=True))
        rows = [self._checked_row(index, panels.get(index), comic.style) for index in range(len(self._rows))]
        notices = [*self._reading.notices, *self._notices, *self._style_notice(comic.style)]
        return Checked(self._reading.kind, comic, rows, self._option_errors, notices)

    def _comic(self) -> ComicDraft:
        said = self._options
        priority = self._same_for_all("priority", _priority, f"Must be {', '.join(PRIORITIES[:-1])} or low.")
        domain = self._same_for_all("domain", _domain, "Must be a site's name, such as chatgpt.com.")
        self._overrule("priority", said.priority.strip().lower(), priority)
        self._overrule("domain", site_name(said.domain), domain)
        return ComicDraft(
            title=said.title.strip(),
            panels=[self._panel(index) for index in self._on],
            style=said.style.strip() or None,
            priority=self._chosen_priority(said.priority, priority),
            parallel=self._parallel(said.parallel.strip()),
            domain=site_name(said.domain) or domain,
            download_folder=said.download_folder.strip() or None,
        )

    def _chosen_priority(self, said: str, of_rows: str | None) -> Priority:
        name = said.strip().lower() or of_rows or Priority.NORMAL.name.lower()
        if name not in PRIORITIES:
            hint = self._hints.ask(name, PRIORITIES)
            self._option_errors.append(FieldError("/priority", f"Must be high, normal or low.{hint}"))
            return Priority.NORMAL
        return Priority[name.upper()]

    def _parallel(self, said: str) -> int:
        if said and not WHOLE.fullmatch(said.removeprefix("-")):
            self._option_errors.append(FieldError("/parallel", "Give a whole number, such as 10."))
            return PARALLEL
        return int(said) if said else PARALLEL

    def _same_for_all(self, column: str, read: Callable[[str], str | None], wanted: str) -> str | None:
        """What the rows say about the comic: the first one that says something, and all others the same."""
        first, value = None, None
        for index in self._on:
            cell = self._rows[index].cells.get(column)
            if not cell:
                continue
            said = read(cell)
            if said is None:
                hint = self._hints.ask(cell, PRIORITIES) if column == "priority" else ""
                self._wrong(index, column, f"{wanted}{hint}")
            elif first is None:
                first, value = index, said
            elif said != value:
                message = f"{self._at(first)} says {value}, and the {column} holds for the whole comic."
                self._wrong(index, column, message[0].upper() + message[1:])
        return value

    def _overrule(self, column: str, chosen: str, of_rows: str | None) -> None:
        """Tell that what was chosen for the comic wins over what its rows say."""
        if chosen and of_rows not in (None, chosen):
            self._notices.append(Notice(None, f"The rows say {column} {of_rows}; {chosen} was chosen for the comic."))

    def _panel(self, index: int) -> PanelDraft:
        cells = {column: self._trimmed(index, column, cell) for column, cell in self._rows[index].cells.items()}
        return PanelDraft(
            prompt=cells.get("prompt", ""),
            number=self._number(index, cells.get("panel")),
            style=cells.get("style"),
            output_path=self._relative(index, "filename", cells.get("filename")),
            download_folder=self._relative(index, "folder", cells.get("folder")),
            correlation_id=cells.get("id"),
            **{name: cells.get(name) for name in PLACES},
        )

    def _trimmed(self, index: int, column: str, cell: str) -> str:
        trimmed = cell.strip()
        if trimmed != cell:
            self._strange(index, column, "The space around it was taken off.")
        return trimmed

    def _number(self, index: int, cell: str | None) -> int | None:
        if cell is not None and not WHOLE.fullmatch(cell):
            self._wrong(index, "panel", "Must be a whole number, such as 46.")
            return None
        return None if cell is None else int(cell)

    def _relative(self, index: int, column: str, path: str | None) -> str | None:
        if path is None or not ABSOLUTE.match(path):
            return path
        try:
            relative = make_relative(path)
        except ValueError:
            return path  # the queue's rules say what is wrong with it
        self._strange(index, column, f"Made relative; it was {path}")
        return relative

    def _take(self, error: FieldError) -> None:
        """Take what the queue refuses to the row, or the option, that it is about."""
        if match := POINTER.fullmatch(error.pointer):
            message = OTHER_PANEL.sub(lambda other: self._at(self._on[int(other[1])]), error.message)
            self._wrong(self._on[int(match[1])], COLUMNS_OF_FIELDS.get(match[2], match[2]), message)
        elif error.pointer == "/panels" and not self._on:
            self._option_errors.append(FieldError("/panels", "No row is selected."))
        elif all(one.pointer != error.pointer for one in self._option_errors):
            self._option_errors.append(error)

    def _warn(self, comic: ComicDraft) -> None:
        prompts: dict[str, int] = {}
        files: dict[tuple[str, str], int] = {}
        styles: set[str] = set()
        for index, panel in zip(self._on, comic.panels, strict=True):
            if panel.correlation_id in self._known.open_ids:
                self._wrong(index, "id", "A task that is not finished yet has this id.")
            self._warn_of_prompt(index, panel.prompt, prompts)
            folder = panel.download_folder or comic.download_folder or ""
            first = files.setdefault((folder.casefold(), (panel.output_path or "").casefold()), index)
            if first != index:
                self._strange(index, "filename", f"The same file as {self._at(first)}: one picture replaces the other.")
            if panel.style and not self._is_preset(panel.style):
                hint = self._hints.ask(panel.style, self._style_names)
                if hint or panel.style not in styles:
                    self._strange(index, "style", f"Not a preset; its own words are added.{hint}")
                styles.add(panel.style)

    def _warn_of_prompt(self, index: int, prompt: str, seen: dict[str, int]) -> None:
        key = compared(prompt)
        if not key:
            return
        if (first := seen.setdefault(key, index)) != index:
            self._strange(index, "prompt", f"The same prompt as {self._at(first)}.")
        elif key in self._known.elsewhere:
            self._strange(index, "prompt", f"The same prompt as {self._known.elsewhere[key]}.")
        if len(prompt) < SHORT_CHARACTERS:
            self._strange(index, "prompt", "Very short: is this a prompt?")

    def _style_notice(self, style: str | None) -> Iterator[Notice]:
        hint = self._hints.ask(style, self._style_names) if style and not self._is_preset(style) else ""
        if hint:
            yield Notice(None, f"The comic's style, {style}, is not a preset; its own words are added.{hint}")

    def _is_preset(self, style: str) -> bool:
        return style.casefold() == NONE or any(style.casefold() == name.casefold() for name in self._style_names)

    def _checked_row(self, index: int, panel: PanelDraft | None, style: str | None) -> CheckedRow:
        row = self._rows[index]
        final = ""
        if panel is not None and panel.prompt:
            final = compose(panel.prompt, final_style(self._styles.text_of(panel.style), self._styles.text_of(style)))
        return CheckedRow(index, row, panel, final, self._errors.get(index, ()), self._warnings.get(index, ()))

    def _wrong(self, index: int, column: str | None, message: str) -> None:
        """Note what is wrong, the first thing of each column; in a row that was no row, only that."""
        noted = self._errors[index]
        is_no_row = not self._rows[index].cells and any(one.column is None for one in noted)
        if not is_no_row and all(one.column != column for one in noted):
            noted.append(Problem(column, message))

    def _strange(self, index: int, column: str, message: str) -> None:
        self._warnings[index].append(Problem(column, message))

    def _at(self, index: int) -> str:
        return f"{self._reading.kind.place} {self._rows[index].place}"


def _priority(cell: str) -> str | None:
    name = cell.strip().lower()
    return name if name in PRIORITIES else None


def _domain(cell: str) -> str | None:
    name = site_name(cell)
    return name if DOMAIN.fullmatch(name) else None
