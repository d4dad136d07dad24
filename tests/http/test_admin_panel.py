"""The page of one panel: its picture, its words, every attempt at it, and its history."""

import base64
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from sqlalchemy.orm import Session

from semantest_server.models import Event, EventType, Task

from ..conftest import FrozenClock
from .pages import fields, link, poll, press, queue, report, send, show, wire, words

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def store(session: Session, comic: int, number: int = 1, **values: Any) -> None:
    """Write what no client can send into a panel of a comic."""
    session.execute(update(Task).where(Task.comic_id == comic, Task.number == number).values(**values))
    session.commit()


def fail(client: FlaskClient, clock: FrozenClock, message: str = "Content policy") -> None:
    """Let all attempts at the first panel fail."""
    for _ in range(3):
        (receipt,) = poll(client, limit=1)
        report(client, receipt, "failed", message=message)
        clock.advance(1000)


def page(comic: int, number: int = 1) -> str:
    """The address of a panel's page."""
    return f"/admin/comics/{comic}/panels/{number}"


def edit(client: FlaskClient, comic: int, number: int = 1, **typed: str) -> Any:
    """Open a panel, change what is typed there, and save it."""
    path = page(comic, number)
    return send(client, path, path, **typed)


# ---- what is shown


def test_everything_about_a_panel_is_there(client: FlaskClient, session: Session, clock: FrozenClock) -> None:
    comic = queue(client, style="noir")
    store(session, comic, chapter="The cave", strip="One", caption="Meanwhile", speech="Who?", notes="Dark")
    receipt = poll(client, limit=1)[0]
    clock.advance(30)
    report(client, receipt, "delivered", tabId="77")
    clock.advance(60)
    report(client, receipt, "completed", imageUrl="https://pictures.example/1.png?a=1&b=2")

    html = show(client, page(comic))

    text = words(html)
    for one in (
        "Panel 1", "completed", "Hero enters the cave, noir", "The cave", "Meanwhile", "Who?", "Dark", "the comic’s",
        "File cave-of-echoes/panel-001.png", "1 studio 77 2 minutes ago 1 minute ago just now completed",
    ):  # fmt: skip
        assert one in text, one
    address = "https://pictures.example/1.png?a=1&amp;b=2"
    assert re.search(rf'<img[^>]*src="{re.escape(address)}"[^>]*referrerpolicy="no-referrer"', html)
    opened = re.search(rf'<a href="{re.escape(address)}" target="_blank"[^>]*>', html)
    assert opened
    assert 'rel="noopener noreferrer"' in opened[0]
    assert re.search(rf'id="download" href="{re.escape(address)}" download="panel-001.png"', html)


def test_every_attempt_says_what_was_reported_and_how_it_ended(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    (receipt,) = poll(client, limit=1)
    report(client, receipt, "timeout", message="It took too long")
    clock.advance(100)
    (receipt,) = poll(client, limit=1)
    report(client, receipt, "no_tabs")
    clock.advance(100)
    poll(client, limit=1)
    clock.advance(100)

    html = show(client, page(comic))

    attempts = [words(one) for one in re.findall(r'<tr id="attempt-\d+">(.*?)</tr>', html, re.DOTALL)]
    assert [one.split()[0] for one in attempts] == ["3", "2", "1"]
    assert "the lease ran out" in attempts[0]
    assert "given back" in attempts[1]
    assert "failed" in attempts[2]
    assert "timeout It took too long" in attempts[2]
    history = words(html[html.index('<ol class="history">') :])
    for line in ("queued", "handed out attempt 1 by studio", "failed attempt 1 by studio It took too long"):
        assert line in history


def test_next_and_previous_are_those_that_are_looked_at(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    middle = show(client, page(comic, 2))
    assert link(middle, "previous-panel") == page(comic, 1)
    assert link(middle, "next-panel") == page(comic, 3)
    assert 'id="next-panel"' not in show(client, page(comic, 3))
    fail(client, clock)
    html = show(client, page(comic, 3) + "?status=failed&q=hero")
    assert link(html, "previous-panel") == page(comic, 1) + "?status=failed&q=hero"
    assert "Next and previous are those that you look at: failed, “hero”." in words(html)
    assert f'href="/admin/comics/{comic}?status=failed&amp;q=hero"' in html


def test_long_histories_come_in_pages(client: FlaskClient, session: Session, clock: FrozenClock) -> None:
    comic = queue(client)
    lines = {"at": clock.now, "type": EventType.NOTED, "task_id": 1, "comic_id": comic}
    session.add_all(Event(**lines, message=f"Line {number}") for number in range(205))
    session.commit()
    html = show(client, page(comic))
    later = show(client, link(html, "more-history").partition("#")[0])
    assert "Line 204" in words(later[later.index('<ol class="history">') :])


@pytest.mark.parametrize("part", ["state", "history"])
def test_parts_renew_themselves_only_when_something_changed(client: FlaskClient, part: str) -> None:
    comic = queue(client)
    html = show(client, page(comic) + "?status=queued")
    address = re.search(rf'hx-get="({page(comic)}/{part}\?[^"]*)"', html)
    assert address
    path = address[1].replace("&amp;", "&")
    assert "status=queued" in path

    assert client.get(path).status_code == 204
    poll(client, limit=1)
    changed = client.get(path)

    assert changed.status_code == 200
    assert changed.text.lstrip().startswith(f'<section id="panel-{part}"')
    assert "csrf_token" not in changed.text


@pytest.mark.parametrize("address", ["999/panels/1", "1/panels/4", "1/panels/0", "1/panels/x", f"1/panels/{2**31}"])
def test_a_panel_that_is_not_there_is_a_friendly_404(client: FlaskClient, address: str) -> None:
    queue(client)
    for more in ("", "/state", "/history", "/picture"):
        response = client.get(f"/admin/comics/{address}{more}")
        assert (response.status_code, response.mimetype) == (404, "text/html")


# ---- what can be done


def test_what_fits_its_state_is_offered(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)

    def offered() -> set[str]:
        html = show(client, page(comic))
        return {name for name in ("retry", "top", "cancel") if f' id="{name}"' in html}

    assert offered() == {"top", "cancel"}
    (receipt,) = poll(client, limit=1)
    assert offered() == {"cancel"}
    press(client, comic, "cancel", "/panels/1")
    assert offered() == {"retry"}
    press(client, comic, "retry", "/panels/1")
    report(client, receipt, "completed")
    assert offered() == set()


def test_a_panel_is_drawn_next(client: FlaskClient) -> None:
    comic = queue(client)
    response = press(client, comic, "top", "/panels/3?q=monster")
    assert response.location == page(comic, 3) + "?q=monster"
    assert "Panel 3 is the next of this comic." in words(show(client, page(comic, 3)))
    assert poll(client, limit=1) == [f"{wire(client, '/tasks', comic=comic)['tasks'][0]['id']}.1"]


def test_what_came_too_late_is_said(client: FlaskClient) -> None:
    comic = queue(client)
    token = {"csrf_token": fields(show(client, page(comic)))["csrf_token"]}
    for action, said in (
        ("retry", "Panel 1 has not failed"),
        ("top", "is not waiting"),
        ("cancel", "was over already"),
    ):
        if action == "top":
            report(client, poll(client, limit=1)[0], "completed")
        client.post(f"{page(comic)}/{action}", data=token)
        assert said in words(show(client, page(comic)))


# ---- editing


def test_a_waiting_panel_is_edited_and_drawn_as_it_is_then(client: FlaskClient) -> None:
    comic = queue(client, style="noir")
    response = edit(client, comic, prompt="  Hero leaves\r\nthe cave ", style="manga", chapter="Two", notes="")
    assert (response.status_code, response.location) == (303, page(comic))
    html = show(client, page(comic))
    assert "Hero leaves the cave, manga" in words(html)
    assert fields(html, page(comic))["prompt"] == "Hero leaves\nthe cave"
    assert "The prompt was edited." in words(html)
    hand_out = wire(client, "/tasks/pending", "studio", limit=1)[0]
    assert hand_out["payload"]["panels"][0]["prompt"] == "Hero leaves\nthe cave, manga"


def test_a_failed_panel_is_saved_or_saved_and_queued_again(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    fail(client, clock)
    assert "Save and retry" in words(show(client, page(comic)))
    edit(client, comic, prompt="Easier")
    assert wire(client, "/tasks/1")["status"] == "failed"
    edit(client, comic, prompt="Easier still", retry="1")
    assert "Saved, and queued again." in words(show(client, page(comic)))
    assert wire(client, "/tasks/1")["status"] == "queued"


@pytest.mark.parametrize(
    ("name", "typed"), [("prompt", ""), ("prompt", "x" * 4001), ("chapter", "x" * 201), ("notes", "a\x07")]
)
def test_what_is_wrong_is_said_and_all_that_was_typed_is_kept(client: FlaskClient, name: str, typed: str) -> None:
    comic = queue(client)
    response = edit(client, comic, 1, **{"caption": "kept", name: typed})
    assert response.status_code == 422
    assert "Must " in words(response.text)
    kept = fields(response.text, page(comic))
    assert (kept["caption"], kept[name]) == ("kept", typed)
    assert wire(client, "/tasks/1")["prompt"] == "Hero enters the cave"


@pytest.mark.parametrize("status", ["running", "completed"])
def test_what_is_drawn_meanwhile_cannot_be_edited_and_nothing_typed_is_lost(client: FlaskClient, status: str) -> None:
    comic = queue(client)
    path = page(comic)
    form = fields(show(client, path), path)
    report(client, poll(client, limit=1)[0], status)
    response = client.post(path, data={**form, "prompt": "Too late"})
    assert (response.status_code, response.mimetype) == (409, "text/html")
    assert "so that its words cannot be changed" in words(response.text)
    assert fields(response.text, path)["prompt"] == "Too late"
    assert "This is what the panel says now" not in words(response.text)
    assert f'action="{path}"' not in show(client, path)


def test_of_two_who_edit_at_once_the_second_sees_both_and_may_insist(client: FlaskClient) -> None:
    comic = queue(client)
    path = page(comic)
    form = fields(show(client, path), path)
    edit(client, comic, prompt="The first one's")

    response = client.post(path, data={**form, "prompt": "The second one's", "notes": "mine"})

    assert response.status_code == 409
    text = words(response.text)
    assert "Somebody else has edited panel 1" in text
    assert "Prompt The first one's Notes nothing" in text
    again = fields(response.text, path)
    assert (again["prompt"], again["notes"]) == ("The second one's", "mine")
    assert client.post(path, data=again).status_code == 303
    assert wire(client, "/tasks/1")["prompt"] == "The second one's"


def test_the_composed_prompt_is_told_while_it_is_typed(client: FlaskClient) -> None:
    comic = queue(client, style="ink")
    token = fields(show(client, page(comic)))["csrf_token"]

    def told(**typed: str) -> str:
        return words(client.post(f"{page(comic)}/composed", data={"csrf_token": token, **typed}).text)

    assert told(prompt=" A hat ") == "A hat, ink"
    assert told(prompt="A hat", style="none") == "A hat"
    assert told(prompt="A hat", style="in oil") == "A hat, in oil"
    assert told(prompt="x" * 4000).endswith("x, ink")
    assert told(prompt="<b>") == "<b>, ink"
    assert told(style="none") == told() == "Nothing yet: type a prompt."


def test_hostile_words_are_only_text(client: FlaskClient, session: Session, clock: FrozenClock) -> None:
    hostile = "</textarea></td><script>alert(1)</script><img src=x onerror=alert(2)>"
    comic = queue(client, prompts=[hostile], style=hostile)
    store(session, comic, chapter=hostile, notes=hostile)
    fail(client, clock, message=hostile)
    html = show(client, page(comic))
    assert "<script>alert" not in html
    assert "<img src=x" not in html


# ---- pictures


def test_a_picture_reported_as_data_is_sent_from_here(client: FlaskClient) -> None:
    comic = queue(client)
    report(client, poll(client)[0], "completed", imageUrl=f"data:image/png;base64,{PIXEL}")

    for path in (f"/admin/comics/{comic}", f"/admin/comics/{comic}?view=grid", page(comic)):
        html = show(client, path)
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

    for path in (f"/admin/comics/{comic}", f"/admin/comics/{comic}?view=grid", page(comic)):
        html = show(client, path)
        assert 'target="_blank"' not in html
        assert "<img id=" not in html
    assert "cave/1.png" in words(html)
    assert client.get(f"{page(comic)}/picture").status_code == 404


@pytest.mark.parametrize("number", [0, 1, 2, 99, 2**31, 2**63])
def test_no_picture_is_a_404(client: FlaskClient, session: Session, number: int) -> None:
    comic = queue(client)
    store(session, comic, image_url="data:image/png;base64,not base64!")

    assert client.get(f"/admin/comics/{comic}/panels/{number}/picture").status_code == 404
