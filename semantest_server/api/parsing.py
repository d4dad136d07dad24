"""JSON bodies, read strictly: what the database or a browser could not take back is refused where it comes in."""

import json
import math
from typing import Any

from flask import Request
from marshmallow import ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest

from semantest_server.queue.drafts import UNPRINTABLE

DEEPEST = 20


class StrictParser(FlaskParser):
    """webargs for Flask, with our own reading of JSON and unknown fields left to the schemas."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "json": None}

    def load_json(self, req: Request, schema: Any) -> Any:
        """The body as plain values."""
        return read_json(req)


def read_json(req: Request) -> Any:
    """The body of a request, parsed and found harmless. Raises `BadRequest` if it is not JSON, 422 otherwise."""
    raw = req.get_data(cache=True)
    if not raw:
        return {}  # what must be there will be missed by name
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
    _check(value, "", 0)
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check(value: Any, pointer: str, depth: int) -> None:
    if depth > DEEPEST:
        raise BadRequest("The body is nested too deeply.")
    if isinstance(value, str):
        if UNPRINTABLE.search(value):
            raise _refusal(pointer, "Must not contain control characters or half a character.")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _refusal(pointer, "Is too large a number.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check(name, pointer, depth)
            _check(inner, f"{pointer}/{name}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _check(inner, f"{pointer}/{index}", depth + 1)


def _refusal(pointer: str, message: str) -> Exception:
    nested: Any = [message]
    for step in reversed(pointer.split("/")[1:]):
        nested = {step: nested}
    return ValidationError({"json": nested} if pointer else {"json": {"_schema": nested}})
