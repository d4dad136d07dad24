"""The workers' page: who polls, when each was last seen, what it holds."""

import re

from flask.testing import FlaskClient

from ..conftest import FrozenClock
from .pages import poll, queue, report, show, words


def rows(html: str) -> list[str]:
    return [words(row) for row in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)[1:]]


def test_without_a_worker_the_page_says_how_to_load_the_extension(client: FlaskClient) -> None:
    text = words(show(client, "/admin/workers"))

    assert "No worker has polled yet" in text
    assert "Load unpacked" in text


def test_workers_are_listed_with_what_they_hold(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client, "studio laptop", limit=2)
    clock.advance(20)

    assert rows(show(client, "/admin/workers")) == ["studio laptop polling just now 2 panels –"]


def test_a_worker_that_stays_away_is_away(client: FlaskClient, clock: FrozenClock) -> None:
    poll(client)
    clock.advance(3 * 3600)

    html = show(client, "/admin/workers")

    assert rows(html) == ["studio away 3 hours ago – –"]
    assert "No worker is polling." in words(html)


def test_a_missing_tab_is_named(client: FlaskClient) -> None:
    queue(client, domain="example.org")
    for receipt in poll(client):
        report(client, receipt, "no_tabs")

    assert "example.org Open it there and sign in." in rows(show(client, "/admin/workers"))[0]


def test_a_worker_that_does_not_name_itself_is_told_apart(client: FlaskClient) -> None:
    client.get("/tasks/pending", headers={"User-Agent": "<b>Chrome</b>"})

    html = show(client, "/admin/workers")

    assert "named here, since it does not say who it is" in words(html)
    assert "<b>Chrome" not in html


def test_a_hostile_name_is_only_text(client: FlaskClient) -> None:
    poll(client, "<script>alert(1)</script>")

    html = show(client, "/admin/workers")

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_workers_renew_themselves_only_when_something_changed(client: FlaskClient, clock: FrozenClock) -> None:
    poll(client)
    address = re.search(r'hx-get="([^"]*)"', show(client, "/admin/workers"))
    assert address

    clock.advance(30)
    assert client.get(address[1]).status_code == 204
    clock.advance(60)
    assert "2 minutes ago" in words(client.get(address[1]).text)
