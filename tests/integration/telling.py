"""The app with an address more, which tells what is in the memory of the process that answers.

`gunicorn 'tests.integration.telling:app()'`, and `python -m tests.integration.telling run` for `semantest-server run`.
"""

import os
import sys
from typing import Any

from flask import Flask

from semantest_server import create_app
from semantest_server.cli import main


def app() -> Flask:
    """The app, which remembers in which process it was made."""
    telling, made_in = create_app(), os.getpid()

    @telling.get("/telling")
    def tell() -> dict[str, Any]:
        return {"pid": os.getpid(), "madeIn": made_in, "modules": sorted(sys.modules)}

    return telling


if __name__ == "__main__":
    main.create_app = app
    main()
