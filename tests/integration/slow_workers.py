"""Settings for gunicorn whose workers heed no signal until they are told to stop.

`gunicorn --config tests/integration/slow_workers.py wsgi:app`. It is what a busy machine does now and then.
"""

import os
import signal
from typing import Any

from semantest_server.server import settings_for_gunicorn

globals().update(settings_for_gunicorn())


def post_fork(_arbiter: Any, _worker: Any) -> None:
    """Wait for the stop between the fork and what gunicorn does with signals, and then let it come."""
    print("Forked", flush=True)
    signal.sigwait([signal.SIGTERM])
    os.kill(os.getpid(), signal.SIGTERM)
