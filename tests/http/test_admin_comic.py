"""A comic's page: how far it is, its panels as they are looked at, and pause, resume, cancel."""

import re

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.orm import Session

from semantest_server.models import Task

from ..conftest import FrozenClock
from .pages import fields, link, poll, press, progress, queue, report, rows, send, show, wire, words

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def fail(client: FlaskClient, clock: FrozenClock, number: int = 1, message: str = "refused") -> None:
    """Let all attempts at the first panels that are handed out fail."""
    for _ in range(3):
        for receipt in poll(client, limit=number):
            report(client, receipt, "failed", message=message)
        clock.advance(1000)


def test_the_page_tells_how_far_the_comic_is(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client, style="noir", priority="high", parallel=2)
    first, second = poll(client)
    report(client, first, "completed", imageUrl="https://pictures.example/1.png")
    report(client, second, "running", progress=40, message="Typing")

    html = show(client, f"/admin/comics/{comic}")

    text = words(html)
    for said in ("Cave of Echoes", "active", "High priority", "2 at once", "Style: noir", "1 of 3 panels drawn"):
        assert said in text
    assert "Now drawing — Panel 2: Echoes answer" in text
    drawn, running, queued = rows(html)
    assert drawn == "1 Hero enters the cave completed 1 studio"
    assert running == "2 Echoes answer Typing running 40 % 1 2 left studio –"
    assert queued == "3 Monster appears queued – – –"


def test_a_failed_panel_shows_its_message_and_a_retry(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    fail(client, clock, message="content policy")

    html = show(client, f"/admin/comics/{comic}")

    assert rows(html)[0] == "1 Hero enters the cave content policy failed Retry 3 studio –"
    assert 'aria-label="Retry panel 1"' in html
    assert "Retry 1 failed" in words(html)


def test_panels_can_be_filtered_by_status(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    receipt, *_ = poll(client, limit=2)
    report(client, receipt, "completed")

    def shown(status: str) -> list[str]:
        return [row.split()[0] for row in rows(show(client, f"/admin/comics/{comic}?status={status}"))]

    assert shown("completed") == ["1"]
    assert shown("running") == ["2"]
    assert shown("queued") == ["3"]
    assert shown("failed") == []
    assert shown("nonsense") == ["1", "2", "3"]
    filters = words(show(client, f"/admin/comics/{comic}?status=queued"))
    assert "All 3 Queued 1 Running 1 Completed 1 Failed 0 Cancelled 0" in filters


def test_a_search_looks_everywhere_and_the_chips_count_what_it_finds(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    fail(client, clock, message="ECHO refused")

    html = show(client, f"/admin/comics/{comic}?q=echo")

    assert [row.split()[0] for row in rows(html)] == ["1", "2"]
    assert "All 2 Queued 1 Running 0 Completed 0 Failed 1 Cancelled 0" in words(html)
    assert "2 panels with “ echo ”." in words(html)
    assert '<input type="search" id="q" name="q" value="echo"' in html
    assert [row.split()[0] for row in rows(show(client, f"/admin/comics/{comic}?q=3"))] == ["3"]
    assert "No queued panel has “ dragon ”" in words(show(client, f"/admin/comics/{comic}?q=dragon&status=queued"))


@pytest.mark.parametrize(
    ("sort", "then"),
    [
        ("number", "123"),
        ("-number", "321"),
        ("order", "312"),
        ("-status", "132"),
        ("-changed", "132"),
        ("nonsense", "123"),
    ],
)
def test_panels_come_in_the_order_asked_for(client: FlaskClient, clock: FrozenClock, sort: str, then: str) -> None:
    comic = queue(client)
    receipt = poll(client, limit=1)[0]
    press(client, comic, "top", "/panels/3")
    clock.advance(1)
    report(client, receipt, "completed")
    html = show(client, f"/admin/comics/{comic}?sort={sort}")

    assert "".join(row.split()[0] for row in rows(html)) == then


def test_nonsense_in_the_address_counts_as_not_said(client: FlaskClient) -> None:
    comic = queue(client)
    usual = rows(show(client, f"/admin/comics/{comic}"))
    for nonsense in ("status=x", "q=%20", "sort=--number", "size=7", "size=-1", "page=0", "page=x", "view=x"):
        assert rows(show(client, f"/admin/comics/{comic}?{nonsense}")) == usual, nonsense


def test_everything_in_the_address_is_carried_along(client: FlaskClient) -> None:
    comic = queue(client, prompts=[f"Prompt {n}" for n in range(1, 80)])
    view = "status=queued&q=prompt&sort=-number&size=50&view=grid"
    html = show(client, f"/admin/comics/{comic}?{view}")

    for name in ("next-page", "show-failed", "as-table", "to-panel-79"):
        address = link(html, name)
        kept = [one for one in view.split("&") if one not in ("status=queued", "view=grid")]
        assert all(one in address for one in kept), address
    assert "status=failed" in link(html, "show-failed")
    assert "view=" not in link(html, "as-table")
    assert press(client, comic, "pause", f"?{view}").location == f"/admin/comics/{comic}?{view}"
    form = fields(html, f"/admin/comics/{comic}")
    assert form == {"status": "queued", "view": "grid", "q": "prompt", "sort": "-number", "size": "50"}


def test_panels_are_shown_in_a_grid_too(client: FlaskClient) -> None:
    comic = queue(client)
    report(client, poll(client)[0], "completed", imageUrl="https://pictures.example/1.png")

    html = show(client, f"/admin/comics/{comic}?view=grid")

    assert "<table" not in html
    assert html.count("data-row") == html.count("data-pick ") == 3
    assert 'src="https://pictures.example/1.png"' in html


def test_an_empty_filter_says_so(client: FlaskClient) -> None:
    comic = queue(client)

    assert "There are no failed panels." in words(show(client, f"/admin/comics/{comic}?status=failed"))
    for page in ("2", "9" * 12, "9" * 18):
        html = show(client, f"/admin/comics/{comic}?page={page}")
        assert "There are no more panels." in words(html)
        assert link(html, "first-page") == f"/admin/comics/{comic}"


def test_panels_come_in_pages(client: FlaskClient) -> None:
    comic = queue(client, prompts=[f"Prompt {n}" for n in range(1, 52)])

    first = show(client, f"/admin/comics/{comic}?status=queued")
    assert len(rows(first)) == 25
    assert "Page 1 of 3" in words(first)
    second = show(client, link(first, "next-page"))
    assert len(rows(second)) == 25
    third = show(client, link(second, "next-page"))
    assert rows(third) == ["51 Prompt 51 queued – – –"]
    assert 'id="next-page"' not in third
    assert link(third, "first-page") == f"/admin/comics/{comic}?status=queued"
    assert link(third, "previous-page") == f"/admin/comics/{comic}?status=queued&page=2"
    assert len(rows(show(client, f"/admin/comics/{comic}?size=200"))) == 51


def test_chapter_and_strip_are_shown(client: FlaskClient, session: Session) -> None:
    comic = queue(client)
    session.execute(update(Task).where(Task.number == 1).values(chapter="The cave", strip="Into the dark"))
    session.commit()

    assert rows(show(client, f"/admin/comics/{comic}"))[0].startswith("1 The cave · Into the dark Hero enters")


def test_the_pace_and_the_finish_are_said(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client, prompts=[f"Prompt {n}" for n in range(1, 9)])
    for receipt in poll(client, limit=3):
        clock.advance(90)
        report(client, receipt, "completed")
    poll(client)

    text = words(show(client, f"/admin/comics/{comic}"))

    assert "90 seconds per panel" in text
    assert "8 minutes remaining" in text
    assert "Done about 18:12 UTC" in text


def test_pause_and_resume(client: FlaskClient) -> None:
    comic = queue(client)

    assert press(client, comic, "pause").status_code == 303
    assert progress(client, comic)["status"] == "paused"
    assert poll(client) == []

    assert press(client, comic, "resume").status_code == 303
    assert progress(client, comic)["status"] == "active"
    assert len(poll(client)) == 3


def test_cancelling_asks_first_and_keeps_pictures(client: FlaskClient) -> None:
    comic = queue(client)
    report(client, poll(client)[0], "completed")

    html = show(client, f"/admin/comics/{comic}")
    question = re.search(r'<details class="confirm">(.*?)</details>', html, re.DOTALL)
    assert question
    assert "2 panels will not be drawn." in words(question[1])
    assert 'id="cancel"' in question[1]

    press(client, comic, "cancel")

    now = progress(client, comic)
    assert (now["status"], now["completed"], now["cancelled"]) == ("cancelled", 1, 2)
    html = show(client, f"/admin/comics/{comic}")
    assert 'id="cancel"' not in html
    assert 'id="pause"' not in html


def test_an_action_leads_back_to_the_panels_that_were_looked_at(client: FlaskClient) -> None:
    comic = queue(client)
    html = show(client, f"/admin/comics/{comic}?status=queued&size=50")
    address = re.search(r'formaction="([^"]*)" id="pause"', html)
    assert address

    token = fields(html)["csrf_token"]
    response = client.post(address[1].replace("&amp;", "&"), data={"csrf_token": token, "status": "paused"})

    assert response.location == f"/admin/comics/{comic}?status=queued&size=50"


def test_a_decision_that_came_too_late_is_said_and_changes_nothing(client: FlaskClient) -> None:
    comic = queue(client)
    token = fields(show(client, f"/admin/comics/{comic}"))["csrf_token"]
    press(client, comic, "cancel")

    response = client.post(
        f"/admin/comics/{comic}/status", data={"csrf_token": token, "status": "active"}, follow_redirects=True
    )

    assert "The comic is cancelled" in words(response.text)
    assert progress(client, comic)["status"] == "cancelled"


@pytest.mark.parametrize("status", [None, "finished", "deleted"])
def test_an_unknown_decision_is_refused(client: FlaskClient, status: str | None) -> None:
    comic = queue(client)
    token = fields(show(client, f"/admin/comics/{comic}"))["csrf_token"]

    response = client.post(f"/admin/comics/{comic}/status", data={"csrf_token": token, "status": status or ""})

    assert response.status_code == 400
    assert response.mimetype == "text/html"
    assert progress(client, comic)["status"] == "active"


def test_title_priority_and_parallel_are_changed(client: FlaskClient) -> None:
    comic = queue(client)

    response = send(
        client,
        f"/admin/comics/{comic}/settings",
        f"/admin/comics/{comic}",
        **settings(client, comic, title="A better title", priority="low", parallel="4"),
    )

    assert response.status_code == 303
    found = wire(client, f"/comics/{comic}")
    assert (found["title"], found["priority"], found["parallel"]) == ("A better title", "low", 4)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("title", " ", "Give the comic a title."),
        ("parallel", "0", "Must be a number from 1 to 100."),
        ("parallel", "x", "Give a whole number, such as 10."),
        ("priority", "urgent", "Not a valid choice."),
    ],
)
def test_wrong_settings_are_kept_and_change_nothing(client: FlaskClient, name: str, value: str, said: str) -> None:
    comic = queue(client)
    path = f"/admin/comics/{comic}/settings"

    response = send(client, path, f"/admin/comics/{comic}", **settings(client, comic, **{name: value}))

    assert response.status_code == 422
    assert said in words(response.text)
    assert '<details class="settings" open>' in response.text
    if name != "priority":
        assert fields(response.text, path)[name] == value.strip()
    found = wire(client, f"/comics/{comic}")
    assert (found["title"], found["priority"], found["parallel"]) == ("Cave of Echoes", "normal", 10)


def test_settings_without_their_fields_change_nothing(client: FlaskClient) -> None:
    comic = queue(client)
    token = fields(show(client, f"/admin/comics/{comic}"))["csrf_token"]

    assert client.post(f"/admin/comics/{comic}/settings", data={"csrf_token": token}).status_code == 422


def settings(client: FlaskClient, comic: int, **given: str) -> dict[str, str]:
    """What the form of the comic's settings would send, with some of it changed."""
    path = f"/admin/comics/{comic}/settings"
    return {**fields(show(client, f"/admin/comics/{comic}"), path), **given}


def test_hostile_prompts_and_messages_are_only_text(client: FlaskClient, clock: FrozenClock) -> None:
    hostile = "</td><script>alert(1)</script><img src=x onerror=alert(2)>"
    comic = queue(client, prompts=[hostile, hostile * 10], style=hostile)
    fail(client, clock, number=2, message=hostile)

    html = show(client, f"/admin/comics/{comic}")

    assert "<script>alert" not in html
    assert "<img src=x" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_picture_elsewhere_is_shown_and_leads_to_its_panel(client: FlaskClient) -> None:
    comic = queue(client)
    report(client, poll(client)[0], "completed", imageUrl="https://pictures.example/1.png?a=1&b=2")

    html = show(client, f"/admin/comics/{comic}")

    address = "https://pictures.example/1.png?a=1&amp;b=2"
    image = re.search(rf'<a href="([^"]*)"><img[^>]*src="{re.escape(address)}"[^>]*>', html)
    assert image
    assert image[1] == f"/admin/comics/{comic}/panels/1"
    assert 'referrerpolicy="no-referrer"' in image[0]


@pytest.mark.parametrize("part", ["progress", "panels"])
def test_parts_renew_themselves_only_when_something_changed(client: FlaskClient, part: str) -> None:
    comic = queue(client)
    html = show(client, f"/admin/comics/{comic}?status=queued&size=50")
    address = re.search(rf'hx-get="(/admin/comics/{comic}/{part}\?[^"]*)"', html)
    assert address
    path = address[1].replace("&amp;", "&")
    assert "status=queued" in path
    assert "size=50" in path

    assert client.get(path).status_code == 204
    poll(client, limit=2)
    changed = client.get(path)

    assert changed.status_code == 200
    assert changed.text.lstrip().startswith(f'<section id="comic-{part}"')
    assert "csrf_token" not in changed.text


@pytest.mark.parametrize("comic", ["999", "0", str(2**63 - 1), str(2**63), "9" * 50, "x", "-1"])
def test_an_unknown_comic_is_a_friendly_404(client: FlaskClient, comic: str) -> None:
    for path in (f"/admin/comics/{comic}", f"/admin/comics/{comic}/panels", f"/admin/comics/{comic}/progress"):
        response = client.get(path)
        assert response.status_code == 404
        assert response.mimetype == "text/html"
        assert "To the first page" in response.text


def test_changing_an_unknown_comic_is_a_404(client: FlaskClient) -> None:
    token = fields(show(client, "/admin/comics/new"))["csrf_token"]
    changes: list[dict[str, str]] = [
        {"path": "status", "status": "paused"},
        {"path": "retry?which=selected", "task": "1"},
        {"path": "retry?which=matching"},
        {"path": "panels/cancel?which=matching"},
        {"path": "panels/move?which=matching&to=top"},
        {"path": "panels/1/retry"},
        {"path": "panels/1", "prompt": "x"},
        {"path": "replace", "find": "x", "by": "y", "seen": "1-abc"},
        {"path": "settings", "title": "x", "priority": "low", "parallel": "1"},
    ]
    for change in changes:
        path = change.pop("path")
        response = client.post(f"/admin/comics/999/{path}", data={"csrf_token": token, **change})
        assert response.status_code == 404


def test_a_finished_comic_can_only_be_looked_at(client: FlaskClient) -> None:
    comic = queue(client)
    for receipt in poll(client):
        report(client, receipt, "completed")

    html = show(client, f"/admin/comics/{comic}")

    assert "finished" in words(html)
    assert "All 3 Queued 0 Running 0 Completed 3 Failed 0 Cancelled 0" in words(html)
    assert not re.search(r'<button form="(actions|picked)"', html.replace('id="replace-selected"', ""))
