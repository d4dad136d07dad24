"""What a request for a page asks for, and what the application was set up with."""

from typing import cast

from flask import Response, abort, current_app, request

from semantest_server import standing
from semantest_server.config import Semantest
from semantest_server.policy import Policy, SiteDefaults
from semantest_server.queue.drafts import MOST_PANELS

DIGITS = 18  # of an id that every database takes


def number(name: str, most: int = 10**DIGITS) -> int | None:
    """The whole number of that name in the address, at most `most`, or None; nonsense counts as absent."""
    value = request.args.get(name, "")
    return min(int(value), most) if _is_whole(value) else None


def whole(value: str) -> int | None:
    """The whole number that a text is, or None."""
    return int(value) if _is_whole(value) else None


def named_tasks() -> list[int]:
    """The tasks that a form names. Nonsense is refused: taken as absent, it would mean all."""
    values = request.form.getlist("task")
    if len(values) > MOST_PANELS or not all(map(_is_whole, values)):
        abort(400, "A panel is named by its number.")
    return [int(value) for value in values]


def policy() -> Policy:
    """The numbers that the queue obeys."""
    return standing.policy()


def site_defaults() -> SiteDefaults:
    """The site that draws when nothing else is said, and the pacing of new sites."""
    return _settings().site_defaults


def refused(page: str) -> Response:
    """Answer with a page that says what was wrong with a form."""
    return Response(page, 422)


def _settings() -> Semantest:
    return cast(Semantest, current_app.extensions["semantest"])


def _is_whole(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= DIGITS
