"""PATCH /tasks/{id}: one report, about a receipt, a task, a hand-out or a correlationId."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import (
    EVENT_KEYS,
    EXTENSION_ORIGIN,
    FOREIGN_ORIGIN,
    TASK_KEYS,
    event_types,
    moment,
    on_one_database,
    pointers,
    poll,
    problem,
    queue,
    receipts,
    report,
    seconds_until,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")

PROGRESS = ["delivered", "sent", "running", "in_progress", "processing", "generating", "downloading"]
SUCCESS = ["completed", "image_found", "response_received"]
FAILURE = ["failed", "error", "timeout"]
GIVE_BACK = ["no_tabs", "cancelled"]


def accepted(client: FlaskClient, target: str, status: str, worker: str | None = None, **fields: Any) -> Any:
    """Report, and give the answer, which is a 200."""
    response = report(client, target, status, worker, **fields)
    assert response.status_code == 200, response.text
    return response.json


# Works: the words of reports


@pytest.mark.parametrize("status", PROGRESS)
def test_progress_makes_the_task_running_and_renews_its_lease(client: FlaskClient, status: str) -> None:
    queue(client)
    poll(client)
    task = accepted(client, "1.1", status)
    assert (task["status"], task["directive"]) == ("running", "continue")
    assert task["leasedUntil"] == moment(300)
    assert task["attemptsLeft"] == (3 if status == "delivered" else 2)


@pytest.mark.parametrize("status", SUCCESS)
def test_success_completes_the_task(client: FlaskClient, status: str) -> None:
    queue(client)
    poll(client)
    task = accepted(client, "1.1", status)
    assert (task["status"], task["directive"]) == ("completed", "continue")
    assert task["leasedUntil"] is None
    assert show(client, "/comics/1")["status"] == "finished"


@pytest.mark.parametrize("status", FAILURE)
def test_failure_sends_the_task_back_to_wait_its_turn(client: FlaskClient, clock: FrozenClock, status: str) -> None:
    queue(client)
    poll(client)
    task = accepted(client, "1.1", status, message="Content policy")
    assert (task["status"], task["directive"]) == ("queued", "continue")
    assert (task["attemptsLeft"], task["leasedUntil"], task["worker"]) == (2, None, None)
    assert task["message"] == "Content policy"
    assert 8 <= seconds_until(task["availableAt"]) <= 12
    clock.advance(7)
    assert poll(client, "w2") == []
    clock.advance(6)
    assert receipts(poll(client, "w2")) == ["1.2"]


@pytest.mark.parametrize("status", GIVE_BACK)
def test_what_is_given_back_is_free_at_once_but_not_for_the_same_worker(
    client: FlaskClient, clock: FrozenClock, status: str
) -> None:
    queue(client)
    poll(client)
    task = accepted(client, "1.1", status)
    assert (task["status"], task["directive"]) == ("queued", "stop")
    assert (task["availableAt"], task["attemptsLeft"]) == (None, 3)
    assert poll(client, "w1") == []
    clock.advance(29)
    assert poll(client, "w1") == []
    clock.advance(1)
    assert receipts(poll(client, "w1")) == ["1.2"]


@pytest.mark.parametrize("status", GIVE_BACK)
def test_another_worker_gets_at_once_what_one_gave_back(client: FlaskClient, status: str) -> None:
    queue(client)
    poll(client, "w1")
    accepted(client, "1.1", status)
    assert receipts(poll(client, "w2")) == ["1.2"]


def test_no_tabs_keeps_that_workers_other_work_for_the_site_away_too(client: FlaskClient) -> None:
    queue(client, 2, domain="a.example")
    queue(client, 1, domain="b.example")
    poll(client, "w1", limit=1)
    accepted(client, "1.1", "no_tabs")
    assert receipts(poll(client, "w1")) == ["3.1"]


def test_a_missing_tab_blocks_the_comic_and_says_which_site(client: FlaskClient) -> None:
    comic = queue(client, domain="a.example")
    poll(client)
    accepted(client, "1.1", "no_tabs")
    blocked = show(client, f"/comics/{comic['id']}")["progress"]["blocked"]
    assert blocked == {"reason": "no_tab", "domain": "a.example", "until": moment(30)}


def test_cancelled_keeps_only_that_panel_away(client: FlaskClient) -> None:
    queue(client, 2)
    poll(client, "w1", limit=1)
    accepted(client, "1.1", "cancelled")
    assert receipts(poll(client, "w1")) == ["2.1"]


# Works: what is answered and kept


def test_the_answer_is_the_task_with_a_directive(client: FlaskClient) -> None:
    comic = queue(client, [{"prompt": "Hero", "number": 46, "correlationId": "c-1"}], style="noir")
    poll(client)
    task = accepted(
        client,
        "1.1",
        "running",
        progress=40,
        imageUrl="https://cdn.example/1.png",
        downloadPath="cave/1.png",
        message="Drawing",
        tabId=7,
    )
    assert task == {
        "id": "1",
        "batchId": comic["id"],
        "number": 46,
        "status": "running",
        "prompt": "Hero",
        "style": "noir",
        "attempt": 1,
        "receipt": "1.1",
        "worker": "w1",
        "leasedUntil": moment(300),
        "attemptsLeft": 2,
        "availableAt": None,
        "progress": 40,
        "imageUrl": "https://cdn.example/1.png",
        "downloadPath": "cave/1.png",
        "message": "Drawing",
        "correlationId": "c-1",
        "outputPath": "panel-046.png",
        "downloadFolder": "cave-of-echoes",
        "domain": "chatgpt.com",
        "createdAt": moment(),
        "updatedAt": moment(),
        "directive": "continue",
    }


def test_what_a_report_does_not_say_stays(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    accepted(client, "1.1", "running", progress=40, imageUrl="https://cdn.example/1.png")
    task = accepted(client, "1.1", "completed", progress=None, imageUrl=None, downloadPath="1.png")
    assert task["imageUrl"] == "https://cdn.example/1.png"
    assert task["downloadPath"] == "1.png"


def test_a_picture_may_be_its_own_address(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    url = "data:image/png;base64,iVBORw0KGgo="
    assert accepted(client, "1.1", "completed", imageUrl=url)["imageUrl"] == url


def test_unknown_fields_are_kept_as_details(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    accepted(client, "1.1", "running", seed=42, model={"name": "x", "sizes": [1, 2.5, None, True]}, tabId=7)
    event = show(client, "/tasks/1/events")["events"][-1]
    assert set(event) == EVENT_KEYS
    assert event["details"]["seed"] == 42
    assert event["details"]["model"] == {"name": "x", "sizes": [1, 2.5, None, True]}


@pytest.mark.parametrize("target", ["1.1", "1", "c-1"], ids=["receipt", "task", "correlationId"])
def test_a_report_may_name_the_receipt_the_task_or_the_correlation_id(client: FlaskClient, target: str) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    poll(client)
    assert accepted(client, target, "completed")["id"] == "1"


def test_a_correlation_id_means_the_newest_task(client: FlaskClient) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    poll(client)
    accepted(client, "1.1", "completed")
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    poll(client)
    assert accepted(client, "c-1", "running")["id"] == "2"


def test_every_accepted_report_extends_what_the_same_poll_gave(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    queue(client, 1, parallel=1)
    poll(client, limit=3)
    clock.advance(50)
    accepted(client, "1.1", "completed")
    assert show(client, "/tasks/2")["leasedUntil"] == moment(350)
    assert show(client, "/tasks/3")["leasedUntil"] == moment(350)
    assert show(client, "/tasks/2")["status"] == "leased"


def test_a_refused_report_extends_nothing(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client)
    accepted(client, "1.1", "failed")
    clock.advance(10)
    problem(report(client, "1.1", "running"), 409)
    assert show(client, "/tasks/2")["leasedUntil"] == moment(300)


def test_the_third_failure_is_the_last(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    for attempt in (1, 2, 3):
        assert receipts(poll(client)) == [f"1.{attempt}"]
        task = accepted(client, f"1.{attempt}", "failed")
        clock.advance(60)
    assert (task["status"], task["attemptsLeft"]) == ("failed", 0)
    assert poll(client) == []
    assert show(client, "/comics/1")["progress"]["failed"] == 1


def test_the_second_wait_is_twice_the_first(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    accepted(client, "1.1", "failed")
    clock.advance(20)
    poll(client)
    assert 20 + 16 <= seconds_until(accepted(client, "1.2", "failed")["availableAt"]) <= 20 + 24


# Works: hand-outs


def test_a_report_about_a_hand_out_is_answered_with_its_tasks(client: FlaskClient) -> None:
    queue(client, 2)
    [hand_out] = poll(client)
    answer = accepted(client, hand_out["id"], "running")
    assert set(answer) == {"id", "tasks", "directive"}
    assert (answer["id"], answer["directive"]) == (hand_out["id"], "continue")
    assert [(task["id"], task["status"], task["directive"]) for task in answer["tasks"]] == [
        ("1", "running", "continue"),
        ("2", "running", "continue"),
    ]
    assert all(set(task) == {*TASK_KEYS, "directive"} for task in answer["tasks"])


def test_success_of_a_hand_out_completes_what_has_no_result_and_was_not_ended(
    client: FlaskClient, clock: FrozenClock
) -> None:
    queue(client, 4)
    [hand_out] = poll(client)
    accepted(client, "1.1", "completed", imageUrl="https://cdn.example/1.png")
    accepted(client, "2.1", "failed")
    accepted(client, "3.1", "cancelled")
    answer = accepted(client, hand_out["id"], "completed")
    assert [(task["status"], task["directive"]) for task in answer["tasks"]] == [
        ("completed", "stop"),
        ("queued", "stop"),
        ("queued", "stop"),
        ("completed", "continue"),
    ]
    assert answer["tasks"][0]["imageUrl"] == "https://cdn.example/1.png"


@pytest.mark.parametrize(("status", "became"), [("failed", "queued"), ("cancelled", "queued"), ("sent", "running")])
def test_any_other_report_about_a_hand_out_acts_on_its_open_attempts(
    client: FlaskClient, status: str, became: str
) -> None:
    queue(client, 2)
    [hand_out] = poll(client)
    accepted(client, "1.1", "completed")
    answer = accepted(client, hand_out["id"], status)
    assert [task["status"] for task in answer["tasks"]] == ["completed", became]


def test_a_hand_out_is_a_conflict_only_if_every_attempt_of_it_is(client: FlaskClient) -> None:
    queue(client, 2)
    [hand_out] = poll(client)
    accepted(client, "1.1", "cancelled")
    accepted(client, hand_out["id"], "running")
    accepted(client, "2.1", "cancelled")
    assert problem(report(client, hand_out["id"], "running"), 409)["directive"] == "stop"


def test_the_same_picture_is_not_written_to_every_panel_of_a_hand_out(client: FlaskClient) -> None:
    queue(client, 2)
    [hand_out] = poll(client)
    answer = accepted(client, hand_out["id"], "completed", imageUrl="https://cdn.example/1.png")
    assert [task["imageUrl"] for task in answer["tasks"]] == [None, None]


# The table of reports, row by row


def test_the_first_success_wins_whatever_the_state_and_the_attempt(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client, "w1")
    clock.advance(60)
    assert receipts(poll(client, "w2")) == ["1.2"]
    task = accepted(client, "1.1", "completed", imageUrl="https://cdn.example/first.png")
    assert (task["status"], task["leasedUntil"]) == ("completed", None)
    late = accepted(client, "1.2", "completed", imageUrl="https://cdn.example/second.png")
    assert (late["directive"], late["imageUrl"]) == ("stop", "https://cdn.example/first.png")


def test_a_picture_of_a_cancelled_comic_is_kept(client: FlaskClient) -> None:
    comic = queue(client)
    poll(client)
    client.patch(f"/comics/{comic['id']}", json={"status": "cancelled"})
    assert accepted(client, "1.1", "completed")["status"] == "completed"


def test_a_second_success_changes_nothing(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    poll(client)
    accepted(client, "1.1", "completed")
    with unchanged(engine):
        task = accepted(client, "1.1", "completed", imageUrl="https://cdn.example/other.png")
    assert (task["directive"], task["imageUrl"]) == ("stop", None)
    assert event_types(client, "1").count("completed") == 1


def test_progress_revives_a_lapsed_lease(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    clock.advance(100)
    task = accepted(client, "1.1", "running")
    assert (task["status"], task["leasedUntil"], task["directive"]) == ("running", moment(400), "continue")
    assert "revived" in event_types(client, "1")
    assert poll(client, "w2") == []


def test_failure_of_a_lapsed_attempt_that_nobody_else_has_counts(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    clock.advance(100)
    assert accepted(client, "1.1", "failed")["attemptsLeft"] == 2


@pytest.mark.parametrize("status", ["running", "failed", "cancelled"])
@pytest.mark.parametrize("ending", ["completed", "cancelled"])
def test_a_worker_is_told_to_stop_when_the_task_is_over(
    client: FlaskClient, engine: Engine, status: str, ending: str
) -> None:
    comic = queue(client)
    poll(client)
    if ending == "completed":
        accepted(client, "1.1", "completed")
    else:
        client.patch(f"/comics/{comic['id']}", json={"status": "cancelled"})
    with unchanged(engine):
        task = accepted(client, "1.1", status)
    assert (task["status"], task["directive"]) == (ending, "stop")


@pytest.mark.parametrize(("first", "again"), [("failed", "error"), ("cancelled", "no_tabs")])
def test_the_same_kind_of_end_again_changes_nothing(
    client: FlaskClient, engine: Engine, first: str, again: str
) -> None:
    queue(client)
    poll(client)
    accepted(client, "1.1", first)
    with unchanged(engine):
        task = accepted(client, "1.1", again)
    assert (task["status"], task["directive"]) == ("queued", "stop")


@pytest.mark.parametrize(("first", "then"), [("failed", "cancelled"), ("cancelled", "failed"), ("failed", "running")])
def test_any_other_report_about_an_ended_attempt_is_a_conflict(
    client: FlaskClient, engine: Engine, first: str, then: str
) -> None:
    queue(client)
    poll(client)
    accepted(client, "1.1", first)
    with unchanged(engine):
        found = problem(report(client, "1.1", then), 409)
    assert found["directive"] == "stop"


@pytest.mark.parametrize("status", ["running", "failed", "cancelled"])
def test_a_report_about_an_older_attempt_is_a_conflict(
    client: FlaskClient, engine: Engine, clock: FrozenClock, status: str
) -> None:
    queue(client)
    poll(client, "w1")
    clock.advance(60)
    poll(client, "w2")
    with unchanged(engine):
        found = problem(report(client, "1.1", status), 409)
    assert found["directive"] == "stop"


@pytest.mark.parametrize("status", ["running", "completed", "failed", "cancelled"])
def test_what_was_never_handed_out_is_not_found(client: FlaskClient, engine: Engine, status: str) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}, {"prompt": "Bats"}])
    poll(client, limit=1, domain="none.example")
    with unchanged(engine):
        for target in ["1", "c-1", "1.0", "1.1", "1.2", "99", "99.1", "h-1-1", "h-", "nobody", "0", "9" * 19]:
            problem(report(client, target, status), 404)


# Whose task it is


@pytest.mark.parametrize("status", ["running", "failed"])
def test_another_worker_that_names_itself_cannot_report_by_task_id(
    client: FlaskClient, engine: Engine, status: str
) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    poll(client, "w1")
    with unchanged(engine):
        for target in ("1", "c-1"):
            assert problem(report(client, target, status, "w2"), 409)["directive"] == "stop"


@pytest.mark.parametrize("status", ["running", "failed"])
def test_the_holder_and_clients_without_a_name_may_report_by_task_id(client: FlaskClient, status: str) -> None:
    queue(client, 2)
    poll(client, "w1")
    assert accepted(client, "1", status, "w1")["directive"] == "continue"
    assert accepted(client, "2", status)["directive"] == "continue"


def test_success_by_task_id_is_taken_from_anyone(client: FlaskClient) -> None:
    queue(client)
    poll(client, "w1")
    assert accepted(client, "1", "completed", "w2")["status"] == "completed"


def test_a_receipt_is_proof_enough(client: FlaskClient) -> None:
    queue(client)
    poll(client, "w1")
    assert accepted(client, "1.1", "running", "w2")["status"] == "running"


# Repeated


def test_a_repeated_progress_report_adds_no_history(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    accepted(client, "1.1", "running", progress=10, message="Drawing")
    history = event_types(client, "1")
    clock.advance(5)
    task = accepted(client, "1.1", "running", progress=20, message="Drawing")
    assert (task["progress"], task["leasedUntil"]) == (20, moment(305))
    assert event_types(client, "1") == history


def test_an_attempt_is_counted_once_however_often_it_is_reported(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    for status in ("delivered", "sent", "sent", "running"):
        task = accepted(client, "1.1", status)
    assert task["attemptsLeft"] == 2


# Refuses


@on_one_database
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/status"),
        ({"status": None}, "/status"),
        ({"status": "Completed"}, "/status"),
        ({"status": "queued"}, "/status"),
        ({"status": ["running"]}, "/status"),
        ({"status": "running", "progress": 101}, "/progress"),
        ({"status": "running", "progress": -1}, "/progress"),
        ({"status": "running", "progress": 40.5}, "/progress"),
        ({"status": "running", "progress": True}, "/progress"),
        ({"status": "completed", "imageUrl": "javascript:alert(1)"}, "/imageUrl"),
        ({"status": "completed", "imageUrl": "data:text/html,<script>"}, "/imageUrl"),
        ({"status": "completed", "imageUrl": 5}, "/imageUrl"),
        ({"status": "completed", "downloadPath": ["x"]}, "/downloadPath"),
        ({"status": "running", "message": {}}, "/message"),
        ({"status": "running", "tabId": {}}, "/tabId"),
    ],
)
def test_a_report_that_cannot_be_read_is_refused_at_its_field(
    client: FlaskClient, engine: Engine, body: dict[str, Any], pointer: str
) -> None:
    queue(client)
    poll(client)
    with unchanged(engine):
        response = client.patch("/tasks/1.1", json=body)
    assert pointers(problem(response, 422)) == [pointer]


@on_one_database
def test_only_json_is_taken(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    poll(client)
    with unchanged(engine):
        problem(client.patch("/tasks/1.1", data='{"status": "completed"}', content_type="text/plain"), 415)


# Stranger


@on_one_database
def test_a_foreign_page_cannot_report(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    poll(client)
    with unchanged(engine):
        response = client.patch("/tasks/1.1", json={"status": "completed"}, headers={"Origin": FOREIGN_ORIGIN})
    problem(response, 403)


def test_an_extension_may_read_the_answer(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    response = client.patch("/tasks/1.1", json={"status": "sent"}, headers={"Origin": EXTENSION_ORIGIN})
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == EXTENSION_ORIGIN
