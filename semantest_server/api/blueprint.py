"""The blueprint of the API: flask-smorest's, with our parser."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint as SmorestBlueprint

from semantest_server.api.parsing import StrictParser


class Blueprint(SmorestBlueprint):
    """A group of endpoints that documents itself, and whose answers no browser keeps."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.after_request(_unstored)


def query(name: str, meaning: str) -> dict[str, Any]:
    """The documentation of a parameter that a view reads by itself."""
    return {"in": "query", "name": name, "description": meaning, "schema": {"type": "string"}}


def _unstored(response: Response) -> Response:
    """Keep an answer out of the browser's cache, which would answer polls by itself."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response
