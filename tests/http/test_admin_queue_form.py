"""The form that queues a comic: it keeps what was typed, and says what is wrong beside it."""

import io
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from .pages import fields, send, show, wire, words

FORM = "/admin/comics/new"
LABELS = ["Title", "Prompts", "File", "Style", "Priority", "Parallel", "Site", "Download folder"]


def comics(client: FlaskClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = wire(client, "/comics")["comics"]
    return found


def prompts(client: FlaskClient, comic: str) -> list[str]:
    tasks = wire(client, "/tasks", comic=comic, limit=200)["tasks"]
    return [task["prompt"] for task in sorted(tasks, key=lambda task: int(task["number"]))]


def fill(client: FlaskClient, **given: Any) -> TestResponse:
    """Fill in the form, with good values where nothing else is said, and send it."""
    return send(client, FORM, **{"title": "Cave of Echoes", "prompts": "One\nTwo", **given})


def file(content: bytes, name: str = "prompts.txt") -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), name


def assert_refused(client: FlaskClient, response: TestResponse, name: str, said: str) -> None:
    """Nothing was queued, and the page says why at the top and beside the field."""
    assert response.status_code == 422
    assert comics(client) == []
    beside = re.search(rf'<ul class="errors" id="{name}-errors">(.*?)</ul>', response.text, re.DOTALL)
    assert beside
    assert said in words(beside[1])
    field = re.search(rf'<(?:input|textarea|select)\b[^>]*\bid="{name}"[^>]*>', response.text)
    assert field
    assert 'aria-invalid="true"' in field[0]
    assert re.search(rf'aria-describedby="[^"]*\b{name}-errors\b', field[0])
    assert f'<a href="#{name}">' in response.text


def test_each_field_has_its_label(client: FlaskClient) -> None:
    html = show(client, FORM)

    labels = re.findall(r'<label for="(\w+)">([^<]*)</label>', html)
    assert [label for _, label in labels] == LABELS
    assert all(re.search(rf'\bid="{name}"', html) for name, _ in labels)
    assert "Queue comic</button>" in html


def test_a_comic_is_queued_as_typed(client: FlaskClient) -> None:
    response = fill(
        client,
        prompts="# Chapter one\r\n  Hero enters  \r\n\r\nMonster appears\r\n",
        style="noir",
        priority="high",
        parallel="3",
        site="example.org",
        download_folder="caves/echoes",
    )

    assert response.status_code == 303
    (comic,) = comics(client)
    assert response.location == f"/admin/comics/{comic['id']}"
    assert prompts(client, comic["id"]) == ["Hero enters", "Monster appears"]
    said = {name: comic[name] for name in ("title", "style", "priority", "parallel", "domain", "downloadFolder")}
    assert said == {
        "title": "Cave of Echoes",
        "style": "noir",
        "priority": "high",
        "parallel": 3,
        "domain": "example.org",
        "downloadFolder": "caves/echoes",
    }
    assert "Queued 2 panels." in words(show(client, response.location))


def test_what_is_left_empty_follows_from_the_settings_and_the_title(client: FlaskClient) -> None:
    fill(client, site="", download_folder="", style="")

    (comic,) = comics(client)
    assert (comic["domain"], comic["downloadFolder"], comic["style"]) == ("chatgpt.com", "cave-of-echoes", None)
    assert (comic["priority"], comic["parallel"]) == ("normal", 10)


def test_a_sites_address_is_taken_for_its_name(client: FlaskClient) -> None:
    fill(client, site=" https://ChatGPT.com/g/123 ")

    assert comics(client)[0]["domain"] == "chatgpt.com"


def test_prompts_come_from_a_file(client: FlaskClient) -> None:
    fill(client, prompts="", file=file("\ufeffÜbung\r\n# no\r\nZwei\r\n".encode()))

    assert prompts(client, comics(client)[0]["id"]) == ["Übung", "Zwei"]


def test_a_file_follows_what_was_typed(client: FlaskClient) -> None:
    fill(client, prompts="One\nTwo", file=file(b"Three\nFour"))

    assert prompts(client, comics(client)[0]["id"]) == ["One", "Two", "Three", "Four"]


def test_ten_thousand_panels_are_queued(client: FlaskClient) -> None:
    response = fill(client, prompts="\n".join(f"Panel {n}" for n in range(10_000)))

    assert response.status_code == 303
    assert comics(client)[0]["progress"]["total"] == 10_000


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("title", "   ", "Must have 1 to 200 characters."),
        ("title", "x" * 201, "Must have 1 to 200 characters."),
        ("title", "bell \x07", "Must not contain control characters"),
        ("prompts", " \n# only a comment\n", "Must have 1 to 10,000 panels."),
        ("prompts", "Good\n\n" + "x" * 4001, "Line 3: Must have 1 to 4,000 characters."),
        ("prompts", "Good\nbad \x00 one", "Line 2: Must not contain control characters"),
        ("prompts", "x\n" * 10_001, "Must have 1 to 10,000 panels."),
        ("style", "x" * 501, "Must have 1 to 500 characters."),
        ("style", "a\x00b", "Must not contain control characters"),
        ("priority", "urgent", "Not a valid choice."),
        ("parallel", "0", "Must be a number from 1 to 100."),
        ("parallel", "101", "Must be a number from 1 to 100."),
        ("parallel", "many", "Give a whole number, such as 10."),
        ("parallel", "", "Give a whole number, such as 10."),
        ("parallel", "9" * 5000, "Give a whole number, such as 10."),
        ("site", "not a site", "Must be a site's name, such as chatgpt.com."),
        ("download_folder", "../elsewhere", "Must not contain"),
        ("download_folder", "/etc", "Must be a relative path."),
        ("download_folder", "a\x00b", "Must not contain control characters"),
        ("download_folder", "x" * 501, "Must have 1 to 500 characters."),
    ],
)
def test_what_is_wrong_is_said_beside_the_field(client: FlaskClient, name: str, value: str, said: str) -> None:
    assert_refused(client, fill(client, **{name: value}), name, said)


def test_each_wrong_line_is_named_up_to_a_limit(client: FlaskClient) -> None:
    response = fill(client, prompts="\n".join(["x" * 4001] * 25))

    assert "Line 20:" in response.text
    assert "Line 21:" not in response.text
    assert "And 5 more." in response.text


def test_what_was_typed_is_kept_when_something_is_wrong(client: FlaskClient) -> None:
    typed = {
        "title": "",
        "prompts": "\nOne </textarea><script>alert(1)</script>\n\nTwo",
        "style": '"><b>bold</b>',
        "priority": "low",
        "parallel": "<x>",
        "site": "example.org",
        "download_folder": "some/folder",
    }
    response = fill(client, **typed)

    assert response.status_code == 422
    kept = fields(response.text)
    assert {name: kept[name] for name in typed} == typed
    assert "<script>alert" not in response.text


def test_the_mended_form_queues_the_comic(client: FlaskClient) -> None:
    refused = fill(client, title="", style="noir", file=file(b"Three"))

    mended = client.post(FORM, data={**fields(refused.text), "title": "Mended"})

    assert mended.status_code == 303
    (comic,) = comics(client)
    assert (comic["title"], comic["style"]) == ("Mended", "noir")
    assert prompts(client, comic["id"]) == ["One", "Two", "Three"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "This is not UTF-8 text."),
        ("Füße".encode("latin-1"), "This is not UTF-8 text."),
        ("One\nTwo".encode("utf-16"), "This file is UTF-16."),
        (b"One\x00Two", "This is not a text file."),
    ],
)
def test_a_file_that_is_no_text_is_refused_and_the_rest_kept(client: FlaskClient, content: bytes, said: str) -> None:
    response = fill(client, file=file(content))

    assert_refused(client, response, "file", said)
    assert fields(response.text)["prompts"] == "One\nTwo"


def test_an_empty_file_alone_is_no_comic(client: FlaskClient) -> None:
    assert_refused(client, fill(client, prompts="", file=file(b"")), "prompts", "Must have 1 to 10,000 panels.")


def test_the_same_form_sent_twice_makes_one_comic(client: FlaskClient) -> None:
    form = {**fields(show(client, FORM)), "title": "Once", "prompts": "One"}

    first, second = client.post(FORM, data=form), client.post(FORM, data=form)

    assert first.status_code == second.status_code == 303
    assert first.location == second.location
    assert len(comics(client)) == 1


def test_the_same_form_sent_at_the_same_moment_makes_one_comic(app: Flask, client: FlaskClient) -> None:
    form = {**fields(show(client, FORM)), "title": "Once", "prompts": "\n".join(["One"] * 500)}
    cookie = client.get_cookie("semantest")
    assert cookie

    def press(_: int) -> tuple[int, str]:
        other = app.test_client()
        other.set_cookie("semantest", cookie.value)
        response = other.post(FORM, data=form)
        return response.status_code, response.location

    with ThreadPoolExecutor(4) as pool:
        answers = set(pool.map(press, range(4)))

    assert len(comics(client)) == 1
    assert answers == {(303, f"/admin/comics/{comics(client)[0]['id']}")}


def test_a_used_form_with_another_comic_asks_once_more(client: FlaskClient) -> None:
    form = {**fields(show(client, FORM)), "title": "First", "prompts": "One"}
    client.post(FORM, data=form)

    asked = client.post(FORM, data={**form, "title": "Second"})
    assert asked.status_code == 422
    assert "This form has queued another comic before." in words(asked.text)
    assert len(comics(client)) == 1

    assert client.post(FORM, data=fields(asked.text)).status_code == 303
    assert [comic["title"] for comic in comics(client)] == ["Second", "First"]


@pytest.mark.parametrize("key", ["", "x" * 500, "form-short"])
def test_a_strange_key_is_replaced(client: FlaskClient, key: str) -> None:
    assert fill(client, key=key).status_code == 303
    assert fill(client, key=key).status_code == 303

    assert len(comics(client)) == 2


def test_a_body_that_is_too_large_gets_a_page(client: FlaskClient) -> None:
    response = fill(client, prompts="x" * (17 * 1024 * 1024))

    assert response.status_code == 413
    assert response.mimetype == "text/html"
    assert comics(client) == []


def test_fields_that_are_missing_are_no_error_of_the_server(client: FlaskClient) -> None:
    token = fields(show(client, FORM))["csrf_token"]

    response = client.post(FORM, data={"csrf_token": token})

    assert response.status_code == 422
    assert comics(client) == []
