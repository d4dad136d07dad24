"""What a simulated worker writes down: what arrived and what it was told, each line before it goes on.

A `kill -9` of the worker loses at most what it had not been told, so every line is a promise that the server has
made. Times are seconds since 1970, taken when the answer was there.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

PROGRESS, SUCCESS, FAILURE, GIVE_BACK = "progress", "success", "failure", "give-back"

KINDS = {
    **dict.fromkeys(("delivered", "sent", "running", "in_progress", "processing", "generating"), PROGRESS),
    "downloading": PROGRESS,
    **dict.fromkeys(("completed", "image_found", "response_received"), SUCCESS),
    **dict.fromkeys(("failed", "error", "timeout"), FAILURE),
    **dict.fromkeys(("no_tabs", "cancelled"), GIVE_BACK),
}


@dataclass(frozen=True)
class Given:
    """A hand-out that arrived: whose it is from now on, its receipts, and until when at least."""

    at: float
    by: str
    receipts: list[str]
    until: str | None


@dataclass(frozen=True)
class Told:
    """A report that was answered 2xx.

    `receipt`: what it was about, or the task if it named only that; `note`: words that the report carried, unlike
    any other's; `directive`: None where the answer does not say what became of the report; `whole`: it was about a
    hand-out, so that the answer is 2xx if any part of it is.
    """

    at: float
    by: str
    receipt: str
    kind: str
    note: str
    directive: str | None
    whole: bool = False


@dataclass(frozen=True)
class Unknown:
    """A receipt that had been given, and of which the server said 404."""

    at: float
    by: str
    receipt: str


Entry = Given | Told | Unknown
ENTRIES: dict[str, type[Entry]] = {kind.__name__: kind for kind in (Given, Told, Unknown)}


class Journal:
    """One worker's journal, a file of its own for each of its lives."""

    def __init__(self, path: Path, by: str) -> None:
        self._file: TextIO = path.open("a", buffering=1)  # a line is one write
        self._by = by

    def given(self, receipts: list[str], until: str | None) -> None:
        """Write down what arrived."""
        self._write(Given(time.time(), self._by, receipts, until))

    def told(self, receipt: str, status: str, note: str, directive: str | None, *, whole: bool = False) -> None:
        """Write down that a report was answered 2xx."""
        self._write(Told(time.time(), self._by, receipt, KINDS[status], note, directive, whole))

    def unknown(self, receipt: str) -> None:
        """Write down that the server does not know what it gave."""
        self._write(Unknown(time.time(), self._by, receipt))

    def _write(self, entry: Entry) -> None:
        self._file.write(json.dumps({"entry": type(entry).__name__, **asdict(entry)}) + "\n")


def read_journals(folder: Path) -> Iterator[Entry]:
    """Every entry of every journal in a folder, but for a line that was never written to its end."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().split("\n")[:-1]:
            values: dict[str, Any] = json.loads(line)
            yield ENTRIES[values.pop("entry")](**values)
