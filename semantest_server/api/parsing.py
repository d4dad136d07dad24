"""JSON bodies, read strictly: what the database or a browser could not take back is refused where it comes in."""

import json
import math
from typing import Any

from flask import Request
from marshmallow import ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from semantest_server.queue.drafts import UNPRINTABLE

DEEPEST = 20


class StrictParser(FlaskParser):
    """webargs for Flask, with our own reading of JSON and unknown fields left to the schemas."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "json": None}

    def load_json(self, req: Request, schema: Any) -> Any:
        """The body as plain values; none at all is as good as `{}` where the schema says so."""
        if getattr(schema, "may_be_empty", False) and not req.get_data(cache=True):
            return {}
        value = read_json(req)
        refuse_harmful(value)
        return value


def raw_body(req: Request) -> bytes:
    """The body of a request. Raises `RequestEntityTooLarge`."""
    raw = req.get_data(cache=True)
    if req.content_length is None and len(raw) >= (req.max_content_length or math.inf):  # it was cut off there
        raise RequestEntityTooLarge
    return raw


def read_json(req: Request) -> Any:
    """The body of a request, parsed. Raises `BadRequest` if it is not JSON."""
    try:
        value = json.loads(raw_body(req).decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    except ValueError as error:
        raise BadRequest(f"The body is not JSON: {error}.") from None
    if _is_deep(value, DEEPEST):
        raise BadRequest("The body is nested too deeply.")
    return value


def refuse_harmful(value: Any) -> None:
    """Raise `ValidationError` for text or numbers that not every database and browser takes."""
    if isinstance(value, str):
        if UNPRINTABLE.search(value):
            raise ValidationError("Must not contain control characters or half a character.")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValidationError("Is too large a number.")
    elif isinstance(value, dict):
        for name, inner in value.items():
            refuse_harmful(name)
            _refuse_harmful_at(name, inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _refuse_harmful_at(index, inner)


def _refuse_harmful_at(step: str | int, value: Any) -> None:
    try:
        refuse_harmful(value)
    except ValidationError as error:
        raise ValidationError({step: error.messages}) from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _is_deep(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deep(one, levels - 1) for one in inner if isinstance(one, dict | list))
