"""Load: clients that each ask again as soon as they are answered, and how fast they were.

`wrk` costs the machine least and reads no answers. The loop reads them all, for what must know its receipts, and
does instead where there is no `wrk`. A ratio is always between two figures of the same generator.
"""

import gc
import json
import math
import selectors
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Protocol

from .messages import Answer, Unexpected, answer_of, is_whole, request

CLIENTS = 8
HOST = "127.0.0.1"
ANSWER_SECONDS = 60.0
RECEIVED_BYTES = 1 << 16
WRK_SECONDS = 1  # what it counts in
SCRIPT = Path(__file__).with_name("wrk.lua")
NOTHING = request("GET", "/")


@dataclass(frozen=True)
class Pace:
    """How fast a load was answered: how many answers in how many seconds, and how long one took, in seconds."""

    count: int
    seconds: float
    median: float
    p99: float

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.count / self.seconds


@dataclass(frozen=True)
class Burst:
    """A load of which every answer was read; answers and latencies are in the order of the requests."""

    seconds: float
    latencies: list[float]
    answers: list[Answer]

    @property
    def pace(self) -> Pace:
        """How fast it was."""
        return Pace(len(self.latencies), self.seconds, percentile(self.latencies, 50), percentile(self.latencies, 99))


class Generator(Protocol):
    """Whatever asks the same requests again and again for a while."""

    name: str

    def load(self, port: int, requests: Sequence[bytes], seconds: float, clients: int = CLIENTS) -> Pace:
        """Ask the requests in turn; an answer that is no success ends the run."""


class Wrk:
    """The program `wrk`, with one thread."""

    name = "wrk"

    def load(self, port: int, requests: Sequence[bytes], seconds: float, clients: int = CLIENTS) -> Pace:
        """Ask the requests in turn; `Unexpected` if an answer was no success."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"\0".join(requests))
            file.flush()
            options = [
                "--threads=1",
                f"--connections={clients}",
                f"--duration={math.ceil(seconds)}s",
                f"--script={SCRIPT}",
            ]
            command = ["wrk", *options, f"http://{HOST}:{port}/", file.name]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
        said = json.loads(run.stdout.splitlines()[-1])
        if said["errors"] or not said["count"]:
            raise Unexpected(f"{said['errors']} of {said['count']} answers were errors:\n{run.stdout}")
        return Pace(said["count"], said["seconds"], said["median"], said["p99"])


class Loop:
    """A loop over sockets, in this process."""

    name = "loop"

    def load(self, port: int, requests: Sequence[bytes], seconds: float, clients: int = CLIENTS) -> Pace:
        """Ask the requests in turn; `Unexpected` if an answer was no success."""
        return burst(port, _lasting(requests, seconds), clients, statuses=(200, 304), keep=False).pace


def generator(seconds: float) -> Generator:
    """The one that costs least, of those that are here and can put a load on for so long."""
    return Wrk() if seconds >= WRK_SECONDS and shutil.which("wrk") else Loop()


def burst(
    port: int,
    requests: Iterable[bytes],
    clients: int = CLIENTS,
    statuses: Sequence[int] = (200,),
    keep: bool = True,
) -> Burst:
    """Ask every request once, `clients` at a time, over connections of its own; `Unexpected` for another status."""
    good = {str(status).encode() for status in statuses}
    todo = enumerate(requests)
    latencies: dict[int, float] = {}
    answers: dict[int, bytes] = {}
    with _connected(port, clients) as (selector, connections), _undisturbed():
        begun = time.perf_counter()
        busy = sum(connection.send(todo) for connection in connections)
        while busy:
            ready = selector.select(ANSWER_SECONDS)
            if not ready:
                raise Unexpected(f"{busy} requests were not answered within {ANSWER_SECONDS:g} s.")
            for key, _ in ready:
                connection: _Connection = key.data
                if not connection.receive():
                    continue
                if connection.received[9:12] not in good:
                    raise Unexpected(f"{connection.asked}\n\nwas answered\n\n{answer_of(connection.received)}")
                latencies[connection.index] = time.perf_counter() - connection.sent_at
                if keep:
                    answers[connection.index] = connection.received
                busy -= not connection.send(todo)
        seconds = time.perf_counter() - begun
    return Burst(seconds, [latencies[i] for i in sorted(latencies)], [answer_of(answers[i]) for i in sorted(answers)])


def ask(port: int, request: bytes, statuses: Sequence[int] = (200,)) -> Answer:
    """Ask once."""
    return burst(port, [request], clients=1, statuses=statuses).answers[0]


class _Connection:
    """A connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.index, self.sent_at = 0, 0.0
        self.request = self.received = b""

    @property
    def asked(self) -> str:
        """The request, for a person."""
        return self.request[:2_000].decode(errors="replace")

    def settle(self) -> None:
        """Have it taken by a process that has answered, and sleeps again: one that is awake takes all that come."""
        self.send(iter([(0, NOTHING)]))
        while not self.receive():
            pass

    def send(self, todo: Iterator[tuple[int, bytes]]) -> bool:
        """Send the next request; say whether there was one."""
        following = next(todo, None)
        if following is None:
            return False
        self.index, self.request = following
        self.received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(self.request)
        return True

    def receive(self) -> bool:
        """Read on; say whether the answer is whole."""
        received = self.socket.recv(RECEIVED_BYTES)
        if not received:
            raise Unexpected(f"{self.asked}\n\nwas not answered: the connection was closed.")
        self.received += received
        return is_whole(self.received)


@contextmanager
def _connected(port: int, clients: int) -> Iterator[tuple[selectors.BaseSelector, list[_Connection]]]:
    connections: list[_Connection] = []
    with selectors.DefaultSelector() as selector:
        try:
            for _ in range(clients):
                if connections:
                    connections[-1].settle()
                connections.append(_Connection(port))
                selector.register(connections[-1].socket, selectors.EVENT_READ, connections[-1])
            yield selector, connections
        finally:
            for connection in connections:
                connection.socket.close()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Collect garbage before and after, not meanwhile."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not below `percent` of them."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def _lasting(requests: Sequence[bytes], seconds: float) -> Iterator[bytes]:
    end = time.perf_counter() + seconds
    for one in cycle(requests):
        if time.perf_counter() > end:
            return
        yield one
