"""Real processes: starting, refusing to start, and stopping without losing a request."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from sqlalchemy import create_engine, text

from ..chaos.processes import children_of
from ..conftest import migrate

ROOT = Path(__file__).parents[2]
COMMANDS = Path(sys.executable).parent
RUN = [str(COMMANDS / "semantest-server"), "run"]
GUNICORN = [str(COMMANDS / "gunicorn"), "wsgi:app"]
RUN_TELLING = [sys.executable, "-m", "tests.integration.telling", "run"]
GUNICORN_SLOW = [*GUNICORN, "--config", "tests/integration/slow_workers.py"]
GUNICORN_TELLING = [str(COMMANDS / "gunicorn"), "tests.integration.telling:app()"]
PATIENCE = 30  # seconds; a start takes about one


class Process:
    """A server in a process group of its own, as a terminal would start it."""

    def __init__(self, command: list[str], folder: Path, **settings: str) -> None:
        defaults = {"SEMANTEST_INSTANCE": str(folder), "SEMANTEST_BIND": "127.0.0.1:0"}
        self._log = folder / f"{time.monotonic_ns()}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **defaults, **settings},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of its first process."""
        return self._process.pid

    @property
    def said(self) -> str:
        """What it has printed so far."""
        return self._log.read_text()

    @property
    def port(self) -> int:
        """The port of its pages, once it says that it is running."""
        return int(self.wait_for(r"Pages +http://127\.0\.0\.1:(\d+)/")[1])

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return once it has printed something like this."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.said)):
            assert self._process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)
        return found

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as response:
            return json.load(response)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal as it comes in life: Ctrl-C to the whole group, others to the first process."""
        send = os.killpg if number == signal.SIGINT else os.kill
        send(self._process.pid, number)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        return self._process.wait(PATIENCE)

    def end(self) -> None:
        """Leave nothing of it behind."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a server on a free port and on one database."""
    started: list[Process] = []

    def start_it(command: list[str], **settings: str) -> Process:
        started.append(Process(command, tmp_path, **settings))
        return started[-1]

    yield start_it
    for process in started:
        process.end()


class HalfSent:
    """A request that a server is reading: its headers are there, half of its body is still to come."""

    def __init__(self, port: int) -> None:
        self._body = json.dumps({"title": "Cave of Echoes", "prompts": ["Hero enters cave"]}).encode()
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        head = (
            f"POST /comics HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(self._body)}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        assert self._socket.recv(100).startswith(b"HTTP/1.1 100 "), "the server has begun to work on it"
        self._socket.sendall(self._body[:10])

    def finish(self) -> str:
        """Send the rest, and give the answer's status line."""
        with self._socket, self._socket.makefile() as answer:
            self._socket.sendall(self._body[10:])
            return answer.readline()


@pytest.mark.parametrize("command", [RUN, GUNICORN], ids=["run", "gunicorn"])
def test_a_start_makes_the_database_and_answers(start: Start, command: list[str], tmp_path: Path) -> None:
    server = start(command)
    assert server.get("/health")["status"] == "healthy"
    assert (tmp_path / "semantest.db").exists()


def test_a_start_on_an_empty_database_of_either_kind_answers(start: Start, empty_database_url: str) -> None:
    server = start(RUN, SEMANTEST_DATABASE_URL=empty_database_url)
    assert server.get("/comics") == {"comics": [], "next": None}


def test_a_start_tells_where_everything_is(start: Start, tmp_path: Path) -> None:
    server = start(RUN)
    port = server.port
    assert f"http://127.0.0.1:{port}/\n" in server.said
    assert f"http://localhost:{port}/tasks/pending\n" in server.said
    assert f"SEMANTEST_BIND=127.0.0.1:{port},127.0.0.1:8080 make run\n" in server.said
    assert str(tmp_path / "semantest.db") in server.said


def test_run_listens_where_its_option_says(start: Start) -> None:
    server = start([*RUN, "--bind", "127.0.0.1:0,localhost:0"], SEMANTEST_BIND="127.0.0.1:1")
    assert server.get("/health")["status"] == "healthy"
    first, second = re.findall(r"127\.0\.0\.1:(\d+),", server.said)
    assert first != second


@pytest.mark.parametrize("command", [RUN_TELLING, GUNICORN_TELLING], ids=["run", "gunicorn"])
def test_workers_are_forked_with_the_app_and_without_what_only_migrations_need(
    start: Start, command: list[str]
) -> None:
    server = start(command)
    told = server.get("/telling")
    assert told["madeIn"] == server.pid
    assert told["pid"] in children_of(server.pid)
    assert {"alembic", "flask_migrate", "mako"}.isdisjoint(told["modules"])


def test_workers_that_are_killed_are_replaced(start: Start) -> None:
    server = start(RUN)
    assert server.get("/health")["status"] == "healthy"
    for worker in children_of(server.pid):
        os.kill(worker, signal.SIGKILL)
    assert HalfSent(server.port).finish() == "HTTP/1.1 201 CREATED\n"
    assert server.get("/comics/1")["title"] == "Cave of Echoes"


def test_two_starts_at_once_on_one_database_are_safe(start: Start, tmp_path: Path) -> None:
    servers = [start(RUN), start(RUN)]
    assert [server.get("/health")["status"] for server in servers] == ["healthy", "healthy"]
    assert HalfSent(servers[0].port).finish() == "HTTP/1.1 201 CREATED\n"
    assert servers[1].get("/comics/1")["title"] == "Cave of Echoes"
    for server in servers:
        server.signal(signal.SIGTERM)
    assert [server.wait() for server in servers] == [0, 0]


def test_a_port_that_is_in_use_is_told_in_one_line(start: Start) -> None:
    port = start(RUN).port
    second = start(RUN, SEMANTEST_BIND=f"127.0.0.1:{port}")
    assert second.wait() == 1
    assert second.said.startswith(f"Error: Another program listens on 127.0.0.1:{port}")
    assert second.said.count("\n") == 1


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("command", [RUN, GUNICORN], ids=["run", "gunicorn"])
def test_a_stop_lets_a_running_request_finish(
    start: Start, command: list[str], stop: signal.Signals, tmp_path: Path
) -> None:
    server = start(command, SEMANTEST_LOG_LEVEL="debug")
    request = HalfSent(server.port)
    server.signal(stop)
    server.wait_for("Worker exiting")  # the idle one; the other one was told at the same time
    assert request.finish() == "HTTP/1.1 201 CREATED\n"
    assert server.wait() == 0
    with closing(sqlite3.connect(tmp_path / "semantest.db")) as database:
        assert database.execute("SELECT prompt FROM task").fetchall() == [("Hero enters cave",)]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_reaches_workers_that_have_just_been_forked(start: Start, stop: signal.Signals) -> None:
    server = start(GUNICORN_SLOW, SEMANTEST_LOG_LEVEL="debug")
    server.wait_for("Forked")
    server.signal(stop)
    server.wait_for("Shutting down: Master")
    assert server.said.count("Worker exiting") == server.said.count("Forked"), "none had to be killed"


@pytest.mark.parametrize("address", ["0.0.0.0", "[::]", "example.com"])
def test_an_address_that_others_reach_is_refused(start: Start, address: str) -> None:
    server = start(RUN, SEMANTEST_BIND=f"127.0.0.1:0,{address}:0")
    assert server.wait() == 1
    assert "Without accounts" in server.said
    assert server.said.count("\n") == 1


def test_gunicorn_refuses_such_an_address_on_its_command_line_too(start: Start) -> None:
    server = start([*GUNICORN, "--bind", "0.0.0.0:0"])
    assert server.wait() == 1
    assert "Without accounts" in server.said


@pytest.mark.parametrize("command", [RUN, GUNICORN], ids=["run", "gunicorn"])
def test_a_wrong_setting_is_told_in_one_line(start: Start, command: list[str]) -> None:
    server = start(command, SEMANTEST_THREADS="many")
    assert server.wait() == 1
    assert server.said == "Error: SEMANTEST_THREADS is 'many', and takes a whole number from 1 to 256.\n"


@pytest.mark.parametrize("command", [RUN, GUNICORN], ids=["run", "gunicorn"])
def test_a_database_from_a_newer_version_is_told_in_one_line(
    start: Start, command: list[str], empty_database_url: str, tmp_path: Path
) -> None:
    migrate(empty_database_url, tmp_path)  # a database of its own: what is done to it is not undone
    engine = create_engine(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    server = start(command, SEMANTEST_DATABASE_URL=empty_database_url)
    assert server.wait() == 1
    assert server.said.startswith("Error: The database ")
    assert "newer version of Semantest server" in server.said
    assert server.said.count("\n") == 1


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 1)])
def test_a_stop_ends_a_migration_too(start: Start, stop: signal.Signals, code: int, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "semantest.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")  # so that the migration waits
        server = start(RUN)
        deadline = time.monotonic() + PATIENCE
        while not children_of(server.pid):
            assert time.monotonic() < deadline, server.said
            time.sleep(0.02)
        server.signal(stop)
        assert server.wait() == code
    assert "Traceback" not in server.said
    with pytest.raises(ProcessLookupError):
        os.killpg(server.pid, 0)
