"""With nginx in front, as docs/nginx.conf has it, nobody who attacks keeps others from being served."""

import resource
import time
from contextlib import ExitStack
from typing import Any

import pytest

from ..browser.waiting import until
from .attacks import Flood, Siege, half_sent, header, is_open, slow_body, slow_reader
from .clients import Client
from .conftest import Behind

ATTACKER = "127.0.0.2"
LIMIT = 100  # requests of one address under way: `limit_conn` in docs/nginx.conf
HALF_SENT = 400
READERS = 16
LONG = "\N{GRINNING FACE}" * 4_000  # 12 bytes each in JSON
IDLE = 10_000
IDLE_OVER_TLS = 500
SPARE_FILES = 2_000


def test_half_sent_requests_are_cut_off_and_stop_nobody(behind: Behind) -> None:
    attacker = behind.nginx.client(ATTACKER)
    with Siege(HALF_SENT, lambda: half_sent(attacker), b"X: x\r\n") as siege:
        assert behind.victims.are_served()
        until(lambda: siege.cut_off >= HALF_SENT, "half-sent requests are cut off")
        assert behind.victims.are_served()


def test_slow_bodies_stop_nobody_and_an_address_has_only_so_many(behind: Behind) -> None:
    attacker = behind.client("127.0.0.3", "slow", "creator")
    with Siege(LIMIT, lambda: slow_body(attacker), b" "):
        assert behind.victims.are_served()
        refused = until(lambda: refusal(attacker), "the attacker's address is full")
        assert behind.victims.are_served()
    assert refused == ([], "5")
    until(lambda: not refusal(attacker), "the attacker may ask again")


def test_slow_readers_stop_nobody(behind: Behind) -> None:
    comic = {"title": "Long", "prompts": [LONG] * 200, "domain": "elsewhere.example"}
    made = behind.victims.creator.ask("POST", "/comics", comic).json
    assert behind.victims.creator.ask("PATCH", f"/comics/{made['id']}", {"status": "paused"}).status == 200
    reader = behind.client("127.0.0.4", "reader", "creator")
    path = f"/tasks?limit=200&comic={made['id']}"
    assert len(reader.ask("GET", path).body) > 9_000_000  # more than the kernel takes off gunicorn
    with Siege(READERS, lambda: slow_reader(reader, path), b""):
        assert behind.victims.are_served()


def test_a_flood_of_empty_polls_starves_nobody(behind: Behind) -> None:
    attacker = behind.client("127.0.0.5", "flooding", "worker")
    with Flood(attacker, "/tasks/pending?domain=nothing.example") as flood:
        before = flood.answered
        for _ in range(2):
            assert behind.victims.are_served()
        during = flood.answered - before
    assert during > 0
    assert (flood.failures, {*flood.statuses} - {200, 429}, {*flood.bodies}) == ([], set(), {b"[]"})
    print(f"{during} polls of the flood were answered meanwhile, of all {dict(flood.statuses)}")


def test_idle_connections_by_the_thousand_stop_nobody(behind: Behind) -> None:
    count = min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE_FILES)
    plain, browser = Client(behind.nginx.http, address="127.0.0.6"), behind.client("127.0.0.7", "idle", "worker")
    with ExitStack() as stack:
        began = time.monotonic()
        idle = [stack.enter_context(asked(browser)) for _ in range(IDLE_OVER_TLS)]
        idle += [stack.enter_context(asked(plain)) for _ in range(count - IDLE_OVER_TLS)]
        print(f"{count} connections opened in {time.monotonic() - began:.1f} s")
        assert behind.victims.are_served()
        assert [connection for connection in idle if not is_open(connection)] == []
    if count < IDLE:
        pytest.skip(f"ONLY {count} IDLE CONNECTIONS HAVE BEEN TRIED: `ulimit -Hn` allows no more")


def asked(client: Client) -> Any:
    """A connection on which a request has been answered, as a browser's between two polls."""
    connection = client.connect()
    try:
        connection.sendall(header(client, "GET", "/tasks/pending"))
        assert connection.recv(4096).startswith(b"HTTP/1.1 ")
    except BaseException:
        connection.close()
        raise
    return connection


def refusal(client: Client) -> tuple[Any, str | None] | None:
    """What a poll that is refused with 429 is told."""
    polled = client.ask("GET", "/tasks/pending")
    return (polled.json, polled.headers["Retry-After"]) if polled.status == 429 else None
