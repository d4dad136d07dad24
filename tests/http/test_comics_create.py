"""POST /comics: a comic with all its panels, or none of them."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from semantest_server.models import Task

from .conftest import (
    COMIC_KEYS,
    EXTENSION_ORIGIN,
    FOREIGN_ORIGIN,
    PROGRESS_KEYS,
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

SMALL = {"title": "Cave", "prompts": ["Hero"]}


# Works


def test_a_comic_is_created_and_answered_in_exactly_the_documented_shape(client: FlaskClient) -> None:
    response = client.post(
        "/comics",
        json={
            "title": "Cave of Echoes",
            "panels": [{"prompt": "Hero"}, {"prompt": "Bats"}],
            "style": "noir",
            "priority": "high",
            "parallel": 3,
            "domain": "Site.Example",
            "downloadFolder": "comics/cave",
        },
    )
    assert response.status_code == 201
    assert response.headers["Location"] == "/comics/1"
    assert response.json == {
        "id": "1",
        "title": "Cave of Echoes",
        "status": "active",
        "style": "noir",
        "priority": "high",
        "parallel": 3,
        "domain": "site.example",
        "downloadFolder": "comics/cave",
        "createdAt": moment(),
        "updatedAt": moment(),
        "progress": {
            "total": 2,
            "queued": 2,
            "running": 0,
            "completed": 0,
            "failed": 0,
            "cancelled": 0,
            "current": None,
            "eta": None,
            "etaSeconds": None,
            "blocked": {"reason": "no_worker", "domain": None, "until": None},
        },
    }
    assert show(client, "/comics/1") == response.json


def test_a_title_and_a_prompt_are_enough(client: FlaskClient) -> None:
    comic: Any = client.post("/comics", json=SMALL).json
    assert set(comic) == COMIC_KEYS
    assert set(comic["progress"]) == PROGRESS_KEYS
    assert (comic["priority"], comic["parallel"], comic["domain"]) == ("normal", 10, "chatgpt.com")
    assert (comic["style"], comic["downloadFolder"]) == (None, "cave")


def test_prompts_are_the_short_form_of_panels(client: FlaskClient) -> None:
    client.post("/comics", json={"title": "Cave", "prompts": ["Hero", "Bats"]})
    tasks = show(client, "/tasks")["tasks"]
    assert sorted((task["number"], task["prompt"], task["outputPath"]) for task in tasks) == [
        (1, "Hero", "panel-001.png"),
        (2, "Bats", "panel-002.png"),
    ]


def test_panels_may_have_their_own_number_style_path_folder_and_correlation_id(client: FlaskClient) -> None:
    panel = {
        "prompt": "Hero",
        "number": 46,
        "style": "ink",
        "outputPath": "a/b.png",
        "downloadFolder": "c",
        "correlationId": "c-1",
    }
    queue(client, [panel])
    task = show(client, "/tasks/1")
    assert {name: task[name] for name in panel} == panel


def test_panels_without_a_number_follow_the_one_before(client: FlaskClient) -> None:
    queue(client, [{"prompt": "a"}, {"prompt": "b", "number": 7}, {"prompt": "c"}, {"prompt": "d", "number": 3}])
    tasks = show(client, "/tasks")["tasks"]
    assert sorted((task["prompt"], task["number"]) for task in tasks) == [("a", 1), ("b", 7), ("c", 8), ("d", 3)]


def test_panels_are_handed_out_by_their_numbers(client: FlaskClient) -> None:
    queue(client, [{"prompt": "late", "number": 9}, {"prompt": "early", "number": 2}])
    [hand_out] = poll(client)
    assert [panel["number"] for panel in hand_out["payload"]["panels"]] == [2, 9]


def test_every_panel_has_a_history_that_begins_here(client: FlaskClient) -> None:
    queue(client, 2)
    assert [event_types(client, name) for name in ("1", "2")] == [["queued"], ["queued"]]


def test_spaces_around_words_are_taken_off(client: FlaskClient) -> None:
    comic = queue(client, [{"prompt": "  Hero \n"}], title=" Cave ")
    assert (comic["title"], show(client, "/tasks/1")["prompt"]) == ("Cave", "Hero")


def test_what_people_write_comes_back_as_it_was(client: FlaskClient) -> None:
    text = "Größe “¿?” 漢字 🦇\tand\nlines \\ \"quoted\" 'so' <b>&amp;</b> {{ 7 * 7 }} %s"
    comic = queue(client, [{"prompt": text, "style": text}], title=text, style=text)
    assert (comic["title"], comic["style"]) == (text, text)
    assert show(client, "/tasks/1")["prompt"] == text


def test_10_000_panels_are_taken_and_10_001_refused(client: FlaskClient, engine: Engine) -> None:
    comic = client.post("/comics", json={"title": "Long", "prompts": ["x"] * 10_000})
    assert comic.status_code == 201
    answer: Any = comic.json
    assert answer["progress"]["total"] == 10_000
    found = problem(client.post("/comics", json={"title": "Long", "prompts": ["x"] * 10_001}), 422)
    assert pointers(found) == ["/prompts"]
    found = problem(client.post("/comics", json={"title": "Long", "panels": [{"prompt": "x"}] * 10_001}), 422)
    assert pointers(found) == ["/panels"]
    assert len(show(client, "/comics")["comics"]) == 1


def test_a_prompt_of_4000_characters_is_taken_and_one_of_4001_refused(client: FlaskClient) -> None:
    queue(client, [{"prompt": "ü" * 4000}])
    response = client.post("/comics", json={"title": "x", "panels": [{"prompt": "y"}, {"prompt": "ü" * 4001}]})
    assert pointers(problem(response, 422)) == ["/panels/1/prompt"]


def test_an_extension_may_queue_and_read_where_it_is(client: FlaskClient) -> None:
    response = client.post("/comics", json=SMALL, headers={"Origin": EXTENSION_ORIGIN})
    assert response.status_code == 201
    assert "Location" in response.headers["Access-Control-Expose-Headers"]


# Repeated


def test_the_same_key_with_the_same_body_makes_one_comic(client: FlaskClient, engine: Engine) -> None:
    headers = {"Idempotency-Key": "key-1"}
    first = client.post("/comics", json=SMALL, headers=headers)
    with unchanged(engine):
        again = client.post("/comics", json=SMALL, headers=headers)
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Location"] == first.headers["Location"]


def test_the_same_key_with_another_body_is_refused(client: FlaskClient, engine: Engine) -> None:
    headers = {"Idempotency-Key": "key-1"}
    client.post("/comics", json=SMALL, headers=headers)
    with unchanged(engine):
        problem(client.post("/comics", json={**SMALL, "title": "Other"}, headers=headers), 422)


def test_without_a_key_the_same_body_makes_another_comic(client: FlaskClient) -> None:
    assert [queue(client)["id"], queue(client)["id"]] == ["1", "2"]


def test_an_open_correlation_id_is_refused_at_its_pointer(client: FlaskClient, engine: Engine) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    with unchanged(engine):
        response = client.post(
            "/comics", json={"title": "x", "panels": [{"prompt": "y"}, {"prompt": "z", "correlationId": "c-1"}]}
        )
    assert pointers(problem(response, 422)) == ["/panels/1/correlationId"]


def test_the_same_correlation_id_twice_is_refused_at_the_second(client: FlaskClient, engine: Engine) -> None:
    panels = [{"prompt": "y", "correlationId": "c-1"}, {"prompt": "z", "correlationId": "c-1"}]
    with unchanged(engine):
        response = client.post("/comics", json={"title": "x", "panels": panels})
    assert pointers(problem(response, 422)) == ["/panels/1/correlationId"]


def test_a_correlation_id_may_come_again_when_its_task_is_over(client: FlaskClient) -> None:
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    poll(client)
    report(client, "1.1", "completed")
    queue(client, [{"prompt": "Hero", "correlationId": "c-1"}])
    assert receipts(poll(client)) == ["2.1"]


# Refuses


@on_one_database
@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"title": None}, "/title"),
        ({"title": ""}, "/title"),
        ({"title": " "}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"title": 5}, "/title"),
        ({"prompts": []}, "/prompts"),
        ({"prompts": "Hero"}, "/prompts"),
        ({"prompts": None}, "/prompts"),
        ({"prompts": ["Hero", ""]}, "/prompts/1"),
        ({"prompts": ["Hero", 5]}, "/prompts/1"),
        ({"prompts": ["Hero", None]}, "/prompts/1"),
        ({"panels": [{"prompt": "Hero"}]}, "/panels"),  # beside prompts
        ({"style": "x" * 501}, "/style"),
        ({"priority": "urgent"}, "/priority"),
        ({"priority": 1}, "/priority"),
        ({"parallel": 0}, "/parallel"),
        ({"parallel": 101}, "/parallel"),
        ({"parallel": 2.5}, "/parallel"),
        ({"parallel": True}, "/parallel"),
        ({"parallel": "ten"}, "/parallel"),
        ({"parallel": "١٠"}, "/parallel"),
        ({"domain": "a b"}, "/domain"),
        ({"domain": "x" * 201}, "/domain"),
        ({"downloadFolder": "../x"}, "/downloadFolder"),
        ({"downloadFolder": "/x"}, "/downloadFolder"),
        ({"downloadFolder": ""}, "/downloadFolder"),
        ({"surprise": True}, "/surprise"),
        ({"status": "paused"}, "/status"),
    ],
)
def test_what_cannot_be_queued_is_refused_at_its_field(
    client: FlaskClient, engine: Engine, change: dict[str, Any], pointer: str
) -> None:
    with unchanged(engine):
        response = client.post("/comics", json={**SMALL, **change})
    assert pointers(problem(response, 422)) == [pointer]


@on_one_database
@pytest.mark.parametrize(
    ("panel", "pointer"),
    [
        ({}, "/panels/1/prompt"),
        ("Hero", "/panels/1"),
        (None, "/panels/1"),
        ({"prompt": ""}, "/panels/1/prompt"),
        ({"prompt": "x", "number": 0}, "/panels/1/number"),
        ({"prompt": "x", "number": 1}, "/panels/1/number"),  # taken by the first
        ({"prompt": "x", "number": 2**63}, "/panels/1/number"),
        ({"prompt": "x", "number": "two"}, "/panels/1/number"),
        ({"prompt": "x", "outputPath": "a/../../b"}, "/panels/1/outputPath"),
        ({"prompt": "x", "outputPath": "a\\..\\b"}, "/panels/1/outputPath"),
        ({"prompt": "x", "outputPath": "con.png"}, "/panels/1/outputPath"),
        ({"prompt": "x", "downloadFolder": "C:/x"}, "/panels/1/downloadFolder"),
        ({"prompt": "x", "correlationId": []}, "/panels/1/correlationId"),
        ({"prompt": "x", "promt": "y"}, "/panels/1/promt"),
        ({"prompt": "x", "domain": "a.example"}, "/panels/1/domain"),
    ],
)
def test_a_panel_that_cannot_be_queued_is_refused_at_its_field_and_so_is_the_comic(
    client: FlaskClient, engine: Engine, panel: Any, pointer: str
) -> None:
    with unchanged(engine):
        response = client.post("/comics", json={"title": "x", "panels": [{"prompt": "Hero"}, panel]})
    assert pointers(problem(response, 422)) == [pointer]


@on_one_database
def test_panels_or_prompts_must_be_there(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        assert pointers(problem(client.post("/comics", json={"title": "x"}), 422)) == ["/panels"]


@on_one_database
def test_every_wrong_panel_is_named(client: FlaskClient) -> None:
    panels: list[Any] = [{"prompt": "x"}, {"prompt": ""}, {"number": "a", "prompt": "x"}, 7]
    found = problem(client.post("/comics", json={"title": "x", "panels": panels}), 422)
    assert pointers(found) == ["/panels/1/prompt", "/panels/2/number", "/panels/3"]


@on_one_database
def test_only_json_is_taken(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        problem(client.post("/comics", data='{"title": "x", "prompts": ["y"]}', content_type="text/plain"), 415)
        problem(client.post("/comics", data="title=x&prompts=y"), 415)
        problem(client.post("/comics", data="", content_type="application/json"), 400)


@on_one_database
def test_panels_keep_where_they_stand_and_the_words_that_belong_to_them(client: FlaskClient, engine: Engine) -> None:
    words = {"chapter": "One", "strip": "3", "caption": "Later", "speech": "Who is there?", "notes": "soft light"}
    queue(client, [{"prompt": "Hero", **words}, {"prompt": "Bats", "chapter": None}])
    with Session(engine) as session:
        first, second = session.scalars(select(Task).order_by(Task.number)).all()
    assert {name: getattr(first, name) for name in words} == words
    assert {getattr(second, name) for name in words} == {None}


# Stranger


@on_one_database
def test_a_foreign_page_cannot_queue(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        problem(client.post("/comics", json=SMALL, headers={"Origin": FOREIGN_ORIGIN}), 403)
