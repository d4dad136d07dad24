"""What attackers do: poll without a pause, or hold connections and send or take next to nothing on them."""

import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException

from .clients import HOST, Client

HEADER = f"GET /tasks/pending HTTP/1.1\r\nHost: {HOST}\r\n".encode()
DRIP_SECONDS = 0.5


class Flood:
    """Polls on some connections at once, each as soon as the one before is answered, until it is told to stop."""

    def __init__(self, client: Client, path: str, connections: int = 32, most: int = 20_000) -> None:
        self.statuses: Counter[int] = Counter()
        self.bodies: Counter[bytes] = Counter()
        self.failures: list[Exception] = []
        self._client = client
        self._path = path
        self._most = most
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(connections)]

    @property
    def answered(self) -> int:
        """How many polls were answered so far."""
        return self.statuses.total()

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            connection = HTTPConnection(HOST)
            connection.auto_open = 0
            connection.sock = self._client.connect()
            with connection.sock:
                while not self._stopped.is_set() and self.answered < self._most:
                    self._poll(connection)
        except (OSError, HTTPException) as error:
            self.failures.append(error)

    def _poll(self, connection: HTTPConnection) -> None:
        connection.request("GET", self._path, headers=self._client.headers)
        response = connection.getresponse()
        self.bodies[response.read().strip()] += 1
        self.statuses[response.status] += 1


class Siege:
    """Connections that are held open, get a little now and then, and are opened anew once they are cut off."""

    def __init__(self, count: int, begin: Callable[[], socket.socket], drip: bytes) -> None:
        self.cut_off = 0
        self._count = count
        self._begin = begin
        self._drip = drip
        self._held: list[socket.socket] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Siege":
        self._held = [self._begin() for _ in range(self._count)]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        for held in self._held:
            held.close()

    def _run(self) -> None:
        while not self._stopped.wait(DRIP_SECONDS):
            for place, held in enumerate(self._held):
                if self._stopped.is_set():
                    return
                try:
                    held.sendall(self._drip)
                except OSError:
                    self._replace(place)

    def _replace(self, place: int) -> None:
        self.cut_off += 1
        self._held[place].close()
        with suppress(OSError):  # then the next round tries again
            self._held[place] = self._begin()


def half_sent(client: Client) -> socket.socket:
    """A connection with a request whose header does not end."""
    return _sent(client.connect(), HEADER)


def slow_body(client: Client) -> socket.socket:
    """A connection with a request that promises a million bytes, and sends one of them."""
    promise = {"Content-Type": "application/json", "Content-Length": "1000000"}
    return _sent(client.connect(), header(client, "POST", "/comics", promise) + b"{")


def slow_reader(client: Client, path: str) -> socket.socket:
    """A connection on which an answer is asked for and not taken."""
    return _sent(client.connect(4096), header(client, "GET", path))


def header(client: Client, method: str, path: str, more: Mapping[str, str] | None = None) -> bytes:
    """The header of a request, as it is sent."""
    lines = [f"{name}: {value}" for name, value in {"Host": HOST, **client.headers, **(more or {})}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


def is_open(connection: socket.socket) -> bool:
    """Whether the other side has neither closed the connection nor said anything more."""
    connection.setblocking(False)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return True
    except OSError:
        return False
    return False


def _sent(connection: socket.socket, content: bytes) -> socket.socket:
    try:
        connection.sendall(content)
    except BaseException:
        connection.close()
        raise
    return connection
