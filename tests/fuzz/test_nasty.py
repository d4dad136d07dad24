"""Nasty texts in every field of the API and of every form: never a failure, never markup, and the queue stays sound."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import quote

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from semantest_server import access
from semantest_server.accounts import people
from semantest_server.upkeep.check import check

from ..http.accounts import PASSWORD, add_account, browser, sign_in
from ..http.conftest import on_one_database, queue
from ..http.test_nonsense import FIELDS, HERE, KEPT, complaint, environ, send, variants
from .markup import Form, Page
from .nasty import CHARACTERS, DATABASES, NASTY, PROTOCOLS

PARAMETERS = {
    "/tasks": ("status", "comic", "worker", "limit", "cursor"),
    "/comics": ("limit", "cursor"),
    "/tasks/1/events": ("limit", "cursor"),
    "/tasks/pending": ("limit", "domain", "holding"),
    "/status/batch": ("correlationIds",),
}
PARAMETERS_OF_PAGES = {
    "/admin/": ("before",),
    "/admin/live": ("version",),
    "/admin/comics/1": ("status", "after"),
    "/admin/comics/1/panels": ("version",),
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
UNKNOWN = ("surprise", "payload/surprise")

GOOD = {  # what makes the rest of a form good, where the form comes empty
    "title": "Cave", "prompts": "Hero\nMonster", "name": "studio", "old": PASSWORD, "new": PASSWORD,
    "again": PASSWORD, "password": PASSWORD,
}  # fmt: skip
KEPT_IN_FORMS = {"title", "prompts", "file", "style", "site", "download_folder", "name", "key"}
SESSIONS = re.compile("sign-|password")  # of forms that end one or begin one
FOLLOWED = re.compile(r"/admin/(\?before=\d+)?|/admin/comics/\d+(\?after=\d+)?|/admin/[a-z/-]+|.*/picture\?.*")


@pytest.fixture(autouse=True)
def as_in_production(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a failure be answered with a 500; passwords are hashed fast."""
    app.testing = False
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "_hasher", hasher)
    monkeypatch.setattr(people, "_nobodys", hasher.hash("nobody's"))


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Nobody asks too often here."""
    return {"SEMANTEST_RATE_LIMITS": "off", "SEMANTEST_ACCOUNTS": int("forms" in request.node.name)}


# The API


def test_nothing_nasty_in_the_api_is_a_failure_or_becomes_markup(
    backend: str, client: FlaskClient, session: Session
) -> None:
    queue(client, 4)
    texts = NASTY if backend == "sqlite" else OF_DATABASES
    everywhere = (bodies, reports, addresses, headers)
    assert [wrong for complain in everywhere for wrong in complain(client, texts)] == []
    assert list(parameters(client, texts, PARAMETERS)) == []
    assert list(check(session)) == []
    if backend == "sqlite":  # pages are the same on every database
        assert list(parameters(client, texts, PARAMETERS_OF_PAGES)) == []
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


def complaints(answer: TestResponse, asked: str) -> Iterator[str]:
    """What is wrong with an answer: a failure, no problem document, or a page with markup from a text."""
    if re.search(r"[\r\n]", "".join(answer.headers.values())) or "Set-Cookie: a=b" in str(answer.headers):
        yield f"{asked}: headers {answer.headers}"
    if answer.status_code >= 500:
        yield f"{asked}: {answer.status_code} {answer.text[:200]}"
    elif answer.mimetype == "text/html":
        yield from (f"{asked}: {wrong}" for wrong in Page(answer.text, asked).wrong)
    elif answer.status_code >= 400 and not answer.request.path.startswith("/tasks/pending"):
        yield from (f"{asked}: {said}" for said in [complaint(answer)] if said)


def crawl(client: FlaskClient) -> dict[str, Page]:
    """Every page that links lead to, once it is sure that nothing in them came from a text."""
    waiting, seen = ["/admin/"], dict[str, Page]()
    while waiting:
        path = waiting.pop()
        answer = client.get(path)
        if "/picture?" in path:  # it may be none
            assert answer.status_code in (200, 404), path
            continue
        assert answer.status_code == 200, f"{path}: {answer.text[:200]}"
        seen[path] = page = Page(answer.text, path)
        assert page.wrong == [], path
        found = {link for link in page.links if FOLLOWED.fullmatch(link)}
        waiting += sorted(found - seen.keys() - set(waiting))
    return seen


# Forms


@on_one_database
def test_nothing_nasty_in_the_forms_is_a_failure_or_becomes_markup(app: Flask, engine: Engine) -> None:
    add_account(engine)
    admin = browser(app)
    token = Page(admin.get("/admin/").text, "/admin/").token
    admin.post("/admin/comics/new", data={"csrf_token": token, **GOOD, "priority": "normal", "parallel": "1"})
    admin.post("/admin/tokens", data={"csrf_token": token, "name": "first", "scope": "worker", "expires": ""})
    taking = [rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    rules = {re.sub("<[^>]*>", "1", rule) for rule in taking if rule.startswith("/admin/")}
    found = forms(admin, rules)
    assert {general(action) for action in found} == rules
    assert [wrong for form in found.values() for wrong in filled(app, form)] == []
    with Session(engine) as session:
        assert list(check(session)) == []
    assert len(crawl(browser(app))) > len(NASTY)


@on_one_database
def test_after_the_forms_nobody_is_sent_to_another_server(app: Flask, engine: Engine) -> None:
    add_account(engine)
    client = app.test_client()
    for text in NASTY:
        app.extensions["semantest_throttles"] = access.new_throttles(app)
        answer = sign_in(client, following=quote(text.encode(errors="surrogatepass"))[:4_000])
        assert list(complaints(answer, text[:60])) == []
        if answer.status_code == 303:
            assert re.match(r"/admin/(?![/\\])", answer.location), text
        client.delete_cookie("session")


def forms(client: FlaskClient, rules: set[str]) -> dict[str, Form]:
    """Every form of every page that is sent to one of these, by where it is sent."""
    signing_in = Page(client.application.test_client().get("/admin/sign-in").text, "/admin/sign-in")
    pages = [*crawl(client).values(), signing_in]
    for decision in ("cancelled", "active"):  # once it is cancelled, its panels can be retried
        client.post("/admin/comics/1/status", data={"csrf_token": pages[0].token, "status": decision})
        pages.append(Page(client.get("/admin/comics/1").text, "/admin/comics/1"))
    return {form.action: form for page in reversed(pages) for form in page.forms if general(form.action) in rules}


def general(action: str) -> str:
    """The rule that an address follows."""
    return re.sub(r"/(?:\d+|chatgpt\.com)(?=/|$)", "/1", action.partition("?")[0])


def filled(app: Flask, form: Form) -> Iterator[str]:
    """What is wrong with the answers to a form with each text in all fields, and in each that keeps a text alone."""
    client = browser(app)
    token = Page(client.get("/admin/").text, "/admin/").token
    good = {name: value or GOOD.get(name, "") for name, value in form.fields.items()}
    every = sorted({*good, *form.files, "surprise"} - {"csrf_token"})
    for names in (every, *([name] for name in every if name in KEPT_IN_FORMS and len(every) > 2)):
        for number, text in enumerate(NASTY):
            app.extensions["semantest_throttles"] = access.new_throttles(app)
            key = {"key": f"form-{sha256(f'{names} {number}'.encode()).hexdigest()[:32]}"}  # each is a comic of its own
            raw = text.encode(errors="surrogatepass")
            nasty: Any = {name: (BytesIO(raw), "prompts.txt") if name in form.files else raw for name in names}
            answer = client.post(form.action, data={**good, **key, "csrf_token": token, **nasty})
            yield from complaints(answer, f"{form.action} {names}: {text[:60]!r}")
            if answer.status_code == 303 and SESSIONS.search(form.action):
                client = browser(app)
                token = Page(client.get("/admin/").text, "/admin/").token
