"""From the bytes or the text of a file to its rows, whatever it is: lines, CSV or JSON."""

import codecs

from semantest_server.imports.lines import read_lines
from semantest_server.imports.objects import looks_like_json, read_json
from semantest_server.imports.rows import Kind, Reading, Unreadable
from semantest_server.imports.tables import find_header, read_table
from semantest_server.queue.drafts import MOST_PANELS

SUFFIXES = {".csv": Kind.CSV, ".tsv": Kind.CSV, ".json": Kind.JSON}
MEDIA_TYPES = {
    "text/csv": Kind.CSV,
    "text/tab-separated-values": Kind.CSV,
    "application/json": Kind.JSON,
}


def read_file(content: bytes, name: str = "", media_type: str = "") -> Reading:
    """The rows of a file. Raises `Unreadable`."""
    return read_text(decoded(content), name, media_type)


def read_text(text: str, name: str = "", media_type: str = "") -> Reading:
    """The rows of a text; its name and media type say what it is if they can, or else it does itself.

    Raises `Unreadable`, also if there is no prompt in it or more than a comic takes.
    """
    text = text.removeprefix("\ufeff")
    reading = _read(text, kind_of(text, name, media_type))
    if not reading.rows:
        raise Unreadable("There is no prompt in it.")
    if len(reading.rows) > MOST_PANELS:
        raise Unreadable(f"There are {len(reading.rows):,} prompts in it; a comic has at most {MOST_PANELS:,}.")
    return reading


def decoded(content: bytes) -> str:
    """The text of a file. Raises `Unreadable` for anything but UTF-8."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise Unreadable("This file is UTF-16. Save it as UTF-8 text and choose it again.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("This is not UTF-8 text.", content[: error.start].count(b"\n") + 1) from None
    if "\0" in text:
        raise Unreadable("This is not a text file.", text[: text.index("\0")].count("\n") + 1)
    return text


def kind_of(text: str, name: str = "", media_type: str = "") -> Kind:
    """What a text is; its name and media type say so if they can, or else it does itself."""
    said = _said_kind(name, media_type)
    if said is Kind.JSON or (said is None and looks_like_json(text)):
        return Kind.JSON
    header = find_header(text)
    if header is None:
        return Kind.LINES
    return Kind.CSV if header.is_surely_one or (said is Kind.CSV and header.is_some) else Kind.LINES


def _read(text: str, kind: Kind) -> Reading:
    if kind is Kind.JSON:
        return read_json(text)
    header = find_header(text) if kind is Kind.CSV else None
    return read_table(text, header) if header else Reading(Kind.LINES, read_lines(text))


def _said_kind(name: str, media_type: str) -> Kind | None:
    suffix = name[name.rfind(".") :].casefold() if "." in name else ""
    return MEDIA_TYPES.get(media_type.casefold()) or SUFFIXES.get(suffix)
