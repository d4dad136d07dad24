"""The blueprint of the API: flask-smorest's, with our parser."""

from typing import Any

from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import Schema

from semantest_server.api.parsing import StrictParser


class Blueprint(SmorestBlueprint):
    """A group of endpoints that documents itself."""

    ARGUMENTS_PARSER = StrictParser()


def query(name: str, meaning: str) -> dict[str, Any]:
    """The documentation of a parameter that a view reads by itself."""
    return {"in": "query", "name": name, "description": meaning, "schema": {"type": "string"}}


def answer(schema: Schema, description: str) -> dict[str, Any]:
    """The documentation of a view's answer that it makes by itself."""
    return {"200": {"description": description, "content": {"application/json": {"schema": schema}}}}
