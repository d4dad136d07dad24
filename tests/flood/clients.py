"""Clients at addresses of their own: every one in 127.0.0.0/8 is this machine's, and attackers have other ones."""

import json
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.client import HTTPConnection
from typing import Any

HOST = "queue.example"  # as in docs/nginx.conf
LOOPBACK = "127.0.0.1"
ANSWER_SECONDS = 30.0  # how long somebody who is attacked may take for an answer; generous, it decides nothing else


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Client:
    """Somebody who asks whatever listens on a port of this machine, over TLS if there is a context for it."""

    port: int
    tls: ssl.SSLContext | None = None
    address: str = LOOPBACK
    headers: dict[str, str] = field(default_factory=dict)

    def connect(self, receive_bytes: int | None = None) -> socket.socket:
        """A connection, after the handshake of TLS; with a receive buffer that is small for who reads slowly."""
        raw = socket.socket()
        raw.settimeout(ANSWER_SECONDS)
        try:
            if receive_bytes:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            raw.bind((self.address, 0))
            raw.connect((LOOPBACK, self.port))
            return self.tls.wrap_socket(raw, server_hostname=HOST) if self.tls else raw
        except BaseException:
            raw.close()
            raise

    def ask(
        self, method: str, path: str, content: Any = None, headers: Mapping[str, str] | None = None, host: str = HOST
    ) -> Answer:
        """The answer on a connection of its own; `content` becomes JSON, unless it is bytes."""
        body = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
        sent = {"Content-Type": "application/json"} if body is not None else {}
        connection = HTTPConnection(host)
        connection.sock = self.connect()
        try:
            connection.request(method, path, body, {**sent, **self.headers, **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def announce(self, method: str, path: str, length: int) -> Answer:
        """The answer to a request that names the length of a body and sends none of it."""
        connection = HTTPConnection(HOST)
        connection.sock = self.connect()
        try:
            connection.putrequest(method, path)
            for name, value in {"Content-Type": "application/json", **self.headers}.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(length))
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
