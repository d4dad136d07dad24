"""What a person does to many panels of a comic at once, without JavaScript."""

import re

import pytest
from flask.testing import FlaskClient

from ..conftest import FrozenClock
from .pages import fields, poll, press, progress, queue, report, rows, show, wire, words


def fail(client: FlaskClient, clock: FrozenClock, count: int = 1) -> None:
    """Let all attempts at the first panels that are handed out fail."""
    for _ in range(3):
        for receipt in poll(client, limit=count):
            report(client, receipt, "failed")
        clock.advance(1000)


def offered(client: FlaskClient, comic: int, query: str = "", group: str = "matching") -> str:
    """What can be done to all that match, or to what is selected."""
    html = show(client, f"/admin/comics/{comic}{query}")
    found = re.search(rf'<section class="bulk" data-bulk="{group}".*?</section>', html, re.DOTALL)
    return words(found[0]) if found else ""


def ids(client: FlaskClient, comic: int) -> dict[int, int]:
    """The tasks of a comic by the numbers of their panels."""
    return {task["number"]: int(task["id"]) for task in wire(client, "/tasks", comic=comic)["tasks"]}


def statuses(client: FlaskClient, comic: int) -> list[str]:
    """The statuses of a comic's panels."""
    found = {task["number"]: task["status"] for task in wire(client, "/tasks", comic=comic)["tasks"]}
    return [found[number] for number in sorted(found)]


def said(client: FlaskClient, comic: int) -> str:
    """What the page says of what was done."""
    found = re.search(
        r'<p class="notice (?:good|wrong)" role="status">(.*?)</p>', show(client, f"/admin/comics/{comic}")
    )
    return words(found[1]) if found else ""


def test_a_status_that_is_none_does_not_mean_all(client: FlaskClient) -> None:
    comic = queue(client)
    token = fields(show(client, f"/admin/comics/{comic}"))["csrf_token"]
    address = f"/admin/comics/{comic}/panels/cancel?which=matching&status="
    assert client.post(f"{address}faild", data={"csrf_token": token}).status_code == 400
    assert set(statuses(client, comic)) == {"queued"}


# ---- what is offered


def test_only_what_makes_sense_is_offered_with_the_count(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client, prompts=[f"Prompt {n}" for n in range(1, 7)])
    assert offered(client, comic) == "Find and replace in 6 prompts"
    fail(client, clock, 2)
    assert offered(client, comic) == "Retry 2 failed Find and replace in 6 prompts"
    assert offered(client, comic, "?status=failed") == "Retry 2 failed Find and replace in 2 prompts"
    assert offered(client, comic, "?status=completed") == ""
    queued = offered(client, comic, "?status=queued")
    for one in ("Cancel 4…", "4 panels will not be drawn.", "Move 4 queued…", "Find and replace in 4 prompts"):
        assert one in queued
    assert "Retry" not in queued
    assert offered(client, comic, "?q=Prompt+1").startswith("Retry 1 failed Find and replace")
    assert "Cancel 1…" in offered(client, comic, "?q=Prompt+5")


def test_for_a_selection_only_what_fits_the_panels_of_the_page_is_offered(
    client: FlaskClient, clock: FrozenClock
) -> None:
    comic = queue(client)
    assert "Retry selected" not in offered(client, comic, group="selected")
    fail(client, clock)
    assert "Retry selected" in offered(client, comic, group="selected")
    assert "Cancel selected…" not in offered(client, comic, "?status=failed", "selected")


# ---- retry


def test_all_that_failed_or_was_cancelled_is_retried(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    press(client, comic, "cancel")
    press(client, comic, "retry-1")
    fail(client, clock)
    assert "Retry 1 failed and 2 cancelled" in offered(client, comic)

    press(client, comic, "retry-all")

    now = progress(client, comic)
    assert (now["status"], now["queued"]) == ("active", 3)
    assert said(client, comic) == "3 panels queued again."
    assert "Retry" not in offered(client, comic)


def test_only_what_matches_the_filter_is_retried(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    fail(client, clock, 3)
    response = press(client, comic, "retry-all", "?status=failed&q=echoes")
    assert response.location == f"/admin/comics/{comic}?status=failed&q=echoes"
    assert statuses(client, comic) == ["failed", "queued", "failed"]


def test_what_is_picked_is_retried_and_the_rest_is_counted(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    fail(client, clock, 2)
    press(client, comic, "retry-selected", picked=[*ids(client, comic).values()])
    assert statuses(client, comic) == ["queued", "queued", "queued"]
    assert said(client, comic) == "2 panels queued again; 1 was not failed any more."


def test_one_panel_is_retried_alone(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    fail(client, clock, 2)

    response = press(client, comic, "retry-2", "?status=failed")

    assert response.location == f"/admin/comics/{comic}?status=failed"
    assert said(client, comic) == "Panel 2 is queued again."
    assert [row.split()[0] for row in rows(show(client, f"/admin/comics/{comic}?status=failed"))] == ["1"]


def test_fewer_than_the_button_said_are_told(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    fail(client, clock, 2)
    html = show(client, f"/admin/comics/{comic}")
    press(client, comic, "retry-1")
    address = re.search(r'formaction="([^"]*)" id="retry-all"', html)
    assert address
    client.post(address[1].replace("&amp;", "&"), data={"csrf_token": fields(html)["csrf_token"]})
    assert "1 panel queued again; 1 was not failed any more." in words(show(client, f"/admin/comics/{comic}"))


# ---- cancel and move


def test_what_is_picked_is_cancelled(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    receipt = poll(client, limit=1)[0]
    tasks = ids(client, comic)
    press(client, comic, "cancel-selected", picked=[tasks[1], tasks[3]])
    assert statuses(client, comic) == ["cancelled", "queued", "cancelled"]
    assert said(client, comic) == "2 panels cancelled."
    late = client.patch(f"/tasks/{receipt}", json={"status": "running"}, headers={"X-Worker-Id": "studio"})
    assert late.get_json()["directive"] == "stop"


def test_all_that_match_are_cancelled_after_a_question(client: FlaskClient) -> None:
    comic = queue(client)
    html = show(client, f"/admin/comics/{comic}?status=queued")
    questions = re.findall(r'<details class="confirm">(.*?)</details>', html, re.DOTALL)
    assert any('id="cancel-matching"' in one and "3 panels will not be drawn" in one for one in questions)
    press(client, comic, "cancel-matching", "?status=queued")
    assert progress(client, comic)["status"] == "finished"
    assert said(client, comic) == "3 panels cancelled."


@pytest.mark.parametrize(
    ("button", "typed", "then", "words_said"),
    [
        ("top-selected", {}, [3, 1, 2], "1 panel moved to the top."),
        ("bottom-matching", {}, [2, 3, 1], "1 panel moved to the bottom."),
        ("to-place-selected", {"place-selected": " 2 "}, [1, 3, 2], "1 panel moved to place 2."),
        ("to-place-matching", {"place-matching": "3"}, [2, 3, 1], "1 panel moved to place 3."),
        ("to-place-selected", {"place-selected": "x"}, [1, 2, 3], "Give the place as a whole number, such as 10."),
        ("to-place-selected", {"place-matching": "1"}, [1, 2, 3], "Give the place as a whole number, such as 10."),
        ("to-place-selected", {"place-selected": "0"}, [1, 2, 3], "Panels cannot be moved there. Must be a number"),
    ],
)
def test_panels_are_moved(
    client: FlaskClient, button: str, typed: dict[str, str], then: list[int], words_said: str
) -> None:
    comic = queue(client)
    press(client, comic, button, "?q=hero", picked=[ids(client, comic)[3]], **typed)
    assert said(client, comic).startswith(words_said)
    order = rows(show(client, f"/admin/comics/{comic}?sort=order"))
    assert [int(row.split()[0]) for row in order] == then


# ---- nonsense


@pytest.mark.parametrize("task", ["", "all", "1.1", "-1", "9" * 30])
def test_nonsense_is_done_to_nothing(client: FlaskClient, task: str) -> None:
    comic = queue(client)
    press(client, comic, "cancel")
    token = fields(show(client, f"/admin/comics/{comic}"))["csrf_token"]

    for path in ("retry?which=selected", "panels/cancel?which=selected", "panels/move?which=selected&to=top"):
        response = client.post(f"/admin/comics/{comic}/{path}", data={"csrf_token": token, "task": task})
        assert response.status_code == 400
    assert progress(client, comic)["cancelled"] == 3


@pytest.mark.parametrize("which", ["", "?which=", "?which=all"])
def test_what_it_is_about_has_to_be_said(client: FlaskClient, which: str) -> None:
    comic = queue(client)
    token = fields(show(client, f"/admin/comics/{comic}"))["csrf_token"]
    for path in ("retry", "panels/cancel", "panels/move"):
        assert client.post(f"/admin/comics/{comic}/{path}{which}", data={"csrf_token": token}).status_code == 400
    assert progress(client, comic)["queued"] == 3


def test_nothing_selected_is_said(client: FlaskClient) -> None:
    comic = queue(client)
    press(client, comic, "cancel-selected")
    assert said(client, comic) == "No panel was selected."
    assert progress(client, comic)["queued"] == 3


def test_a_panel_of_another_comic_is_left_alone(client: FlaskClient) -> None:
    first, second = queue(client), queue(client)
    press(client, first, "cancel")
    press(client, second, "cancel-selected", picked=[ids(client, first)[1]])
    token = fields(show(client, f"/admin/comics/{second}"))["csrf_token"]

    client.post(
        f"/admin/comics/{second}/retry?which=selected", data={"csrf_token": token, "task": str(ids(client, first)[1])}
    )

    assert "No panel was queued again; 1 was not failed any more." in said(client, second)
    assert progress(client, first)["cancelled"] == 3
