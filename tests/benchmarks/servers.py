"""gunicorn in processes of its own: the server on a database, and a bare Flask app under the same settings."""

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from semantest_server import create_app
from semantest_server.server import gunicorn_settings

from ..browser.server import free_port
from ..chaos.processes import Kept, children_of, clean_environment, command
from .generators import ask
from .messages import request

START_SECONDS = 60.0
TROUBLE, LOG_CHARACTERS = "Error", 3_000
SETTINGS = {  # so that the rounds of a benchmark are not cut short by what protects a real queue
    "SEMANTEST_WORKER_TASKS": "50",
    "SEMANTEST_ACK_SECONDS": "3600",
    "SEMANTEST_LEASE_SECONDS": "3600",
    "SEMANTEST_LOG_LEVEL": "warning",
}


class Server:
    """One gunicorn that runs."""

    def __init__(self, process: Kept, port: int) -> None:
        self.port = port
        self._process = process

    def memory(self) -> float:
        """What one of its workers has of the machine's memory, in MiB; what they share is shared out among them."""
        assert self._process.pid is not None, self._process.log
        workers = children_of(self._process.pid)
        return sum(_proportional_bytes(pid) for pid in workers) / len(workers) / 2**20


@contextmanager
def semantest(folder: Path, database_url: str) -> Iterator[Server]:
    """Run the server as it is run, on that database."""
    port = free_port()
    settings = {
        "SEMANTEST_BIND": f"127.0.0.1:{port}",
        "SEMANTEST_INSTANCE": str(folder),
        "SEMANTEST_DATABASE_URL": database_url,
    }
    with _running([command("semantest-server"), "run"], folder, port, "/health", {**SETTINGS, **settings}) as server:
        yield server


@contextmanager
def bare(folder: Path) -> Iterator[Server]:
    """Run the bare app under the server's gunicorn settings."""
    folder.mkdir()
    port = free_port()
    app = create_app({"SEMANTEST_INSTANCE": str(folder), "SEMANTEST_BIND": f"127.0.0.1:{port}"})
    settings = {name: value for name, value in gunicorn_settings(app).items() if not callable(value)}
    arguments = [sys.executable, "-m", "tests.benchmarks.bare", json.dumps(settings)]
    with _running(arguments, folder, port, "/", {}) as server:
        yield server


@contextmanager
def _running(
    arguments: Sequence[str | Path], folder: Path, port: int, path: str, settings: Mapping[str, str]
) -> Iterator[Server]:
    process = Kept(arguments, folder / "server.log", clean_environment(**settings))
    try:
        process.tend(time.monotonic())
        _wait(process, port, path)
        yield Server(process, port)
    except Exception:
        if TROUBLE in process.log:
            print(process.log[-LOG_CHARACTERS:], file=sys.stderr)
        raise
    finally:
        process.stop()


def _wait(process: Kept, port: int, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.pid is not None:
        try:
            ask(port, request("GET", path))
            return
        except ConnectionError:
            time.sleep(0.05)
    raise TimeoutError("The server did not answer.")


def _proportional_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"There is no Pss of process {pid}.")
