"""The pages under `/admin/`, rendered by the server for a person; live with JavaScript and whole without."""

from flask import Flask, redirect, url_for
from werkzeug import Response

from semantest_server.admin import (
    activity,
    comic,
    comics,
    exports,
    home,
    panel,
    panels,
    queueing,
    replace,
    settings,
    sign_in,
    styles,
    tokens,
    uploads,
    words,
    workers,
)
from semantest_server.admin.frame import PageSessions, csrf, pages, render_error

__all__ = [
    "activity",
    "comic",
    "comics",
    "exports",
    "home",
    "init_app",
    "panel",
    "panels",
    "queueing",
    "render_error",
    "replace",
    "settings",
    "sign_in",
    "styles",
    "tokens",
    "uploads",
    "workers",
]


def init_app(app: Flask) -> None:
    """Add the pages, and `/` that leads to them."""
    app.session_interface = PageSessions()
    csrf.init_app(app)
    words.init_app(app)
    app.register_blueprint(pages, url_prefix="/admin")
    app.add_url_rule("/", "home", _home)


def _home() -> Response:
    """Lead to the pages."""
    return redirect(url_for("admin.home"))
