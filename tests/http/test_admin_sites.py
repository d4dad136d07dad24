"""The sites' page: how fast each is given panels."""

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from .pages import fields, poll, queue, send, show, words

SITE = "/admin/sites/chatgpt.com"


def change(client: FlaskClient, domain: str = "chatgpt.com", **given: str) -> TestResponse:
    """Change some of a site's pacing in its form."""
    path = f"/admin/sites/{domain}"
    form = fields(show(client, "/admin/sites"), path)
    changed = {f"{domain}-{name}": value for name, value in given.items()}
    return client.post(path, data={**form, **changed})


def pacing(client: FlaskClient, domain: str = "chatgpt.com") -> list[str]:
    form = fields(show(client, "/admin/sites"), f"/admin/sites/{domain}")
    return [form[f"{domain}-{name}"] for name in ("gap_seconds", "break_after", "break_seconds", "daily_cap")]


def test_without_a_site_the_page_says_where_they_come_from(client: FlaskClient) -> None:
    assert "A site appears here once a comic is queued for it." in words(show(client, "/admin/sites"))


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
    token = fields(show(client, "/admin/sites"), SITE)["chatgpt.com-csrf_token"]

    assert client.post(SITE, data={"csrf_token": token}).status_code == 422
    assert pacing(client) == ["0", "0", "0", "0"]


def test_the_pacing_of_an_unknown_site_is_a_404(client: FlaskClient) -> None:
    queue(client)
    token = fields(show(client, "/admin/sites"), SITE)["chatgpt.com-csrf_token"]
    given = {f"nowhere.example-{name}": "1" for name in ("gap_seconds", "break_after", "break_seconds", "daily_cap")}

    response = client.post("/admin/sites/nowhere.example", data={"csrf_token": token, **given})

    assert response.status_code == 404
    assert response.mimetype == "text/html"


def test_a_site_that_was_changed_paces_its_comics(client: FlaskClient) -> None:
    queue(client)
    send(client, SITE, "/admin/sites", **{"chatgpt.com-daily_cap": "1"})

    assert len(poll(client)) == 1
