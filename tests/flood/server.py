"""A Semantest server that really runs, with or without accounts, and what makes its accounts."""

import os
import signal
import subprocess
from pathlib import Path

from ..browser.server import COMMAND, STOP_SECONDS, free_port
from ..browser.waiting import until
from .clients import HOST, LOOPBACK, Client


class Server:
    """gunicorn on a port and an instance folder of its own, with the settings given: `accounts="1"`."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self._log = folder / "server.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SEMANTEST_")},
            "SEMANTEST_BIND": f"{LOOPBACK}:{self.port}",
            "SEMANTEST_INSTANCE": str(folder / "instance"),
            "SEMANTEST_HOSTS": HOST,
            **{f"SEMANTEST_{name.upper()}": value for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return once it listens and has made its database."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, "run"], env=self._environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        until(self._is_up, "the server answers")

    def stop(self) -> None:
        """End all of its processes at once: what half-sent requests hold would not end by itself."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(STOP_SECONDS)
            self._process = None

    def log(self) -> str:
        """All that it has printed."""
        return self._log.read_text() if self._log.exists() else ""

    def command(self, *words: str) -> str:
        """The first line that `semantest-server` prints for these words."""
        ran = subprocess.run([COMMAND, *words], env=self._environment, capture_output=True, text=True, check=True)
        return ran.stdout.splitlines()[0]

    def token(self, name: str, scope: str) -> dict[str, str]:
        """A new token, as the header that sends it."""
        return {"Authorization": f"Bearer {self.command('token', 'create', name, '--scope', scope)}"}

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server has stopped:\n{self.log()}"
        try:
            return Client(self.port).ask("GET", "/health").status in (200, 401)
        except (ConnectionError, TimeoutError):
            return False
