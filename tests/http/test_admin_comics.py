"""The list of comics: how far each is, what holds it back, and whether anybody polls."""

import re

import pytest
from flask.testing import FlaskClient

from ..conftest import FrozenClock
from .pages import poll, press, queue, report, send, show, words


def test_the_first_visit_says_how_to_begin(client: FlaskClient) -> None:
    text = words(show(client, "/admin/comics"))

    assert "No comics yet" in text
    assert "chrome://extensions" in text
    assert "Load unpacked" in text
    assert "examples/extension" in text


def test_a_comic_is_shown_with_its_progress(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    first, second, _third = poll(client)
    report(client, first, "completed")
    for _ in range(3):
        report(client, second, "failed", message="refused")
        clock.advance(1000)
        (second,) = [r for r in poll(client) if r.split(".")[0] == second.split(".")[0]] or [second]

    html = show(client, "/admin/comics")

    assert f'href="/admin/comics/{comic}"' in html
    assert '<progress value="1" max="3"' in html
    text = words(html)
    assert "1 of 3 panels drawn" in text
    assert "1 running" in text
    assert "1 failed" in text
    assert "Now drawing — Panel 3: Monster appears" in text
    assert "1 worker polling" in text


def test_the_remaining_time_is_shown(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, prompts=[f"Panel {n}" for n in range(1, 11)])
    for receipt in poll(client)[:5]:
        clock.advance(60)
        report(client, receipt, "completed")

    assert "5 minutes remaining" in words(show(client, "/admin/comics"))


def test_nobody_polling_is_said_with_what_to_do(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    text = words(show(client, "/admin/comics"))
    assert "No worker has polled yet" in text
    assert "No extension is polling. Open the browser that has it" in text

    for receipt in poll(client):
        report(client, receipt, "cancelled")
    clock.advance(1200)

    assert "No worker is polling; the last one was seen 20 minutes ago" in words(show(client, "/admin/comics"))


def test_a_pause_is_said(client: FlaskClient) -> None:
    press(client, queue(client), "pause")

    assert "Paused. Nothing more is handed out until you resume it." in words(show(client, "/admin/comics"))


def test_a_site_without_a_tab_is_named(client: FlaskClient) -> None:
    queue(client, domain="example.org")
    for receipt in poll(client):
        report(client, receipt, "no_tabs")

    assert "example.org needs a tab. Open it in the browser" in words(show(client, "/admin/comics"))


@pytest.mark.parametrize(
    ("pacing", "said"),
    [
        ({"gap_seconds": "600"}, "Waiting for chatgpt.com. It goes on in 10 minutes, as its pacing says."),
        ({"daily_cap": "1"}, "The daily cap of chatgpt.com is reached. It goes on in 6 hours, or when you raise"),
    ],
)
def test_pacing_is_said_with_when_it_goes_on(
    client: FlaskClient, clock: FrozenClock, pacing: dict[str, str], said: str
) -> None:
    queue(client)
    changed = {f"chatgpt.com-{name}": value for name, value in pacing.items()}
    send(client, "/admin/settings/sites/chatgpt.com", "/admin/settings", **changed)
    poll(client)

    assert said in words(show(client, "/admin/comics"))


def test_a_hostile_title_is_only_text(client: FlaskClient) -> None:
    title = '"><script>alert(1)</script>{{ 7 * 7 }}'
    comic = queue(client, title)

    for path in ("/admin/comics", f"/admin/comics/{comic}"):
        html = show(client, path)
        assert "<script>alert" not in html
        assert "&#34;&gt;&lt;script&gt;alert(1)&lt;/script&gt;{{ 7 * 7 }}" in html


def test_older_comics_are_behind_a_link(client: FlaskClient) -> None:
    for number in range(51):
        queue(client, f"Comic number {number}", ["One"])

    html = show(client, "/admin/comics")
    assert "Comic number 0<" not in html
    older = re.search(r'id="older" href="([^"]*)"', html)
    assert older

    page = show(client, older[1])
    assert "Comic number 0<" in page
    assert "Newest comics" in page
    assert 'id="older"' not in page


@pytest.mark.parametrize("before", ["", "x", "-1", "²", "9" * 40])
def test_a_nonsense_page_is_the_first(client: FlaskClient, before: str) -> None:
    queue(client)

    assert "Cave of Echoes" in show(client, f"/admin/comics?before={before}")


def test_past_the_oldest_comic_there_is_a_way_back(client: FlaskClient) -> None:
    assert "There are no older comics." in words(show(client, "/admin/comics?before=1"))


def test_the_list_renews_itself_only_when_something_changed(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    address = re.search(r'hx-get="([^"]*)"', show(client, "/admin/comics"))
    assert address

    unchanged = client.get(address[1])
    assert unchanged.status_code == 204
    assert unchanged.data == b""

    poll(client)
    changed = client.get(address[1])
    assert changed.status_code == 200
    assert "3 running" in words(changed.text)
    renewed = re.search(r'hx-get="([^"]*)"', changed.text)
    assert renewed
    assert client.get(renewed[1]).status_code == 204


def test_a_lapsed_lease_shows_though_nothing_was_written(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    address = re.search(r'hx-get="([^"]*)"', show(client, "/admin/comics"))
    assert address

    clock.advance(61)

    assert "3 queued" in words(client.get(address[1]).text)
