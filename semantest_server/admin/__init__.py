"""The pages under `/admin/`, rendered by the server for a person; live with JavaScript and whole without."""

from flask import Flask, redirect, url_for
from werkzeug import Response

from semantest_server.admin import comic, comics, sign_in, sites, tokens, words, workers
from semantest_server.admin.frame import PageSessions, csrf, pages, render_error

__all__ = ["comic", "comics", "init_app", "render_error", "sign_in", "sites", "tokens", "workers"]


def init_app(app: Flask) -> None:
    """Add the pages, and `/` that leads to them."""
    app.session_interface = PageSessions()
    csrf.init_app(app)
    words.init_app(app)
    app.register_blueprint(pages, url_prefix="/admin")
    app.add_url_rule("/", "home", _home)


def _home() -> Response:
    """Lead to the pages."""
    return redirect(url_for("admin.comics"))
