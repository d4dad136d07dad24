"""The activity: what has happened in a person's words, filtered by the address, and as a file."""

import csv
import io
import re
from functools import partial
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from semantest_server import snapshots
from semantest_server.admin import activity
from semantest_server.models import EventType, Worker

from ..conftest import FrozenClock
from .pages import fields, poll, queue, report, show, words

PAGE = "/admin/activity"


@pytest.fixture
def told(client: FlaskClient, engine: Engine, clock: FrozenClock) -> FlaskClient:
    """A comic of which one panel was drawn, one failed and one was given back by a worker with a label."""
    queue(client)
    clock.advance(30)
    first, second, third = poll(client)
    clock.advance(45)
    report(client, first, "running", progress=10)
    report(client, first, "completed")
    report(client, second, "failed", message="content policy")
    report(client, third, "no_tabs", message="no tab")
    with Session(engine) as session:
        session.execute(update(Worker).values(label="studio laptop"))
        session.commit()
    return client


def lines(client: FlaskClient, path: str = PAGE) -> list[str]:
    """What the page tells, in words."""
    return [words(row) for row in re.findall(r'<tr id="event[^>]*>(.*?)</tr>', show(client, path), re.DOTALL)]


def file(client: FlaskClient, path: str = f"{PAGE}.csv") -> list[dict[str, str]]:
    """The lines of the file."""
    response = client.get(path)
    assert (response.status_code, response.mimetype) == (200, "text/csv")
    return list(csv.DictReader(io.StringIO(response.text.removeprefix("\ufeff"))))


def link(html: str, name: str) -> str:
    found = re.search(rf'<a id="{name}" href="([^"]*)"', html)
    assert found, name
    return unescape(found[1])


def test_before_anything_happens_the_page_says_what_will_be_there(client: FlaskClient) -> None:
    assert "Nothing has happened yet" in words(show(client, PAGE))


def test_what_happened_is_told_newest_first_in_words(told: FlaskClient) -> None:
    assert lines(told) == [
        "18:01 UTC studio laptop gave back panel 3 of Cave of Echoes: no tab given back",
        "18:01 UTC studio laptop failed at panel 2 of Cave of Echoes: content policy failed",
        "18:01 UTC studio laptop drew panel 1 of Cave of Echoes drawn",
        "18:01 UTC studio laptop began to draw panel 1 of Cave of Echoes drawing began",
        "18:00 UTC studio laptop was given panel 3 of Cave of Echoes handed out",
        "18:00 UTC studio laptop was given panel 2 of Cave of Echoes handed out",
        "18:00 UTC studio laptop was given panel 1 of Cave of Echoes handed out",
        "18:00 UTC Queued panel 3 of Cave of Echoes queued",
        "18:00 UTC Queued panel 2 of Cave of Echoes queued",
        "18:00 UTC Queued panel 1 of Cave of Echoes queued",
    ]


def test_every_kind_of_event_has_its_words(client: FlaskClient, clock: FrozenClock) -> None:
    assert set(activity.TYPE_WORDS) == set(EventType)
    queue(client, prompts=["One"])
    (receipt,) = poll(client)
    clock.advance(61)
    poll(client, "attic", domain="nothing.example")  # records the lapse
    report(client, receipt, "running")
    client.patch("/comics/1", json={"status": "cancelled"})
    client.post("/comics/1/retry", json={})

    told = [line.removeprefix("18:01 UTC ") for line in lines(client)]

    assert told[:5] == [
        "Queued again panel 1 of Cave of Echoes queued again",
        "Cancelled panel 1 of Cave of Echoes cancelled",
        "studio began to draw panel 1 of Cave of Echoes drawing began",
        "studio came back to panel 1 of Cave of Echoes came back",
        "studio fell silent about panel 1 of Cave of Echoes fell silent",
    ]


def test_trouble_is_shown_alone_behind_one_link(told: FlaskClient) -> None:
    address = link(show(told, PAGE), "trouble")

    assert address == f"{PAGE}?type=failed&type=given_back&type=expired"
    assert [line.split(" UTC ")[1] for line in lines(told, address)] == [
        "studio laptop gave back panel 3 of Cave of Echoes: no tab given back",
        "studio laptop failed at panel 2 of Cave of Echoes: content policy failed",
    ]
    assert 'id="trouble" href="/admin/activity?type=failed&amp;type=given_back&amp;type=expired" aria-current' in show(
        told, address
    )


def test_a_filter_is_in_the_address_and_in_the_form(told: FlaskClient) -> None:
    queue(told, "Another", ["One"])
    path = f"{PAGE}?type=completed&type=queued&comic=1&worker=1"

    html = show(told, path)

    assert len(lines(told, path)) == 1
    chosen = fields(html, PAGE)
    assert (chosen["comic"], chosen["worker"]) == ("1", "1")
    assert re.findall(r'value="([a-z_]*)" checked', html) == ["queued", "completed"]
    assert [line.split(" UTC ")[1] for line in lines(told, f"{PAGE}?comic=2")] == ["Queued panel 1 of Another queued"]


def test_nothing_of_a_kind_is_said_with_a_way_back(told: FlaskClient) -> None:
    assert "Nothing of this kind has happened. Show everything" in words(show(told, f"{PAGE}?type=cancelled"))


@pytest.mark.parametrize("query", ["type=x", "comic=x", "worker=-1", "before=²", f"comic={'9' * 40}", "type=&comic="])
def test_nonsense_in_the_address_is_no_failure(told: FlaskClient, query: str) -> None:
    assert show(told, f"{PAGE}?{query}")
    assert file(told, f"{PAGE}.csv?{query}") is not None


def test_older_events_are_behind_a_link(client: FlaskClient) -> None:
    queue(client, prompts=[f"Panel {n}" for n in range(1, 151)])

    html = show(client, f"{PAGE}?comic=1")
    assert len(lines(client, f"{PAGE}?comic=1")) == 100

    older = link(html, "older")
    assert "comic=1" in older
    assert len(lines(client, older)) == 50
    assert link(show(client, older), "newest") == f"{PAGE}?comic=1"


def test_how_far_was_looked_back_is_said(told: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "history", partial(snapshots.history, window=3))
    monkeypatch.setattr(activity, "WINDOW", 3)

    text = words(show(told, f"{PAGE}?type=queued"))

    assert "Nothing of this kind has happened lately." in text
    assert "The 3 events that are newest were looked through. Look further back" in text


def test_the_page_renews_itself_only_when_something_changed(told: FlaskClient) -> None:
    address = re.search(r'hx-get="([^"]*)"', show(told, f"{PAGE}?comic=1"))
    assert address
    path = unescape(address[1])
    assert told.get(path).status_code == 204

    queue(told, "Another")
    assert told.get(path).status_code == 204
    poll(told)
    assert told.get(path).status_code in (200, 204)
    told.patch("/comics/1", json={"status": "cancelled"})
    assert "Cancelled" in told.get(path).text


# The file


def test_the_file_has_the_same_lines(told: FlaskClient) -> None:
    html = show(told, f"{PAGE}?type=failed")
    assert re.search(r'<a id="file" href="/admin/activity.csv\?type=failed" download', html)

    (line,) = file(told, link(html, "file"))

    assert line == {
        "id": line["id"],
        "at": "2026-11-22T18:01:15Z",
        "type": "failed",
        "comic": "1",
        "title": "Cave of Echoes",
        "panel": "2",
        "task": "2",
        "attempt": "1",
        "worker": "studio laptop",
        "message": "content policy",
    }
    assert told.get(f"{PAGE}.csv").headers["Content-Disposition"] == "attachment; filename=activity.csv"


def test_a_long_file_is_read_in_lots_and_ends_at_its_limit(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(client, prompts=[f"Panel {n}" for n in range(1, 31)])
    monkeypatch.setattr(activity, "LINES_AT_ONCE", 7)
    assert [line["panel"] for line in file(client)] == [str(number) for number in range(30, 0, -1)]

    monkeypatch.setattr(activity, "LINES_IN_A_FILE", 20)
    assert len(file(client)) == 20


def test_no_cell_is_a_formula(client: FlaskClient) -> None:
    queue(client, "=cmd|' /C calc'!A1", ["One"])
    report(client, poll(client)[0], "failed", message="+1+1")

    (line,) = file(client, f"{PAGE}.csv?type=failed")

    assert (line["title"], line["message"]) == ("'=cmd|' /C calc'!A1", "'+1+1")


def test_hostile_words_are_only_text(client: FlaskClient) -> None:
    hostile = "<script>alert(1)</script>{{ 7 * 7 }}"
    queue(client, hostile, ["One"])
    report(client, poll(client, hostile)[0], "failed", hostile, message=hostile)

    html = show(client, PAGE)

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in html
