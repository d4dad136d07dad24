"""The JSON surface: polls, reports, snapshots and comics, documented as OpenAPI at `/openapi.json`."""

from importlib.metadata import version

import marshmallow as ma
from flask import Flask, Response
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from semantest_server.api import problems
from semantest_server.api.comics import comics
from semantest_server.api.extension_v2 import extension_v2
from semantest_server.api.tasks import tasks
from semantest_server.changes import Changes
from semantest_server.database import db
from semantest_server.queue.lookout import Lookout


class FieldErrorSchema(ma.Schema):
    """One thing wrong with the input."""

    pointer = ma.fields.String()
    message = ma.fields.String()


class ProblemSchema(ma.Schema):
    """An error, as in RFC 9457."""

    class Meta:
        unknown = ma.INCLUDE

    type = ma.fields.String()
    title = ma.fields.String()
    status = ma.fields.Integer()
    detail = ma.fields.String(allow_none=True)
    errors = ma.fields.List(ma.fields.Nested(FieldErrorSchema))
    directive = ma.fields.String()


class ProblemApi(Api):
    """flask-smorest's API with our errors."""

    ERROR_SCHEMA = ProblemSchema

    def _register_responses(self) -> None:
        """Document errors under their own media type; flask-smorest has one for all answers."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = problems.MEDIA_TYPE
        super()._register_responses()
        del self.DEFAULT_RESPONSE_CONTENT_TYPE

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer a refused or failed request with a problem, or with a page."""
        return problems.of_http_exception(error)


def init_app(app: Flask, error_page: problems.ErrorPage) -> None:
    """Register the endpoints, and the errors of the whole app: `error_page` renders those of pages."""
    app.config.update(
        API_TITLE="Semantest server",
        API_VERSION=version("semantest-server"),
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
        OPENAPI_JSON_PATH="openapi.json",
    )
    with app.app_context():
        app.extensions["semantest_lookout"] = Lookout(Changes(db.engine.url))
    problems.init_app(app, error_page)
    api = ProblemApi(app)
    for blueprint in (tasks, comics, extension_v2):
        api.register_blueprint(blueprint)
