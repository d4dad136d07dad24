"""The workers' page: who polls, what each holds, how well it does, what it is called, and holding it back."""

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from semantest_server.admin.words import browser, lasting

from ..conftest import FrozenClock
from .pages import fields, poll, press_on, queue, report, send, show, words

PAGE = "/admin/workers"
LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"


def rows(html: str) -> list[str]:
    return [words(row) for row in re.findall(r"<tr id=[^>]*>(.*?)</tr>", html, re.DOTALL)]


def rename(client: FlaskClient, label: str, worker: int = 1) -> TestResponse:
    """Call a worker something in the form that stands in the place of its name."""
    return send(client, f"{PAGE}/{worker}/label", f"{PAGE}?rename={worker}", label=label)


def test_without_a_worker_the_page_says_how_to_load_the_extension(client: FlaskClient) -> None:
    text = words(show(client, PAGE))

    assert "No worker has polled yet" in text
    assert "Load unpacked" in text


def test_workers_are_listed_with_what_they_hold(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client, "studio laptop", limit=2)
    clock.advance(20)

    assert rows(show(client, PAGE)) == [
        "studio laptop Werkzeug Rename studio laptop polling just now"
        " Panel 1 of Cave of Echoes 1, Panel 2 of Cave of Echoes 2 – Hold"
    ]


def test_a_worker_that_stays_away_is_away(client: FlaskClient, clock: FrozenClock) -> None:
    poll(client)
    clock.advance(3 * 3600)

    html = show(client, PAGE)

    assert rows(html) == ["studio Werkzeug Rename studio away 3 hours ago – – Hold"]
    assert "No worker is polling." in words(html)


def test_a_missing_tab_is_named(client: FlaskClient) -> None:
    queue(client, domain="example.org")
    for receipt in poll(client):
        report(client, receipt, "no_tabs")

    html = show(client, PAGE)
    assert "No tab for example.org: open it there and sign in." in rows(html)[0]
    assert 'href="https://example.org/" target="_blank" rel="noopener noreferrer"' in html


def test_a_worker_that_does_not_name_itself_is_told_apart(client: FlaskClient) -> None:
    client.get("/tasks/pending", headers={"User-Agent": "<b>Chrome</b>"})

    html = show(client, PAGE)

    assert "named here, since it does not say who it is" in words(html)
    assert "<b>Chrome" not in html


def test_a_hostile_name_is_only_text(client: FlaskClient) -> None:
    poll(client, "<script>alert(1)</script>")

    html = show(client, PAGE)

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_the_workers_renew_themselves_only_when_something_changed(client: FlaskClient, clock: FrozenClock) -> None:
    poll(client)
    address = re.search(r'hx-get="([^"]*)"', show(client, PAGE))
    assert address

    clock.advance(30)
    assert client.get(address[1]).status_code == 204
    clock.advance(60)
    assert "2 minutes ago" in words(client.get(address[1]).text)


def test_a_browser_is_said_in_words(client: FlaskClient) -> None:
    client.get("/tasks/pending", headers={"X-Worker-Id": "studio", "User-Agent": LINUX})

    html = show(client, PAGE)

    assert rows(html)[0].startswith("studio Chrome on Linux")
    assert f'title="{LINUX}"' in html


def test_how_well_a_worker_does_is_said(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, prompts=[f"Panel {n}" for n in range(1, 6)])
    for number, receipt in enumerate(poll(client)):
        report(client, receipt, "failed" if number == 0 else "completed")
    assert "4 of 5, 80 %" in rows(show(client, PAGE))[0]

    clock.advance(24 * 3600 + 1)

    assert "%" not in rows(show(client, PAGE))[0]


def test_a_worker_that_holds_much_is_shown_with_the_first_of_it(client: FlaskClient) -> None:
    for number in range(3):
        queue(client, f"Comic {number}", [f"Panel {n}" for n in range(1, 9)])
    poll(client)

    html = show(client, PAGE)

    assert len(re.findall(r'id="held-1-', html)) == 10


# What a person calls it


def test_a_worker_is_called_what_a_person_says_and_keeps_its_name_in_small(client: FlaskClient) -> None:
    poll(client, "8f14e45f-ceea")

    response = rename(client, " studio laptop ")

    assert (response.status_code, response.location) == (303, f"{PAGE}#worker-1")
    html = show(client, PAGE)
    assert "It is called studio laptop now." in words(html)
    assert rows(html)[0].startswith("studio laptop 8f14e45f-ceea")
    assert fields(show(client, f"{PAGE}?rename=1"), f"{PAGE}/1/label")["label"] == "studio laptop"


def test_an_empty_label_gives_a_worker_its_own_name_back(client: FlaskClient) -> None:
    poll(client)
    rename(client, "studio laptop")

    rename(client, "  ")

    assert "studio laptop" not in rows(show(client, PAGE))[0]


@pytest.mark.parametrize("label", ["x" * 201, "two\nlines", "a\x07b"])
def test_a_label_that_cannot_be_is_kept_in_the_form(client: FlaskClient, label: str) -> None:
    poll(client)

    response = rename(client, label)

    assert response.status_code == 422
    assert "Must be one line of at most 200 characters." in words(response.text)
    assert 'aria-invalid="true"' in response.text
    assert rows(show(client, PAGE))[0].startswith("studio Werkzeug")


def test_the_page_stands_still_while_a_label_is_typed(client: FlaskClient) -> None:
    poll(client)

    assert "data-live" in show(client, PAGE)
    assert "data-live" not in show(client, f"{PAGE}?rename=1")


@pytest.mark.parametrize("action", ["label", "hold", "release"])
def test_an_unknown_worker_is_a_404(client: FlaskClient, action: str) -> None:
    poll(client)
    token = fields(show(client, PAGE))["csrf_token"]

    assert client.post(f"{PAGE}/99/{action}", data={"csrf_token": token, "label": "x"}).status_code == 404


# Holding it back


def test_a_worker_on_hold_gets_nothing_until_it_is_released(client: FlaskClient) -> None:
    poll(client)
    queue(client)

    held = press_on(client, PAGE, "hold-1")

    assert (held.status_code, held.location) == (303, PAGE)
    html = show(client, PAGE)
    assert "studio gets nothing new. What it has, it draws to the end." in words(html)
    assert "on hold" in rows(html)[0]
    assert poll(client) == []

    press_on(client, PAGE, "release-1")
    assert len(poll(client)) == 3


# Words


@pytest.mark.parametrize(
    ("user_agent", "said"),
    [
        (LINUX, "Chrome on Linux"),
        (LINUX.replace("X11; Linux x86_64", "Windows NT 10.0; Win64; x64") + " Edg/130.0.0.0", "Edge on Windows"),
        (LINUX.replace("X11; Linux x86_64", "X11; CrOS x86_64 14541.0.0"), "Chrome on ChromeOS"),
        (LINUX.replace("X11; Linux x86_64", "Linux; Android 10; K"), "Chrome on Android"),
        (LINUX.replace("X11; Linux x86_64", "Macintosh; Intel Mac OS X 10_15_7"), "Chrome on macOS"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Mobile Safari/604.1", "Safari on iOS"),
        ("curl/8.5.0", "curl"),
        ("python-requests/2.32", "python-requests"),
        ("Mozilla/5.0", "unknown program"),
        ("", "unknown program"),
        ("<b>/1", "unknown program"),
    ],
)
def test_user_agents_are_said_in_words(user_agent: str, said: str) -> None:
    assert browser(user_agent) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "less than a second"),
        (1, "1 second"),
        (42.4, "42 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (150, "2.5 minutes"),
        (7200, "2 hours"),
    ],
)
def test_lengths_of_time_are_said_in_words(seconds: float, said: str) -> None:
    assert lasting(seconds) == said
