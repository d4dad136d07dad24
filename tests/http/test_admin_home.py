"""The first page: what is drawn, how far everything is, what needs a person with the action beside it, the pictures."""

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, update
from sqlalchemy.orm import Session

from semantest_server.models import Worker

from ..conftest import FrozenClock
from .pages import fields, poll, press, press_on, progress, queue, report, send, show, words

HOME = "/admin/"
PICTURE = "data:image/png;base64,iVBORw0KGgo="


def text(client: FlaskClient) -> str:
    return words(show(client, HOME))


def needs(client: FlaskClient) -> list[str]:
    """What the page says that somebody has to do."""
    found = re.findall(r'<li class="need [^"]*"[^>]*>(.*?)</li>', show(client, HOME), re.DOTALL)
    return [words(one) for one in found]


def call(engine: Engine, name: str, label: str) -> None:
    """Give a worker a label."""
    with Session(engine) as session:
        session.execute(update(Worker).where(Worker.name == name).values(label=label))
        session.commit()


def fail(client: FlaskClient, comic: int, panels: int) -> None:
    """Let panels fail for good, those that come first."""
    send(client, "/admin/settings/attempts", "/admin/settings", max_attempts="1")
    for receipt in poll(client, limit=panels):
        report(client, receipt, "failed", message="content policy")
    assert progress(client, comic)["failed"] == panels


def address_of_live_part(html: str) -> str:
    found = re.search(r'hx-get="([^"]*)"', html)
    assert found
    return unescape(found[1])


# The first visit


def test_the_root_leads_to_the_first_page(client: FlaskClient) -> None:
    response = client.get("/")

    assert (response.status_code, response.location) == (302, HOME)


def test_the_first_visit_says_how_to_begin(client: FlaskClient) -> None:
    said = text(client)

    assert "Queue your first comic" in said
    assert "chrome://extensions" in said
    assert "Load unpacked" in said
    assert "examples/extension" in said


def test_the_first_visit_says_when_an_extension_polls_already(client: FlaskClient) -> None:
    poll(client, "studio laptop")

    said = text(client)

    assert "1 extension polling already: studio laptop was seen just now." in said
    assert "Load unpacked" not in said


# What is drawn


def test_what_is_being_drawn_is_shown(client: FlaskClient, engine: Engine, clock: FrozenClock) -> None:
    queue(client)
    first, second = poll(client, limit=2)
    call(engine, "studio", "studio laptop")
    clock.advance(10)
    report(client, first, "running", progress=40)
    clock.advance(40)
    report(client, second, "delivered")
    clock.advance(60)

    said = text(client)

    assert "Drawing 2 panels. 1 worker polling" in said
    assert "Panel 1 Hero enters the cave Cave of Echoes studio laptop 2 minutes ago 40 %" in said
    assert 'href="/admin/comics/1/panels/1"' in show(client, HOME)


def test_what_is_handed_out_waits_its_turn(client: FlaskClient) -> None:
    queue(client)
    report(client, poll(client)[0], "running")

    said = text(client)

    assert "Drawing 1 panel. 2 more handed out." in said
    assert "Panel 2 Echoes answer Cave of Echoes studio just now waits its turn" in said


def test_a_comic_is_shown_with_its_time_a_panel_what_remains_and_its_finish(
    client: FlaskClient, clock: FrozenClock
) -> None:
    queue(client, prompts=[f"Panel {n}" for n in range(1, 11)])
    for receipt in poll(client)[:5]:
        clock.advance(150)
        report(client, receipt, "completed")

    said = text(client)

    assert "5 of 10 panels drawn 5 running 2.5 minutes a panel 12 minutes remaining done at about 18:25 UTC" in said
    assert '<progress value="5" max="10"' in show(client, HOME)


def test_progress_is_announced_in_steps_of_ten_percent(client: FlaskClient) -> None:
    queue(client, prompts=[f"Panel {n}" for n in range(1, 26)])
    for receipt in poll(client)[:6]:
        report(client, receipt, "completed")

    assert 'data-announce="Cave of Echoes: 20 % drawn"' in show(client, HOME)


def test_what_is_finished_is_shown_apart(client: FlaskClient) -> None:
    queue(client, prompts=["One"])
    report(client, poll(client)[0], "completed")

    said = text(client)

    assert "Everything is drawn that was queued." in said
    assert "Finished last Cave of Echoes 1 of 1 panel drawn, just now" in said


def test_the_latest_pictures_are_shown_newest_first(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, prompts=["One", "Two", "Three", "Four"])
    addresses = ["https://pictures.example/1.png", PICTURE, None, f"https://a.example/{'x' * 3000}"]
    for receipt, address in zip(poll(client), addresses, strict=True):
        clock.advance(1)
        report(client, receipt, "completed", **({"imageUrl": address} if address else {}))

    html = show(client, HOME)

    assert re.findall(r'<img id="latest-[^>]* src="([^"]*)"', html) == [
        "/admin/comics/1/panels/2/picture?attempt=1",
        "https://pictures.example/1.png",
    ]
    assert re.findall(r'alt="(Panel \d of [^"]*)"', html) == ["Panel 2 of Cave of Echoes", "Panel 1 of Cave of Echoes"]
    assert "xxxx" not in html, "what is too long to be shown whole is not shown"
    assert "panel-003.png" in html


# What needs a person


def test_an_extension_that_has_never_polled_is_needed(client: FlaskClient) -> None:
    queue(client)

    said = text(client)

    assert "What needs you No extension has polled yet. Something is queued" in said
    assert "Load unpacked" in said


def test_an_extension_that_has_stopped_polling_is_needed(
    client: FlaskClient, engine: Engine, clock: FrozenClock
) -> None:
    poll(client)
    call(engine, "studio", "studio laptop")
    queue(client)
    clock.advance(25 * 60)

    (need,) = needs(client)

    assert need.startswith("No extension has polled for 25 minutes. The last one was studio laptop. Open its browser")


def test_a_tab_is_needed_with_a_link_to_the_site(client: FlaskClient, engine: Engine) -> None:
    queue(client, domain="example.org")
    call(engine, "studio", "studio laptop")
    for receipt in poll(client):
        report(client, receipt, "no_tabs")
    call(engine, "studio", "studio laptop")

    assert needs(client) == [
        "No tab open for example.org in studio laptop. Open it in that browser, and sign in. Open example.org"
    ]
    assert 'href="https://example.org/" target="_blank" rel="noopener noreferrer"' in show(client, HOME)


def test_failed_panels_are_retried_with_the_button_beside_them(client: FlaskClient) -> None:
    comic = queue(client)
    fail(client, comic, 2)
    assert needs(client) == ["2 panels failed in Cave of Echoes. Retry 2 failed Look at what failed in Cave of Echoes"]
    assert f'href="/admin/comics/{comic}?status=failed"' in show(client, HOME)

    response = press_on(client, HOME, f"retry-{comic}")

    assert (response.status_code, response.location) == (303, HOME)
    assert "Queued 2 panels again." in words(show(client, HOME))
    assert needs(client) == []
    assert progress(client, comic)["failed"] == 0


def test_many_comics_with_failed_panels_do_not_fill_the_page(client: FlaskClient) -> None:
    send_attempts = send(client, "/admin/settings/attempts", "/admin/settings", max_attempts="1")
    assert send_attempts.status_code == 303
    for number in range(7):
        queue(client, f"Comic {number}", ["One"])
    for receipt in poll(client):
        report(client, receipt, "failed")

    assert len([need for need in needs(client) if "1 panel failed in Comic" in need]) == 5
    assert "2 more comics with failed panels. All comics" in text(client)


def test_a_paused_comic_is_resumed_with_the_button_beside_it(client: FlaskClient) -> None:
    comic = queue(client)
    poll(client, "studio", domain="nothing.example")
    press_on(client, HOME, "pause")
    assert needs(client) == ["Cave of Echoes is paused. Resume"]

    response = press_on(client, HOME, f"resume-{comic}")

    assert response.location == HOME
    assert needs(client) == []
    assert progress(client, comic)["status"] == "active"


def test_many_paused_comics_are_resumed_together(client: FlaskClient) -> None:
    comics = [queue(client, f"Comic {number}") for number in range(5)]
    press_on(client, HOME, "pause")
    assert needs(client) == ["5 comics are paused: Comic 4, Comic 3, Comic 2 and 2 more. Resume all of them"]

    press_on(client, HOME, "resume-all")

    assert {progress(client, comic)["status"] for comic in comics} == {"active"}


def test_a_daily_cap_is_said_with_its_end_and_a_link_to_change_it(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    send(client, "/admin/settings/sites/chatgpt.com", "/admin/settings", **{"chatgpt.com-daily_cap": "1"})
    poll(client)

    assert needs(client) == [
        "The daily cap of chatgpt.com is reached. It goes on at 23 Nov 00:00 UTC. Change the cap",
    ]
    assert 'href="/admin/settings#site-chatgpt.com"' in show(client, HOME)


def test_a_break_is_said_calmly(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    changed = {"chatgpt.com-break_after": "1", "chatgpt.com-break_seconds": "600"}
    send(client, "/admin/settings/sites/chatgpt.com", "/admin/settings", **changed)
    poll(client)

    assert needs(client) == ["chatgpt.com takes a break, as its pacing says, and goes on at 18:10 UTC. Nothing to do."]
    assert "What needs you" not in text(client)


def test_a_worker_on_hold_is_released_with_the_button_beside_it(client: FlaskClient) -> None:
    poll(client)
    queue(client)
    press_on(client, "/admin/workers", "hold-1")
    assert needs(client) == ["studio is on hold. It gets nothing new. Release"]

    response = press_on(client, HOME, "release-1")

    assert response.location == HOME
    assert "studio gets panels again." in text(client)
    assert needs(client) == []


# Everything at once


def test_everything_is_paused_and_resumed_with_how_many(client: FlaskClient) -> None:
    comics = [queue(client), queue(client)]
    assert "Paused 2 comics" in words(show(client, press_on(client, HOME, "pause").location))
    assert {progress(client, comic)["status"] for comic in comics} == {"paused"}
    assert 'id="pause"' not in show(client, HOME)

    assert "Resumed 2 comics." in words(show(client, press_on(client, HOME, "resume").location))
    assert {progress(client, comic)["status"] for comic in comics} == {"active"}
    assert 'id="resume"' not in show(client, HOME)


@pytest.mark.parametrize("what", ["pause", "resume"])
def test_to_do_it_twice_is_no_mistake(client: FlaskClient, what: str) -> None:
    token = fields(show(client, HOME))["csrf_token"]

    response = client.post(f"/admin/{what}", data={"csrf_token": token})

    assert response.status_code == 303
    assert f"There was nothing to {what}." in words(show(client, HOME))


def test_to_resume_what_has_been_cancelled_says_why_not(client: FlaskClient) -> None:
    comic = queue(client)
    press(client, comic, "cancel")
    token = fields(show(client, HOME))["csrf_token"]

    client.post(f"/admin/comics/{comic}/resume", data={"csrf_token": token})

    assert "The comic is cancelled" in text(client)


@pytest.mark.parametrize("what", ["resume", "retry-failed"])
def test_an_unknown_comic_is_a_404(client: FlaskClient, what: str) -> None:
    token = fields(show(client, HOME))["csrf_token"]

    assert client.post(f"/admin/comics/99/{what}", data={"csrf_token": token}).status_code == 404


# Live and cheap


def test_the_page_renews_itself_only_when_something_changed(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, prompts=[f"Panel {n}" for n in range(1, 11)])
    for receipt in poll(client)[:5]:
        clock.advance(40)
        report(client, receipt, "completed")
    address = address_of_live_part(show(client, HOME))

    unchanged = 0
    for _ in range(15):
        clock.advance(4)
        answer = client.get(address)
        unchanged += answer.status_code == 204
        address = address_of_live_part(answer.text) if answer.text else address
    assert unchanged >= 11

    report(client, "6.1", "completed")
    assert "6 of 10 panels drawn" in words(client.get(address).text)


def test_a_hostile_title_and_label_are_only_text(client: FlaskClient, engine: Engine) -> None:
    title = '"><script>alert(1)</script>{{ 7 * 7 }}'
    queue(client, title)
    poll(client, limit=1)
    call(engine, "studio", title)

    html = show(client, HOME)

    assert "<script>alert" not in html
    assert "49" not in words(html)
    assert "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in html


def statements(app: Flask, client: FlaskClient) -> int:
    """How many statements the page takes."""
    seen: list[str] = []

    def record(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    with app.app_context():
        from semantest_server.database import db

        engine = db.engine
    event.listen(engine, "before_cursor_execute", record)
    try:
        show(client, HOME)
    finally:
        event.remove(engine, "before_cursor_execute", record)
    return len(seen)


def test_the_page_takes_the_same_number_of_statements_however_much_there_is(
    app: Flask, client: FlaskClient, clock: FrozenClock
) -> None:
    queue(client, prompts=["One", "Two"])
    report(client, poll(client, limit=1)[0], "completed")
    few = statements(app, client)

    for number in range(30):
        queue(client, f"Comic {number}", ["One", "Two", "Three"], domain=f"site-{number % 5}.example")
    for number in range(20):
        for receipt in poll(client, f"worker {number}", limit=4):
            report(client, receipt, ["completed", "failed", "running", "no_tabs"][number % 4], f"worker {number}")
    clock.now += timedelta(seconds=30)

    assert statements(app, client) == few
