"""Parts of pages that renew themselves by short polling."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from flask import make_response, render_template, request, url_for
from markupsafe import Markup
from werkzeug import Response


@dataclass(frozen=True)
class Live:
    """A part of a page: the browser asks `url` for it again, and gets 204 while it still is this version.

    The version is a digest of what is shown, not of the database: leases lapse and minutes pass without a
    change there.
    """

    name: str
    html: Markup
    version: str
    url: str


def live(endpoint: str, template: str, address: dict[str, Any], **context: Any) -> Live:
    """Render a part that the endpoint will render again. It must contain no CSRF token: each differs."""
    html = Markup(render_template(template, **context))  # noqa: S704 - a template has escaped it  # nosec B704
    version = sha256(html.encode()).hexdigest()[:16]
    name = endpoint.removeprefix(".").replace("_", "-")
    return Live(name, html, version, url_for(endpoint, version=version, **address))


def renewed(part: Live) -> Response:
    """Answer with the part, or with 204 if the browser has it already."""
    if request.args.get("version") == part.version:
        return make_response("", 204)
    return make_response(render_template("live.html", part=part))
