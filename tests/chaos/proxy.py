"""What stands between workers and the server: it passes everything on, counts, and loses answers now and then."""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any

from .wire import ANSWER_SECONDS

OURS = {"connection", "content-length", "date", "server", "transfer-encoding"}
POLL = "/tasks/pending"


@dataclass(frozen=True)
class Losses:
    """How often an answer is lost: after it had come, and before, so that a repetition overlaps with it."""

    after: float
    before: float


@dataclass(frozen=True)
class Reply:
    """What the server answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Traffic:
    """What the server was asked and has answered, whether or not the answer was passed on."""

    answers: Counter[int] = field(default_factory=Counter)
    lost_after: int = 0
    lost_before: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many requests were answered."""
        return self.answers.total()

    def saw(self, request: str, path: str, reply: Reply) -> None:
        """Count an answer, and keep what must never be answered."""
        self.answers[reply.status] += 1
        if reply.status >= 500 and reply.status != 503:
            self.faults.append(f"{request} was answered {reply.status}.")
        if reply.status == 503 and "retry-after" not in {name.lower() for name, _ in reply.headers}:
            self.faults.append(f"{request} was answered 503 without Retry-After.")
        if path.partition("?")[0] == POLL and not reply.body.startswith(b"["):
            self.faults.append(f"{request} was answered {reply.status} with no array: {reply.body[:80]!r}.")


class Proxy(ThreadingHTTPServer):
    """A port of this machine that leads to the server's."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, server_port: int, seed: str, losses: Losses) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.port = int(self.server_address[1])
        self.upstream_port = server_port
        self.traffic = Traffic()
        self._losses, self._chance = losses, Random(f"{seed} proxy")
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=[0.05], daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()
        self._thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that are killed in the middle, which is what this is about; keep anything else."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.traffic.faults.append(f"The proxy itself failed: {error!r}")

    def draw_loss(self) -> tuple[bool, bool]:
        """Whether the next answer is lost before it comes, and after."""
        with self._lock:
            draw = self._chance.random()
            before, after = draw < self._losses.before, draw > 1 - self._losses.after
            self.traffic.lost_before += before
            return before, after

    def saw(self, request: str, path: str, reply: Reply, *, is_lost: bool) -> None:
        """Count an answer."""
        with self._lock:
            self.traffic.saw(request, path, reply)
            self.traffic.lost_after += is_lost


class _Connection(BaseHTTPRequestHandler):
    """One client's connection, with one of its own to the server."""

    protocol_version = "HTTP/1.1"
    server: Proxy
    upstream: HTTPConnection | None = None

    def finish(self) -> None:
        """Let both connections go."""
        self._let_go()
        super().finish()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        """Log nothing."""

    def _pass_on(self) -> None:
        """Pass a request on, and its answer back unless it is lost."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lost_before, lost_after = self.server.draw_loss()
        if lost_before:
            self._hang_up(body)
            return
        reply = self._ask(body, is_lost=lost_after)
        if reply is None or lost_after:
            self.close_connection = True
        else:
            self._answer(reply)

    do_GET = do_POST = do_PATCH = _pass_on  # noqa: N815 - their names in the base class

    def _hang_up(self, body: bytes) -> None:
        """Send the request on, and leave the client without an answer while the server works on it."""
        self._ask(body, is_lost=False, meanwhile=self._close_client)
        self.close_connection = True

    def _close_client(self) -> None:
        self.server.shutdown_request(self.request)

    def _ask(self, body: bytes, *, is_lost: bool, meanwhile: Callable[[], None] = lambda: None) -> Reply | None:
        if self.upstream is None:
            self.upstream = HTTPConnection("127.0.0.1", self.server.upstream_port, timeout=ANSWER_SECONDS)
        try:
            self.upstream.request(self.command, self.path, body or None, dict(self.headers.items()))
            meanwhile()
            response = self.upstream.getresponse()
            reply = Reply(response.status, response.getheaders(), response.read())
        except (OSError, HTTPException):
            meanwhile()
            self._let_go()
            return None  # the server was killed; its client is left without an answer too
        if response.will_close:
            self._let_go()
        self.server.saw(f"{self.command} {self.path}", self.path, reply, is_lost=is_lost)
        return reply

    def _answer(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            if name.lower() not in OURS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def _let_go(self) -> None:
        if self.upstream is not None:
            self.upstream.close()
            self.upstream = None
