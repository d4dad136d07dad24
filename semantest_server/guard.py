"""Who may ask: anyone on this machine but a foreign web page; extensions may, and get the CORS answers they need.

A page that the user visits can send requests to localhost. It cannot hide its Origin and `Sec-Fetch-Site`, and a
rebound name shows in Host.
"""

import logging
import re

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import BadRequest, Forbidden, UnsupportedMediaType

log = logging.getLogger(__name__)

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
EXTENSION_ORIGIN = re.compile(r"chrome-extension://([a-p]{32})")
TRUSTED_SITES = ("none", "same-origin")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PAGES = "/admin/"
STATIC = "/static/"
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Extension-Id, X-Last-Id, X-Worker-Id"
EXPOSED_HEADERS = "ETag, Location, Problem, Retry-After"
PREFLIGHT_SECONDS = 600


def init_app(app: Flask) -> None:
    """Check every request before anything else is done for it, and answer extensions with CORS headers."""
    app.before_request(refuse_strangers)
    app.before_request(refuse_nul)
    app.before_request(refuse_other_content)
    app.after_request(answer_origin)


def refuse_strangers() -> None:
    """Refuse what a foreign web page could have sent."""
    if _host_name() not in (*LOOPBACK_HOSTS, *current_app.config["SEMANTEST_HOSTS"]):
        raise _refusal("host", "This server does not go by that name; SEMANTEST_HOSTS adds names to it.")
    if extension_id():
        return
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        raise _refusal("origin", "Pages and extensions of that origin may not ask this server.")
    site = request.headers.get("Sec-Fetch-Site", "none")
    if site not in TRUSTED_SITES and not _is_visit():
        raise _refusal("site", "Pages of other sites may not ask this server.")


def refuse_nul() -> None:
    """Refuse a NUL in an address: PostgreSQL cannot even look for one."""
    if "\0" in request.path or b"%00" in request.query_string:
        raise BadRequest("The address must not contain a NUL character.")


def refuse_other_content() -> None:
    """Refuse bodies that are not JSON: a foreign page could send those without asking first."""
    if request.method in SAFE_METHODS or request.path.startswith(PAGES) or not _has_body():
        return
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("The body must be JSON, with Content-Type: application/json.")


def answer_origin(response: Response) -> Response:
    """Tell an extension's browser that the extension may read the answer; nobody else is told anything."""
    if request.path == "/" or f"{request.path}/".startswith((PAGES, STATIC)):
        return response
    response.vary.add("Origin")
    if extension_id():
        response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        if request.method == "OPTIONS":
            _answer_preflight(response)
    return response


def extension_id() -> str | None:
    """The id of the extension that asks, if it is one that may."""
    match = EXTENSION_ORIGIN.fullmatch(request.headers.get("Origin", ""))
    allowed = current_app.config["SEMANTEST_EXTENSIONS"]
    return match[1] if match and (not allowed or match[1] in allowed) else None


def _answer_preflight(response: Response) -> None:
    response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "GET, POST, PATCH")
    response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    if request.headers.get("Access-Control-Request-Private-Network") == "true":
        response.headers["Access-Control-Allow-Private-Network"] = "true"


def _host_name() -> str:
    host = request.headers.get("Host", "")
    return re.sub(r":[0-9]+$", "", host).lower().rstrip(".")


def _has_body() -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _is_visit() -> bool:
    """Whether a person followed a link to a page of ours: it opens on its own, and reading changes nothing."""
    wanted = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    headers = all(request.headers.get(name) == value for name, value in wanted.items())
    return headers and request.method == "GET" and (request.path == "/" or request.path.startswith(PAGES))


def _refusal(reason: str, detail: str) -> Forbidden:
    log.warning(
        "refused %s %r reason=%s host=%r origin=%r",
        request.method,
        request.path,
        reason,
        request.headers.get("Host", "")[:100],
        request.headers.get("Origin", "")[:100],
    )
    return Forbidden(detail)
