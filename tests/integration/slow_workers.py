"""Settings for gunicorn whose workers heed no signal until they are told to stop.

`gunicorn --config tests/integration/slow_workers.py wsgi:app`. It is what a busy machine does now and then.
"""

import signal
import time
from typing import Any

from semantest_server.server import settings_for_gunicorn

PATIENCE = 5  # seconds, should no stop reach the worker

globals().update(settings_for_gunicorn())


def post_fork(_arbiter: Any, _worker: Any) -> None:
    """Wait between the fork and what gunicorn does with signals."""
    print("Forked", flush=True)
    deadline = time.monotonic() + PATIENCE
    while signal.SIGTERM not in signal.sigpending() and time.monotonic() < deadline:
        time.sleep(0.02)
