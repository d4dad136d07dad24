"""POST /comics/{id}/retry: failed and cancelled tasks come back to the queue."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import (
    COMIC_KEYS,
    FOREIGN_ORIGIN,
    event_types,
    pointers,
    poll,
    problem,
    queue,
    receipts,
    report,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def settings() -> dict[str, Any]:
    """Panels fail at once, so that there is something to retry."""
    return {"SEMANTEST_MAX_ATTEMPTS": 1}


def retried(client: FlaskClient, **fields: Any) -> Any:
    """Retry the first comic, and give it as it is then."""
    response = client.post("/comics/1/retry", json=fields)
    assert response.status_code == 200, response.text
    assert response.json == show(client, "/comics/1")
    return response.json


def fail(client: FlaskClient, *panels: str) -> None:
    """Hand everything out, and fail these."""
    poll(client)
    for panel in panels:
        report(client, panel, "failed", message="Blurred")


# Works


def test_all_failed_tasks_come_back_with_a_fresh_allowance(client: FlaskClient) -> None:
    queue(client, 3)
    fail(client, "1.1", "2.1")
    report(client, "3.1", "completed")
    comic = retried(client)
    assert set(comic) == COMIC_KEYS
    assert (comic["status"], comic["progress"]["queued"], comic["progress"]["completed"]) == ("active", 2, 1)
    task = show(client, "/tasks/1")
    assert (task["status"], task["attemptsLeft"], task["message"], task["worker"]) == ("queued", 1, None, None)
    assert event_types(client, "1")[-1] == "retried"


def test_attempt_numbers_go_on(client: FlaskClient) -> None:
    queue(client)
    fail(client, "1.1")
    retried(client)
    assert receipts(poll(client)) == ["1.2"]


def test_only_the_tasks_named_come_back(client: FlaskClient) -> None:
    queue(client, 3)
    fail(client, "1.1", "2.1", "3.1")
    assert retried(client, tasks=["1", "3"])["progress"]["queued"] == 2
    assert show(client, "/tasks/2")["status"] == "failed"


def test_cancelled_tasks_come_back_and_the_comic_with_them(client: FlaskClient) -> None:
    queue(client, 2)
    client.patch("/comics/1", json={"status": "cancelled"})
    comic = retried(client)
    assert (comic["status"], comic["progress"]["queued"]) == ("active", 2)
    assert receipts(poll(client)) == ["1.1", "2.1"]


def test_a_finished_comic_becomes_active_again(client: FlaskClient) -> None:
    queue(client)
    fail(client, "1.1")
    assert show(client, "/comics/1")["status"] == "finished"
    assert retried(client)["status"] == "active"


def test_a_paused_comic_stays_paused(client: FlaskClient) -> None:
    queue(client, 2)
    poll(client)
    client.patch("/comics/1", json={"status": "paused"})
    report(client, "1.1", "failed")
    assert retried(client)["status"] == "paused"


def test_attempts_begun_before_a_retry_never_count_after_it(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    client.patch("/comics/1", json={"status": "cancelled"})
    retried(client)
    task: Any = report(client, "1.1", "running").json
    assert (task["status"], task["attemptsLeft"]) == ("running", 1)
    task = report(client, "1.1", "failed").json
    assert (task["status"], task["attemptsLeft"]) == ("queued", 1)


def test_a_picture_of_before_is_still_taken(client: FlaskClient) -> None:
    queue(client)
    fail(client, "1.1")
    retried(client)
    poll(client)
    task: Any = report(client, "1.1", "completed").json
    assert (task["status"], task["leasedUntil"]) == ("completed", None)


@pytest.mark.parametrize("body", [{"json": {}}, {"json": {"tasks": None}}, {}], ids=["empty object", "null", "no body"])
def test_without_names_all_come_back(client: FlaskClient, body: dict[str, Any]) -> None:
    queue(client, 2)
    fail(client, "1.1", "2.1")
    response = client.post("/comics/1/retry", **body)
    assert response.status_code == 200, response.text
    assert show(client, "/comics/1")["progress"]["queued"] == 2


def test_a_task_whose_correlation_id_is_open_elsewhere_stays_over(client: FlaskClient) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    client.patch("/comics/1", json={"status": "cancelled"})
    queue(client, [{"prompt": "Hero again", "correlationId": "c-1"}])
    assert retried(client)["progress"]["cancelled"] == 1


# Repeated


def test_what_is_neither_failed_nor_cancelled_stays_as_it_is(client: FlaskClient, engine: Engine) -> None:
    queue(client, 3)
    poll(client, limit=2)
    report(client, "1.1", "completed")
    with unchanged(engine):
        retried(client)
        retried(client, tasks=["1", "2", "3"])


def test_a_repeated_retry_brings_nothing_back_twice(client: FlaskClient, engine: Engine) -> None:
    queue(client, 2)
    fail(client, "1.1", "2.1")
    first = retried(client)
    with unchanged(engine):
        assert retried(client) == first


# Refuses


def test_what_are_no_tasks_of_the_comic_is_refused_and_nothing_comes_back(client: FlaskClient, engine: Engine) -> None:
    queue(client, 2)
    queue(client, 1)
    fail(client, "1.1", "2.1", "3.1")
    wrong: list[Any] = ["3", "99", "x", "1.x", ".1", "-1", "١", "9223372036854775808", 1.5, None, {}]
    with unchanged(engine):
        for name in wrong:
            response = client.post("/comics/1/retry", json={"tasks": ["1", name]})
            assert pointers(problem(response, 422)) == ["/tasks/1"], name
        whole: list[Any] = [[], "1", {"0": "1"}]
        for names in whole:
            response = client.post("/comics/1/retry", json={"tasks": names})
            assert pointers(problem(response, 422)) == ["/tasks"], names


def test_unknown_fields_are_refused(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    fail(client, "1.1")
    with unchanged(engine):
        assert pointers(problem(client.post("/comics/1/retry", json={"task": "1"}), 422)) == ["/task"]


def test_a_comic_that_there_is_not_is_not_found(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        for name in ("2", "0", "x", "9223372036854775808", "9" * 5000, "%D9%A1"):
            problem(client.post(f"/comics/{name}/retry", json={}), 404)


def test_it_must_be_a_post(client: FlaskClient) -> None:
    queue(client)
    problem(client.get("/comics/1/retry"), 405)


# Stranger


def test_a_foreign_page_cannot_retry(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    fail(client, "1.1")
    with unchanged(engine):
        problem(client.post("/comics/1/retry", json={}, headers={"Origin": FOREIGN_ORIGIN}), 403)
        problem(client.post("/comics/1/retry", headers={"Origin": "null"}), 403)
