"""HTTP as bytes: requests that are made before anything is measured, and answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HEADER_END = b"\r\n\r\n"
LENGTH = b"\r\nContent-Length: "
BODILESS = (204, 304)


class Unexpected(Exception):
    """An answer that no measurement can be made of; the message has all of it."""


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    head: bytes
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    def header(self, name: str) -> str:
        """A header's value."""
        for line in self.head.decode("latin-1").split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        raise Unexpected(f"An answer without {name}:\n{self}")

    def __str__(self) -> str:
        return (self.head + HEADER_END + self.body[:2_000]).decode(errors="replace")


def request(method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> bytes:
    """A request whose body, if any, is JSON."""
    content = b"" if body is None else json.dumps(body).encode()
    fields = {"Host": "localhost", **(headers or {})}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + HEADER_END + content


def is_whole(received: bytes) -> bool:
    """Whether all of an answer has been received. Quick, since what measures must not be what takes the time."""
    end = received.find(HEADER_END)
    if end < 0:
        return False
    at = received.find(LENGTH, 0, end)
    if at < 0:
        if int(received[9:12]) in BODILESS:
            return True
        raise Unexpected(f"An answer without a length:\n{received.decode(errors='replace')}")
    at += len(LENGTH)
    return len(received) >= end + len(HEADER_END) + int(received[at : received.find(b"\r", at)])


def answer_of(received: bytes) -> Answer:
    """The answer, once it is whole."""
    head, _, body = received.partition(HEADER_END)
    return Answer(int(head[9:12]), head, body)
