"""The settings: how fast each site is given panels, how often panels are tried, and what the server was given."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from semantest_server.accounts.tables import Scope

from ..conftest import FrozenClock
from .accounts import add_account, browser
from .conftest import on_one_database
from .pages import fields, poll, queue, report, send, show, wire, words

SITE = "/admin/settings/sites/chatgpt.com"


def change(client: FlaskClient, domain: str = "chatgpt.com", **given: str) -> TestResponse:
    """Change some of a site's pacing in its form."""
    path = f"/admin/settings/sites/{domain}"
    form = fields(show(client, "/admin/settings"), path)
    changed = {f"{domain}-{name}": value for name, value in given.items()}
    return client.post(path, data={**form, **changed})


def pacing(client: FlaskClient, domain: str = "chatgpt.com") -> list[str]:
    form = fields(show(client, "/admin/settings"), f"/admin/settings/sites/{domain}")
    return [form[f"{domain}-{name}"] for name in ("gap_seconds", "break_after", "break_seconds", "daily_cap")]


def test_without_a_site_the_page_says_where_they_come_from(client: FlaskClient) -> None:
    assert "A site appears here once a comic is queued for it." in words(show(client, "/admin/settings"))


def test_the_pacing_of_a_site_is_changed(client: FlaskClient) -> None:
    queue(client)
    queue(client, domain="example.org")
    assert pacing(client) == ["0", "0", "0", "0"]

    response = change(client, gap_seconds="2.5", break_after="50", break_seconds="600", daily_cap="500")

    assert response.status_code == 303
    assert "Saved for chatgpt.com." in words(show(client, response.location))
    assert pacing(client) == ["2.5", "50", "600", "500"]
    assert pacing(client, "example.org") == ["0", "0", "0", "0"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("gap_seconds", "-1", "Must be a number from 0 to 1,000,000."),
        ("gap_seconds", "soon", "Give a number of seconds, such as 30."),
        ("gap_seconds", "nan", "Must be a number from 0 to 1,000,000."),
        ("gap_seconds", "1e400", "Must be a number from 0 to 1,000,000."),
        ("break_after", "1.5", "Give a whole number, such as 10."),
        ("break_seconds", "", "Give a number; 0 turns the rule off."),
        ("daily_cap", " ", "Give a whole number, such as 10."),
        ("daily_cap", "99999999999", "Must be a number from 0 to 1,000,000."),
    ],
)
def test_wrong_pacing_is_kept_and_changes_nothing(client: FlaskClient, name: str, value: str, said: str) -> None:
    queue(client)

    response = change(client, **{name: value})

    assert response.status_code == 422
    assert said in words(response.text)
    assert fields(response.text, SITE)[f"chatgpt.com-{name}"] == value
    field = re.search(rf'<input[^>]*id="chatgpt.com-{name}"[^>]*>', response.text)
    assert field
    assert 'aria-invalid="true"' in field[0]
    assert pacing(client) == ["0", "0", "0", "0"]


def test_a_form_without_its_fields_changes_nothing(client: FlaskClient) -> None:
    queue(client)
    token = fields(show(client, "/admin/settings"), SITE)["chatgpt.com-csrf_token"]

    assert client.post(SITE, data={"csrf_token": token}).status_code == 422
    assert pacing(client) == ["0", "0", "0", "0"]


def test_the_pacing_of_an_unknown_site_is_a_404(client: FlaskClient) -> None:
    queue(client)
    token = fields(show(client, "/admin/settings"), SITE)["chatgpt.com-csrf_token"]
    given = {f"nowhere.example-{name}": "1" for name in ("gap_seconds", "break_after", "break_seconds", "daily_cap")}

    response = client.post("/admin/settings/sites/nowhere.example", data={"csrf_token": token, **given})

    assert response.status_code == 404
    assert response.mimetype == "text/html"


def test_a_site_that_was_changed_paces_its_comics(client: FlaskClient) -> None:
    queue(client)
    send(client, SITE, "/admin/settings", **{"chatgpt.com-daily_cap": "1"})

    assert len(poll(client)) == 1


def test_the_old_address_of_the_sites_leads_to_the_settings(client: FlaskClient) -> None:
    response = client.get("/admin/sites")

    assert (response.status_code, response.location) == (301, "/admin/settings")


def test_the_use_of_the_daily_cap_is_said(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    change(client, daily_cap="2")
    poll(client, limit=1)
    assert "1 of 2 panels handed out today" in words(show(client, "/admin/settings"))

    poll(client, limit=1)

    assert "2 of 2 panels handed out today daily cap reached until 23 Nov 00:00 UTC" in words(
        show(client, "/admin/settings")
    )


def test_a_break_is_said_with_its_end(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    change(client, break_after="1", break_seconds="600")
    poll(client)

    assert "in a break until 18:10 UTC" in words(show(client, "/admin/settings"))


# Attempts


def try_often(client: FlaskClient, value: str) -> TestResponse:
    return send(client, "/admin/settings/attempts", "/admin/settings", max_attempts=value)


def attempts_left(client: FlaskClient) -> int:
    found: int = wire(client, "/tasks/1")["attemptsLeft"]
    return found


def test_how_often_a_panel_is_tried_is_chosen_and_given_back_to_the_setting(client: FlaskClient) -> None:
    queue(client)
    assert attempts_left(client) == 3
    assert "Empty: 3, as SEMANTEST_MAX_ATTEMPTS says." in words(show(client, "/admin/settings"))

    response = try_often(client, "7")

    assert response.status_code == 303
    html = show(client, response.location)
    assert "A panel is tried 7 times before it fails." in words(html)
    assert fields(html, "/admin/settings/attempts")["max_attempts"] == "7"
    assert attempts_left(client) == 7

    assert "tried 3 times" in words(show(client, try_often(client, " ").location))
    assert attempts_left(client) == 3


def test_a_panel_fails_after_as_many_attempts_as_were_chosen(client: FlaskClient) -> None:
    queue(client, prompts=["One"])
    try_often(client, "1")

    report(client, poll(client)[0], "failed")

    assert wire(client, "/tasks/1")["status"] == "failed"


@pytest.mark.parametrize("value", ["0", "1001", "-1", "many", "1.5", "9" * 30])
def test_a_number_of_attempts_that_cannot_be_is_kept_and_changes_nothing(client: FlaskClient, value: str) -> None:
    queue(client)

    response = try_often(client, value)

    assert response.status_code == 422
    assert "Nothing was changed. Please mend this:" in words(response.text)
    assert fields(response.text, "/admin/settings/attempts")["max_attempts"] == value
    assert attempts_left(client) == 3


# What the server was started with


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Secrets where the test is about them, and accounts."""
    if "secret" in request.node.name:
        return {"SEMANTEST_RATE_LIMIT_STORAGE": "memory://me:s3cr3t@cache.example/1?key=s3cr3t"}
    return {"SEMANTEST_ACCOUNTS": 1, "SEMANTEST_RATE_LIMITS": "off"} if "creator" in request.node.name else {}


def row(html: str, name: str) -> str:
    """What the page says of a setting."""
    found = re.search(rf"<tr>\s*<th scope=\"row\"><code>{name}</code>.*?</tr>", html, re.DOTALL)
    assert found, name
    return words(found[0])


def test_every_setting_is_shown_with_its_meaning(client: FlaskClient) -> None:
    html = show(client, "/admin/settings")

    assert row(html, "SEMANTEST_LEASE_SECONDS").endswith(
        "300 default How long a panel stays a worker's after its last report."
    )
    assert "noir, manga" in row(html, "SEMANTEST_STYLES")
    assert "default" not in row(html, "SEMANTEST_INSTANCE")


def test_no_secret_is_shown(client: FlaskClient, backend: str) -> None:
    html = show(client, "/admin/settings")

    assert "memory://cache.example/1" in row(html, "SEMANTEST_RATE_LIMIT_STORAGE")
    assert "s3cr3t" not in html
    if backend == "postgresql":
        assert "postgresql" in row(html, "SEMANTEST_DATABASE_URL")


@on_one_database
def test_a_creator_sees_the_settings_and_is_given_nothing_to_change(app: Flask, engine: Engine) -> None:
    add_account(engine, "cleo", Scope.CREATOR)
    add_account(engine, "ann", Scope.ADMIN)
    cleo = browser(app, "cleo")

    html = show(cleo, "/admin/settings")

    assert "Only an admin may change what is here." in words(html)
    assert "disabled" in html
    assert "Save" not in words(html)
    assert "Save" in words(show(browser(app, "ann"), "/admin/settings"))
