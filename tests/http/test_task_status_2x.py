"""POST /task-status: reports of the 2.x extension, and its ways as they were measured."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import (
    EXTENSION,
    EXTENSION_ORIGIN,
    FOREIGN_ORIGIN,
    event_types,
    moment,
    on_one_database,
    pointers,
    poll,
    problem,
    queue,
    receipts_2x,
    report,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")

TAB, OTHER_TAB = 101, 102


class Extension:
    """The 2.x extension: it polls with its id, and reports with its origin only."""

    def __init__(self, client: FlaskClient, extension_id: str = EXTENSION) -> None:
        self.client = client
        self.polling = {"Content-Type": "application/json", "X-Extension-Id": extension_id, "X-Last-Id": ""}
        self.reporting = {"Origin": f"chrome-extension://{extension_id}", "Sec-Fetch-Site": "cross-site"}

    def poll(self) -> list[str]:
        """Ask for work, and give the receipts."""
        response = self.client.get("/pending-tasks", headers=self.polling)
        assert response.status_code == 200, response.text
        return receipts_2x(response.json)

    def report(self, task_id: str | None, status: str, tab_id: int | None = TAB) -> None:
        """Report as it does; the answer is always the same."""
        body: dict[str, Any] = {"status": status, "tabId": tab_id, "timestamp": moment()}
        if task_id is not None:
            body["taskId"] = task_id
        response = self.client.post("/task-status", json=body, headers=self.reporting)
        assert (response.status_code, response.json) == (200, {"received": True})


@pytest.fixture
def extension(client: FlaskClient) -> Extension:
    """The extension in one browser."""
    return Extension(client)


# The flows that were measured


def test_a_panel_is_delivered_sent_sent_and_found(
    client: FlaskClient, extension: Extension, clock: FrozenClock
) -> None:
    queue(client, 2)
    assert extension.poll() == ["1.1"]
    extension.report("1.1", "delivered")
    assert (show(client, "/tasks/1")["status"], show(client, "/tasks/1")["attemptsLeft"]) == ("running", 3)
    for status in ("sent", "sent"):
        clock.advance(2)
        extension.report("1.1", status)
        assert extension.poll() == []
    assert show(client, "/tasks/1")["attemptsLeft"] == 2
    clock.advance(30)
    extension.report("1.1", "image_found")
    assert show(client, "/tasks/1")["status"] == "completed"
    assert extension.poll() == ["2.1"]
    assert show(client, "/comics/1")["progress"]["completed"] == 1


def test_without_a_tab_the_panel_goes_back_and_forth_and_never_fails(
    client: FlaskClient, extension: Extension, clock: FrozenClock
) -> None:
    queue(client)
    for _ in range(40):
        for receipt in extension.poll():
            extension.report(receipt, "no_tabs", None)
        clock.advance(2)
    task = show(client, "/tasks/1")
    assert (task["status"], task["attemptsLeft"]) == ("queued", 3)
    assert task["attempt"] == 3  # once in 30 seconds
    assert show(client, "/comics/1")["progress"]["blocked"]["reason"] == "no_tab"


def test_no_tabs_again_and_again_about_the_same_panel_changes_nothing(
    client: FlaskClient, engine: Engine, extension: Extension
) -> None:
    queue(client)
    extension.poll()
    extension.report("1.1", "no_tabs")
    with unchanged(engine):
        for _ in range(3):
            extension.report("1.1", "no_tabs")


def test_a_page_without_a_prompt_box_gives_the_panel_back(
    client: FlaskClient, extension: Extension, clock: FrozenClock
) -> None:
    queue(client)
    assert extension.poll() == ["1.1"]
    extension.report(None, "error")
    after = show(client, "/tasks/1")
    assert (after["status"], after["attemptsLeft"]) == ("queued", 3)
    assert event_types(client, "1")[-1] == "given_back"
    extension.report("1.1", "delivered")
    extension.report("1.1", "sent")
    assert show(client, "/tasks/1") == after
    assert extension.poll() == []
    assert show(client, "/comics/1")["progress"]["blocked"]["reason"] == "no_tab"
    clock.advance(30)
    assert extension.poll() == ["1.2"]


def test_an_error_without_a_task_goes_back_only_if_this_worker_holds_one(
    client: FlaskClient, engine: Engine, extension: Extension
) -> None:
    queue(client, 2)
    extension.report(None, "error")
    poll(client, "w1", limit=1)
    with unchanged(engine):
        extension.report(None, "error")
        Extension(client, EXTENSION[::-1]).report(None, "error")


def test_an_error_without_a_task_leaves_other_workers_alone(client: FlaskClient, extension: Extension) -> None:
    queue(client, 2)
    other = Extension(client, EXTENSION[::-1])
    assert (extension.poll(), other.poll()) == (["1.1"], ["2.1"])
    other.report(None, "error")
    assert show(client, "/tasks/1")["status"] == "leased"
    assert show(client, "/tasks/2")["status"] == "queued"


@pytest.mark.parametrize("status", ["delivered", "sent", "image_found", "no_tabs", "failed", "completed"])
def test_any_other_status_without_a_task_changes_nothing(
    client: FlaskClient, engine: Engine, extension: Extension, status: str
) -> None:
    queue(client)
    extension.poll()
    with unchanged(engine):
        extension.report(None, status)


def test_two_tabs_draw_the_same_panel_and_the_first_picture_wins(
    client: FlaskClient, extension: Extension, clock: FrozenClock
) -> None:
    queue(client, 2)
    assert extension.poll() == ["1.1"]
    extension.report("1.1", "delivered", TAB)
    clock.advance(1)
    extension.report("1.1", "delivered", OTHER_TAB)
    for tab in (TAB, OTHER_TAB):
        extension.report("1.1", "sent", tab)
        extension.report("1.1", "sent", tab)
    extension.report("1.1", "image_found", OTHER_TAB)
    assert extension.poll() == ["2.1"]
    extension.report("1.1", "image_found", TAB)
    assert event_types(client, "1").count("completed") == 1
    assert show(client, "/comics/1")["progress"]["completed"] == 1
    assert show(client, "/tasks/2")["status"] == "leased"


def test_a_failure_of_another_tab_than_the_one_that_delivered_is_only_an_event(
    client: FlaskClient, extension: Extension
) -> None:
    queue(client)
    extension.poll()
    extension.report("1.1", "delivered", TAB)
    extension.report("1.1", "error", OTHER_TAB)
    assert show(client, "/tasks/1")["status"] == "running"
    assert event_types(client, "1")[-1] == "noted"
    extension.report("1.1", "error", TAB)
    assert show(client, "/tasks/1")["status"] == "queued"
    assert show(client, "/tasks/1")["attemptsLeft"] == 2


def test_the_tab_counts_whatever_the_type_of_its_id(client: FlaskClient, extension: Extension) -> None:
    queue(client)
    extension.poll()
    extension.report("1.1", "delivered", 7)
    client.post("/task-status", json={"taskId": "1.1", "status": "error", "tabId": "7"})
    assert show(client, "/tasks/1")["status"] == "queued"


def test_a_script_that_is_there_twice_does_no_harm(client: FlaskClient, extension: Extension) -> None:
    queue(client, 2)
    extension.poll()
    extension.report("1.1", "delivered")
    for status in ["sent"] * 3 + ["image_found"] * 4:
        extension.report("1.1", status)
    assert event_types(client, "1").count("completed") == 1
    assert extension.poll() == ["2.1"]


def test_a_browser_that_dies_loses_nothing(client: FlaskClient, extension: Extension, clock: FrozenClock) -> None:
    queue(client)
    extension.poll()
    extension.report("1.1", "delivered")
    clock.advance(299)
    assert extension.poll() == []
    clock.advance(1)
    assert extension.poll() == ["1.2"]
    extension.report("1.1", "image_found")
    assert show(client, "/tasks/1")["status"] == "completed"


# Received


@pytest.mark.parametrize("status", ["delivered", "image_found", "error", "no_tabs"])
def test_reports_about_what_there_is_not_are_received_too(
    client: FlaskClient, engine: Engine, extension: Extension, status: str
) -> None:
    queue(client)
    with unchanged(engine):
        for task_id in ("99.1", "1.7", "99", "nobody", "h-1-1", "9" * 200, "٣.٣", "ü"):
            extension.report(task_id, status)


def test_reports_that_are_a_conflict_elsewhere_are_received_too(
    client: FlaskClient, engine: Engine, extension: Extension, clock: FrozenClock
) -> None:
    queue(client)
    extension.poll()
    clock.advance(300)
    poll(client, "w1")
    extension.report("1.1", "failed")
    with unchanged(engine):
        assert report(client, "1.1", "failed").status_code == 409
        extension.report("1.1", "failed")


def test_what_comes_along_is_kept_as_details(client: FlaskClient, extension: Extension) -> None:
    queue(client)
    extension.poll()
    extension.report("1.1", "sent")
    event = show(client, "/tasks/1/events")["events"][-1]
    assert event["details"] == {"status": "sent", "tabId": str(TAB), "timestamp": moment()}


def test_the_submitters_correlation_id_may_name_the_task(client: FlaskClient, extension: Extension) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    extension.poll()
    extension.report("c-1", "image_found")
    assert show(client, "/tasks/1")["status"] == "completed"


# Refuses


@on_one_database
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"taskId": "1.1"}, "/status"),
        ({"taskId": "1.1", "status": "nonsense"}, "/status"),
        ({"taskId": "1.1", "status": None}, "/status"),
        ({"taskId": "1.1", "status": 7}, "/status"),
        ({"taskId": {}, "status": "sent"}, "/taskId"),
        ({"taskId": 1.5, "status": "sent"}, "/taskId"),
        ({"taskId": "x" * 201, "status": "sent"}, "/taskId"),
        ({"taskId": "1.1", "status": "sent", "tabId": []}, "/tabId"),
        ({"taskId": "1.1", "status": "sent", "progress": "half"}, "/progress"),
    ],
)
def test_what_is_not_well_formed_is_refused_at_its_field(
    client: FlaskClient, engine: Engine, extension: Extension, body: dict[str, Any], pointer: str
) -> None:
    queue(client)
    extension.poll()
    with unchanged(engine):
        response = client.post("/task-status", json=body, headers=extension.reporting)
    assert pointers(problem(response, 422)) == [pointer]


@on_one_database
def test_only_json_objects_are_taken(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        problem(client.post("/task-status", json=[{"taskId": "1.1", "status": "sent"}]), 422)
        problem(client.post("/task-status", data='{"status": "sent"}', content_type="text/plain"), 415)
        problem(client.post("/task-status", data="{", content_type="application/json"), 400)
        problem(client.get("/task-status"), 405)


@on_one_database
def test_a_name_that_is_too_long_is_refused_even_where_nobody_asks_for_it(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        answer = client.post("/task-status", json={"status": "sent"}, headers={"X-Worker-Id": "w" * 201})
        assert pointers(problem(answer, 422)) == ["/X-Worker-Id"]


# Stranger


@on_one_database
def test_a_foreign_page_cannot_report(client: FlaskClient, engine: Engine, extension: Extension) -> None:
    queue(client)
    extension.poll()
    body = {"taskId": "1.1", "status": "image_found"}
    with unchanged(engine):
        problem(client.post("/task-status", json=body, headers={"Origin": FOREIGN_ORIGIN}), 403)


def test_the_extension_may_read_the_answer(client: FlaskClient, extension: Extension) -> None:
    response = client.post("/task-status", json={"status": "sent"}, headers=extension.reporting)
    assert response.headers["Access-Control-Allow-Origin"] == EXTENSION_ORIGIN
