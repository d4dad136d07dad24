"""HTTP as a browser speaks it: kept connections, and a request repeated once when one closes without an answer."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any

ANSWER_SECONDS = 60.0  # a write on SQLite waits up to 30 s for its turn


class Unanswered(Exception):
    """No answer came; whether the server did what was asked is not known."""


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    body: Any

    @property
    def is_good(self) -> bool:
        """Whether it was answered 2xx."""
        return 200 <= self.status < 300


class Wire:
    """One client's connection to a port of this machine; an answer that takes longer than `seconds` is none."""

    def __init__(self, port: int, headers: Mapping[str, str], seconds: float = ANSWER_SECONDS) -> None:
        self._port, self._seconds = port, seconds
        self._headers = dict(headers)
        self._kept: HTTPConnection | None = None

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask once, or twice as Chromium does: unseen by the caller. Raises `Unanswered`."""
        content = None if body is None else json.dumps(body).encode()
        sent = {**self._headers, **(headers or {}), **({"Content-Type": "application/json"} if content else {})}
        was_kept = self._kept is not None
        try:
            return self._ask(method, path, content, sent)
        except Unanswered:
            if not was_kept:
                raise
            return self._ask(method, path, content, sent)

    def close(self) -> None:
        """Let the connection go."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _ask(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> Answer:
        connection = self._kept or HTTPConnection("127.0.0.1", self._port, timeout=self._seconds)
        self._kept = connection
        try:
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            read = response.read()
        except (OSError, HTTPException) as error:
            self.close()
            raise Unanswered(f"{method} {path}: {error!r}") from error
        body: Any = None
        with suppress(ValueError):
            body = json.loads(read)
        return Answer(response.status, body)
