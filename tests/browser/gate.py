"""A gate between an extension and the server, which can stop a request at an exact point."""

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .waiting import DEADLINE_SECONDS

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}


@dataclass(frozen=True)
class Call:
    """A request on its way to the server."""

    method: str
    path: str
    body: bytes
    answer: bytes = b""  # known once the server has given it

    def reports(self, status: str) -> bool:
        """Whether this is a single report of that status."""
        return self.method == "PATCH" and json.loads(self.body).get("status") == status

    def hands_out(self) -> bool:
        """Whether this is a poll that was answered with panels."""
        return self.method == "GET" and self.path.startswith("/tasks/pending") and bool(json.loads(self.answer))


class Gate:
    """A port that passes everything on to the server, but for what a test tells it to stop."""

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self._loses_request: Callable[[Call], bool] = _nothing
        self._loses_answer: Callable[[Call], bool] = _nothing
        self._caught = threading.Event()
        self._opened = threading.Event()
        self._http = _GateServer(self)
        self.port = int(self._http.server_address[1])
        self._thread = threading.Thread(target=self._http.serve_forever, daemon=True)
        self._thread.start()

    def lose_request(self, which: Callable[[Call], bool]) -> None:
        """Stop such requests: the server never sees them, and they are never answered."""
        self._close()
        self._loses_request = which

    def lose_answer(self, which: Callable[[Call], bool]) -> None:
        """Pass such requests on to the server, and stop its answers, those to requests already on their way too."""
        self._close()
        self._loses_answer = which

    def wait_until_caught(self) -> None:
        """Return once a request was stopped, or its answer."""
        assert self._caught.wait(DEADLINE_SECONDS), "no such request came through the gate"

    def open(self) -> None:
        """Pass everything on from now on. What was stopped is gone."""
        self._loses_request = self._loses_answer = _nothing
        self._opened.set()

    def close(self) -> None:
        """Stop serving."""
        self.open()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def pass_through(self, call: Call, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes] | None:
        """The server's answer, or None if the request or the answer was stopped."""
        if self._loses_request(call):
            self._stop()
            return None
        answer = self._ask(call, headers)
        if self._loses_answer(replace(call, answer=answer[2])):
            self._stop()
            return None
        return answer

    def _stop(self) -> None:
        self._caught.set()
        self._opened.wait(DEADLINE_SECONDS)

    def _close(self) -> None:
        self._caught.clear()
        self._opened.clear()

    def _ask(self, call: Call, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
        connection = http.client.HTTPConnection("localhost", self.server_port, timeout=30)
        try:
            connection.request(call.method, call.path, call.body or None, headers)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()


def _nothing(_call: Call) -> bool:
    return False


class _GateServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a browser keeps connections open

    def __init__(self, gate: Gate) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.gate = gate

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that goes away in the middle is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _GateServer

    def do_GET(self) -> None:
        self._pass_through()

    def do_POST(self) -> None:
        self._pass_through()

    def do_PATCH(self) -> None:
        self._pass_through()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""

    def _pass_through(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        answer = self.server.gate.pass_through(Call(self.command, self.path, body), headers)
        if answer is None:
            self.close_connection = True
            return
        status, answer_headers, content = answer
        self.send_response_only(status)
        for name, value in answer_headers:
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
