"""Answers that a browser saves as files."""

from collections.abc import Iterable
from urllib.parse import quote

from flask import Response


def as_file(content: str | Iterable[str], name: str, kind: str) -> Response:
    """Send the content to be saved under the name, in whatever script that is: a header has Latin letters only."""
    response = Response(content, mimetype=kind)
    named = {"filename": name} if name.isascii() else {"filename*": f"UTF-8''{quote(name)}"}
    response.headers.set("Content-Disposition", "attachment", **named)
    return response
