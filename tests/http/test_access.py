"""Who may do what where accounts are on: every route, and everybody who might ask."""

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from semantest_server.access import NEEDS
from semantest_server.accounts.tables import Scope, SignIn

from ..conftest import FrozenClock
from .accounts import add_account, add_token, bearer, browser, csrf_token, revoke_token
from .conftest import on_one_database

ANYBODY = {"nobody", "worker", "another worker", "creator", "admin", "revoked", "expired"}
ALL = {"worker", "another worker", "creator", "admin"}
WORKERS = {"worker", "another worker", "admin"}
HOLDER = {"worker", "admin"}
CREATORS = {"creator", "admin"}

# What the rules say once more, by what is asked and not by how it is named inside.
MAY: dict[str, set[str]] = {
    "GET /": ANYBODY,
    "GET /static/{}": ANYBODY,
    "GET /openapi.json": ALL,
    "GET /health": ALL,
    "GET /tasks/pending": WORKERS,
    "GET /pending-tasks": WORKERS,
    "PATCH /tasks/{}": HOLDER,
    "POST /tasks/status": WORKERS,
    "POST /task-status": WORKERS,
    "GET /tasks": CREATORS,
    "POST /tasks": CREATORS,
    "GET /tasks/{}": CREATORS,
    "GET /tasks/{}/events": CREATORS,
    "GET /comics": CREATORS,
    "POST /comics": CREATORS,
    "POST /comics/import": CREATORS,
    "GET /comics/{}": CREATORS,
    "PATCH /comics/{}": CREATORS,
    "POST /comics/{}/retry": CREATORS,
    "POST /events": CREATORS,
    "GET /status/batch": CREATORS,
}
PAGES: dict[str, set[str]] = {
    "GET /admin/sign-in": {"nobody", "creator", "admin", "signed out", "expired"},
    "POST /admin/sign-in": {"nobody", "creator", "admin", "signed out", "expired"},
    "POST /admin/sign-out": CREATORS,
    "GET /admin/account": CREATORS,
    "POST /admin/account/password": CREATORS,
    "POST /admin/account/sign-out-everywhere": CREATORS,
    "GET /admin/tokens": {"admin"},
    "POST /admin/tokens": {"admin"},
    "POST /admin/tokens/{}/revoke": {"admin"},
    "GET /admin/": CREATORS,
    "GET /admin/live": CREATORS,
    "GET /admin/comics/new": CREATORS,
    "POST /admin/comics/new": CREATORS,
    "GET /admin/comics/new/composed": CREATORS,
    "GET /admin/uploads/{}": CREATORS,
    "POST /admin/uploads/{}": CREATORS,
    "GET /admin/uploads/{}/rows.csv": CREATORS,
    "POST /admin/uploads/{}/discard": CREATORS,
    "GET /admin/comics/{}": CREATORS,
    "GET /admin/comics/{}/progress": CREATORS,
    "GET /admin/comics/{}/panels": CREATORS,
    "GET /admin/comics/{}/panels/{}/picture": CREATORS,
    "POST /admin/comics/{}/status": CREATORS,
    "POST /admin/comics/{}/retry": CREATORS,
    "POST /admin/comics/{}/settings": CREATORS,
    "GET /admin/comics/{}/export.csv": CREATORS,
    "GET /admin/comics/{}/export.json": CREATORS,
    "GET /admin/comics/{}/panels/{}": CREATORS,
    "POST /admin/comics/{}/panels/{}": CREATORS,
    "GET /admin/comics/{}/panels/{}/state": CREATORS,
    "GET /admin/comics/{}/panels/{}/history": CREATORS,
    "POST /admin/comics/{}/panels/{}/retry": CREATORS,
    "POST /admin/comics/{}/panels/{}/cancel": CREATORS,
    "POST /admin/comics/{}/panels/{}/top": CREATORS,
    "POST /admin/comics/{}/panels/cancel": CREATORS,
    "POST /admin/comics/{}/panels/move": CREATORS,
    "GET /admin/comics/{}/replace": CREATORS,
    "POST /admin/comics/{}/replace": CREATORS,
    "POST /admin/comics/{}/replace/preview": CREATORS,
    "POST /admin/comics/{}/panels/{}/composed": CREATORS,
    "POST /admin/pause": CREATORS,
    "POST /admin/resume": CREATORS,
    "POST /admin/comics/{}/resume": CREATORS,
    "POST /admin/comics/{}/retry-failed": CREATORS,
    "GET /admin/comics": CREATORS,
    "GET /admin/comics/live": CREATORS,
    "GET /admin/workers": CREATORS,
    "GET /admin/workers/live": CREATORS,
    "POST /admin/workers/{}/label": CREATORS,
    "POST /admin/workers/{}/hold": CREATORS,
    "POST /admin/workers/{}/release": CREATORS,
    "GET /admin/activity": CREATORS,
    "GET /admin/activity/live": CREATORS,
    "GET /admin/activity.csv": CREATORS,
    "GET /admin/settings": CREATORS,
    "GET /admin/sites": CREATORS,
    "POST /admin/settings/attempts": {"admin"},
    "POST /admin/settings/sites/{}": {"admin"},
    "GET /admin/styles": CREATORS,
    "POST /admin/styles": CREATORS,
    "POST /admin/styles/{}": CREATORS,
    "POST /admin/styles/{}/remove": CREATORS,
}
BODIES: dict[str, Any] = {
    "POST /comics": {"title": "Cave", "prompts": ["Hero"]},
    "POST /comics/import": {"title": "Cave", "prompts": ["Hero"]},
    "POST /tasks": {"prompt": "Hero"},
    "PATCH /tasks/{}": {"status": "running"},
    "POST /tasks/status": [],
    "POST /task-status": {"taskId": "1.1", "status": "sent"},
    "POST /events": {"type": "ImageGenerationRequestedEvent", "payload": {"prompt": "Hero"}},
    "PATCH /comics/{}": {"priority": "high"},
    "POST /comics/{}/retry": {},
}


@pytest.fixture
def settings() -> dict[str, Any]:
    """Accounts are on; tests ask more often than one client may."""
    return {"SEMANTEST_ACCOUNTS": 1, "SEMANTEST_RATE_LIMITS": "off"}


def routes(app: Flask) -> dict[str, str]:
    """Every route, such as `GET /comics/{}`, and its endpoint, from the application itself."""
    return {
        f"{method} {re.sub('<[^>]*>', '{}', rule.rule)}": rule.endpoint
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def path_of(route: str) -> tuple[str, str]:
    """The method and an address of a route, with the ids of things that are there."""
    method, path = route.split(" ")
    given = {"/tasks/{}": "1.1", "/static/{}": "app.css", "/sites/{}": "chatgpt.com", "/tokens/{}": "1"}
    for prefix, value in given.items():
        path = path.replace(prefix, prefix.replace("{}", value))
    return method, path.replace("{}", "1")


@pytest.fixture
def programs(engine: Engine, client: FlaskClient, clock: FrozenClock) -> dict[str, dict[str, str]]:
    """The headers of everybody who might send some, and a panel that the first worker holds."""
    texts = {
        "worker": add_token(engine, "studio", Scope.WORKER),
        "another worker": add_token(engine, "attic", Scope.WORKER),
        "creator": add_token(engine, "pod", Scope.CREATOR),
        "admin": add_token(engine, "boss", Scope.ADMIN),
        "revoked": add_token(engine, "gone", Scope.ADMIN),
        "expired": add_token(engine, "brief", Scope.ADMIN, timedelta(seconds=1)),
    }
    revoke_token(engine, "gone")
    clock.advance(2)
    client.post("/comics", json={"title": "Cave", "prompts": ["Hero", "Monster"]}, headers=bearer(texts["admin"]))
    (hand_out,) = client.get("/tasks/pending?limit=1", headers=bearer(texts["worker"])).get_json()
    assert [panel["id"] for panel in hand_out["payload"]["panels"]] == ["1.1"]
    return {"nobody": {}, **{who: bearer(text) for who, text in texts.items()}}


def test_every_route_has_a_rule_here_and_there(app: Flask) -> None:
    assert set(routes(app)) == {*MAY, *PAGES}
    assert set(NEEDS) == set(routes(app).values())


def test_programs_may_do_what_their_token_is_for_and_nothing_else(
    client: FlaskClient, programs: dict[str, dict[str, str]]
) -> None:
    asked: list[str] = []
    for route, may in MAY.items():
        method, path = path_of(route)
        for who, headers in programs.items():
            asked.append(route)
            address = {"REMOTE_ADDR": f"10.0.0.{len(asked)}"}  # wrong tokens are counted by address
            response = client.open(path, method=method, json=BODIES.get(route), headers=headers, environ_base=address)
            is_unknown = who in ("nobody", "revoked", "expired")
            said = f"{who}: {route} → {response.status_code} {response.headers.get('Problem', '')}"
            if who in ("revoked", "expired") and may is not ANYBODY:
                assert response.status_code == 401, said
                assert "error=invalid_token" in response.headers["WWW-Authenticate"], said
            elif who in may:
                assert response.status_code < 400 or (may is ANYBODY and is_unknown), said
            else:
                assert response.status_code == (401 if is_unknown else 403), said
            if response.status_code == 401:
                assert response.headers["WWW-Authenticate"].startswith("Bearer"), said
            response.close()


def test_people_may_do_what_their_account_is_for_and_nothing_else(app: Flask, engine: Engine) -> None:
    for name, scope in (("ann", Scope.ADMIN), ("cleo", Scope.CREATOR)):
        add_account(engine, name, scope)
    admin = bearer(add_token(engine, "boss", Scope.ADMIN))
    data = {"imageUrl": "data:image/png;base64,iVBORw0KGgo="}
    app.test_client().post("/comics", json={"title": "Cave", "prompts": ["Hero"]}, headers=admin)
    app.test_client().get("/tasks/pending", headers=admin)
    app.test_client().patch("/tasks/1.1", json={"status": "completed", **data}, headers=admin)
    for route, may in PAGES.items():
        for who in ("nobody", "creator", "admin", "signed out", "expired"):
            response = visit(app, engine, route, who)
            said = f"{who}: {route} → {response.status_code}"
            if who in may:
                assert response.status_code not in (401, 403), said
                assert "/admin/sign-in" not in response.headers.get("Location", "") or "sign" in route, said
            elif who in ("creator", "admin"):
                assert response.status_code == 403, said
            else:
                assert (response.status_code, "/admin/sign-in" in response.headers["Location"]) == (303, True), said
            response.close()  # a file is still being sent, in the context of its request


def visit(app: Flask, engine: Engine, route: str, who: str) -> TestResponse:
    """Ask for a page, or send a form, in the browser of somebody."""
    method, path = path_of(route)
    client = app.test_client() if who == "nobody" else browser(app, "cleo" if who == "creator" else "ann")
    data = {"csrf_token": csrf_token(client)}
    if who == "signed out":
        kept = client.get_cookie("semantest", domain="localhost")
        assert kept is not None
        client.post("/admin/sign-out", data=data)
        client.set_cookie("semantest", kept.value, domain="localhost")
    if who == "expired":
        with Session(engine) as session:
            session.execute(update(SignIn).values(expires_at=SignIn.created_at))
            session.commit()
    return client.open(path, method=method, data=data if method == "POST" else None)


@on_one_database
def test_a_sign_in_opens_no_api(app: Flask, engine: Engine) -> None:
    add_account(engine)
    client = browser(app)
    assert client.get("/admin/").status_code == 200
    for path in ("/comics", "/tasks", "/tasks/pending"):
        assert client.get(path).status_code == 401


@on_one_database
def test_a_token_opens_no_page(client: FlaskClient, programs: dict[str, dict[str, str]]) -> None:
    assert client.get("/admin/", headers=programs["admin"]).status_code == 303


@on_one_database
def test_a_poll_without_a_token_is_answered_with_an_empty_list(client: FlaskClient) -> None:
    response = client.get("/tasks/pending")
    assert (response.status_code, response.json) == (401, [])
    assert "Send a token" in response.headers["Problem"]
    assert int(response.headers["Retry-After"]) > 0


def test_a_workers_token_is_the_worker_whatever_it_says_of_itself(
    client: FlaskClient, programs: dict[str, dict[str, str]]
) -> None:
    headers = {**programs["another worker"], "X-Worker-Id": "studio"}
    client.get("/tasks/pending?limit=1", headers=headers)
    assert client.get("/tasks/2", headers=programs["creator"]).get_json()["worker"] == "attic"


REPORTS = ["delivered", "running", "completed", "failed", "no_tabs", "cancelled"]


@pytest.mark.parametrize("status", REPORTS)
@pytest.mark.parametrize("target", ["1.1", "1", "hand-out"])
def test_a_worker_cannot_report_on_what_was_handed_out_to_another(
    client: FlaskClient, programs: dict[str, dict[str, str]], status: str, target: str
) -> None:
    if target == "hand-out":
        again = client.get("/tasks/pending?holding=", headers={**programs["worker"], "X-Worker-Id": "studio"})
        target = again.get_json()[0]["id"]
    before = client.get("/tasks/1", headers=programs["creator"]).get_json()
    stranger = programs["another worker"]
    alone = client.patch(f"/tasks/{target}", json={"status": status}, headers=stranger)
    assert (alone.status_code, alone.get_json()["title"]) == (403, "Another worker's")
    among = client.post("/tasks/status", json=[{"taskId": target, "status": status}], headers=stranger).get_json()
    assert (among["results"][0]["status"], among["results"][0]["directive"]) == (403, "stop")
    later = client.post("/task-status", json={"taskId": target, "status": "error", "tabId": 7}, headers=stranger)
    assert later.json == {"received": True}
    assert client.get("/tasks/1", headers=programs["creator"]).get_json() == before


@pytest.mark.parametrize("given", ["Basic YW5uOnB3", "Bearer", "Bearer a b", "bearer x", "Bearer semantest_1_x"])
@on_one_database
def test_what_is_no_token_of_ours_is_refused(client: FlaskClient, given: str) -> None:
    response = client.get("/comics", headers={"Authorization": given})
    assert (response.status_code, response.get_json()["detail"]) == (401, "The token is not known, expired or revoked.")


@on_one_database
def test_the_secret_has_to_be_right_to_the_last_character(
    client: FlaskClient, programs: dict[str, dict[str, str]]
) -> None:
    text = programs["admin"]["Authorization"]
    last = "A" if text[-1] != "A" else "B"
    assert client.get("/comics", headers={"Authorization": text}).status_code == 200
    assert client.get("/comics", headers={"Authorization": text[:-1] + last}).status_code == 401


@on_one_database
def test_wrong_tokens_are_counted_by_address_and_right_ones_are_let_in_all_the_same(
    client: FlaskClient, programs: dict[str, dict[str, str]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "semantest.security"):
        statuses = [client.get("/comics", headers=bearer("wrong")).status_code for _ in range(25)]
    assert statuses == [401] * 20 + [429] * 5
    refused = client.get("/comics", headers=bearer("wrong"))
    assert 0 < int(refused.headers["Retry-After"]) <= 300
    elsewhere = {"REMOTE_ADDR": "10.0.0.9"}
    assert client.get("/comics", headers=bearer("wrong"), environ_base=elsewhere).status_code == 401
    assert client.get("/comics", headers=programs["admin"]).status_code == 200
    events = [record.getMessage().split()[0] for record in caplog.records]
    assert (events.count("event=token_refused"), events.count("event=guesses_refused")) == (21, 1)
    assert "wrong" not in caplog.text


@on_one_database
def test_an_extension_may_ask_first_without_a_token(client: FlaskClient) -> None:
    origin = {"Origin": f"chrome-extension://{'a' * 32}", "Access-Control-Request-Method": "PATCH"}
    response = client.options("/tasks/1.1", headers=origin)
    assert response.status_code == 200
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]


@on_one_database
def test_the_last_use_of_a_token_is_written_down(
    client: FlaskClient, engine: Engine, programs: dict[str, dict[str, str]]
) -> None:
    from semantest_server.accounts import tokens

    client.get("/comics", headers=programs["creator"])
    with Session(engine) as session:
        used = {token.name: token.used_at for token in tokens.every(session)}
    assert used["pod"] is not None
    assert used["brief"] is None
