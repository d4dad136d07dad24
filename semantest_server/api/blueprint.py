"""The blueprint of the API: flask-smorest's, with our parser, and with every refusal in the documentation."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, cast

from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema

from semantest_server.api.parsing import StrictParser
from semantest_server.models import NAME_CHARACTERS

ANY_REFUSALS = (400, 401, 403, 429, 503)  # of whatever is asked
WRITE_REFUSALS = (413, 415, 422)  # of what comes with a body too
EMPTY_POLL = "EMPTY_POLL"  # how the poll is refused
STRING = {"type": "string"}

View = Callable[..., Any]


class Blueprint(SmorestBlueprint):
    """A group of endpoints that documents itself."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._prepare_doc_cbks += [self._add_refusals, self._add_headers]

    def arguments(self, schema: Schema | type[Schema], **options: Any) -> Callable[[View], View]:
        """Have the request read by the schema, of which there is one for all requests: making one takes a while."""
        made = schema() if isinstance(schema, type) else schema
        return cast("Callable[[View], View]", super().arguments(made, **options))

    @staticmethod
    def reads(*headers: dict[str, Any]) -> Callable[[View], View]:
        """Document headers that the view reads by itself."""

        return _noting("headers", headers)

    @staticmethod
    def refuses(*statuses: int) -> Callable[[View], View]:
        """Document what the view answers with a problem, beyond what any request may be refused with."""
        return _noting("refusals", statuses)

    @staticmethod
    def _add_refusals(doc: dict[str, Any], info: dict[str, Any], *, method: str, **_: Any) -> dict[str, Any]:
        """Document what any request may be refused with, a write with more than a read, and this one."""
        statuses = {*ANY_REFUSALS, *(WRITE_REFUSALS if method != "get" else ()), *info.get("refusals", ())}
        refusals = {status: HTTPStatus(status).name for status in sorted(statuses)}
        return {**doc, "responses": {**refusals, **doc.get("responses", {})}}

    @staticmethod
    def _add_headers(doc: dict[str, Any], info: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {**doc, "parameters": [*doc.get("parameters", []), *info.get("headers", ())]}


def _noting(name: str, value: Any) -> Callable[[View], View]:
    def decorate(view: View) -> View:
        view._apidoc = {**getattr(view, "_apidoc", {}), name: value}  # type: ignore[attr-defined]
        return view

    return decorate


def query(name: str, meaning: str, **schema: Any) -> dict[str, Any]:
    """The documentation of a parameter that a view reads by itself."""
    return {"in": "query", "name": name, "description": meaning, "schema": schema or STRING}


def header(name: str, meaning: str, **schema: Any) -> dict[str, Any]:
    """The documentation of a header that a view reads by itself."""
    return {"in": "header", "name": name, "description": meaning, "schema": {**STRING, **schema}}


IDEMPOTENCY_KEY = header("Idempotency-Key", "Makes a repetition harmless.", maxLength=NAME_CHARACTERS)
WORKER = (
    header("X-Worker-Id", "A stable name that the client made up for itself.", maxLength=NAME_CHARACTERS),
    header("X-Extension-Id", "The id of its extension, for a client that has no name."),
)


def told(**headers: str) -> dict[str, Any]:
    """The documentation of an answer's headers: what each, such as `Retry_After`, tells."""
    return {
        name.replace("_", "-"): {"description": meaning, "required": True, "schema": STRING}
        for name, meaning in headers.items()
    }
