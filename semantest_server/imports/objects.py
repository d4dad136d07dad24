"""JSON: our own export, and what scripts for the extension write."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from semantest_server.imports.columns import column_of, passed_over, plain_name, shown
from semantest_server.imports.hints import Hints
from semantest_server.imports.rows import (
    OPTION_NAMES,
    Kind,
    Notice,
    Options,
    Problem,
    Reading,
    Row,
    Unreadable,
    readable,
)

LISTS = ("panels", "prompts", "requests", "jobs")
OPTIONS = {plain_name(OPTION_NAMES.get(name, name)): name for name in Options.__dataclass_fields__}
OPTIONS["folder"] = "download_folder"
ENVELOPE = {"type", "id", "correlationid", "timestamp", "batchid", "payload", "options", "leaseduntil", "status"}
JSON_START = re.compile(r'\s*(?:\{\s*(?:["}]|$)|\[\s*(?:["{\[\]]|$))')
LONGEST_NUMBER = 15  # digits, beyond which a fraction is not exact
EXPECTED = {
    "Expecting ',' delimiter": "A comma, or the end of the list or object, was expected here.",
    "Expecting ':' delimiter": "A colon was expected here.",
    "Expecting value": "A value was expected here: text in double quotes, a number, an object or a list.",
    "Expecting property name enclosed in double quotes": "A name in double quotes was expected here.",
    "Illegal trailing comma before end of object": "There must be no comma before the end of an object.",
    "Illegal trailing comma before end of array": "There must be no comma before the end of a list.",
    "Extra data": "The end was expected here; something follows.",
    "Unterminated string starting at": "The text that begins here has no closing quote.",
    "Invalid control character at": "There is a control character in a text; write \\n for a new line.",
}
WANTED = (
    'A list of prompts was expected: {"prompts": ["…"]}, {"panels": [{"prompt": "…"}]}, requests, jobs, '
    "payload.panels, or just a list."
)


def looks_like_json(text: str) -> bool:
    """Whether a text begins as JSON does, and as a prompt does not."""
    return JSON_START.match(text) is not None


def read_json(text: str) -> Reading:
    """The panels of a JSON document. Raises `Unreadable` with the line and the column where it is broken."""
    try:
        return _Document().reading(_parsed(text))
    except RecursionError:
        raise Unreadable("It is nested too deeply.") from None


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = EXPECTED.get(error.msg, f"{error.msg}.")
        raise Unreadable(message, error.lineno, error.colno) from None
    except ValueError:
        raise Unreadable("There is a number in it that is too long.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise Unreadable(f"{name} is no number of JSON.")


class _Document:
    """One document, and what is to be said about it."""

    def __init__(self) -> None:
        self._hints = Hints()
        self._unknown: dict[str, int | None] = {}  # each name once, with the item that has it first

    def reading(self, value: Any) -> Reading:
        options: dict[str, str] = {}
        items = self._items(value, options)
        rows = [self._row(item, place) for place, item in enumerate(items, start=1)]
        notices = [
            Notice(place, passed_over(name, self._hints)) for name, place in self._unknown.items() if name.strip()
        ]
        return Reading(Kind.JSON, rows, Options(**options), notices)

    def _items(self, value: Any, options: dict[str, str]) -> list[Any]:
        """The list of panels in a document; what stands beside it goes into the options."""
        if isinstance(value, list):
            return value
        if not isinstance(value, dict):
            raise Unreadable(WANTED)
        lists = [name for name in LISTS if isinstance(value.get(name), list)]
        if len(lists) > 1:
            raise Unreadable(f"There are both {lists[0]} and {lists[1]}; one list of panels is wanted.")
        if not lists and (is_panel(value) or is_panel(value.get("payload"))):
            return [value]
        self._take_options(value, lists, options)
        if lists:
            return list(value[lists[0]])
        if isinstance(value.get("payload"), dict | list):
            return self._items(value["payload"], options)
        raise Unreadable(WANTED)

    def _take_options(self, value: Mapping[str, Any], lists: list[str], options: dict[str, str]) -> None:
        for name, given in value.items():
            option = OPTIONS.get(plain_name(name))
            if option and given is not None:
                options[option] = _text_of_option(name, given)
            elif name == "options" and isinstance(given, dict):
                self._take_options(given, [], options)
            elif not option and name not in lists and plain_name(name) not in ENVELOPE:
                self._unknown.setdefault(name, None)

    def _row(self, item: Any, place: int) -> Row:
        if isinstance(item, str):
            return Row(place, *_cell_and_faults({"prompt": item}))
        if not isinstance(item, dict):
            return Row(place, {}, (Problem(None, f"A prompt or an object was expected here, not {_kind(item)}."),))
        return Row(place, *_cell_and_faults(self._named(_unwrapped(item), place)))

    def _named(self, item: Mapping[str, Any], place: int) -> dict[str, Any]:
        """The values of an item by column; of two names that mean the same, the first one that says something."""
        names = {plain_name(name) for name in item}
        found: dict[str, Any] = {}
        for name in sorted(item, key=_precedence):
            column = column_of(name)
            if plain_name(name) == "scene" and "prompt" not in names:
                column = "prompt"
            if column is None:
                if plain_name(name) not in ENVELOPE:
                    self._unknown.setdefault(name, place)
            elif found.get(column) in (None, ""):
                found[column] = item[name]
        return found


def is_panel(value: Any) -> bool:
    """Whether a value is an object that has a prompt."""
    return isinstance(value, dict) and any(plain_name(name) == "prompt" for name in value)


def _unwrapped(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """An item as it is, or what an event carries, under the name that its submitter will ask about."""
    payload = item.get("payload")
    if not isinstance(payload, dict):
        return item
    names = (item.get("correlationId"), payload.get("correlationId"), item.get("id"))
    return {**payload, "correlationId": next((name for name in names if name not in (None, "")), None)}


def _precedence(name: str) -> tuple[bool, int]:
    """Of names that mean the same, what the 2.x dialect takes first: `outputPath` before `fileName`."""
    order = ("outputpath", "filename", "imagepath", "correlationid", "id")
    name = plain_name(name)
    return name in order, order.index(name) if name in order else 0


def _cell_and_faults(values: Mapping[str, Any]) -> tuple[dict[str, str], tuple[Problem, ...]]:
    cells = {column: _text(value) for column, value in values.items() if value is not None}
    kept = {column: readable(text) for column, text in cells.items() if text.strip()}
    return kept, tuple(_faults(values, cells))


def _faults(values: Mapping[str, Any], cells: Mapping[str, str]) -> Iterator[Problem]:
    for column, text in cells.items():
        if isinstance(values[column], bool | list | dict):
            yield Problem(column, f"Must be text, not {_kind(values[column])}.")
        elif text != readable(text):
            yield Problem(column, "Must not contain control characters or half a character.")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 10**LONGEST_NUMBER:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def _text_of_option(name: str, value: Any) -> str:
    if isinstance(value, bool | list | dict):
        raise Unreadable(f"{shown(name)} must be text or a number, not {_kind(value)}.")
    return readable(_text(value))


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a number"
