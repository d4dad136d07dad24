"""GET /tasks/{id}: one task, by task id, receipt or correlationId."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import FOREIGN_ORIGIN, TASK_KEYS, moment, on_one_database, poll, problem, queue, report, show, unchanged

pytestmark = pytest.mark.usefixtures("clock")


@pytest.mark.parametrize("name", ["2", "2.1", "c-2"], ids=["task", "receipt", "correlationId"])
def test_a_task_is_found_by_each_of_its_names(client: FlaskClient, name: str) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}, {"prompt": "Bats", "correlationId": "c-2"}])
    poll(client)
    task = show(client, f"/tasks/{name}")
    assert set(task) == TASK_KEYS
    assert (task["id"], task["prompt"], task["correlationId"]) == ("2", "Bats", "c-2")


def test_an_older_receipt_still_names_the_task(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    clock.advance(60)
    poll(client)
    assert show(client, "/tasks/1.1")["receipt"] == "1.2"


def test_a_correlation_id_names_the_newest_task(client: FlaskClient) -> None:
    for number in (1, 2):
        queue(client, [{"prompt": f"Hero {number}", "correlationId": "c-1"}])
        poll(client)
        report(client, f"{number}.1", "completed")
    assert show(client, "/tasks/c-1")["id"] == "2"


@pytest.mark.parametrize("correlation_id", ["caché ✓", "a b", "a.b.c", "1.2.3", "1.", ".1", "12a", "-1", "٣٤١", "pen"])
def test_what_is_not_the_servers_own_is_looked_up_as_a_correlation_id(client: FlaskClient, correlation_id: str) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": correlation_id}])
    assert show(client, f"/tasks/{correlation_id}")["correlationId"] == correlation_id


@pytest.mark.parametrize("name", ["17", "17.1", "h-17"])
def test_what_looks_like_the_servers_own_is_never_looked_up_as_a_correlation_id(client: FlaskClient, name: str) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": name}])
    problem(client.get(f"/tasks/{name}"), 404)


def test_a_lapsed_lease_counts_as_ended(client: FlaskClient, engine: Engine, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    clock.advance(61)
    with unchanged(engine):
        task = show(client, "/tasks/1")
    assert (task["status"], task["leasedUntil"], task["worker"]) == ("queued", None, None)


def test_a_style_of_the_panels_own_wins(client: FlaskClient) -> None:
    queue(client, [{"prompt": "Hero"}, {"prompt": "Bats", "style": "watercolour"}], style="noir")
    assert show(client, "/tasks/1")["style"] == "noir"
    assert show(client, "/tasks/2")["style"] == "watercolour"


def test_head_is_answered(client: FlaskClient) -> None:
    queue(client)
    response = client.head("/tasks/1")
    assert (response.status_code, response.data) == (200, b"")


def test_what_there_is_not_is_not_found(client: FlaskClient) -> None:
    queue(client)
    names = ["2", "0", "1.1", "1.0", "1.2", "nobody", "h-1-1", "9223372036854775807", "9223372036854775808"]
    for name in [*names, "9" * 30, "9" * 5000, "1." + "9" * 5000, "0" * 20 + "1.5", "000000000000000000012"]:
        problem(client.get(f"/tasks/{name}"), 404)


def test_an_attempt_that_was_never_made_is_not_found(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    assert show(client, "/tasks/1.1")["leasedUntil"] == moment(60)
    problem(client.get("/tasks/1.2"), 404)
    problem(client.get("/tasks/1.0"), 404)


@on_one_database
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_not_allowed(client: FlaskClient, method: str) -> None:
    queue(client)
    response = client.open("/tasks/1", method=method)
    problem(response, 405)
    assert {"GET", "PATCH"} <= set(response.headers["Allow"].split(", "))


@on_one_database
def test_a_foreign_page_sees_nothing(client: FlaskClient) -> None:
    queue(client)
    problem(client.get("/tasks/1", headers={"Origin": FOREIGN_ORIGIN}), 403)
