"""The server's app, watched: every request is written down with its answer, for tests to read.

`gunicorn 'tests.browser.watched:app("journal.jsonl")'` serves the real app; with `is_open=True` all that keeps foreign
pages out is taken out of it, in its own processes only, to show that the tests see what gets in.
"""

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

import flask_wtf.csrf
from flask import Flask

from semantest_server import create_app, guard

Start = Callable[..., Any]
WsgiApp = Callable[[dict[str, Any], Start], Iterable[bytes]]
HEADERS = {
    "host": "HTTP_HOST",
    "origin": "HTTP_ORIGIN",
    "site": "HTTP_SEC_FETCH_SITE",
    "mode": "HTTP_SEC_FETCH_MODE",
    "dest": "HTTP_SEC_FETCH_DEST",
    "purpose": "HTTP_SEC_PURPOSE",
}
PROTECTING = {
    "content-security-policy",
    "x-frame-options",
    "x-content-type-options",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "vary",
}


def app(journal: str, is_open: bool = False) -> Flask:
    """The app, which writes to the journal what it was asked and how it answered."""
    if is_open:
        guard.check = lambda: None
        flask_wtf.csrf.validate_csrf = lambda *_args, **_kwargs: None
    watched = create_app()
    if is_open:
        watched.wsgi_app = welcoming(watched.wsgi_app)  # type: ignore[assignment, method-assign]
    watched.wsgi_app = writing_down(watched.wsgi_app, journal)  # type: ignore[assignment, method-assign]
    return watched


def writing_down(wsgi_app: WsgiApp, journal: str) -> WsgiApp:
    """Write a line of JSON for each request once its answer is known."""
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def call(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        entry = {name: environ.get(key) for name, key in HEADERS.items()}
        entry |= {"method": environ["REQUEST_METHOD"], "path": environ["PATH_INFO"]}

        def note(status: str, *args: Any) -> Any:
            line = json.dumps(entry | {"status": int(status.split()[0])})
            os.write(file, f"{line}\n".encode())
            return start(status, *args)

        return wsgi_app(environ, note)

    return call


def welcoming(wsgi_app: WsgiApp) -> WsgiApp:
    """Let every page read the answers and frame them, and take any body for JSON, as a careless server would."""

    def call(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        environ = {**environ}
        if not environ["PATH_INFO"].startswith(guard.PAGES):
            environ["CONTENT_TYPE"] = "application/json"
        cors = [
            ("Access-Control-Allow-Origin", environ.get("HTTP_ORIGIN", "*")),
            ("Access-Control-Allow-Credentials", "true"),
        ]
        if environ["REQUEST_METHOD"] == "OPTIONS":
            wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "content-type")
            methods = [("Access-Control-Allow-Methods", "GET, POST, PATCH"), ("Access-Control-Allow-Headers", wanted)]
            start("204 No Content", cors + methods)
            return []

        def without_protection(status: str, headers: list[tuple[str, str]], *args: Any) -> Any:
            return start(status, [one for one in headers if one[0].lower() not in PROTECTING] + cors, *args)

        return wsgi_app(environ, without_protection)

    return call
