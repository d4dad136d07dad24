"""POST /events: one picture, asked for in the words of the 2.x extension's submitters."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from .conftest import (
    FOREIGN_ORIGIN,
    moment,
    on_one_database,
    pointers,
    poll,
    problem,
    queue,
    receipts,
    receipts_2x,
    report,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")

IMAGE = "ImageGenerationRequestedEvent"


def event(payload: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """An event that asks for a picture."""
    return {"type": IMAGE, "payload": {"prompt": "Hero", **(payload or {})}, **fields}


def submit(client: FlaskClient, body: dict[str, Any], key: str | None = None) -> str:
    """Ask for a picture, and give the correlationId that it was accepted under."""
    response = client.post("/events", json=body, headers={"Idempotency-Key": key} if key else {})
    assert response.status_code == 200, response.text
    answer: Any = response.json
    assert set(answer) == {"status", "correlationId"}
    assert answer["status"] == "accepted"
    assert isinstance(answer["correlationId"], str)
    name: str = answer["correlationId"]
    return name


# Works


@pytest.mark.parametrize("kind", [IMAGE, "PromptRequestedEvent"])
def test_a_picture_is_queued_among_the_single_pictures(client: FlaskClient, kind: str) -> None:
    body = {
        "type": kind,
        "id": "e-1",
        "correlationId": "c-1",
        "timestamp": moment(),
        "payload": {"prompt": "Hero", "domain": "chat.example", "outputPath": "a/b.png", "downloadFolder": "c"},
    }
    assert submit(client, body) == "c-1"
    task = show(client, "/tasks/c-1")
    expected = {
        "status": "queued",
        "prompt": "Hero",
        "domain": "chat.example",
        "outputPath": "a/b.png",
        "downloadFolder": "c",
        "correlationId": "c-1",
    }
    assert {name: task[name] for name in expected} == expected
    assert show(client, f"/comics/{task['batchId']}")["title"] == "Single pictures"


def test_it_is_handed_out_in_either_dialect(client: FlaskClient) -> None:
    submit(client, event(correlationId="c-1"))
    submit(client, event(correlationId="c-2"))
    assert receipts_2x(client.get("/pending-tasks").json) == ["1.1"]
    assert receipts(poll(client, "w1")) == ["2.1"]


@pytest.mark.parametrize(
    ("fields", "payload"),
    [
        ({"correlationId": "mine"}, {}),
        ({}, {"correlationId": "mine"}),
        ({"id": "mine"}, {}),
        ({"id": "e-1", "correlationId": "mine"}, {}),
        ({"id": "e-1"}, {"correlationId": "mine"}),
        ({"id": None, "correlationId": None}, {"correlationId": "mine"}),
    ],
)
def test_the_submitters_own_name_is_what_it_asks_about_later(
    client: FlaskClient, fields: dict[str, Any], payload: dict[str, Any]
) -> None:
    assert submit(client, event(payload, **fields)) == "mine"
    answer = show(client, "/status/batch?correlationIds=mine")
    assert answer == {"requests": [{"correlationId": "mine", "status": "queued"}]}


def test_without_a_name_the_answer_gives_one_that_can_be_asked_about(client: FlaskClient) -> None:
    name = submit(client, event())
    assert show(client, f"/tasks/{name}")["prompt"] == "Hero"
    answer = show(client, f"/status/batch?correlationIds={name}")
    assert answer["requests"] == [{"correlationId": name, "status": "queued"}]


@pytest.mark.parametrize("field", ["outputPath", "fileName", "imagePath"])
@pytest.mark.parametrize(
    ("path", "became"),
    [
        ("a/b.png", "a/b.png"),
        ("/home/me/comics/b.png", "home/me/comics/b.png"),
        ("C:\\Users\\me\\b.png", "Users/me/b.png"),
        ("../../b.png", "b.png"),
    ],
)
def test_paths_are_made_relative(client: FlaskClient, field: str, path: str, became: str) -> None:
    submit(client, event({field: path}))
    assert show(client, "/tasks/1")["outputPath"] == became


def test_folders_are_made_relative_too(client: FlaskClient) -> None:
    submit(client, event({"downloadFolder": "/home/me/comics"}))
    assert show(client, "/tasks/1")["downloadFolder"] == "home/me/comics"


def test_unknown_fields_are_kept_as_details(client: FlaskClient) -> None:
    submit(client, event({"model": "x", "sizes": [1, 2]}, source="cli", timestamp=moment()))
    [queued] = show(client, "/tasks/1/events")["events"]
    assert queued["details"]["model"] == "x"
    assert queued["details"]["sizes"] == [1, 2]
    assert queued["details"]["source"] == "cli"
    assert queued["details"]["timestamp"] == moment()


def test_a_prompt_of_4000_characters_is_taken(client: FlaskClient) -> None:
    submit(client, event({"prompt": "ü" * 4000}))
    assert show(client, "/tasks/1")["prompt"] == "ü" * 4000


# Repeated


def test_an_open_correlation_id_again_is_the_same_picture(client: FlaskClient, engine: Engine) -> None:
    submit(client, event(correlationId="c-1"))
    with unchanged(engine):
        assert submit(client, event({"prompt": "Another"}, correlationId="c-1")) == "c-1"


def test_a_correlation_id_that_is_over_makes_a_new_picture(client: FlaskClient) -> None:
    submit(client, event(correlationId="c-1"))
    poll(client)
    report(client, "1.1", "completed")
    submit(client, event(correlationId="c-1"))
    assert show(client, "/tasks/c-1")["id"] == "2"


def test_the_same_key_makes_one_picture(client: FlaskClient, engine: Engine) -> None:
    name = submit(client, event(), "key-1")
    with unchanged(engine):
        assert submit(client, event(), "key-1") == name
        response = client.post("/events", json=event({"prompt": "Other"}), headers={"Idempotency-Key": "key-1"})
        problem(response, 422)


# Refuses


@on_one_database
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"payload": {"prompt": "Hero"}}, "/type"),
        ({"type": "DownloadRequestedEvent", "payload": {"prompt": "Hero"}}, "/type"),
        ({"type": None, "payload": {"prompt": "Hero"}}, "/type"),
        ({"type": IMAGE}, "/payload"),
        ({"type": IMAGE, "payload": None}, "/payload"),
        ({"type": IMAGE, "payload": []}, "/payload"),
        ({"type": IMAGE, "payload": {}}, "/payload/prompt"),
        (event({"prompt": ""}), "/payload/prompt"),
        (event({"prompt": "x" * 4001}), "/payload/prompt"),
        (event({"prompt": 7}), "/payload/prompt"),
        (event({"correlationId": {}}), "/payload/correlationId"),
        (event({"correlationId": "x" * 201}), "/payload/correlationId"),
        (event(correlationId=[]), "/correlationId"),
        (event(id="x" * 201), "/id"),
        (event({"domain": "not a site"}), "/payload/domain"),
        (event({"outputPath": 7}), "/payload/outputPath"),
        (event({"outputPath": "con.png"}), "/payload/outputPath"),
        (event({"fileName": "con.png"}), "/payload/fileName"),
        (event({"imagePath": "a<b.png"}), "/payload/imagePath"),
        (event({"fileName": "x" * 501}), "/payload/fileName"),
        (event({"downloadFolder": "a/nul/b"}), "/payload/downloadFolder"),
    ],
)
def test_what_cannot_be_queued_is_refused_at_its_field(
    client: FlaskClient, engine: Engine, body: dict[str, Any], pointer: str
) -> None:
    with unchanged(engine):
        response = client.post("/events", json=body)
    assert pointers(problem(response, 422)) == [pointer]


@on_one_database
def test_only_json_objects_are_taken(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        problem(client.post("/events", json=[event()]), 422)
        problem(client.post("/events", data="x", content_type="text/plain"), 415)
        problem(client.post("/events", data="{", content_type="application/json"), 400)
        problem(client.get("/events"), 405)


# Stranger


@on_one_database
def test_a_foreign_page_cannot_queue(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        problem(client.post("/events", json=event(), headers={"Origin": FOREIGN_ORIGIN}), 403)
        problem(client.post("/events", json=event(), headers={"Origin": "null"}), 403)
