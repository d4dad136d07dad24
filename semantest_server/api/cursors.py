"""Cursors: where the next page of a list begins, in letters that a client hands back as they are."""

import base64
from datetime import datetime

from semantest_server.errors import FieldError, Invalid
from semantest_server.snapshots import TaskCursor


def whole_cursor(text: str | None) -> int | None:
    """The id that a cursor stands for. Raises `Invalid`."""
    if text is None:
        return None
    if not _is_number(text):
        raise _bad_cursor()
    return int(text)


def encoded(cursor: TaskCursor | None) -> str | None:
    """A cursor of a list of tasks as it goes out."""
    if cursor is None:
        return None
    return base64.urlsafe_b64encode(f"{cursor[0].isoformat()} {cursor[1]}".encode()).decode()


def task_cursor(text: str | None) -> TaskCursor | None:
    """What `encoded` was given. Raises `Invalid`."""
    if text is None:
        return None
    try:
        moment, number = base64.urlsafe_b64decode(text.encode()).decode().split(" ")
        at = datetime.fromisoformat(moment)
        if at.tzinfo is None or not _is_number(number):
            raise _bad_cursor()
        return at, int(number)
    except (ValueError, OverflowError):
        raise _bad_cursor() from None


def _is_number(text: str) -> bool:
    """Whether a text is a whole number that every database takes."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def _bad_cursor() -> Invalid:
    return Invalid("The cursor cannot be used.", [FieldError("/cursor", "Must be a `next` of this list.")])
