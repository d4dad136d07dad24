"""GET /health: whether the server works, how much waits, who polls."""

from importlib import import_module

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from ..conftest import FrozenClock
from .conftest import FOREIGN_ORIGIN, on_one_database, poll, problem, queue, report, show, unchanged

pytestmark = pytest.mark.usefixtures("clock")


def counts(client: FlaskClient) -> tuple[int, int]:
    """How much waits and how many poll."""
    health = show(client, "/health")
    assert set(health) == {"status", "pendingTasks", "extensionsConnected"}
    assert health["status"] == "healthy"
    return health["pendingTasks"], health["extensionsConnected"]


def test_an_empty_server_is_healthy(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        assert counts(client) == (0, 0)


def test_what_waits_and_who_polls_is_counted(client: FlaskClient) -> None:
    queue(client, 3)
    poll(client, "w1", limit=1)
    assert counts(client) == (2, 1)
    poll(client, "w2", limit=1)
    client.get("/pending-tasks")
    assert counts(client) == (0, 3)


def test_what_came_back_waits_again(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client, "w1")
    report(client, "1.1", "failed")
    assert counts(client) == (1, 1)
    clock.advance(301)
    assert counts(client) == (2, 1)


def test_a_worker_that_has_not_been_seen_for_long_is_not_connected(client: FlaskClient, clock: FrozenClock) -> None:
    poll(client, "w1")
    clock.advance(3600)
    assert counts(client) == (0, 0)


@on_one_database
def test_without_a_database_it_is_not_healthy(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("gone"))

    monkeypatch.setattr(import_module("semantest_server.snapshots"), "health", fail)
    response = client.get("/health")
    problem(response, 503)
    assert response.headers["Retry-After"].isdigit()


def test_head_is_answered(client: FlaskClient) -> None:
    assert client.head("/health").status_code == 200


def test_it_can_only_be_asked(client: FlaskClient) -> None:
    problem(client.post("/health", json={}), 405)


def test_a_foreign_page_sees_nothing(client: FlaskClient) -> None:
    problem(client.get("/health", headers={"Origin": FOREIGN_ORIGIN}), 403)
