"""A comic as a file, which can be queued again."""

import csv
import io

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.orm import Session

from semantest_server.models import Task

from .pages import poll, queue, report, show, wire

COLUMNS = (
    "panel,chapter,strip,prompt,style,priority,caption,speech,filename,folder,domain,id,notes,status,imageUrl,message"
)


def table(client: FlaskClient, comic: int) -> list[dict[str, str]]:
    """The rows of the CSV."""
    text = client.get(f"/admin/comics/{comic}/export.csv").text.removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def comic(client: FlaskClient, session: Session) -> int:
    """A comic in which everything is said that can be said."""
    panels = [
        {"number": 3, "prompt": 'Hero, enters\n"the" cave', "style": "manga", "correlationId": "c-3"},
        {"number": 7, "prompt": "=1+1", "outputPath": "last.png", "downloadFolder": "else where"},
    ]
    body = {"title": "Über: Cave!", "panels": panels, "style": "noir", "priority": "high", "parallel": 4}
    made = client.post("/comics", json={**body, "domain": "gemini.google.com", "downloadFolder": "cave"})
    comic = int(made.get_json()["id"])
    places = {"chapter": "One", "strip": "A", "caption": "Meanwhile", "speech": "Who?", "notes": "Dark"}
    session.execute(update(Task).where(Task.number == 3).values(**places))
    session.commit()
    return comic


def test_the_table_has_the_columns_of_an_import_and_what_came_of_it(client: FlaskClient, comic: int) -> None:
    report(client, poll(client, domain="gemini.google.com", limit=1)[0], "failed", message="@refused")
    response = client.get(f"/admin/comics/{comic}/export.csv")
    assert response.mimetype == "text/csv"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.text.removeprefix("\ufeff").splitlines()[0] == COLUMNS
    first, second = table(client, comic)
    assert first == {
        "panel": "3", "chapter": "One", "strip": "A", "prompt": 'Hero, enters\n"the" cave', "style": "manga",
        "priority": "high", "caption": "Meanwhile", "speech": "Who?", "filename": "panel-003.png", "folder": "cave",
        "domain": "gemini.google.com", "id": "c-3", "notes": "Dark", "status": "queued", "imageUrl": "",
        "message": "'@refused",
    }  # fmt: skip
    assert (second["prompt"], second["filename"], second["folder"]) == ("'=1+1", "last.png", "else where")


def test_a_title_in_any_script_names_the_file(client: FlaskClient) -> None:
    comic = queue(client, title="Höhle 洞窟")
    named = client.get(f"/admin/comics/{comic}/export.json").headers["Content-Disposition"]
    assert named == "attachment; filename*=UTF-8''h%C3%B6hle-%E6%B4%9E%E7%AA%9F.json"  # servers send Latin letters


def test_a_picture_that_is_data_is_named_by_where_it_is(client: FlaskClient) -> None:
    comic = queue(client)
    receipts = poll(client)
    report(client, receipts[0], "completed", imageUrl="data:image/png;base64,iVBORw0KGgo=")
    report(client, receipts[1], "completed", imageUrl="https://pictures.example/2.png")
    addresses = [row["imageUrl"] for row in table(client, comic)]
    expected = f"http://localhost/admin/comics/{comic}/panels/1/picture"
    assert addresses == [expected, "https://pictures.example/2.png", ""]


def test_the_json_is_what_queues_the_same_comic_again(client: FlaskClient, session: Session, comic: int) -> None:
    response = client.get(f"/admin/comics/{comic}/export.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    body = response.get_json()
    assert list(body) == ["title", "style", "priority", "parallel", "domain", "downloadFolder", "panels"]
    assert body["panels"][0]["chapter"] == "One"
    client.patch(f"/comics/{comic}", json={"status": "cancelled"})  # so that the correlationId is free

    again = client.post("/comics", json=body)

    assert again.status_code == 201, again.text
    assert client.get(f"/admin/comics/{again.get_json()['id']}/export.json").get_json() == body


def test_10_000_panels_are_sent_as_they_are_read(client: FlaskClient) -> None:
    comic = queue(client, prompts=[f"Prompt {number}" for number in range(10_000)])
    sent = client.get(f"/admin/comics/{comic}/export.json")
    assert sent.is_streamed
    assert [panel["number"] for panel in sent.get_json()["panels"]] == [*range(1, 10_001)]
    assert len(table(client, comic)) == 10_000


def test_the_comics_page_leads_to_both(client: FlaskClient) -> None:
    comic = queue(client)
    html = show(client, f"/admin/comics/{comic}")
    for kind in ("csv", "json"):
        assert f'href="/admin/comics/{comic}/export.{kind}" download' in html
        assert client.get(f"/admin/comics/999/export.{kind}").status_code == 404
    assert wire(client, f"/comics/{comic}")["status"] == "active"
