"""A Semantest server that really runs: gunicorn in processes of its own, which a test may kill."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from .waiting import until

COMMAND = Path(sys.executable).with_name("semantest-server")
STOP_SECONDS = 30.0


class Server:
    """One server on a port and an instance folder of its own, which outlive its processes."""

    def __init__(self, folder: Path, **settings: float | str) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.database = folder / "instance" / "semantest.db"
        self._log = folder / "server.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SEMANTEST_")},
            "SEMANTEST_BIND": f"127.0.0.1:{self.port}",
            "SEMANTEST_INSTANCE": str(folder / "instance"),
            "SEMANTEST_POLL_SECONDS": "1",
            "SEMANTEST_IDLE_POLL_SECONDS": "1",
            **{f"SEMANTEST_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return once it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [COMMAND, "run"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group, to be killed as one
            )
        until(self._is_up, "the server answers")

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            self._process = None

    def kill(self) -> None:
        """Kill all of its processes at once, as a power failure would."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def log(self) -> str:
        """All that it has printed."""
        return self._log.read_text() if self._log.exists() else ""

    def get(self, path: str) -> Any:
        """The JSON at `path`."""
        return self.send("GET", path)

    def queue_comic(self, title: str, prompts: list[str], **options: Any) -> str:
        """Queue a comic over the API, and return its id."""
        return str(self.send("POST", "/comics", {"title": title, "prompts": prompts, **options})["id"])

    def change_comic(self, comic: str, **changes: Any) -> None:
        """Change a comic over the API."""
        self.send("PATCH", f"/comics/{comic}", changes)

    def tasks(self, comic: str) -> list[dict[str, Any]]:
        """The tasks of a comic by panel number."""
        tasks: list[dict[str, Any]] = self.get(f"/tasks?comic={comic}&limit=100")["tasks"]
        return sorted(tasks, key=lambda task: int(task["number"]))

    def statuses(self, comic: str) -> list[str]:
        """The statuses of a comic's tasks by panel number."""
        return [task["status"] for task in self.tasks(comic)]

    def completed(self, comic: str) -> int:
        """How many panels of a comic are completed."""
        return self.statuses(comic).count("completed")

    def wait_until_finished(self, comic: str) -> None:
        """Return once every panel of the comic is completed."""
        until(lambda: set(self.statuses(comic)) == {"completed"}, f"comic {comic} is completed")
        assert self.get(f"/comics/{comic}")["status"] == "finished"

    def events(self, task: dict[str, Any]) -> list[str]:
        """The types of a task's events, oldest first."""
        return [event["type"] for event in self.get(f"/tasks/{task['id']}/events")["events"]]

    def send(self, method: str, path: str, body: Any = None, worker: str = "") -> Any:
        """What the API answers, to a worker of that name if one is given."""
        content = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **({"X-Worker-Id": worker} if worker else {})}
        request = Request(self.url + path, content, headers, method=method)
        with urlopen(request, timeout=10) as response:
            return json.load(response)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the server has stopped:\n{self.log()}"
        try:
            return bool(self.get("/health")["status"] == "healthy")
        except (URLError, ConnectionError, TimeoutError):
            return False


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
