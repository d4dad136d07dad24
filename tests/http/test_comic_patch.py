"""PATCH /comics/{id}: pause, resume, cancel, and what may be changed while a comic is drawn."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from ..conftest import FrozenClock
from .conftest import (
    COMIC_KEYS,
    FOREIGN_ORIGIN,
    event_types,
    moment,
    on_one_database,
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


def change(client: FlaskClient, **fields: Any) -> TestResponse:
    """Change the first comic."""
    return client.patch("/comics/1", json=fields)


def changed(client: FlaskClient, **fields: Any) -> Any:
    """Change the first comic, and give it as it is then."""
    response = change(client, **fields)
    assert response.status_code == 200, response.text
    assert response.json == show(client, "/comics/1")
    return response.json


# Works


def test_what_is_given_is_changed_and_the_rest_left(client: FlaskClient, clock: FrozenClock) -> None:
    before = queue(client, style="noir")
    clock.advance(5)
    after = changed(client, title="Cave II", priority="high", parallel=3)
    assert set(after) == COMIC_KEYS
    news = {"title": "Cave II", "priority": "high", "parallel": 3, "updatedAt": moment(5)}
    assert after == {**before, **news}


def test_pausing_stops_hand_outs_and_touches_no_lease(client: FlaskClient) -> None:
    queue(client, 2)
    poll(client, limit=1)
    assert changed(client, status="paused")["status"] == "paused"
    assert poll(client, "w2") == []
    assert show(client, "/tasks/1")["leasedUntil"] == moment(60)
    answer: Any = report(client, "1.1", "running").json
    assert answer["directive"] == "continue"


def test_resuming_lets_hand_outs_go_on(client: FlaskClient) -> None:
    queue(client)
    changed(client, status="paused")
    assert changed(client, status="active")["status"] == "active"
    assert receipts(poll(client)) == ["1.1"]


def test_cancelling_cancels_everything_that_is_not_completed(client: FlaskClient) -> None:
    queue(client, 4)
    poll(client, limit=3)
    report(client, "1.1", "completed")
    report(client, "2.1", "failed")
    comic = changed(client, status="cancelled")
    assert (comic["status"], comic["progress"]["cancelled"], comic["progress"]["completed"]) == ("cancelled", 3, 1)
    assert [show(client, f"/tasks/{number}")["leasedUntil"] for number in (2, 3, 4)] == [None] * 3
    assert event_types(client, "4") == ["queued", "cancelled"]
    assert poll(client) == []


def test_a_paused_comic_may_be_cancelled(client: FlaskClient) -> None:
    queue(client)
    changed(client, status="paused")
    assert changed(client, status="cancelled")["status"] == "cancelled"


def test_parallel_may_be_lowered_below_what_is_out(client: FlaskClient) -> None:
    queue(client, 4)
    poll(client, limit=3)
    assert changed(client, parallel=1)["progress"]["running"] == 3
    report(client, "1.1", "completed")
    report(client, "2.1", "completed")
    assert poll(client, "w2") == []
    report(client, "3.1", "completed")
    assert receipts(poll(client, "w2")) == ["4.1"]


def test_the_new_title_is_handed_out(client: FlaskClient) -> None:
    queue(client)
    changed(client, title="Cave II")
    assert poll(client)[0]["payload"]["title"] == "Cave II"


def test_an_empty_change_is_answered_with_the_comic(client: FlaskClient) -> None:
    before = queue(client)
    assert changed(client) == before


def test_a_cancelled_or_finished_comic_may_still_be_renamed(client: FlaskClient) -> None:
    queue(client)
    changed(client, status="cancelled")
    assert changed(client, title="Was a cave")["title"] == "Was a cave"


# Repeated


@pytest.mark.parametrize("status", ["active", "paused"])
def test_the_same_status_again_is_no_error(client: FlaskClient, status: str) -> None:
    queue(client)
    first = changed(client, status=status)
    assert changed(client, status=status) == first


# Conflicts


@pytest.mark.parametrize("status", ["active", "paused", "cancelled"])
def test_the_status_of_a_cancelled_comic_cannot_be_changed(client: FlaskClient, engine: Engine, status: str) -> None:
    queue(client)
    changed(client, status="cancelled")
    with unchanged(engine):
        problem(change(client, status=status), 409)


@pytest.mark.parametrize("status", ["active", "paused", "cancelled"])
def test_the_status_of_a_finished_comic_cannot_be_changed(client: FlaskClient, engine: Engine, status: str) -> None:
    queue(client)
    poll(client)
    report(client, "1.1", "completed")
    with unchanged(engine):
        problem(change(client, status=status), 409)


def test_a_conflict_leaves_the_other_changes_undone_too(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    changed(client, status="cancelled")
    with unchanged(engine):
        problem(change(client, status="active", title="New", parallel=1), 409)


# Refuses


@on_one_database
@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"status": "finished"}, "/status"),
        ({"status": "Paused"}, "/status"),
        ({"status": None}, "/status"),
        ({"status": {}}, "/status"),
        ({"priority": "urgent"}, "/priority"),
        ({"priority": 0}, "/priority"),
        ({"parallel": 0}, "/parallel"),
        ({"parallel": 101}, "/parallel"),
        ({"parallel": True}, "/parallel"),
        ({"parallel": None}, "/parallel"),
        ({"title": ""}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": None}, "/title"),
        ({"style": "noir"}, "/style"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_what_cannot_be_changed_is_refused_at_its_field(
    client: FlaskClient, engine: Engine, fields: dict[str, Any], pointer: str
) -> None:
    queue(client)
    with unchanged(engine):
        assert pointers(problem(change(client, **fields), 422)) == [pointer]


def test_a_comic_that_there_is_not_is_not_found(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        for name in ("2", "0", "x", "9223372036854775808", "9" * 5000, "%D9%A1"):
            problem(client.patch(f"/comics/{name}", json={"status": "paused"}), 404)


@on_one_database
def test_only_json_is_taken(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        problem(client.patch("/comics/1", data='{"status": "paused"}', content_type="text/plain"), 415)


# Stranger


@on_one_database
def test_a_foreign_page_cannot_pause(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        problem(client.patch("/comics/1", json={"status": "paused"}, headers={"Origin": FOREIGN_ORIGIN}), 403)
