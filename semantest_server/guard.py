"""Where requests may come from: anywhere but a foreign web page; extensions get the CORS answers they need.

A page that the user visits can send requests to localhost. It cannot hide its Origin and `Sec-Fetch-Site`, and a
rebound name shows in Host.
"""

import logging
import re

from flask import Flask, Request, Response, current_app, request
from werkzeug.exceptions import BadRequest, Forbidden, UnsupportedMediaType
from werkzeug.middleware.proxy_fix import ProxyFix

log = logging.getLogger("semantest.security")

EVERY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 - where to listen, and nobody's name  # nosec B104
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
PORT = re.compile(r":[0-9]+$")
EXTENSION_ORIGIN = re.compile(r"chrome-extension://([a-p]{32})")
TRUSTED_SITES = ("none", "same-origin")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PAGES = "/admin/"
STATIC = "/static/"
IMPORTS = "/comics/import"
TEXTS = ("text/csv", "text/plain")  # that imports may be, besides JSON
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, If-None-Match, X-Extension-Id, X-Last-Id, X-Worker-Id"
EXPOSED_HEADERS = "ETag, Location, Problem, Retry-After"
PREFLIGHT_SECONDS = 600
HSTS = "max-age=31536000"  # a year


def init_app(app: Flask) -> None:
    """Check every request before anything else is done for it, and answer extensions with CORS headers."""
    if proxies := app.config["SEMANTEST_PROXIES"]:
        behind = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=1, x_host=1)  # the nearest says these two
        app.wsgi_app = behind  # type: ignore[method-assign]
    bound = {bind.rpartition(":")[0].lower() for bind in app.config["SEMANTEST_BIND"]}
    bound = {host for host in bound if host.strip("[]") not in EVERY_ADDRESS}
    app.extensions["semantest_hosts"] = {*LOOPBACK_HOSTS, *app.config["SEMANTEST_HOSTS"], *bound}
    app.before_request(check)
    app.after_request(answer_origin)


def this_request() -> Request:
    """The request itself: Flask's `request` looks it up anew at each use, which a poll would pay for 30 times.

    What every poll is asked is read from its `environ`, which is ten times as fast as its `headers`.
    """
    return request._get_current_object()  # type: ignore[attr-defined, no-any-return]


def check() -> None:
    """Refuse what a foreign web page could have sent, and what nothing here could take."""
    asked = this_request()
    _refuse_strangers(asked)
    if "\0" in asked.path or b"%00" in asked.query_string:  # PostgreSQL cannot even look for one
        raise BadRequest("The address must not contain a NUL character.")
    if asked.method not in SAFE_METHODS and not asked.path.startswith(PAGES):
        _refuse_other_content(asked)


def answer_origin(response: Response) -> Response:
    """Tell an extension's browser that the extension may read the answer; no page is told so.

    No browser may keep it: it would answer polls by itself.
    """
    asked = this_request()
    said = {name.lower() for name, _ in response.headers}  # `setdefault` would raise an exception for each that is not
    if "x-content-type-options" not in said:
        response.headers.add("X-Content-Type-Options", "nosniff")
    if asked.is_secure and "strict-transport-security" not in said:
        response.headers.add("Strict-Transport-Security", HSTS)
    if asked.path == "/" or f"{asked.path}/".startswith((PAGES, STATIC)):
        return response
    if "cache-control" not in said:
        response.headers.add("Cache-Control", "no-store")
    response.headers.add("Vary", "Origin")
    if extension_id(asked):
        response.headers["Access-Control-Allow-Origin"] = asked.headers["Origin"]
        response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        if asked.method == "OPTIONS":
            _answer_preflight(asked, response)
    return response


def extension_id(asked: Request) -> str | None:
    """The id of the extension that asks, if it is one that may."""
    origin = asked.environ.get("HTTP_ORIGIN")
    match = EXTENSION_ORIGIN.fullmatch(origin) if origin else None
    allowed = current_app.config["SEMANTEST_EXTENSIONS"] if match else ()
    return match[1] if match and (not allowed or match[1] in allowed) else None


def _refuse_strangers(asked: Request) -> None:
    if not _is_ours(asked.environ.get("HTTP_HOST", "")):
        raise _refusal(asked, "host", "This server does not go by that name; SEMANTEST_HOSTS adds names to it.")
    if extension_id(asked):
        return
    origin = asked.environ.get("HTTP_ORIGIN")
    if origin is not None and origin != f"{asked.scheme}://{asked.host}":
        raise _refusal(asked, "origin", "Pages and extensions of that origin may not ask this server.")
    site = asked.environ.get("HTTP_SEC_FETCH_SITE", "none")
    if site not in TRUSTED_SITES and not _is_visit(asked):
        raise _refusal(asked, "site", "Pages of other sites may not ask this server.")


def _refuse_other_content(asked: Request) -> None:
    """Refuse bodies that are not JSON: a foreign page could send those without asking first.

    Imports may be text. That foreign pages send none is up to their Origin and `Sec-Fetch-Site` alone.
    """
    has_body = bool(asked.content_length) or "Transfer-Encoding" in asked.headers
    if not has_body or asked.mimetype == "application/json":
        return
    if asked.path != IMPORTS:
        raise UnsupportedMediaType("The body must be JSON, with Content-Type: application/json.")
    if asked.mimetype not in TEXTS:
        raise UnsupportedMediaType("The body must be application/json, text/csv or text/plain.")


def _answer_preflight(asked: Request, response: Response) -> None:
    response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "GET, POST, PATCH")
    response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
    response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    if asked.headers.get("Access-Control-Request-Private-Network") == "true":
        response.headers["Access-Control-Allow-Private-Network"] = "true"


def _is_ours(host: str) -> bool:
    """Whether a Host header names this server, at whatever port."""
    name = PORT.sub("", host).lower().rstrip(".")
    return name in current_app.extensions["semantest_hosts"]


def _is_visit(asked: Request) -> bool:
    """Whether a person followed a link to a page of ours: it opens on its own, and reading changes nothing."""
    wanted = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    headers = all(asked.headers.get(name) == value for name, value in wanted.items())
    return headers and asked.method == "GET" and (asked.path == "/" or asked.path.startswith(PAGES))


def _refusal(asked: Request, reason: str, detail: str) -> Forbidden:
    note(f"{reason}_refused", host=asked.headers.get("Host", ""), origin=asked.headers.get("Origin", ""))
    return Forbidden(detail)


def note(event: str, **facts: str) -> None:
    """Log what matters to security under a name that stays, with what was asked; no secret belongs in it."""
    asked = this_request()
    about = {"method": asked.method, "path": asked.path, "address": asked.remote_addr or "", **facts}
    log.warning("event=%s %s", event, " ".join(f"{name}={value[:100]!r}" for name, value in about.items()))
