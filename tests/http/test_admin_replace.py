"""Find and replace in the prompts of a comic, with a look at every change first."""

import re
from html import unescape

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from ..conftest import FrozenClock
from .pages import fields, poll, press, queue, report, show, wire, words


def preview(client: FlaskClient, comic: int, query: str = "", picked: list[int] | None = None, **typed: str) -> str:
    """Ask what would change, in all that match or in what is picked."""
    which = "matching" if picked is None else "selected"
    token = {"csrf_token": fields(show(client, f"/admin/comics/{comic}/replace{query}"))["csrf_token"]}
    address = f"/admin/comics/{comic}/replace/preview?which={which}&{query.lstrip('?')}"
    response = client.post(address, data={**token, "task": picked or [], **typed})
    assert response.status_code == (200 if typed.get("find", "x") else 422)
    return response.text


def replace(client: FlaskClient, shown: str, **more: str) -> TestResponse:
    """Press the button under what was shown."""
    form = re.search(r'<form method="post" action="([^"]*)" class="replace-now">.*?</form>', shown, re.DOTALL)
    assert form
    action = form[1]
    sent = {name: value for name, value in fields(shown, action).items() if name != "retry"}
    return client.post(unescape(action), data={**sent, **more})


def prompts(client: FlaskClient, comic: int) -> list[str]:
    """The prompts of a comic."""
    found = {task["number"]: task["prompt"] for task in wire(client, "/tasks", comic=comic)["tasks"]}
    return [found[number] for number in sorted(found)]


def test_every_change_is_shown_first_and_then_made(client: FlaskClient) -> None:
    comic = queue(client)
    assert f'href="/admin/comics/{comic}/replace"' in show(client, f"/admin/comics/{comic}")

    shown = preview(client, comic, find="ENTERS the", by="leaves <his>")

    assert "1 prompt would change" in words(shown)
    assert "Hero <del>enters the</del><ins>leaves &lt;his&gt;</ins> cave" in shown
    assert prompts(client, comic)[0] == "Hero enters the cave"
    response = replace(client, shown)
    assert (response.status_code, response.location) == (303, f"/admin/comics/{comic}")
    assert prompts(client, comic) == ["Hero leaves <his> cave", "Echoes answer", "Monster appears"]
    assert "Replaced in 1 prompt." in words(show(client, f"/admin/comics/{comic}"))


def test_case_and_whole_words_can_matter(client: FlaskClient) -> None:
    comic = queue(client, prompts=["a cat", "a Cat", "a catfish"])
    assert "3 prompts would change" in words(preview(client, comic, find="cat", by="dog"))
    assert "2 prompts would change" in words(preview(client, comic, find="cat", by="dog", match_case="y"))
    shown = preview(client, comic, find="cat", by="dog", match_case="y", whole_words="y")
    assert "1 prompt would change" in words(shown)
    replace(client, shown)
    assert prompts(client, comic) == ["a dog", "a Cat", "a catfish"]


def test_only_what_matches_or_was_picked_is_replaced_in(client: FlaskClient) -> None:
    comic = queue(client)
    shown = preview(client, comic, "?q=echoes", find="e", by="_")
    assert "Panel 2" not in words(shown)
    assert "1 prompt would change" in words(shown)
    assert "those that you look at (“echoes”)" in words(shown)
    response = replace(client, shown)
    assert response.location == f"/admin/comics/{comic}?q=echoes"
    ids = {task["number"]: int(task["id"]) for task in wire(client, "/tasks", comic=comic)["tasks"]}
    asked = press(client, comic, "replace-selected", picked=[ids[3]])
    assert asked.status_code == 200
    assert "In the 1 prompt" in words(asked.text)
    replace(client, preview(client, comic, picked=[ids[3]], find="Monster", by="Mouse"))
    assert prompts(client, comic) == ["Hero enters the cave", "_cho_s answ_r", "Mouse appears"]


def test_what_is_drawn_stays_and_failed_ones_may_be_queued_again(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client, prompts=["a cat", "a cat", "a cat"])
    for _ in range(3):
        report(client, poll(client, limit=1)[0], "failed")
        clock.advance(1000)
    report(client, poll(client, limit=1)[0], "completed")

    shown = preview(client, comic, find="cat", by="dog")

    assert "2 prompts would change" in words(shown)
    assert "And queue the 1 failed again" in words(shown)
    replace(client, shown, retry="y")
    assert prompts(client, comic) == ["a dog", "a cat", "a dog"]
    assert wire(client, "/tasks/1")["status"] == "queued"
    assert "Replaced in 2 prompts. 1 panel queued again." in words(show(client, f"/admin/comics/{comic}"))


def test_what_changed_since_it_was_shown_is_left_alone_and_counted(client: FlaskClient) -> None:
    comic = queue(client, prompts=["a cat", "a cat"])
    shown = preview(client, comic, find="cat", by="dog")
    path = f"/admin/comics/{comic}/panels/1"
    client.post(path, data={**fields(show(client, path), path), "prompt": "my cat"})
    replace(client, shown)
    assert prompts(client, comic) == ["my cat", "a dog"]
    said = words(show(client, f"/admin/comics/{comic}"))
    assert "Replaced in 1 prompt. 1 prompt had changed meanwhile, and was left alone." in said


def test_prompts_that_would_be_empty_or_too_long_are_left_out(client: FlaskClient) -> None:
    comic = queue(client, prompts=["cat", "a cat", "cat " * 999])
    shown = preview(client, comic, find="cat", by="c" * 1000)
    assert "1 prompt cannot be changed so" in words(shown)
    assert "Panel 3: Must have 1 to 4,000 characters." in words(shown)
    shown = preview(client, comic, find="cat", by="")
    assert "Panel 1: Must have 1 to 4,000 characters." in words(shown)
    replace(client, shown)
    assert prompts(client, comic)[:2] == ["cat", "a "]


def test_at_most_100_changes_are_shown_of_all_that_are_made(client: FlaskClient) -> None:
    comic = queue(client, prompts=[f"a cat {number}" for number in range(150)])
    shown = preview(client, comic, find="cat", by="dog")
    assert "Replace in 150 prompts" in words(shown)
    assert shown.count("<del>") == 100
    replace(client, shown)
    assert len(wire(client, "/tasks", comic=comic, limit=200)["tasks"]) == 150
    assert "Replaced in 150 prompts." in words(show(client, f"/admin/comics/{comic}"))


def test_what_to_find_has_to_be_said_and_what_was_typed_is_kept(client: FlaskClient) -> None:
    comic = queue(client)
    html = preview(client, comic, find="", by="dog")
    assert "Say what to find." in words(html)
    assert 'value="dog"' in html
    assert "“ dragon ” is in none of these prompts." in words(preview(client, comic, find="dragon", by="cat"))


@pytest.mark.parametrize("seen", ["", "x", "1", "1-", "x-y", "99-3fa94b01", "9" * 40 + "-3fa94b01", "1-3fa94b01 ²-1"])
def test_nonsense_changes_nothing(client: FlaskClient, seen: str) -> None:
    comic = queue(client)
    token = fields(show(client, f"/admin/comics/{comic}/replace"))["csrf_token"]
    sent = {"csrf_token": token, "find": "Hero", "by": "Cat", "seen": seen}
    assert client.post(f"/admin/comics/{comic}/replace", data=sent).status_code == 303
    assert prompts(client, comic)[0] == "Hero enters the cave"
    assert client.post(f"/admin/comics/{comic}/replace", data={"csrf_token": token}).status_code == 422
    assert client.get("/admin/comics/99/replace").status_code == 404


def test_more_is_named_than_a_statement_holds_and_only_what_was_shown_is_changed(client: FlaskClient) -> None:
    comic = queue(client)
    form = fields(preview(client, comic, find="Hero", by="Cat"), f"/admin/comics/{comic}/replace")
    seen = " ".join([form["seen"], *(f"{number}-3fa94b01" for number in range(100, 300_000))])
    sent = {"csrf_token": form["csrf_token"], "find": "Hero", "by": "Cat", "seen": seen}
    assert client.post(f"/admin/comics/{comic}/replace", data=sent).status_code == 303
    assert prompts(client, comic)[0] == "Cat enters the cave"
