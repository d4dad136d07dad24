"""The form that queues a comic: it leads to a preview, keeps what was typed, and says what is wrong beside it."""

import io
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from semantest_server.models import Style

from .pages import fields, send, show, wire, words
from .previews import press, preview, queue_by_form

FORM = "/admin/comics/new"
LABELS = [
    "Title", "Prompts", "File", "Style", "Own words for the style", "Priority", "Parallel", "Site", "Download folder",
]  # fmt: skip


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
    assert "Preview</button>" in html


def test_a_comic_is_queued_as_typed_once_its_preview_was_seen(client: FlaskClient) -> None:
    address = preview(
        client,
        prompts="# Chapter: One\r\n  Hero enters  \r\n\r\nMonster appears\r\n",
        style="noir",
        priority="high",
        parallel="3",
        site="example.org",
        download_folder="caves/echoes",
    )
    assert comics(client) == []

    response = press(client, address, value="queue")

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
    queue_by_form(client, prompts="One\nTwo")

    (comic,) = comics(client)
    assert (comic["domain"], comic["downloadFolder"], comic["style"]) == ("chatgpt.com", "cave-of-echoes", None)
    assert (comic["priority"], comic["parallel"]) == ("normal", 10)


def test_what_is_left_empty_is_as_the_file_says(client: FlaskClient) -> None:
    text = '{"title": "From the file", "style": "manga", "priority": "low", "parallel": 4, "prompts": ["Hero"]}'
    queue_by_form(client, title="", file=file(text.encode(), "comic.json"))
    queue_by_form(
        client, title="Typed", style="none", priority="high", parallel="5", file=file(text.encode(), "c.json")
    )

    typed, given = comics(client)
    assert [given[name] for name in ("title", "style", "priority", "parallel")] == ["From the file", "manga", "low", 4]
    assert [typed[name] for name in ("title", "style", "priority", "parallel")] == ["Typed", None, "high", 5]


def test_a_comic_without_a_title_is_called_as_its_file(client: FlaskClient) -> None:
    queue_by_form(client, title="", file=file(b"One", "The long walk.txt"))

    assert comics(client)[0]["title"] == "The long walk"


def test_a_style_may_be_own_words(client: FlaskClient) -> None:
    queue_by_form(client, prompts="One", style=":own", own_style="ink wash")
    queue_by_form(client, prompts="One", own_style="chalk")  # who forgets to choose it meant it

    assert [comic["style"] for comic in comics(client)] == ["chalk", "ink wash"]


def test_a_sites_address_is_taken_for_its_name(client: FlaskClient) -> None:
    queue_by_form(client, prompts="One", site=" https://ChatGPT.com/g/123 ")

    assert comics(client)[0]["domain"] == "chatgpt.com"


def test_prompts_come_from_a_file(client: FlaskClient) -> None:
    queue_by_form(client, file=file("\ufeffÜbung\r\n# no\r\nZwei\r\n".encode()))

    assert prompts(client, comics(client)[0]["id"]) == ["Übung", "Zwei"]


def test_a_file_of_lines_follows_what_was_typed(client: FlaskClient) -> None:
    queue_by_form(client, prompts="One\nTwo", file=file(b"Three\nFour"))

    assert prompts(client, comics(client)[0]["id"]) == ["One", "Two", "Three", "Four"]


def test_csv_that_was_pasted_is_read_as_csv(client: FlaskClient) -> None:
    queue_by_form(client, prompts="prompt;strip\nOne, two;1\nThree;2\n")

    assert prompts(client, comics(client)[0]["id"]) == ["One, two", "Three"]


def test_ten_thousand_panels_are_queued(client: FlaskClient) -> None:
    response = queue_by_form(client, prompts="\n".join(f"Panel {n}" for n in range(10_000)))

    assert response.status_code == 303
    assert comics(client)[0]["progress"]["total"] == 10_000


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("title", "   ", "Must have 1 to 200 characters."),
        ("title", "x" * 201, "Must have 1 to 200 characters."),
        ("title", "bell \x07", "Must not contain control characters"),
        ("prompts", " \n# only a comment\n", "There is no prompt in it."),
        ("prompts", "x\n" * 10_001, "There are 10,001 prompts in it; a comic has at most 10,000."),
        ("prompts", '{"prompts": [}', "Line 1, column 14: A value was expected here"),
        ("prompts", "promt,strip,notes\nx,1,y\n", "Line 1: There is no column prompt."),
        ("own_style", "x" * 501, "Must have 1 to 500 characters."),
        ("own_style", "a\x00b", "Must not contain control characters"),
        ("priority", "hihg", "Must be high, normal or low. Did you mean high?"),
        ("parallel", "0", "Must be a number from 1 to 100."),
        ("parallel", "101", "Must be a number from 1 to 100."),
        ("parallel", "many", "Give a whole number, such as 10."),
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


def test_what_was_typed_is_kept_when_something_is_wrong(client: FlaskClient) -> None:
    typed = {
        "title": "",
        "prompts": "\nOne </textarea><script>alert(1)</script>\n\nTwo",
        "style": ":own",
        "own_style": '"><b>bold</b>',
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


def test_the_mended_form_leads_to_the_preview(client: FlaskClient) -> None:
    refused = fill(client, title="", style="noir", file=file(b"Three"))

    mended = client.post(FORM, data={**fields(refused.text), "title": "Mended"})

    assert mended.status_code == 303
    press(client, mended.location, value="queue")
    (comic,) = comics(client)
    assert (comic["title"], comic["style"]) == ("Mended", "noir")
    assert prompts(client, comic["id"]) == ["One", "Two", "Three"]


def test_a_file_stays_what_it_is_when_the_form_is_mended(client: FlaskClient) -> None:
    refused = fill(client, prompts="", parallel="many", file=file(b"style,prompt,what\nnoir,One,x\n", "a.csv"))

    assert fields(refused.text)["prompts"] == "style,prompt,what\nnoir,One,x\n"
    mended = client.post(FORM, data={**fields(refused.text), "parallel": "3"})
    assert "from a.csv" in words(show(client, mended.location))
    assert "One, noir" in words(show(client, mended.location))


def test_a_table_cannot_follow_what_was_typed(client: FlaskClient) -> None:
    response = fill(client, file=file(b"prompt,strip\nOne,1\n", "a.csv"))

    assert_refused(client, response, "file", "Paste prompts or choose a file, not both")


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
    assert_refused(client, fill(client, prompts="", file=file(b"")), "prompts", "There is no prompt in it.")


def test_the_same_form_sent_twice_makes_one_preview_and_keeps_what_was_mended(client: FlaskClient) -> None:
    form = {**fields(show(client, FORM)), "title": "Once", "prompts": "One"}

    first = client.post(FORM, data=form)
    press(client, first.location, title="Twice")
    second = client.post(FORM, data=form)

    assert first.location == second.location
    assert "Preview of Twice" in words(show(client, second.location))


def test_the_same_form_with_something_else_changes_its_preview(client: FlaskClient) -> None:
    form = {**fields(show(client, FORM)), "title": "Once", "prompts": "One"}

    first = client.post(FORM, data=form)
    second = client.post(FORM, data={**form, "prompts": "Other"})

    assert first.location == second.location
    assert "Other" in words(show(client, second.location))


def test_the_same_form_after_its_comic_was_queued_leads_to_the_comic(client: FlaskClient) -> None:
    form = {**fields(show(client, FORM)), "title": "Once", "prompts": "One"}
    press(client, client.post(FORM, data=form).location, value="queue")

    again = client.post(FORM, data=form)

    assert again.location == f"/admin/comics/{comics(client)[0]['id']}"
    assert len(comics(client)) == 1


def test_a_used_form_with_another_comic_makes_another_preview(client: FlaskClient) -> None:
    form = {**fields(show(client, FORM)), "title": "First", "prompts": "One"}
    press(client, client.post(FORM, data=form).location, value="queue")

    other = client.post(FORM, data={**form, "title": "Second"})
    press(client, other.location, value="queue")

    assert [comic["title"] for comic in comics(client)] == ["Second", "First"]


@pytest.mark.parametrize("key", ["", "x" * 500, "form-short", "G" * 32])
def test_a_strange_key_is_replaced(client: FlaskClient, key: str) -> None:
    first, second = (preview(client, prompts="One", key=key) for _ in range(2))

    assert first != second
    assert key not in first or not key


def test_previews_that_wait_are_listed(client: FlaskClient) -> None:
    address = preview(client, prompts="One\nTwo")

    html = show(client, FORM)

    assert f'<a href="{address}">' in html
    assert "Cave of Echoes 2 rows, just now" in words(html)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"style": "noir", "prompts": "# x\n\nHero\nMonster"}, "Hero, noir, high contrast"),
        ({"style": "noir"}, "Hero enters the cave, noir, high contrast"),
        ({"style": ":own", "own_style": "chalk", "prompts": "Hero"}, "Hero, chalk"),
        ({"style": "none", "prompts": "Hero"}, "Hero"),
        (
            {"style": "noir", "row": "3", "cell-3-style": ":own", "cell-3-own": "ink", "cell-3-prompt": "Cat"},
            "Cat, ink",
        ),
        ({"style": "noir", "row": "3", "cell-3-style": "", "cell-3-prompt": "Cat"}, "Cat, noir, high contrast"),
        ({"style": "noir", "row": "3", "cell-3-style": "none", "cell-3-prompt": "Cat"}, "Cat"),
        ({"prompts": "<b>"}, "&lt;b&gt;"),
    ],
)
def test_the_prompt_that_comes_of_a_style_is_shown_while_it_is_chosen(
    client: FlaskClient, engine: Engine, asked: dict[str, str], said: str
) -> None:
    with Session(engine) as session:
        session.add(Style(name="noir", text="noir, high contrast"))
        session.commit()
    response = client.get(f"{FORM}/composed", query_string=asked)

    assert response.status_code == 200
    assert re.search(rf">{re.escape(said)}[^<]*<", response.text), response.text


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
