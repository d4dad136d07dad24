"""POST /tasks: one picture, in the standing comic of its site."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from .conftest import (
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
    rows,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")


def create(client: FlaskClient, key: str | None = None, **fields: Any) -> Any:
    """Queue one picture, and give its task."""
    headers = {"Idempotency-Key": key} if key else {}
    response = client.post("/tasks", json={"prompt": "Hero", **fields}, headers=headers)
    assert response.status_code == 201, response.text
    return response.json


# Works


def test_one_picture_is_queued_and_answered_as_a_task(client: FlaskClient) -> None:
    response = client.post(
        "/tasks",
        json={
            "prompt": "Hero enters cave",
            "style": "noir",
            "outputPath": "hero.png",
            "downloadFolder": "heroes/1",
            "correlationId": "c-1",
            "domain": "Site.Example",
        },
    )
    assert response.status_code == 201
    assert response.headers["Location"] == "/tasks/1"
    task: Any = response.json
    assert set(task) == TASK_KEYS
    comic = show(client, f"/comics/{task['batchId']}")
    assert (comic["title"], comic["domain"]) == ("Single pictures", "site.example")
    expected = {
        "id": "1",
        "status": "queued",
        "prompt": "Hero enters cave",
        "style": "noir",
        "correlationId": "c-1",
        "outputPath": "hero.png",
        "downloadFolder": "heroes/1",
        "domain": "site.example",
        "createdAt": moment(),
        "leasedUntil": None,
        "worker": None,
    }
    assert {name: task[name] for name in expected} == expected
    assert show(client, "/tasks/1") == task


def test_a_prompt_is_enough(client: FlaskClient) -> None:
    task = create(client)
    assert (task["domain"], task["style"], task["correlationId"]) == ("chatgpt.com", None, None)
    assert task["outputPath"]
    assert task["downloadFolder"]


def test_pictures_of_one_site_share_one_standing_comic(client: FlaskClient) -> None:
    first, second = create(client), create(client)
    other = create(client, domain="other.example")
    assert first["batchId"] == second["batchId"] != other["batchId"]
    assert first["outputPath"] != second["outputPath"]
    assert show(client, f"/comics/{first['batchId']}")["progress"]["total"] == 2


def test_a_comic_of_that_title_is_not_the_standing_one(client: FlaskClient) -> None:
    comic = queue(client, title="Single pictures")
    assert create(client)["batchId"] != comic["id"]


def test_the_picture_is_handed_out_and_drawn_like_any_other(client: FlaskClient) -> None:
    create(client, style="noir")
    [hand_out] = poll(client)
    assert receipts([hand_out]) == ["1.1"]
    assert hand_out["payload"]["title"] == "Single pictures"
    assert hand_out["payload"]["panels"][0]["prompt"] == "Hero, noir"
    report(client, "1.1", "completed")
    assert event_types(client, "1") == ["queued", "handed_out", "completed"]


def test_a_finished_standing_comic_becomes_active_again(client: FlaskClient) -> None:
    comic = create(client)["batchId"]
    poll(client)
    report(client, "1.1", "completed")
    assert show(client, f"/comics/{comic}")["status"] == "finished"
    assert create(client)["batchId"] == comic
    assert show(client, f"/comics/{comic}")["status"] == "active"


def test_a_cancelled_standing_comic_becomes_active_again_but_only_with_the_new_picture(client: FlaskClient) -> None:
    comic = create(client)["batchId"]
    client.patch(f"/comics/{comic}", json={"status": "cancelled"})
    create(client)
    assert show(client, f"/comics/{comic}")["status"] == "active"
    assert receipts(poll(client)) == ["2.1"]


def test_a_paused_standing_comic_stays_paused(client: FlaskClient) -> None:
    comic = create(client)["batchId"]
    client.patch(f"/comics/{comic}", json={"status": "paused"})
    create(client)
    assert show(client, f"/comics/{comic}")["status"] == "paused"
    assert poll(client) == []


def test_a_prompt_of_4000_characters_is_taken(client: FlaskClient) -> None:
    assert create(client, prompt="ü" * 4000)["prompt"] == "ü" * 4000


def test_null_is_the_same_as_absent(client: FlaskClient) -> None:
    names = ("style", "outputPath", "downloadFolder", "correlationId", "domain")
    task = create(client, **dict.fromkeys(names))
    assert (task["style"], task["correlationId"], task["domain"]) == (None, None, "chatgpt.com")


# Repeated


def test_an_open_correlation_id_again_is_answered_with_the_existing_task(client: FlaskClient, engine: Engine) -> None:
    first = create(client, correlationId="c-1")
    with unchanged(engine):
        response = client.post("/tasks", json={"prompt": "Another", "correlationId": "c-1"})
    assert response.status_code == 200
    assert response.json == first


def test_an_open_correlation_id_of_a_comics_panel_counts_too(client: FlaskClient) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    response = client.post("/tasks", json={"prompt": "Hero", "correlationId": "c-1"})
    answer: Any = response.json
    assert answer["id"] == "1"


def test_a_correlation_id_may_be_used_again_when_its_task_is_over(client: FlaskClient) -> None:
    create(client, correlationId="c-1")
    poll(client)
    report(client, "1.1", "completed")
    assert create(client, correlationId="c-1")["id"] == "2"


def test_the_same_key_with_the_same_body_makes_one_task(client: FlaskClient, engine: Engine) -> None:
    first = create(client, "key-1")
    with unchanged(engine):
        assert create(client, "key-1") == first
    assert create(client, "key-2")["id"] != first["id"]


def test_the_same_key_still_answers_when_the_task_is_over(client: FlaskClient, engine: Engine) -> None:
    first = create(client, "key-1", correlationId="c-1")
    poll(client)
    report(client, "1.1", "completed")
    with unchanged(engine):
        again = create(client, "key-1", correlationId="c-1")
    assert (again["id"], again["status"]) == (first["id"], "completed")


def test_the_same_key_with_another_body_is_refused(client: FlaskClient, engine: Engine) -> None:
    create(client, "key-1")
    with unchanged(engine):
        response = client.post("/tasks", json={"prompt": "Another"}, headers={"Idempotency-Key": "key-1"})
    problem(response, 422)


def test_the_same_key_for_another_endpoint_is_refused(client: FlaskClient, engine: Engine) -> None:
    create(client, "key-1")
    headers = {"Idempotency-Key": "key-1"}
    with unchanged(engine):
        problem(client.post("/comics", json={"title": "x", "prompts": ["y"]}, headers=headers), 422)


def test_a_key_of_a_refused_request_may_be_used_again(client: FlaskClient, engine: Engine) -> None:
    headers = {"Idempotency-Key": "key-1"}
    with unchanged(engine):
        problem(client.post("/tasks", json={"prompt": "Hero", "outputPath": "../x"}, headers=headers), 422)
    assert create(client, "key-1")["id"] == "1"


# Refuses


@on_one_database
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"prompt": None}, "/prompt"),
        ({"prompt": ""}, "/prompt"),
        ({"prompt": "   \n"}, "/prompt"),
        ({"prompt": "x" * 4001}, "/prompt"),
        ({"prompt": 5}, "/prompt"),
        ({"style": "x" * 501}, "/style"),
        ({"outputPath": "../x.png"}, "/outputPath"),
        ({"outputPath": "/etc/passwd"}, "/outputPath"),
        ({"outputPath": "C:\\x.png"}, "/outputPath"),
        ({"outputPath": "x" * 501}, "/outputPath"),
        ({"downloadFolder": "a/../../b"}, "/downloadFolder"),
        ({"downloadFolder": "~/../x"}, "/downloadFolder"),
        ({"correlationId": ""}, "/correlationId"),
        ({"correlationId": "x" * 201}, "/correlationId"),
        ({"correlationId": 1.5}, "/correlationId"),
        ({"domain": "https://chatgpt.com/"}, "/domain"),
        ({"domain": "chat gpt"}, "/domain"),
        ({"number": 4}, "/number"),
        ({"surprise": 1}, "/surprise"),
        ({"title": "x"}, "/title"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"json": 1}, "/json"),
        ({"_schema": 1}, "/_schema"),
    ],
)
def test_what_cannot_be_queued_is_refused_at_its_field(
    client: FlaskClient, engine: Engine, change: dict[str, Any], pointer: str
) -> None:
    with unchanged(engine):
        response = client.post("/tasks", json={"prompt": "Hero", **change})
    assert pointers(problem(response, 422)) == [pointer]


@on_one_database
def test_every_wrong_field_is_named_at_once(client: FlaskClient) -> None:
    response = client.post("/tasks", json={"style": 5, "domain": "?", "surprise": 1})
    assert sorted(pointers(problem(response, 422))) == ["/domain", "/prompt", "/style", "/surprise"]


def test_a_control_character_is_refused_at_its_field(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        assert pointers(problem(client.post("/tasks", json={"prompt": "a\0b"}), 422)) == ["/prompt"]
        assert pointers(problem(client.post("/tasks", json={"prompt": "x", "a/b": "\0"}), 422)) == ["/a~1b"]


def test_a_key_of_200_characters_is_taken_and_a_longer_one_refused(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        response = client.post("/tasks", json={"prompt": "x"}, headers={"Idempotency-Key": "k" * 201})
        problem(response, 422)
    create(client, "k" * 200)
    assert len(rows(engine)["submission"]) == 1


@on_one_database
@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json"]
)
def test_only_json_is_taken(client: FlaskClient, engine: Engine, content_type: str) -> None:
    with unchanged(engine):
        problem(client.post("/tasks", data='{"prompt": "Hero"}', content_type=content_type), 415)


def test_a_charset_beside_the_content_type_is_no_harm(client: FlaskClient) -> None:
    response = client.post("/tasks", data='{"prompt": "ü"}'.encode(), content_type="application/json; charset=utf-8")
    assert response.status_code == 201


# Stranger


@on_one_database
def test_a_foreign_page_cannot_queue(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        problem(client.post("/tasks", json={"prompt": "Hero"}, headers={"Origin": FOREIGN_ORIGIN}), 403)
        problem(client.post("/tasks", json={"prompt": "Hero"}, headers={"Sec-Fetch-Site": "cross-site"}), 403)
