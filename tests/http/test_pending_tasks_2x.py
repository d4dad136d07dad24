"""GET /pending-tasks: the poll of the 2.x extension, which can keep only one drawing in flight."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import (
    EXTENSION,
    EXTENSION_ORIGIN,
    FOREIGN_ORIGIN,
    TASK_KEYS,
    moment,
    named,
    on_one_database,
    problem,
    queue,
    receipts_2x,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")

OTHER_EXTENSION = EXTENSION[::-1]


# Works


def test_an_empty_queue_has_no_tasks(client: FlaskClient) -> None:
    response = client.get("/pending-tasks", headers={"X-Extension-Id": EXTENSION, "X-Last-Id": ""})
    assert (response.status_code, response.json) == (200, {"tasks": []})
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Retry-After"].isdigit()


def test_a_task_has_exactly_the_documented_shape(client: FlaskClient) -> None:
    queue(client, [{"prompt": "Hero", "number": 46}], style="noir", domain="chat.example")
    response = client.get("/pending-tasks", headers={"X-Extension-Id": EXTENSION, "X-Last-Id": "340.1"})
    assert response.json == {
        "tasks": [
            {
                "id": "1.1",
                "type": "ImageGenerationRequestedEvent",
                "correlationId": "1.1",
                "payload": {
                    "prompt": "Hero, noir",
                    "correlationId": "1.1",
                    "domain": "chat.example",
                    "outputPath": "panel-046.png",
                    "downloadFolder": "cave-of-echoes",
                },
                "timestamp": moment(),
            }
        ]
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Retry-After"] in ("4", "5")


def test_the_submitters_correlation_id_stays_on_the_server(client: FlaskClient) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "größe-✓"}])
    response = client.get("/pending-tasks")
    assert response.text.isascii()
    answer: Any = response.json
    assert answer["tasks"][0]["correlationId"] == "1.1"


def test_an_answer_has_one_task_and_a_worker_one_in_flight(client: FlaskClient) -> None:
    queue(client, 3)
    assert pending(client) == ["1.1"]
    assert pending(client) == []
    client.post("/task-status", json={"taskId": "1.1", "status": "image_found"})
    assert pending(client) == ["2.1"]


def test_each_extension_and_each_browser_is_a_worker(client: FlaskClient) -> None:
    queue(client, 3)
    assert pending(client, {"X-Extension-Id": EXTENSION}) == ["1.1"]
    assert pending(client, {"X-Extension-Id": OTHER_EXTENSION}) == ["2.1"]
    assert pending(client, {"X-Extension-Id": EXTENSION}) == []


def test_browsers_with_the_same_extension_share_its_cap_unless_they_name_themselves(client: FlaskClient) -> None:
    queue(client, 3)
    shared = {"X-Extension-Id": EXTENSION}
    assert pending(client, shared) == ["1.1"]
    assert pending(client, shared) == []
    assert pending(client, {**shared, **named("w1")}) == ["2.1"]
    assert pending(client, {**shared, **named("w2")}) == ["3.1"]


def test_what_another_dialect_gave_the_same_worker_is_in_flight_too(client: FlaskClient) -> None:
    queue(client, 3)
    client.get("/tasks/pending?limit=1", headers={"X-Extension-Id": EXTENSION})
    assert pending(client, {"X-Extension-Id": EXTENSION}) == []


def test_the_full_lease_is_given(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    assert pending(client) == ["1.1"]
    assert show(client, "/tasks/1")["leasedUntil"] == moment(300)
    clock.advance(300)
    assert pending(client) == ["1.2"]


def pending(client: FlaskClient, headers: dict[str, str] | None = None) -> list[str]:
    """Poll, and give the receipts."""
    response = client.get("/pending-tasks", headers=headers)
    assert response.status_code == 200, response.text
    return receipts_2x(response.json)


# Repeated


def test_polling_every_2_seconds_gives_nothing_twice(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    given = []
    for _ in range(10):
        given += pending(client)
        clock.advance(2)
    assert given == ["1.1"]


def test_empty_polls_write_nothing(client: FlaskClient, engine: Engine, clock: FrozenClock) -> None:
    pending(client)
    with unchanged(engine):
        for _ in range(5):
            clock.advance(2)
            pending(client)


# Only looking


def test_head_claims_nothing(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        response = client.head("/pending-tasks")
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Purpose": "prefetch"}, id="prefetch"),
        pytest.param({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}, id="address bar"),
    ],
)
def test_a_prefetch_and_a_person_see_a_snapshot_and_claim_nothing(
    client: FlaskClient, engine: Engine, headers: dict[str, str]
) -> None:
    queue(client, 2)
    with unchanged(engine):
        response = client.get("/pending-tasks", headers=headers)
    seen: Any = response.json
    assert sorted(task["id"] for task in seen["tasks"]) == ["1", "2"]
    assert all(set(task) == TASK_KEYS for task in seen["tasks"])
    assert response.headers["Cache-Control"] == "no-store"


# Refuses


@on_one_database
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_are_not_allowed(client: FlaskClient, method: str) -> None:
    problem(client.open("/pending-tasks", method=method), 405)


# Stranger


def test_a_foreign_page_claims_nothing(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        problem(client.get("/pending-tasks", headers={"Origin": FOREIGN_ORIGIN}), 403)
        problem(client.get("/pending-tasks", headers={"Sec-Fetch-Site": "cross-site"}), 403)


def test_an_extension_without_permission_for_the_server_may_poll(client: FlaskClient) -> None:
    queue(client)
    headers = {"Origin": EXTENSION_ORIGIN, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    response = client.get("/pending-tasks", headers=headers)
    assert receipts_2x(response.json) == ["1.1"]
    assert response.headers["Access-Control-Allow-Origin"] == EXTENSION_ORIGIN
