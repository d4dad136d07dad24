"""Errors as `application/problem+json` (RFC 9457), for everything that is not a page."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, cast

from flask import Flask, Response, current_app, request
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError  # noqa: A004 - the pool's
from werkzeug.exceptions import HTTPException

from semantest_server.errors import (
    Conflict,
    FieldError,
    Invalid,
    KeyReused,
    NotFound,
    NotYours,
    QueueError,
    RaceLost,
)
from semantest_server.guard import PAGES

log = logging.getLogger(__name__)

STATUSES: dict[type[QueueError], int] = {
    NotFound: 404,
    NotYours: 403,
    Conflict: 409,
    Invalid: 422,
    KeyReused: 422,
    RaceLost: 503,
}
POLL_PATH = "/tasks/pending"  # its client iterates over the answer, whatever the status
RETRY_SECONDS = 5
MOST_ERRORS = 1_000
MOST_HEADER_ERRORS = 5
UNKNOWN_FIELD = ["Unknown field."]  # marshmallow's words
MEDIA_TYPE = "application/problem+json"


PASSED_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")

DATABASE_WORDS = {
    "disk is full": "Its disk is full.",
    "readonly database": "Its file is read-only.",
    "malformed": "Its file is damaged; restore it from a backup.",
    "not a database": "Its file is damaged; restore it from a backup.",
    "unable to open": "Its file cannot be opened.",
    "no such table": "It has no tables yet; run `semantest-server db upgrade`.",
    "does not exist": "It has no tables yet; run `semantest-server db upgrade`.",
    "database is locked": "It is busy.",
    "UNIQUE constraint": "Another request queued the same at the same moment.",
    "duplicate key": "Another request queued the same at the same moment.",
}

ErrorPage = Callable[[int, str, str], Response]  # status, title, detail


def init_app(app: Flask, error_page: ErrorPage) -> None:
    """Answer every exception of the domain and of the database with a problem, or with a page where pages live."""
    app.extensions["error_page"] = error_page
    app.register_error_handler(QueueError, _of_queue)
    app.register_error_handler(DBAPIError, _of_database)
    app.register_error_handler(TimeoutError, _of_database)


def problem(
    status: int,
    title: str,
    detail: str | None = None,
    errors: list[FieldError] | None = None,
    headers: dict[str, str] | None = None,
    **members: Any,
) -> Response:
    """A problem document as a response, or a page; for the poll an empty list, with the problem in a header."""
    if request.path.startswith(PAGES):
        page = cast(Response, current_app.extensions["error_page"](status, title, detail or ""))
        page.headers.update(headers or {})
        return page
    body = problem_body(status, title, detail, errors, **members)
    if request.path == POLL_PATH:
        body.update({"errors": body["errors"][:MOST_HEADER_ERRORS]} if errors else {})
        response = Response("[]", status, mimetype="application/json", headers=headers)
        response.headers["Problem"] = json.dumps(body)
    else:
        response = Response(json.dumps(body), status, mimetype=MEDIA_TYPE, headers=headers)
    response.headers["Cache-Control"] = "no-store"
    if status in (429, 503) or request.path == POLL_PATH:
        response.headers.setdefault("Retry-After", str(RETRY_SECONDS))
    return response


def problem_body(
    status: int,
    title: str,
    detail: str | None = None,
    errors: list[FieldError] | None = None,
    **members: Any,
) -> dict[str, Any]:
    """A problem as a plain value."""
    body: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if errors:
        body["errors"] = [{"pointer": e.pointer, "message": e.message} for e in errors[:MOST_ERRORS]]
    return {**body, **members}


def of_queue_error(error: QueueError) -> dict[str, Any]:
    """The problem that an error of the domain is."""
    status = next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)
    errors = error.errors if isinstance(error, Invalid) else None
    return problem_body(status, error.title, error.detail, errors)


def of_http_exception(error: HTTPException) -> Response:
    """The problem that a refused or failed request is."""
    if error.code is None or error.response is not None:
        return error.get_response()  # type: ignore[return-value]
    messages = (getattr(error, "data", None) or {}).get("messages")
    errors = [error for inner in messages.values() for error in flatten(inner)] if messages else None
    detail = _sentence(errors) if errors else error.description
    headers = {name: value for name, value in error.get_headers() if name in PASSED_HEADERS}
    return problem(error.code, error.name, detail, errors, headers)


def flatten(messages: Any, pointer: str = "") -> Iterator[FieldError]:
    """The leaves of marshmallow's nested messages, each with its JSON pointer."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            is_about_all = name == "_schema" and inner != UNKNOWN_FIELD
            yield from flatten(inner, pointer if is_about_all else f"{pointer}/{_escaped(str(name))}")
    elif isinstance(messages, list):
        for message in messages:
            yield FieldError(pointer, str(message))
    else:
        yield FieldError(pointer, str(messages))


def _of_queue(error: QueueError) -> Response:
    body = of_queue_error(error)
    errors = error.errors if isinstance(error, Invalid) else None
    return problem(body["status"], error.title, error.detail, errors)


def _of_database(error: SQLAlchemyError) -> Response:
    log.error("database: %s", error.orig if isinstance(error, DBAPIError) else error)
    words = next((words for sign, words in DATABASE_WORDS.items() if sign in str(error)), "It does not answer.")
    return problem(503, "The database is not available", f"{words} Ask again in a moment.")


def _sentence(errors: list[FieldError]) -> str:
    count = len(errors)
    return "One thing is wrong with the input." if count == 1 else f"{count} things are wrong with the input."


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")
