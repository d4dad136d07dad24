"""The least that Flask can do: a view that returns `[]`, under gunicorn settings given as JSON. What all is held to.

It imports nothing of the server, so that its memory is that of Flask and gunicorn.
"""

import json
import sys
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication


class Bare(BaseApplication):  # type: ignore[misc]
    """gunicorn with the settings given."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Hand the settings over."""
        for name, value in self.settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The app, in a worker."""
        return create_app()


def create_app() -> Flask:
    """An app whose only view does nothing."""
    app = Flask(__name__)

    @app.get("/")
    def nothing() -> list[Any]:
        return []

    return app


if __name__ == "__main__":
    Bare(json.loads(sys.argv[1])).run()
