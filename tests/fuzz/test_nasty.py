"""Nasty texts in every field of the API: never a failure, never markup, and the queue stays sound."""

import csv
import io
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from semantest_server.upkeep.check import check

from ..http.conftest import queue
from ..http.test_nonsense import FIELDS, HERE, KEPT, environ, send, variants
from .answers import complaints, crawl
from .nasty import CHARACTERS, DATABASES, NASTY, PROTOCOLS

PARAMETERS = {
    "/tasks": ("status", "comic", "worker", "limit", "cursor"),
    "/comics": ("limit", "cursor"),
    "/tasks/1/events": ("limit", "cursor"),
    "/tasks/pending": ("limit", "domain", "holding"),
    "/status/batch": ("correlationIds",),
}
PARAMETERS_OF_PAGES = {
    "/admin/live": ("version",),
    "/admin/comics": ("before",),
    "/admin/comics/live": ("version",),
    "/admin/workers": ("rename",),
    "/admin/activity": ("type", "comic", "worker", "before"),
    "/admin/comics/1": ("status", "q", "sort", "size", "view", "page"),
    "/admin/comics/1/panels": ("version", "q"),
    "/admin/comics/1/replace": ("status", "q"),
    "/admin/comics/1/panels/1": ("status", "q", "after"),
    "/admin/comics/1/panels/1/history": ("version", "after"),
    "/admin/comics/new/composed": ("style", "own_style", "prompt", "prompts", "row"),
    "/admin/sign-in": ("next",),
}
ADDRESSES = (
    "GET /tasks/{}", "GET /tasks/{}/events", "PATCH /tasks/{}", "GET /comics/{}", "PATCH /comics/{}",
    "POST /comics/{}/retry", "GET /admin/{}", "GET /admin/comics/{}", "GET /static/{}", "GET /{}",
)  # fmt: skip
HEADERS = ("X-Worker-Id", "X-Extension-Id", "User-Agent", "If-None-Match", "Origin", "Authorization", "Referer")
OF_DATABASES = [*DATABASES, *CHARACTERS, *PROTOCOLS]  # what two databases may take differently; pages show it the same
UNHEARD_OF = re.compile(r"[\0\r\n]")  # the server lets none of these into a header
REPEATED = "PATCH /tasks/1"  # has the fields of `PATCH /tasks/1.1`
CELLS = ("chapter", "strip", "style", "caption", "speech", "notes", "filename", "folder", "id", "panel", "priority")
UNKNOWN = ("surprise", "payload/surprise")


@pytest.fixture(autouse=True)
def as_in_production(app: Flask) -> None:
    """Let a failure be answered with a 500."""
    app.testing = False


@pytest.fixture
def settings() -> dict[str, Any]:
    """Nobody asks too often here."""
    return {"SEMANTEST_RATE_LIMITS": "off"}


def test_nothing_nasty_in_the_api_is_a_failure_or_becomes_markup(
    backend: str, client: FlaskClient, session: Session
) -> None:
    queue(client, 4)
    texts = NASTY if backend == "sqlite" else OF_DATABASES
    if backend == "sqlite":  # pages are the same on every database, and quick as long as little is on them
        assert list(parameters(client, texts, PARAMETERS_OF_PAGES)) == []
    everywhere = (bodies, imports, reports, addresses, headers)
    assert [wrong for complain in everywhere for wrong in complain(client, texts)] == []
    assert list(parameters(client, texts, PARAMETERS)) == []
    assert list(check(session)) == []
    if backend == "sqlite":
        assert len(crawl(client)) > len(NASTY)


def bodies(client: FlaskClient, texts: list[str]) -> Iterator[str]:
    """What is wrong with the answers to each text in each field, known or not, and to each as a field's name."""
    for endpoint in FIELDS.keys() - {REPEATED}:
        known = {name: body for name, (body, _) in FIELDS[endpoint].items()}
        kept = {name: body for name, body in KEPT.get(endpoint, {}).items() if name in UNKNOWN}
        named = json.dumps({**next(iter(known.values())), "@@name@@": 1}).replace(json.dumps(HERE), '"x"')
        for text in texts:
            raw = json.dumps(text)
            for name, body in {**known, **kept}.items():
                answer = send(client, endpoint, variants(body, {text: raw})[text])
                yield from complaints(answer, f"{endpoint} {name}: {text[:60]!r}")
            answer = send(client, endpoint, named.replace('"@@name@@"', raw))
            yield from complaints(answer, f"{endpoint}: a field named {text[:60]!r}")
    for name in ("taskId", "status", "progress", "imageUrl", "downloadPath", "message", "tabId", "surprise"):
        for start in range(0, len(texts), 100):
            items = [{"taskId": "1", "status": "running", name: text} for text in texts[start : start + 100]]
            yield from complaints(client.post("/tasks/status", json=items), f"POST /tasks/status {name}")


def imports(client: FlaskClient, texts: list[str]) -> Iterator[str]:
    """The same of each text in all cells of a file, as the file itself, and as the file's name for a column."""
    for text in texts:
        line = io.StringIO()
        csv.writer(line).writerows([(text.replace("\0", ""), *CELLS), ("Hero", *[text] * len(CELLS)), (text,)])
        files = [
            ("application/json", json.dumps({text: 1, "panels": [{"prompt": "Hero", **dict.fromkeys(CELLS, text)}]})),
            ("application/json", json.dumps({"title": text, "prompts": [text]})),
            ("text/csv", line.getvalue().replace(text, "prompt", 1)),
            ("text/csv", text),
            ("text/plain", f"# Chapter: {text}\n{text}"),
        ]
        for number, (media_type, file) in enumerate(files):
            raw = file.encode(errors="surrogatepass")
            for query in ("title=Cave&dryRun=true", "title=Cave")[: 2 - number % 2]:  # too many comics take too long
                answer = client.post(f"/comics/import?{query}", data=raw, content_type=media_type)
                yield from complaints(answer, f"import {number} {query}: {text[:60]!r}")


def reports(client: FlaskClient, texts: list[str]) -> Iterator[str]:
    """The same of texts that workers of such names report about panels of their own, which pages show."""
    names = [text for text in texts if not UNHEARD_OF.search(text)]
    comic = queue(client, len(names), title="Nasty", parallel=100, domain="nasty.example")
    for text in names:
        who = environ("X-Worker-Id", as_header(text))
        taken: Any = client.get("/tasks/pending?limit=1&domain=nasty.example", environ_overrides=who).json
        for receipt in [panel["id"] for one in taken for panel in one["payload"]["panels"]]:
            for name in ("message", "downloadPath", "imageUrl", "tabId"):
                body = {"status": "running", name: text}
                answer = client.patch(f"/tasks/{receipt}", json=body, environ_overrides=who)
                yield from complaints(answer, f"PATCH {name}: {text[:60]!r}")
            client.patch(f"/tasks/{receipt}", json={"status": "completed"}, environ_overrides=who)
    found: Any = client.get(f"/comics/{comic['id']}").json
    if found["progress"]["completed"] < len(names) / 2:
        yield f"only {found['progress']} was drawn"


def addresses(client: FlaskClient, texts: list[str]) -> Iterator[str]:
    """The same of parts of addresses."""
    for endpoint in ADDRESSES:
        method, path = endpoint.split(" ")
        for text in texts:
            name = quote(text.encode(errors="surrogatepass"), safe="")[:7_000]
            body = None if method == "GET" else {"status": "running"} if "tasks" in path else {}
            yield from complaints(client.open(path.format(name), method=method, json=body), f"{endpoint} {name[:60]}")


def headers(client: FlaskClient, texts: list[str]) -> Iterator[str]:
    """The same of headers."""
    for text in texts:
        if UNHEARD_OF.search(text):
            continue
        for name in HEADERS:
            given = environ(name, as_header(text))
            answer = client.get("/tasks/pending?limit=1&domain=none.example", environ_overrides=given)
            yield from complaints(answer, f"{name}: {text[:60]!r}")
        given = environ("Idempotency-Key", as_header(text))
        yield from complaints(client.post("/tasks", json={"prompt": "Hero"}, environ_overrides=given), text[:60])


def parameters(client: FlaskClient, texts: list[str], of: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """The same of parameters."""
    for path, names in of.items():
        for text in texts:
            value = quote(text.encode(errors="surrogatepass"))[:8_000]
            for name in names:
                yield from complaints(client.get(f"{path}?{name}={value}"), f"{path}?{name}={value[:60]}")


def as_header(text: str) -> str:
    """A text as the server hands it over in a header."""
    return text.encode(errors="surrogatepass").decode("latin-1")[:8_000]
