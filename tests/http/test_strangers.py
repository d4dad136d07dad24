"""Who may ask: every route, against everything that a browser can be made to send.

What a request carries is as it was measured in Chromium; a name says who sends it.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from semantest_server.guard import IMPORTS

from ..conftest import FrozenClock
from .conftest import EXTENSION, EXTENSION_ORIGIN, on_one_database, poll, problem, problem_of_poll, queue, unchanged

pytestmark = pytest.mark.usefixtures("clock")

OTHER_EXTENSION_ORIGIN = f"chrome-extension://{EXTENSION[::-1]}"
HERE = "http://localhost:3003"
VALUES = {"task_id": "1", "target": "1.1", "comic_id": "1"}
BODIES: dict[str, Any] = {
    "POST /comics": {"title": "Cave", "prompts": ["Hero"]},
    "POST /comics/import": {"title": "Cave", "prompts": ["Hero"]},
    "POST /tasks": {"prompt": "Hero"},
    "POST /events": {"type": "PromptRequestedEvent", "payload": {"prompt": "Hero"}},
    "POST /tasks/status": [{"taskId": "1.1", "status": "completed"}],
    "POST /task-status": {"taskId": "1.1", "status": "completed"},
    "POST /comics/1/retry": {},
    "PATCH /comics/1": {"status": "paused"},
    "PATCH /tasks/1": {"status": "completed"},
    "PATCH /tasks/1.1": {"status": "completed"},
}

FOREIGN = {
    "a foreign page's fetch": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "an old browser's foreign page": {"Origin": "http://evil.example"},
    "a foreign page's image or no-cors fetch": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "no-cors",
        "Sec-Fetch-Dest": "image",
    },
    "a foreign page that navigates here": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    },
    "a foreign page's frame": {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
    },
    "a foreign page's form": {
        "Origin": "https://evil.example",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
    },
    "a sandboxed frame": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "an https page's form": {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    "another port of localhost": {"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-site"},
    "another port's image": {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    "the same port of 127.0.0.1": {"Origin": "http://127.0.0.1:3003", "Sec-Fetch-Site": "cross-site"},
    "the same host over https": {"Origin": "https://localhost:3003", "Sec-Fetch-Site": "same-site"},
    "a name that begins like ours": {"Origin": f"{HERE}.evil.example", "Sec-Fetch-Site": "cross-site"},
    "a user name that looks like ours": {"Origin": "http://localhost:3003@evil.example"},
    "an extension of another browser": {"Origin": "moz-extension://5f2c9a2e-0c2b-4d0b-9a0c-0d5c6f1f2a3b"},
    "an id that is too long": {"Origin": f"{EXTENSION_ORIGIN}a"},
    "an id with other letters": {"Origin": "chrome-extension://" + "z" * 32},
    "an id with capital letters": {"Origin": EXTENSION_ORIGIN.replace("abcd", "ABCD")},
    "an extension's page with a path": {"Origin": f"{EXTENSION_ORIGIN}/"},
    "two origins": {"Origin": f"{EXTENSION_ORIGIN}, https://evil.example"},
    "an origin with a line in it": {"Origin": f"{EXTENSION_ORIGIN}\t"},
    "an empty origin": {"Origin": ""},
    "a file": {"Origin": "file://", "Sec-Fetch-Site": "cross-site"},
    "an unknown site": {"Sec-Fetch-Site": "elsewhere"},
    "an empty site": {"Sec-Fetch-Site": ""},
    "a rebound name": {"Host": "rebind.evil.example:3003"},
    "a rebound name that calls itself same-origin": {
        "Host": "rebind.evil.example:3003",
        "Origin": "http://rebind.evil.example:3003",
        "Sec-Fetch-Site": "same-origin",
    },
    "a name that ends like ours": {"Host": "evil.localhost.example"},
    "an address of the network": {"Host": "192.168.0.7:3003"},
    "no name": {"Host": ""},
    "a name with a user": {"Host": "localhost@evil.example"},
    "a port that is none": {"Host": "localhost:evil"},
}
WELCOME = {
    "curl": {},
    "curl by address": {"Host": "127.0.0.1:3003"},
    "curl by IPv6": {"Host": "[::1]:3003"},
    "curl in capitals": {"Host": "LocalHost"},
    "a person": {"Sec-Fetch-Site": "none"},
    "our own page": {"Origin": HERE, "Sec-Fetch-Site": "same-origin"},
    "our own page's GET": {"Sec-Fetch-Site": "same-origin"},
    "an extension's GET with permission for the server": {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "cors"},
}
EXTENSIONS = {
    "with permission for the server": {"Origin": EXTENSION_ORIGIN, "Sec-Fetch-Site": "none"},
    "without": {"Origin": EXTENSION_ORIGIN, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"},
    "in an old browser": {"Origin": EXTENSION_ORIGIN},
}


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    """Every method and address that extensions call."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith(("admin.", "static", "home")):
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", lambda match: VALUES[match[1]], rule.rule)
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            yield method, path


def ask(client: FlaskClient, method: str, path: str, headers: dict[str, str]) -> TestResponse:
    """Ask as somebody, with a body that would do something."""
    body = BODIES[f"{method} {path}"] if method in ("POST", "PATCH") else None
    return client.open(path, method=method, json=body, headers={"Host": "localhost:3003", **headers})


def check_refusal(response: TestResponse, method: str, path: str) -> None:
    """Check that an answer tells a stranger nothing."""
    assert response.status_code == 403
    if method != "HEAD":
        check = problem_of_poll if path == "/tasks/pending" else problem
        check(response, 403)
    assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]
    assert "Origin" in response.headers["Vary"]


def allowed_origins(response: TestResponse) -> list[str]:
    """The origins that may read an answer."""
    return response.headers.getlist("Access-Control-Allow-Origin")


@pytest.fixture
def work(clock: FrozenClock, client: FlaskClient) -> None:
    """Something to claim, and something to report about."""
    queue(client, 3)
    poll(client, "w1", limit=1)


def test_there_is_a_body_for_every_route(app: Flask) -> None:
    writing = [f"{method} {path}" for method, path in routes(app) if method not in ("GET", "HEAD")]
    assert set(writing) <= set(BODIES)
    assert len(writing) == 9


# Strangers


@on_one_database
@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_strangers_read_and_change_nothing_on_any_route(
    app: Flask, client: FlaskClient, engine: Engine, headers: dict[str, str]
) -> None:
    with unchanged(engine):
        for method, path in routes(app):
            check_refusal(ask(client, method, path, headers), method, path)


@on_one_database
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_strangers_are_not_told_that_they_might_ask(app: Flask, client: FlaskClient, headers: dict[str, str]) -> None:
    asking = {**headers, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for path in sorted({path for _, path in routes(app)}):
        response = client.options(path, headers={"Host": "localhost:3003", **asking})
        check_refusal(response, "OPTIONS", path)


@on_one_database
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_strangers_are_not_told_which_addresses_there_are(client: FlaskClient, headers: dict[str, str]) -> None:
    for method, path in (("GET", "/nowhere"), ("DELETE", "/comics"), ("GET", "/comics/99"), ("POST", "/static/x")):
        response = client.open(path, method=method, headers={"Host": "localhost:3003", **headers})
        assert response.status_code == 403, f"{method} {path}"


@on_one_database
@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_what_a_page_can_send_without_asking_first_is_not_taken_even_without_other_signs(
    app: Flask, client: FlaskClient, engine: Engine, content_type: str
) -> None:
    with unchanged(engine):
        for method, path in routes(app):
            if method == "POST" and (path, content_type) != (IMPORTS, "text/plain"):
                response = client.post(path, data="{}", content_type=content_type)
                problem(response, 415)


@on_one_database
@pytest.mark.parametrize("content_type", ["text/plain", "text/csv", "application/json"])
@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN.keys())
def test_the_text_that_an_import_may_be_is_taken_from_no_stranger(
    client: FlaskClient, engine: Engine, headers: dict[str, str], content_type: str
) -> None:
    with unchanged(engine):
        asked = {"Host": "localhost:3003", **headers}
        response = client.post(f"{IMPORTS}?title=Evil", data="Evil", content_type=content_type, headers=asked)
        check_refusal(response, "POST", IMPORTS)


# Welcome


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("headers", WELCOME.values(), ids=WELCOME.keys())
def test_who_is_no_page_of_others_may_ask_and_needs_no_cors(
    app: Flask, client: FlaskClient, headers: dict[str, str]
) -> None:
    for method, path in routes(app):
        response = ask(client, method, path, headers)
        assert response.status_code < 300, f"{method} {path}: {response.text}"
        assert allowed_origins(response) == []
        assert "Origin" in response.headers["Vary"]


@pytest.mark.usefixtures("work")
@pytest.mark.parametrize("headers", EXTENSIONS.values(), ids=EXTENSIONS.keys())
def test_an_extension_may_ask_and_read_every_answer(app: Flask, client: FlaskClient, headers: dict[str, str]) -> None:
    for method, path in routes(app):
        response = ask(client, method, path, headers)
        assert response.status_code < 300, f"{method} {path}: {response.text}"
        assert allowed_origins(response) == [EXTENSION_ORIGIN]
        assert "Origin" in response.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in response.headers
        exposed = set(response.headers["Access-Control-Expose-Headers"].split(", "))
        assert {"ETag", "Location", "Problem", "Retry-After"} <= exposed


def test_an_extension_may_read_what_is_wrong_too(client: FlaskClient) -> None:
    headers = {"Origin": EXTENSION_ORIGIN, "Sec-Fetch-Site": "cross-site"}
    for method, path, status in [
        ("GET", "/comics/99", 404),
        ("GET", "/nowhere", 404),
        ("DELETE", "/comics", 405),
        ("GET", "/tasks?limit=0", 422),
        ("GET", "/tasks/pending?limit=0", 422),
        ("PATCH", "/tasks/1.1", 404),
    ]:
        body = {"status": "sent"} if method == "PATCH" else None
        response = client.open(path, method=method, json=body, headers=headers)
        assert (response.status_code, allowed_origins(response)) == (status, [EXTENSION_ORIGIN])


@on_one_database
@pytest.mark.usefixtures("work")
def test_an_extension_may_not_use_another_name_of_the_server(app: Flask, client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        for method, path in routes(app):
            response = ask(client, method, path, {"Host": "rebind.evil.example", "Origin": EXTENSION_ORIGIN})
            assert response.status_code == 403


# Preflights


@on_one_database
def test_an_extensions_preflight_is_answered_on_every_route(app: Flask, client: FlaskClient) -> None:
    for method, path in routes(app):
        response = client.options(
            path,
            headers={
                "Origin": EXTENSION_ORIGIN,
                "Sec-Fetch-Site": "cross-site",
                "Access-Control-Request-Method": method,
                "Access-Control-Request-Headers": "content-type,x-extension-id,x-last-id,x-worker-id",
            },
        )
        assert 200 <= response.status_code < 300
        assert allowed_origins(response) == [EXTENSION_ORIGIN]
        assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
        names = set(response.headers["Access-Control-Allow-Headers"].lower().split(", "))
        assert {"content-type", "x-extension-id", "x-last-id", "x-worker-id", "idempotency-key"} <= names
        assert int(response.headers["Access-Control-Max-Age"]) > 0
        assert "Origin" in response.headers["Vary"]
        assert "Access-Control-Allow-Private-Network" not in response.headers


@on_one_database
def test_a_preflight_for_the_private_network_is_answered(client: FlaskClient) -> None:
    headers = {
        "Origin": EXTENSION_ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Private-Network": "true",
    }
    response = client.options("/comics", headers=headers)
    assert response.headers["Access-Control-Allow-Private-Network"] == "true"
    response = client.options("/comics", headers={**headers, "Origin": "https://evil.example"})
    assert response.status_code == 403
    assert "Access-Control-Allow-Private-Network" not in response.headers


@pytest.mark.usefixtures("work")
def test_a_preflight_changes_nothing(app: Flask, client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        for _, path in routes(app):
            client.options(path, headers={"Origin": EXTENSION_ORIGIN, "Access-Control-Request-Method": "POST"})


@on_one_database
def test_options_says_what_may_be_done(app: Flask, client: FlaskClient) -> None:
    for method, path in routes(app):
        response = client.options(path)
        assert 200 <= response.status_code < 300
        assert method in response.headers["Allow"].split(", ")


# Pages


@on_one_database
@pytest.mark.parametrize("path", ["/", "/admin/", "/admin", "/admin/comics/new", "/admin/nowhere", "/static/app.css"])
def test_pages_give_no_cors_to_anyone(client: FlaskClient, path: str) -> None:
    for headers in (*EXTENSIONS.values(), *WELCOME.values()):
        with client.get(path, headers={"Host": "localhost:3003", **headers}) as response:
            assert [name for name, _ in response.headers if name.startswith("Access-Control-")] == []


@on_one_database
def test_a_foreign_page_cannot_load_a_page_of_ours(client: FlaskClient) -> None:
    for name in ("a foreign page's fetch", "a foreign page's image or no-cors fetch", "a foreign page's frame"):
        assert client.get("/admin/", headers=FOREIGN[name]).status_code == 403


@on_one_database
def test_a_person_may_follow_a_link_to_a_page_of_ours(client: FlaskClient) -> None:
    headers = FOREIGN["a foreign page that navigates here"]
    assert client.get("/admin/", headers=headers).status_code == 200


# Settings


@pytest.mark.parametrize("settings", [{"SEMANTEST_EXTENSIONS": EXTENSION}])
def test_only_the_extensions_that_are_set_may_ask(app: Flask, client: FlaskClient, engine: Engine) -> None:
    queue(client, 3)
    poll(client, "w1", limit=1)
    other = {"Origin": OTHER_EXTENSION_ORIGIN, "Sec-Fetch-Site": "cross-site"}
    with unchanged(engine):
        for method, path in routes(app):
            check_refusal(ask(client, method, path, other), method, path)
    for headers in EXTENSIONS.values():
        response = ask(client, "GET", "/tasks", headers)
        assert (response.status_code, allowed_origins(response)) == (200, [EXTENSION_ORIGIN])


@on_one_database
@pytest.mark.parametrize("settings", [{"SEMANTEST_HOSTS": "comics.example, other.example"}])
def test_further_names_of_the_server_may_be_set(client: FlaskClient) -> None:
    for host in ("comics.example", "comics.example:3003", "Other.Example", "localhost"):
        assert client.get("/comics", headers={"Host": host}).status_code == 200
    assert client.get("/comics", headers={"Host": "evil.example"}).status_code == 403
