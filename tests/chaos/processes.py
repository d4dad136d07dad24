"""Processes that are killed and started again: the server, PostgreSQL, and the workers, as systemd would keep them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

RESTART_SECONDS = 0.2
STOP_SECONDS = 60.0
ROOT = Path(__file__).parents[2]


class Kept:
    """A command that runs in a process group of its own, and is started again whenever it has ended."""

    def __init__(self, command: Sequence[str | Path], log: Path, environment: Mapping[str, str], **popen: Any) -> None:
        self.starts = 0
        self.started_at = 0.0
        self.unasked: list[int] = []
        self._command, self._log, self._environment, self._popen = command, log, environment, popen
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = True
        self._start_at = 0.0

    @property
    def pid(self) -> int | None:
        """The first process's id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log(self) -> str:
        """All that it has printed in all its lives."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def tend(self, now: float) -> None:
        """Start it if it does not run; note the exit code if nobody had struck it."""
        if self.pid is not None:
            return
        if self._process is not None:
            if not self._asked:
                self.unasked.append(self._process.returncode)
            self._process, self._start_at = None, now + RESTART_SECONDS
        if now >= self._start_at:
            self._start(now)

    def strike(self, number: signal.Signals = signal.SIGKILL, *, whole_group: bool = True) -> bool:
        """Send a signal to its processes, or the first of them; say whether it ran."""
        if self.pid is None:
            return False
        self._asked = True
        send(self.pid, number, whole_group=whole_group)
        return True

    def strike_child(self, lot: float) -> bool:
        """Kill one of its child processes; say whether there was any."""
        children = children_of(self.pid) if self.pid else []
        return bool(children) and send(children[int(lot * len(children))], signal.SIGKILL)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Ask it to end and wait for that; its exit code, None if it did not run. What does not end is killed."""
        process, self._process = self._process, None
        if process is None:
            return None
        try:
            process.send_signal(number)
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            send(process.pid, signal.SIGKILL, whole_group=True)
            return process.wait()

    def _start(self, now: float) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._popen,
            )
        self._asked, self.started_at = False, now
        self.starts += 1


def send(pid: int, number: signal.Signals, *, whole_group: bool = False) -> bool:
    """Send a signal; say whether there was anybody to get it."""
    try:
        (os.killpg if whole_group else os.kill)(pid, number)
    except ProcessLookupError:
        return False
    return True


def children_of(pid: int) -> list[int]:
    """The child processes of a process, without those that have ended."""
    return sorted(child for child, state, parent in _processes() if parent == pid and not state.startswith("Z"))


def _processes() -> Iterator[tuple[int, str, int]]:
    """Every process with its state and its parent."""
    folder = Path("/proc")
    if not (folder / "self" / "stat").exists():  # a system without it has `ps`, and many with it have not
        listed = subprocess.run(["ps", "-A", "-o", "pid=,stat=,ppid="], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            pid, state, parent = line.split()
            yield int(pid), state, int(parent)
        return
    for path in folder.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            yield int(path.parent.name), state, int(parent)


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without anybody's settings, and with what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEMANTEST_")}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **more}


def command(name: str) -> Path:
    """A command of the environment that the tests run in."""
    return Path(sys.executable).with_name(name)
