"""POST /tasks/status: many reports at once. One bad item spoils no other."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import (
    FOREIGN_ORIGIN,
    PROBLEM_KEYS,
    TASK_KEYS,
    moment,
    named,
    pointers,
    poll,
    problem,
    queue,
    receipts,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")


def send(client: FlaskClient, reports: Any, worker: str | None = None) -> list[Any]:
    """Report, and give the results."""
    response = client.post("/tasks/status", json=reports, headers=named(worker))
    assert response.status_code == 200, response.text
    answer: Any = response.json
    assert set(answer) == {"results"}
    results: list[Any] = answer["results"]
    for result in results:
        said = "task" if result["status"] == 200 else "problem"
        assert set(result) == {"taskId", "status", said, "directive"}
        if said == "problem":
            assert set(result["problem"]) >= PROBLEM_KEYS
            assert result["problem"]["status"] == result["status"]
    return results


# Works


def test_results_come_in_the_order_of_the_reports(client: FlaskClient) -> None:
    queue(client, 3)
    poll(client)
    reports = [{"taskId": name, "status": "running"} for name in ("3.1", "1.1", "2.1")]
    results = send(client, reports)
    assert [result["taskId"] for result in results] == ["3.1", "1.1", "2.1"]
    assert [result["task"]["receipt"] for result in results] == ["3.1", "1.1", "2.1"]
    assert {(result["status"], result["directive"]) for result in results} == {(200, "continue")}


def test_a_result_carries_the_whole_task(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    [result] = send(client, [{"taskId": "1.1", "status": "completed", "imageUrl": "https://cdn.example/1.png"}])
    assert set(result["task"]) >= TASK_KEYS
    assert result["task"]["status"] == "completed"
    assert result["task"]["imageUrl"] == "https://cdn.example/1.png"


def test_one_report_may_come_without_a_list(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    [result] = send(client, {"taskId": "1.1", "status": "completed"})
    assert result["task"]["status"] == "completed"


def test_hand_outs_and_receipts_may_be_mixed(client: FlaskClient) -> None:
    queue(client, 2)
    [hand_out] = poll(client)
    first, second = send(
        client,
        [{"taskId": "1.1", "status": "failed"}, {"taskId": hand_out["id"], "status": "completed"}],
    )
    assert first["task"]["status"] == "queued"
    assert second["taskId"] == hand_out["id"]
    assert set(second["task"]) == {"id", "tasks", "directive"}
    assert [task["status"] for task in second["task"]["tasks"]] == ["queued", "completed"]


def test_task_ids_and_correlation_ids_are_known_too(client: FlaskClient) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}, {"prompt": "Bats"}])
    poll(client)
    results = send(client, [{"taskId": "c-1", "status": "sent"}, {"taskId": 2, "status": "sent"}])
    assert [result["task"]["id"] for result in results] == ["1", "2"]


def test_reports_about_one_receipt_are_applied_in_their_order(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    statuses = ("delivered", "running", "completed", "completed", "running")
    results = send(client, [{"taskId": "1.1", "status": status} for status in statuses])
    assert [result["status"] for result in results] == [200] * 5
    assert [result["directive"] for result in results] == ["continue"] * 3 + ["stop"] * 2


def test_what_the_same_poll_gave_is_extended(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 3)
    poll(client)
    clock.advance(40)
    send(client, [{"taskId": "1.1", "status": "completed"}, {"taskId": "2.1", "status": "failed"}])
    assert show(client, "/tasks/3")["leasedUntil"] == moment(340)


def test_an_empty_list_has_no_results(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        assert send(client, []) == []


def test_100_reports_are_taken(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    assert len(send(client, [{"taskId": "1.1", "status": "running"}] * 100)) == 100


# One bad item spoils no other


def test_bad_items_are_answered_each_and_the_good_ones_count(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client, "w1")
    clock.advance(60)
    assert receipts(poll(client, "w2")) == ["1.2", "2.2"]
    items: list[Any] = [
        {"taskId": "1.2", "status": "completed"},
        {"taskId": "2.1", "status": "running"},
        {"taskId": "99.1", "status": "running"},
        {"taskId": "2.2", "status": "nonsense"},
        {"status": "running"},
        {"taskId": "2.2"},
        "2.2",
        None,
        17,
        [],
        {"taskId": {"a": 1}, "status": "running"},
        {"taskId": "x" * 201, "status": "running"},
        {"taskId": "2.2", "status": "running", "progress": 101},
        {"taskId": "2.2", "status": "running"},
    ]
    results = send(client, items)
    assert [result["status"] for result in results] == [200, 409, 404, *[422] * 10, 200]
    assert [result["directive"] for result in results] == ["continue", *["stop"] * 12, "continue"]
    assert [result["taskId"] for result in results[:4]] == ["1.2", "2.1", "99.1", "2.2"]
    assert pointers(results[3]["problem"]) == ["/status"]
    assert pointers(results[4]["problem"]) == ["/taskId"]
    assert pointers(results[12]["problem"]) == ["/progress"]
    assert [show(client, f"/tasks/{number}")["status"] for number in (1, 2)] == ["completed", "running"]


@pytest.mark.parametrize("bad", ["\u0007", "\x1b[31mred", "\udc00"])
def test_a_control_character_in_one_item_spoils_no_other(client: FlaskClient, bad: str) -> None:
    queue(client, 2)
    poll(client)
    reports = [
        {"taskId": "1.1", "status": "failed", "message": f"page said {bad}"},
        {"taskId": "2.1", "status": "completed"},
    ]
    first, second = send(client, reports)
    assert (first["status"], second["status"]) == (422, 200)
    assert pointers(first["problem"]) == ["/message"]


def test_only_bad_items_change_nothing(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    poll(client)
    with unchanged(engine):
        results = send(client, [{"taskId": "9.9", "status": "running"}, {"taskId": "1.1", "status": "?"}, 5])
    assert [result["status"] for result in results] == [404, 422, 422]


@pytest.mark.parametrize("status", ["running", "failed"])
def test_another_workers_task_is_a_conflict_of_that_item_only(client: FlaskClient, status: str) -> None:
    queue(client, 2)
    poll(client, "w1", limit=1)
    poll(client, "w2", limit=1)
    results = send(client, [{"taskId": "1", "status": status}, {"taskId": "2", "status": status}], "w2")
    assert [result["status"] for result in results] == [409, 200]


# Repeated


def test_repeating_the_same_list_changes_nothing(client: FlaskClient, engine: Engine) -> None:
    queue(client, 3)
    poll(client)
    reports = [
        {"taskId": "1.1", "status": "completed"},
        {"taskId": "2.1", "status": "failed"},
        {"taskId": "3.1", "status": "cancelled"},
    ]
    send(client, reports)
    with unchanged(engine):
        again = send(client, reports)
    assert [(result["status"], result["directive"]) for result in again] == [(200, "stop")] * 3


# Refuses


def test_101_reports_are_refused_together(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    poll(client)
    with unchanged(engine):
        response = client.post("/tasks/status", json=[{"taskId": "1.1", "status": "completed"}] * 101)
    problem(response, 422)


@pytest.mark.parametrize("body", ['"1.1"', "5", "null", "true"])
def test_what_is_neither_a_report_nor_a_list_is_refused(client: FlaskClient, engine: Engine, body: str) -> None:
    with unchanged(engine):
        response = client.post("/tasks/status", data=body, content_type="application/json")
    problem(response, 422)


def test_what_is_not_json_is_refused(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        problem(client.post("/tasks/status", data="[{", content_type="application/json"), 400)
        problem(client.post("/tasks/status", data="[]", content_type="text/plain"), 415)


# Stranger


def test_a_foreign_page_cannot_report(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    poll(client)
    with unchanged(engine):
        response = client.post(
            "/tasks/status",
            json=[{"taskId": "1.1", "status": "completed"}],
            headers={"Origin": FOREIGN_ORIGIN},
        )
    problem(response, 403)
