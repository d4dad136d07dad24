"""Semantest server: the queue that browser extensions poll for panels to draw."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from flask import Flask
from flask.json.provider import DefaultJSONProvider

from semantest_server import access, admin, api, config, guard, standing
from semantest_server.database import db


class App(Flask):
    """Flask, for views and hooks of which none is a coroutine."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function itself. Flask looks at each one at every request, which a poll would pay for six times."""
        return func


def create_app(overrides: Mapping[str, Any] | None = None) -> Flask:
    """Make the application: config, then database, blueprints, commands.

    `overrides` are settings by their full names; they win over the environment and `instance/config.py`.
    """
    app = App(__name__, instance_path=config.instance_path(overrides), instance_relative_config=True)
    config.load(app, overrides)
    cast(DefaultJSONProvider, app.json).sort_keys = False
    app.url_map.merge_slashes = False  # an address is right or it is not; no HTML redirects for programs
    db.init_app(app)
    app.extensions["semantest"] = config.semantest(app)
    standing.init_app(app)
    guard.init_app(app)
    access.init_app(app)
    api.init_app(app, error_page=admin.render_error)
    admin.init_app(app)
    return app
