"""GET /tasks/{id}/events: the history of a task, oldest first."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from ..conftest import FrozenClock
from .conftest import (
    EVENT_KEYS,
    FOREIGN_ORIGIN,
    event_types,
    moment,
    pointers,
    poll,
    problem,
    queue,
    report,
    show,
)

pytestmark = pytest.mark.usefixtures("clock")


def history(client: FlaskClient, name: str = "1") -> Any:
    """The events of a task."""
    return show(client, f"/tasks/{name}/events")["events"]


def test_a_history_begins_when_the_task_is_queued(client: FlaskClient) -> None:
    comic = queue(client)
    assert show(client, "/tasks/1/events") == {
        "events": [
            {
                "id": "1",
                "at": moment(),
                "type": "queued",
                "taskId": "1",
                "batchId": comic["id"],
                "attempt": None,
                "worker": None,
                "leasedUntil": None,
                "message": None,
                "details": None,
            }
        ],
        "next": None,
    }


def test_an_event_says_who_which_attempt_and_until_when(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    clock.advance(5)
    poll(client, "w1")
    event = history(client)[-1]
    assert set(event) == EVENT_KEYS
    assert (event["type"], event["at"], event["worker"], event["attempt"]) == ("handed_out", moment(5), "w1", 1)
    assert event["leasedUntil"] == moment(65)


def test_a_whole_life_is_told_in_order(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    poll(client, "w1")
    report(client, "1.1", "cancelled")
    poll(client, "w2")
    clock.advance(61)
    poll(client, "w3")
    report(client, "1.3", "running", message="Drawing")
    report(client, "1.3", "failed", message="Blurred")
    client.patch(f"/comics/{comic['id']}", json={"status": "cancelled"})
    client.post(f"/comics/{comic['id']}/retry", json={})
    poll(client, "w3")
    clock.advance(61)
    report(client, "1.4", "running")
    report(client, "1.4", "completed")
    assert event_types(client, "1") == [
        "queued",
        "handed_out",
        "given_back",
        "handed_out",
        "expired",
        "handed_out",
        "running",
        "failed",
        "cancelled",
        "retried",
        "handed_out",
        "expired",
        "revived",
        "running",
        "completed",
    ]
    assert [event["attempt"] for event in history(client) if event["type"] == "handed_out"] == [1, 2, 3, 4]
    assert next(event for event in history(client) if event["type"] == "failed")["message"] == "Blurred"


def test_renewals_are_no_events(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client)
    report(client, "1.1", "running")
    before = event_types(client, "1"), event_types(client, "2")
    clock.advance(20)
    poll(client, holding="1.1,2.1")
    report(client, "1.1", "running")
    assert (event_types(client, "1"), event_types(client, "2")) == before


def test_a_report_that_changes_nothing_is_no_completed(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    report(client, "1.1", "completed")
    report(client, "1.1", "image_found")
    report(client, "1.1", "running")
    assert event_types(client, "1").count("completed") == 1


def test_what_the_client_called_it_is_kept(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    report(client, "1.1", "image_found", tabId=7)
    event = history(client)[-1]
    assert (event["type"], event["details"]["status"], event["details"]["tabId"]) == ("completed", "image_found", "7")


@pytest.mark.parametrize("name", ["1", "1.1", "c-1"], ids=["task", "receipt", "correlationId"])
def test_a_history_is_found_by_each_name_of_the_task(client: FlaskClient, name: str) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    poll(client)
    assert [event["type"] for event in history(client, name)] == ["queued", "handed_out"]


def test_pages_show_every_event_once_and_in_order(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    for _ in range(5):
        poll(client)
        clock.advance(61)
    seen: list[str] = []
    page = show(client, "/tasks/1/events?limit=3")
    while page["next"]:
        seen += [event["id"] for event in page["events"]]
        page = show(client, f"/tasks/1/events?limit=3&cursor={page['next']}")
    seen += [event["id"] for event in page["events"]]
    assert seen == [event["id"] for event in history(client)]
    assert len(seen) == 10


def test_a_history_does_not_tell_of_other_tasks(client: FlaskClient) -> None:
    queue(client, 2)
    poll(client)
    assert {event["taskId"] for event in history(client, "2")} == {"2"}


def test_there_is_no_history_of_what_there_is_not(client: FlaskClient) -> None:
    queue(client)
    for name in ("2", "1.1", "nobody", "9" * 30, "9" * 5000):
        problem(client.get(f"/tasks/{name}/events"), 404)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("limit=0", "/limit"), ("limit=x", "/limit"), ("cursor=x", "/cursor"), ("cursor=%D9%A1", "/cursor")],
)
def test_a_parameter_that_cannot_be_used_is_refused(client: FlaskClient, query: str, pointer: str) -> None:
    queue(client)
    assert pointers(problem(client.get(f"/tasks/1/events?{query}"), 422)) == [pointer]


def test_history_cannot_be_written(client: FlaskClient) -> None:
    queue(client)
    problem(client.post("/tasks/1/events", json={}), 405)


def test_a_foreign_page_sees_nothing(client: FlaskClient) -> None:
    queue(client)
    problem(client.get("/tasks/1/events", headers={"Origin": FOREIGN_ORIGIN}), 403)
