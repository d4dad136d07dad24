"""A comic's page: how far it is, its panels, and pause, resume, cancel and retry."""

import base64
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.orm import Session

from semantest_server.models import Task

from ..conftest import FrozenClock
from .pages import fields, poll, press, progress, queue, report, send, show, wire, words

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def fail(client: FlaskClient, clock: FrozenClock, number: int = 1, message: str = "refused") -> None:
    """Let all attempts at the first panels that are handed out fail."""
    for _ in range(3):
        for receipt in poll(client, limit=number):
            report(client, receipt, "failed", message=message)
        clock.advance(1000)


def rows(html: str) -> list[str]:
    """What a person reads of each row of the table."""
    return [words(row) for row in re.findall(r'<tr id="panel-\d+">(.*?)</tr>', html, re.DOTALL)]


def store(session: Session, comic: int, **values: Any) -> None:
    """Write what no client can send into the first panel of a comic."""
    session.execute(update(Task).where(Task.comic_id == comic, Task.number == 1).values(**values))
    session.commit()


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


def test_an_empty_filter_says_so(client: FlaskClient) -> None:
    comic = queue(client)

    assert "There are no failed panels." in words(show(client, f"/admin/comics/{comic}?status=failed"))
    for after in ("3", "9" * 12, "9" * 18):
        assert "There are no more panels." in words(show(client, f"/admin/comics/{comic}?after={after}"))


def test_panels_come_in_pages(client: FlaskClient) -> None:
    comic = queue(client, prompts=[f"Prompt {n}" for n in range(1, 102)])

    first = show(client, f"/admin/comics/{comic}?status=queued")
    assert len(rows(first)) == 100
    following = re.search(r'id="next-page" href="([^"]*)"', first)
    assert following

    second = show(client, following[1].replace("&amp;", "&"))
    assert rows(second) == ["101 Prompt 101 queued – – –"]
    assert 'id="next-page"' not in second
    assert f'id="first-page" href="/admin/comics/{comic}?status=queued"' in second


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


def test_retry_brings_back_all_that_failed_or_was_cancelled(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    press(client, comic, "cancel")
    press(client, comic, "retry-1")
    fail(client, clock)
    assert "Retry 1 failed and 2 cancelled" in words(show(client, f"/admin/comics/{comic}"))

    press(client, comic, "retry-all")

    now = progress(client, comic)
    assert (now["status"], now["queued"]) == ("active", 3)
    assert 'id="retry-all"' not in show(client, f"/admin/comics/{comic}")


def test_one_panel_is_retried_alone(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    fail(client, clock, number=2)
    assert progress(client, comic)["failed"] == 2

    press(client, comic, "retry-2")

    assert progress(client, comic)["failed"] == 1
    assert [row.split()[0] for row in rows(show(client, f"/admin/comics/{comic}?status=failed"))] == ["1"]


def test_an_action_leads_back_to_the_panels_that_were_looked_at(client: FlaskClient) -> None:
    comic = queue(client)
    html = show(client, f"/admin/comics/{comic}?status=queued&after=1")
    address = re.search(r'formaction="([^"]*)" id="pause"', html)
    assert address

    token = fields(html)["csrf_token"]
    response = client.post(address[1].replace("&amp;", "&"), data={"csrf_token": token, "status": "paused"})

    assert response.location == f"/admin/comics/{comic}?status=queued&after=1"


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


@pytest.mark.parametrize("task", ["", "all", "1.1", "-1", "9" * 30])
def test_retrying_nonsense_retries_nothing(client: FlaskClient, task: str) -> None:
    comic = queue(client)
    press(client, comic, "cancel")
    token = fields(show(client, f"/admin/comics/{comic}"))["csrf_token"]

    response = client.post(f"/admin/comics/{comic}/retry", data={"csrf_token": token, "task": task})

    assert response.status_code == 400
    assert progress(client, comic)["cancelled"] == 3


def test_a_panel_of_another_comic_is_not_retried(client: FlaskClient) -> None:
    first, second = queue(client), queue(client)
    press(client, first, "cancel")
    task = wire(client, "/tasks", comic=first)["tasks"][0]["id"]
    token = fields(show(client, f"/admin/comics/{second}"))["csrf_token"]

    response = client.post(
        f"/admin/comics/{second}/retry", data={"csrf_token": token, "task": task}, follow_redirects=True
    )

    assert "Some tasks are not this comic's." in words(response.text)
    assert progress(client, first)["cancelled"] == 3


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


def test_a_picture_elsewhere_is_shown_and_linked(client: FlaskClient) -> None:
    comic = queue(client)
    report(client, poll(client)[0], "completed", imageUrl="https://pictures.example/1.png?a=1&b=2")

    html = show(client, f"/admin/comics/{comic}")

    address = "https://pictures.example/1.png?a=1&amp;b=2"
    link = re.search(rf'<a href="{re.escape(address)}"[^>]*>', html)
    assert link
    assert 'rel="noopener noreferrer"' in link[0]
    assert 'referrerpolicy="no-referrer"' in link[0]
    image = re.search(rf'<img[^>]*src="{re.escape(address)}"[^>]*>', html)
    assert image
    assert 'referrerpolicy="no-referrer"' in image[0]


def test_a_picture_reported_as_data_is_sent_from_here(client: FlaskClient) -> None:
    comic = queue(client)
    report(client, poll(client)[0], "completed", imageUrl=f"data:image/png;base64,{PIXEL}")

    html = show(client, f"/admin/comics/{comic}")
    address = re.search(r'<img[^>]*src="(/admin/[^"]*)"', html)
    assert address
    assert PIXEL not in html
    response = client.get(address[1])

    assert response.status_code == 200
    assert response.content_type == "image/png"
    assert response.data == base64.b64decode(PIXEL)
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=",
        "http:/tasks/pending",
        "http:\\\\localhost\\tasks\\pending",
        "https://a b",
        "//pictures.example/1.png",
        "file:///etc/passwd",
    ],
)
def test_other_addresses_are_no_links(client: FlaskClient, session: Session, address: str) -> None:
    comic = queue(client)
    report(client, poll(client)[0], "completed", downloadPath="cave/1.png")
    store(session, comic, image_url=address)

    html = show(client, f"/admin/comics/{comic}")

    assert 'target="_blank"' not in html
    assert "cave/1.png" in rows(html)[0]
    assert client.get(f"/admin/comics/{comic}/panels/1/picture").status_code == 404


@pytest.mark.parametrize("number", [0, 1, 2, 99, 2**31, 2**63])
def test_no_picture_is_a_404(client: FlaskClient, session: Session, number: int) -> None:
    comic = queue(client)
    store(session, comic, image_url="data:image/png;base64,not base64!")

    assert client.get(f"/admin/comics/{comic}/panels/{number}/picture").status_code == 404


@pytest.mark.parametrize("part", ["progress", "panels"])
def test_parts_renew_themselves_only_when_something_changed(client: FlaskClient, part: str) -> None:
    comic = queue(client)
    html = show(client, f"/admin/comics/{comic}?status=queued&after=1")
    address = re.search(rf'hx-get="(/admin/comics/{comic}/{part}\?[^"]*)"', html)
    assert address
    path = address[1].replace("&amp;", "&")
    assert "status=queued" in path
    assert "after=1" in path

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
        assert "To the comics" in response.text


def test_changing_an_unknown_comic_is_a_404(client: FlaskClient) -> None:
    token = fields(show(client, "/admin/comics/new"))["csrf_token"]
    changes: list[dict[str, str]] = [
        {"path": "status", "status": "paused"},
        {"path": "retry"},
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
    assert not re.search(r'<button form="actions"', html)
