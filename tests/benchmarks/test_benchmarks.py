"""The parts that a benchmark stands on do what they say; how fast anything is decides no test."""

import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from semantest_server.models import Attempt, Comic, Event, Task
from semantest_server.upkeep.check import check

from ..filling import Panels, fill, put_back
from .figures import Figures
from .generators import Loop, Wrk, ask, burst, percentile
from .messages import Unexpected, answer_of, is_whole, request
from .targets import Target

PANELS = Panels(finished=3, waiting=2, ready=4)


class Echo(BaseHTTPRequestHandler):
    """Answers with the path; `/missing` is not there, `/cut` closes the connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/cut":
            self.close_connection = True
            return
        body = self.path.encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server that echoes."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def rows(engine: Engine) -> Callable[[], Any]:
    """Reads every row that has to do with tasks."""

    def read() -> list[list[Any]]:
        with Session(engine) as session:
            assert list(check(session)) == []
            tables = (model.__table__ for model in (Comic, Task, Attempt, Event))
            return [sorted(map(tuple, session.execute(select(table)).all()), key=repr) for table in tables]

    return read


def test_every_request_is_asked_once_and_answered_in_its_place(port: int) -> None:
    made = burst(port, [request("GET", f"/{number}") for number in range(50)], clients=4)
    assert [answer.body for answer in made.answers] == [f"/{number}".encode() for number in range(50)]
    assert len(made.latencies) == made.pace.count == 50
    assert 0 < made.pace.median <= made.pace.p99 <= made.seconds


def test_an_answer_of_another_status_ends_it_with_that_answer(port: int) -> None:
    with pytest.raises(Unexpected, match="404 Not Found"):
        ask(port, request("GET", "/missing"))
    assert ask(port, request("GET", "/missing"), statuses=(404,)).body == b"/missing"


def test_a_connection_that_is_closed_ends_it(port: int) -> None:
    with pytest.raises(Unexpected, match="closed"):
        ask(port, request("GET", "/cut"))


def test_a_loop_asks_in_turn_for_a_while(port: int) -> None:
    pace = Loop().load(port, [request("GET", "/a"), request("GET", "/b")], 0.05, clients=2)
    assert pace.count > 0
    assert pace.rate == pace.count / pace.seconds


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_asks_the_same_and_tells_of_errors(port: int) -> None:
    assert Wrk().load(port, [request("GET", "/a"), request("GET", "/b")], 1, clients=2).count > 0
    with pytest.raises(Unexpected, match="errors"):
        Wrk().load(port, [request("GET", "/missing")], 1, clients=2)


def test_an_answer_is_whole_once_its_last_byte_is_there() -> None:
    whole = b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: "a"\r\n\r\n[]'
    assert [is_whole(whole[:end]) for end in range(len(whole) + 1)] == [False] * len(whole) + [True]
    answer = answer_of(whole)
    assert (answer.status, answer.json, answer.header("etag")) == (200, [], '"a"')
    assert is_whole(b"HTTP/1.1 304 NOT MODIFIED\r\n\r\n")
    with pytest.raises(Unexpected, match="without a length"):
        is_whole(b"HTTP/1.1 200 OK\r\n\r\n")


def test_percentiles_are_values_that_were_measured() -> None:
    assert [percentile([3, 1, 2], percent) for percent in (1, 50, 99)] == [1, 2, 3]
    assert percentile(range(1, 101), 99) == 99


def test_ratios_are_medians_of_the_ratios_of_each_round() -> None:
    figures = Figures()
    for here, there, reference in ((10, 20, 10), (30, 30, 100), (90, 100, 100)):
        figures.add_rate("polls", "here", here, reference)
        figures.add_rate("polls", "there", there)
    assert figures.share("polls", "here") == 0.9
    assert figures.share("polls", "there") is None
    assert figures.against("polls", "here", "there") == 0.9
    assert figures.against("polls", "here", "elsewhere") is None


def test_a_target_is_met_at_its_limit_and_unknown_without_a_value() -> None:
    assert Target("sqlite", "polls", 0.8, 0.8).is_met
    assert not Target("sqlite", "polls", 0.8, 0.79).is_met
    assert Target("sqlite", "time", 6, 6, at_most=True).is_met
    assert not Target("sqlite", "time", 6, 6.1, at_most=True).is_met
    assert Target("sqlite", "time", 6, None, at_most=True).is_met is None


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_what_is_filled_keeps_the_rules_and_is_put_back_as_it_was(
    client: FlaskClient, engine: Engine, rows: Any
) -> None:
    with engine.begin() as connection:
        fill(connection, 2, PANELS)
        fill(connection, 1, PANELS)
    before = rows()
    assert [len(table) for table in before] == [3, 27, 9, 27 + 2 * 9]

    hand_outs: Any = client.get("/tasks/pending", headers={"X-Worker-Id": "w1"}).json
    receipts = [panel["id"] for one in hand_outs for panel in one["payload"]["panels"]]
    for receipt in receipts[:5]:
        client.patch(f"/tasks/{receipt}", json={"status": "completed", "imageUrl": "https://example.com/a.png"})
    assert len(receipts) == 10
    assert rows() != before

    with engine.begin() as connection:
        put_back(connection, [int(receipt.split(".")[0]) for receipt in receipts], [1, 2, 3], PANELS)
    assert rows() == before
