"""GET /status/batch: how far the pictures of a submitter are, by its own correlationIds."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import FOREIGN_ORIGIN, poll, problem, queue, report, show, unchanged

pytestmark = pytest.mark.usefixtures("clock")


def statuses(client: FlaskClient, names: str) -> list[tuple[str, str]]:
    """What is answered about these names."""
    response = client.get("/status/batch", query_string={"correlationIds": names})
    assert response.status_code == 200, response.text
    answer: Any = response.json
    assert set(answer) == {"requests"}
    assert all(set(one) == {"correlationId", "status"} for one in answer["requests"])
    return [(one["correlationId"], one["status"]) for one in answer["requests"]]


def panels(*names: str) -> list[dict[str, str]]:
    """Panels with these correlationIds."""
    return [{"prompt": "Hero", "correlationId": name} for name in names]


def test_each_name_has_its_status_in_the_order_asked(client: FlaskClient) -> None:
    queue(client, panels("a", "b", "c", "d"))
    poll(client, limit=3)
    report(client, "1.1", "running")
    report(client, "2.1", "completed")
    assert statuses(client, "d,c,b,a") == [("d", "queued"), ("c", "leased"), ("b", "completed"), ("a", "running")]


def test_unknown_names_are_unknown(client: FlaskClient, engine: Engine) -> None:
    queue(client, panels("a"))
    with unchanged(engine):
        assert statuses(client, "nobody,a,99,99.1,h-1-1") == [
            ("nobody", "unknown"),
            ("a", "queued"),
            ("99", "unknown"),
            ("99.1", "unknown"),
            ("h-1-1", "unknown"),
        ]


def test_the_newest_task_of_a_name_counts(client: FlaskClient) -> None:
    queue(client, panels("a"))
    poll(client)
    report(client, "1.1", "completed")
    assert statuses(client, "a") == [("a", "completed")]
    queue(client, panels("a"))
    assert statuses(client, "a") == [("a", "queued")]


def test_a_lapsed_lease_counts_as_ended(client: FlaskClient, engine: Engine, clock: FrozenClock) -> None:
    queue(client, panels("a"))
    poll(client)
    clock.advance(61)
    with unchanged(engine):
        assert statuses(client, "a") == [("a", "queued")]


def test_names_may_come_with_spaces_empty_twice_and_in_several_parameters(client: FlaskClient) -> None:
    queue(client, panels("a", "b"))
    assert dict(statuses(client, " a ,,b,a,")) == {"a": "queued", "b": "queued"}
    answer = show(client, "/status/batch?correlationIds=a&correlationIds=b")
    assert [one["correlationId"] for one in answer["requests"]] == ["a", "b"]


def test_names_in_any_script_are_asked_about(client: FlaskClient) -> None:
    queue(client, panels("größe ✓"))
    assert statuses(client, "größe ✓") == [("größe ✓", "queued")]


def test_a_task_id_or_a_receipt_may_be_asked_about(client: FlaskClient) -> None:
    queue(client)
    poll(client)
    assert statuses(client, "1,1.1") == [("1", "leased"), ("1.1", "leased")]


@pytest.mark.parametrize("query", ["", "?correlationIds=", "?correlationIds=,,"])
def test_nothing_asked_is_nothing_answered(client: FlaskClient, query: str) -> None:
    assert show(client, f"/status/batch{query}") == {"requests": []}


def test_many_names_are_answered_at_once(client: FlaskClient) -> None:
    names = [f"c-{number}" for number in range(500)]
    queue(client, panels(*names[:3]))
    found = statuses(client, ",".join(names))
    assert [name for name, _ in found] == names
    assert [status for _, status in found[:4]] == ["queued"] * 3 + ["unknown"]


def test_it_can_only_be_asked(client: FlaskClient) -> None:
    problem(client.post("/status/batch", json={}), 405)


def test_a_foreign_page_sees_nothing(client: FlaskClient) -> None:
    problem(client.get("/status/batch?correlationIds=a", headers={"Origin": FOREIGN_ORIGIN}), 403)
