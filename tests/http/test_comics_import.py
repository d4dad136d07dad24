"""POST /comics/import: a comic from lines, CSV or JSON, or what would become of it."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from .conftest import COMIC_KEYS, FOREIGN_ORIGIN, on_one_database, pointers, problem, show, unchanged

PATH = "/comics/import"
CSV = "prompt,chapter,strip,speech\nHero enters,One,1,Who?\nMonster appears,One,2,\n"
ROW_KEYS = {
    "place", "number", "chapter", "strip", "prompt", "finalPrompt", "style", "caption", "speech", "notes",
    "outputPath", "downloadFolder", "correlationId",
}  # fmt: skip


def send(client: FlaskClient, body: Any, media_type: str = "text/csv", **query: Any) -> TestResponse:
    """Send a file with the options of its comic."""
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = query.pop("headers", {})
    return client.post(PATH, data=data, content_type=media_type, query_string=query, headers=headers)


def tasks(client: FlaskClient, comic: str) -> list[Any]:
    return sorted(show(client, f"/tasks?comic={comic}&limit=200")["tasks"], key=lambda task: int(task["number"]))


def messages(found: Any) -> list[str]:
    return [error["message"] for error in found["errors"]]


# Works


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (CSV, "text/csv"),
        (CSV, "text/csv; charset=utf-8"),
        ("# Chapter: One\nHero enters\n\nMonster appears\n", "text/plain"),
        (["Hero enters", {"prompt": "Monster appears"}], "application/json"),
        ({"prompts": ["Hero enters", "Monster appears"]}, "application/json"),
    ],
)
def test_a_file_becomes_a_comic(client: FlaskClient, body: Any, media_type: str) -> None:
    response = send(client, body, media_type, title="Cave")
    assert response.status_code == 201, response.text
    comic = response.json
    assert comic is not None
    assert set(comic) == COMIC_KEYS
    assert response.headers["Location"] == f"/comics/{comic['id']}"
    assert [task["prompt"] for task in tasks(client, comic["id"])] == ["Hero enters", "Monster appears"]


def test_options_in_the_address_win_over_those_in_the_file(client: FlaskClient) -> None:
    body = {"title": "Cave", "style": "noir", "priority": "low", "parallel": 3, "panels": ["Hero"]}
    comic = send(client, body, "application/json", title="Echoes", parallel="4", domain="a.example").json
    assert comic is not None
    said = {name: comic[name] for name in ("title", "style", "priority", "parallel", "domain", "downloadFolder")}
    assert said == {
        "title": "Echoes", "style": "noir", "priority": "low", "parallel": 4, "domain": "a.example",
        "downloadFolder": "echoes",
    }  # fmt: skip


def test_what_a_body_of_post_comics_is_can_be_imported_too(client: FlaskClient) -> None:
    body = {"title": "Cave", "panels": [{"prompt": "Hero", "number": 46, "outputPath": "a/b.png", "notes": "x"}]}
    comic = send(client, body, "application/json").json
    assert comic is not None
    (task,) = tasks(client, comic["id"])
    assert (task["number"], task["outputPath"]) == (46, "a/b.png")


# Only tried


def test_a_dry_run_tells_what_would_be_queued_and_queues_nothing(client: FlaskClient, engine: Engine) -> None:
    body = "prompt,style,filename,priority\nHero enters,nior,/x/a.png,high\n,,,hihg\n"
    with unchanged(engine):
        response = send(client, body, title="Cave", style="manga", dryRun="true")
    assert response.status_code == 200, response.text
    found = response.json
    assert found is not None
    assert (found["title"], found["style"], found["priority"]) == ("Cave", "manga", "high")
    first, second = found["rows"]
    assert set(first) == ROW_KEYS
    assert (first["place"], first["number"], first["outputPath"]) == (2, 1, "x/a.png")
    assert (first["finalPrompt"], second["finalPrompt"]) == ("Hero enters, nior", "")
    assert found["errors"] == [
        {
            "pointer": "/rows/1/priority",
            "message": "Line 3, column priority: Must be high, normal or low. Did you mean high?",
        },
        {"pointer": "/rows/1/prompt", "message": "Line 3, column prompt: Must have 1 to 4,000 characters."},
    ]
    assert [warning["pointer"] for warning in found["warnings"]] == ["/rows/0/filename", "/rows/0/style"]


def test_a_dry_run_of_a_comic_that_is_queued_tells_of_the_same_prompts_and_ids(client: FlaskClient) -> None:
    body = "prompt,id\nHero enters,a\n"
    assert send(client, body, title="Cave").status_code == 201
    found = send(client, body, title="Cave", dryRun="true").json
    assert found is not None
    assert messages(found) == ["Line 2, column id: A task that is not finished yet has this id."]
    assert found["warnings"][0]["message"] == ("Line 2, column prompt: The same prompt as panel 1 of Cave (comic 1).")


# Repeated


def test_the_same_key_again_answers_with_the_same_comic(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "k"}
    body = "prompt,id\nHero,a\nMonster,b\n"
    first, second = (send(client, body, title="Cave", headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.headers["Location"] == second.headers["Location"]
    assert len(show(client, "/comics")["comics"]) == 1


@pytest.mark.parametrize(("body", "title"), [("prompt\nHero\n", "Echoes"), ("prompt\nMonster\n", "Cave")])
def test_the_same_key_for_something_else_is_refused(client: FlaskClient, body: str, title: str) -> None:
    key = {"Idempotency-Key": "k"}
    send(client, "prompt\nHero\n", title="Cave", headers=key)
    problem(send(client, body, title=title, headers=key), 422)


# Refused


@on_one_database
def test_all_or_nothing_is_queued_and_every_error_is_named(client: FlaskClient, engine: Engine) -> None:
    body = "prompt,priority,panel\nHero,high,1\nMonster,hihg,1\n,low,x\n"
    with unchanged(engine):
        found = problem(send(client, body, title="Cave"), 422)
    assert pointers(found) == [
        "/rows/1/priority",
        "/rows/1/panel",
        "/rows/2/priority",
        "/rows/2/panel",
        "/rows/2/prompt",
    ]
    assert messages(found)[1] == "Line 3, column panel: Panel number 1 is taken by line 2."


@on_one_database
@pytest.mark.parametrize(
    ("body", "media_type", "said"),
    [
        ("", "text/csv", "There is no prompt in it."),
        ("prompt\n" + "x\n" * 11_000, "text/csv", "There are 11,000 prompts in it; a comic has at most 10,000."),
        ("a,b\nc,d\n", "text/csv", "Line 1: The first line must name the columns, such as: prompt,chapter,strip."),
        ('{"prompts": [}', "application/json", "Line 1, column 14: A value was expected here"),
        ("Füße".encode("latin-1"), "text/plain", "Line 1: This is not UTF-8 text."),
        ("Hero".encode("utf-16"), "text/plain", "This file is UTF-16."),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error(
    client: FlaskClient, engine: Engine, body: Any, media_type: str, said: str
) -> None:
    with unchanged(engine):
        found = problem(send(client, body, media_type, title="Cave"), 422)
    assert len(found["errors"]) == 1
    assert messages(found)[0].startswith(said)


@on_one_database
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({}, "/title"),
        ({"title": "x", "parallel": "0"}, "/parallel"),
        ({"title": "x", "priority": "urgent"}, "/priority"),
        ({"title": "x", "domain": "no site"}, "/domain"),
        ({"title": "x", "downloadFolder": "../up"}, "/downloadFolder"),
        ({"title": "x", "style": "x" * 501}, "/style"),
        ({"title": "x", "titel": "y"}, "/titel"),
        ({"title": "x", "dryRun": "perhaps"}, "/dryRun"),
    ],
)
def test_a_wrong_option_is_refused(client: FlaskClient, engine: Engine, query: dict[str, str], pointer: str) -> None:
    with unchanged(engine):
        assert pointers(problem(send(client, CSV, **query), 422)) == [pointer]


@on_one_database
@pytest.mark.parametrize("media_type", ["text/html", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_other_content_is_refused(client: FlaskClient, engine: Engine, media_type: str) -> None:
    with unchanged(engine):
        problem(send(client, CSV, media_type, title="Cave"), 415)


@on_one_database
def test_a_body_that_is_too_large_is_refused(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        problem(send(client, b"x" * (17 * 1024 * 1024), title="Cave"), 413)


# Stranger


@on_one_database
@pytest.mark.parametrize("media_type", ["text/plain", "text/csv", "application/json"])
def test_a_foreign_page_cannot_import(client: FlaskClient, engine: Engine, media_type: str) -> None:
    with unchanged(engine):
        problem(send(client, "Hero", media_type, title="x", headers={"Origin": FOREIGN_ORIGIN}), 403)
