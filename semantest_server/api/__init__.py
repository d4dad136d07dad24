"""The JSON surface: polls, reports, snapshots and comics, documented as OpenAPI at `/openapi.json`."""

from http import HTTPStatus
from importlib.metadata import version

from flask import Flask, Response
from flask_smorest import Api
from werkzeug.exceptions import HTTPException

from semantest_server.api import polling, problems, reporting
from semantest_server.api.blueprint import EMPTY_POLL, told
from semantest_server.api.comics import comics
from semantest_server.api.extension_v2 import extension_v2
from semantest_server.api.imports import imports
from semantest_server.api.schemas.outgoing import ProblemSchema
from semantest_server.api.tasks import tasks

RETRY_AFTER = "The seconds after which to ask again."
TOLD = {
    HTTPStatus.UNAUTHORIZED: told(WWW_Authenticate="That a bearer token is needed, or what is wrong with this one."),
    HTTPStatus.TOO_MANY_REQUESTS: told(Retry_After=RETRY_AFTER),
    HTTPStatus.SERVICE_UNAVAILABLE: told(Retry_After=RETRY_AFTER),
}
REFUSED_POLL = {
    "description": "An empty array, since its client iterates over whatever comes; the problem is in a header.",
    "content": {"application/json": {"schema": {"type": "array", "maxItems": 0}}},
    "headers": told(Problem="The problem, as one line of JSON.", Retry_After=RETRY_AFTER),
}


class ProblemApi(Api):
    """flask-smorest's API with our errors."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None  # it would document whatever comes

    def _register_responses(self) -> None:
        """Document errors under their own media type and with their headers."""
        for status in HTTPStatus:
            content = {problems.MEDIA_TYPE: {"schema": ProblemSchema}}
            answer = {"description": status.phrase, "content": content}
            told_too = {"headers": TOLD[status]} if status in TOLD else {}
            self.spec.components.response(status.name, {**answer, **told_too}, lazy=True)
        self.spec.components.response(EMPTY_POLL, REFUSED_POLL, lazy=True)

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
        API_SPEC_OPTIONS={"security": [{}, {"bearer": []}]},  # a token, or none where accounts are off
    )
    problems.init_app(app, error_page)
    polling.init_app(app)
    reporting.init_app(app)
    api = ProblemApi(app)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for blueprint in (tasks, comics, imports, extension_v2):
        api.register_blueprint(blueprint)
