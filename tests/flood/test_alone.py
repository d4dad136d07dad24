"""gunicorn alone: a flood of whole requests starves nobody. Half-sent ones do, which is why nginx stands before it."""

import socket
from contextlib import ExitStack

import pytest

from .attacks import HEADER, Flood, half_sent
from .clients import ANSWER_SECONDS, Client
from .server import Server
from .victims import Victims

EMPTY_POLL = "/tasks/pending?domain=nothing.example"  # what is queued is for another site
THREADS = 8
MANY = 200
PATIENCE_SECONDS = 2.0  # a poll that takes longer is taken for one that waits; it has to be answered in the end

LINE_BYTES = FIELD_BYTES = 8190
FIELDS = 100
BODY_BYTES = 16 * 1024 * 1024


@pytest.fixture
def client(alone: Server) -> Client:
    return Client(alone.port)


def test_a_flood_of_empty_polls_starves_no_page_and_no_other_worker(client: Client) -> None:
    with Flood(client, EMPTY_POLL) as flood:
        before = flood.answered
        for _ in range(3):
            assert Victims(client, client, client).are_served()
        during = flood.answered - before
    assert during > 0
    assert (flood.failures, {*flood.statuses}, {*flood.bodies}) == ([], {200}, {b"[]"})
    print(f"{during} polls of the flood were answered meanwhile")


def test_half_sent_requests_stop_it_until_they_are_closed(client: Client) -> None:
    """What SECURITY.md warns of. Eight do for its eight threads, unless one of its processes gets more of them."""
    with ExitStack() as held, ExitStack() as polls:
        for count in range(1, MANY + 1):
            held.enter_context(half_sent(client))
            if count % THREADS:
                continue
            poll = polls.enter_context(client.connect())
            poll.sendall(HEADER + b"\r\n")
            if not is_answered(poll, PATIENCE_SECONDS):
                break
        else:
            pytest.fail(f"{count} half-sent requests did not stop it")
        print(f"{count} half-sent requests stopped it")
        held.close()
        assert is_answered(poll, ANSWER_SECONDS)
    assert Victims(client, client, client).are_served()


def test_what_is_too_long_is_refused(client: Client) -> None:
    path = "/tasks/pending?holding="
    room = LINE_BYTES - len(f"GET {path} HTTP/1.1")
    assert client.ask("GET", path + "," * room).status == 200
    assert client.ask("GET", path + "," * (room + 1)).status == 414
    assert client.ask("GET", "/comics", headers={"X": "x" * (FIELD_BYTES - len("X: \r\n"))}).status == 200
    assert client.ask("GET", "/comics", headers={"X": "x" * (FIELD_BYTES - len("X: \r\n") + 1)}).status == 431
    assert client.ask("GET", "/comics", headers=fields(FIELDS)).status == 200
    assert client.ask("GET", "/comics", headers=fields(FIELDS + 1)).status == 431
    assert client.announce("POST", "/comics", BODY_BYTES + 1).status == 413


def fields(count: int) -> dict[str, str]:
    """As many header fields as make that count with those that every request here has."""
    return {f"X-{number}": "x" for number in range(count - 2)}  # Host and Accept-Encoding


def is_answered(connection: socket.socket, seconds: float) -> bool:
    """Whether something comes within that time."""
    connection.settimeout(seconds)
    try:
        return connection.recv(12) == b"HTTP/1.1 200"
    except TimeoutError:
        return False
