"""What all pages share: their headers, the check of their forms, and how they say that something is wrong."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from .pages import fields, progress, queue, show, wire

PAGES = [
    "/admin/",
    "/admin/comics",
    "/admin/comics/new",
    "/admin/comics/1",
    "/admin/workers",
    "/admin/activity",
    "/admin/settings",
    "/admin/styles",
]
CHANGES = [
    ("/admin/comics/new", {"title": "Cave of Echoes", "prompts": "One"}),
    ("/admin/comics/1/status", {"status": "cancelled"}),
    ("/admin/comics/1/retry", {}),
    ("/admin/comics/1/settings", {"title": "x", "priority": "low", "parallel": "1"}),
    ("/admin/settings/sites/chatgpt.com", {f"chatgpt.com-{n}": "9" for n in ("gap_seconds", "daily_cap")}),
    ("/admin/settings/attempts", {"max_attempts": "9"}),
    ("/admin/styles", {"name": "ink", "text": "black ink"}),
    ("/admin/pause", {}),
    ("/admin/comics/1/retry-failed", {}),
]
POLICY = (
    "default-src 'self'; img-src 'self' data: https: http:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


@pytest.mark.parametrize("path", [*PAGES, "/admin/comics/999", "/admin/nowhere"])
def test_every_page_carries_its_headers(client: FlaskClient, path: str) -> None:
    queue(client)

    headers = client.get(path).headers

    assert headers["Content-Security-Policy"] == POLICY
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", PAGES)
def test_no_page_needs_what_its_policy_forbids(client: FlaskClient, path: str) -> None:
    queue(client)
    html = show(client, path)

    assert all(" src=" in script for script in re.findall(r"<script[^>]*>", html))
    assert "<style" not in html
    assert not re.search(r"<[^>]+\s(style|on\w+)=", html)
    assert not re.search(r'(src|href|hx-get)="(?!/|#|https?://[^"]*pictures)', html)


@pytest.mark.parametrize("path", PAGES)
def test_what_a_page_loads_is_there(client: FlaskClient, path: str) -> None:
    queue(client)
    loaded = re.findall(r'(?:src|href)="(/static/[^"]*)"', show(client, path))

    assert len(loaded) >= 5
    for address in loaded:
        with client.get(address) as response:
            assert response.status_code == 200


@pytest.mark.parametrize(("path", "form"), CHANGES)
@pytest.mark.parametrize("token", [None, "", "nonsense", "stranger", "ü"])
def test_a_change_without_its_token_is_refused(
    app: Flask, client: FlaskClient, path: str, form: dict[str, str], token: str | None
) -> None:
    comic = queue(client)
    before = progress(client, comic)
    show(client, "/admin/comics/new")
    if token == "stranger":
        token = fields(show(app.test_client(), "/admin/comics/new"))["csrf_token"]

    response = client.post(path, data={**form, **({} if token is None else {"csrf_token": token})})

    assert response.status_code == 400
    assert "Nothing was changed." in response.text
    assert response.headers["Content-Security-Policy"] == POLICY
    assert progress(client, comic) == before
    assert len(wire(client, "/comics")["comics"]) == 1


def test_a_token_works_for_its_own_session(client: FlaskClient) -> None:
    comic = queue(client)
    token = fields(show(client, "/admin/comics/new"))["csrf_token"]

    response = client.post(f"/admin/comics/{comic}/status", data={"status": "paused", "csrf_token": token})

    assert response.status_code == 303
    assert progress(client, comic)["status"] == "paused"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/admin/nowhere", 404),
        ("DELETE", "/admin/", 405),
        ("GET", "/admin/comics/1/status", 405),
        ("POST", "/admin/workers", 405),
    ],
)
def test_what_is_not_there_gets_a_friendly_page(client: FlaskClient, method: str, path: str, status: int) -> None:
    response = client.open(path, method=method)

    assert response.status_code == status
    assert response.mimetype == "text/html"
    assert "To the first page" in response.text
    assert "What is queued is safe" in response.text or "a button leads here" in response.text


def test_a_failure_of_the_server_gets_a_friendly_page(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise RuntimeError("secret detail")

    app.testing = False
    monkeypatch.setattr("semantest_server.snapshots.overview", fail)

    response = app.test_client().get("/admin/")

    assert response.status_code == 500
    assert response.mimetype == "text/html"
    assert "To the first page" in response.text
    assert "What is queued is safe" in response.text
    assert "secret detail" not in response.text


def test_an_address_without_its_slash_leads_on(client: FlaskClient) -> None:
    assert client.get("/admin", follow_redirects=True).status_code == 200


def test_looking_changes_nothing(client: FlaskClient) -> None:
    comic = queue(client)
    before = wire(client, f"/comics/{comic}")

    for path in PAGES:
        assert client.head(path).status_code == 200
        show(client, path)

    assert wire(client, f"/comics/{comic}") == before
