"""The blueprint of the API: flask-smorest's, with our parser and plain JSON out."""

from flask_smorest import Blueprint as SmorestBlueprint

from semantest_server.api.parsing import StrictParser


class Blueprint(SmorestBlueprint):
    """A group of endpoints that documents itself."""

    ARGUMENTS_PARSER = StrictParser()
