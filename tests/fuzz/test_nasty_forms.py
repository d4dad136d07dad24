"""Nasty texts in every field of every form: never a failure, never markup, nothing lost, and the queue stays sound."""

import re
from collections.abc import Iterator
from hashlib import sha256
from html import escape, unescape
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
from semantest_server.accounts.tables import Scope
from semantest_server.queue.wording import wording
from semantest_server.upkeep.check import check

from ..http.accounts import PASSWORD, add_account, add_token, bearer, browser, sign_in
from ..http.conftest import on_one_database
from .answers import complaints, crawl
from .markup import Form, Page
from .nasty import NASTY

GOOD = {  # what makes the rest of a form good, where the form comes empty
    "title": "Cave", "prompts": "Hero\nMonster", "prompt": "Hero", "name": "studio", "text": "ink", "find": "Hero",
    "old": PASSWORD, "new": PASSWORD, "again": PASSWORD, "password": PASSWORD, "place-selected": "1",
}  # fmt: skip
SHORTENED = {"site"}  # of an address, its name is left
ALONE = {  # are also sent with a good rest, so that something is made of each
    "title", "prompts", "file", "own_style", "download_folder", "name", "text", "find", "by",
}  # fmt: skip
EDITED = {  # what is typed about a panel at once
    "a prompt": ("prompt",), "a style": ("style",), "the rest": ("chapter", "strip", "caption", "speech", "notes"),
}  # fmt: skip
WORDS = {name for names in EDITED.values() for name in names}
PANEL = "/admin/comics/1/panels/1"
UPLOADS = re.compile(r"/admin/uploads/[0-9a-f]{32}")
SESSIONS = re.compile("sign-|password")  # of forms that end one or begin one
HALF = re.compile("[\ud800-\udfff]")
PREFIX = re.compile(r"(?:style|cell)-\d+-")  # tells the fields of many forms, or rows, from one another


@pytest.fixture(autouse=True)
def as_in_production(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a failure be answered with a 500; passwords are hashed fast."""
    app.testing = False
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr(people, "_hasher", hasher)
    monkeypatch.setattr(people, "_nobodys", hasher.hash("nobody's"))


@pytest.fixture
def settings() -> dict[str, Any]:
    """Nobody asks too often here, and people sign in."""
    return {"SEMANTEST_RATE_LIMITS": "off", "SEMANTEST_ACCOUNTS": 1}


@on_one_database
def test_nothing_nasty_in_the_forms_is_a_failure_or_becomes_markup(app: Flask, engine: Engine) -> None:
    add_account(engine)
    admin = browser(app)
    fill(admin, bearer(add_token(engine, "boss", Scope.ADMIN)))
    taking = [rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())]
    rules = {re.sub("<[^>]*>", "1", rule) for rule in taking if rule.startswith("/admin/")}
    found = forms(admin, rules)
    assert {general(form.action) for form in found} == rules
    assert [wrong for form in found if general(form.action) != PANEL for wrong in filled(app, form)] == []
    with Session(engine) as session:
        assert list(check(session)) == []
    assert len(crawl(browser(app))) > len(NASTY)


@on_one_database
def test_nothing_nasty_in_the_forms_of_panels_is_lost_or_becomes_markup(app: Flask, engine: Engine) -> None:
    add_account(engine)
    admin = browser(app)
    headers = bearer(add_token(engine, "boss", Scope.ADMIN))
    queued = app.test_client().post(
        "/comics", json={"title": "Cave", "prompts": ["A bat"] * len(NASTY)}, headers=headers
    )
    assert queued.status_code == 201
    token = Page(admin.get("/admin/").text, "/admin/").token
    with Session(engine) as session:
        for number, text in enumerate(NASTY, 1):
            assert list(edited(admin, session, token, number, text)) == []
            assert list(replaced(admin, session, token, number, text)) == []
        assert list(check(session)) == []
    assert len(crawl(admin)) > len(NASTY)


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


def fill(admin: FlaskClient, headers: dict[str, str]) -> None:
    """Make one of everything: a failed and a waiting panel, a preview, a token, a style, and a worker."""
    token = Page(admin.get("/admin/").text, "/admin/").token
    admin.post("/admin/comics/new", data={"csrf_token": token, **GOOD, "priority": "normal", "parallel": "1"})
    admin.post("/admin/tokens", data={"csrf_token": token, "name": "first", "scope": "worker", "expires": ""})
    admin.post("/admin/settings/attempts", data={"csrf_token": token, "max_attempts": "1"})
    admin.post("/admin/styles", data={"csrf_token": token, "name": "noir", "text": "high contrast"})
    worker = admin.application.test_client()
    worker.post("/comics", json={"title": "Cave", "prompts": ["Hero", "Monster"]}, headers=headers)
    hand_outs: Any = worker.get("/tasks/pending?limit=1", headers=headers).json
    receipt = hand_outs[0]["payload"]["panels"][0]["id"]
    worker.patch(f"/tasks/{receipt}", json={"status": "failed"}, headers=headers)


def forms(client: FlaskClient, rules: set[str]) -> list[Form]:
    """Every form of every page that is sent to one of these, those that ask the most first and mere buttons last.

    Of those to the same address for the same purpose it is the one with the most fields.
    """
    signing_in = Page(client.application.test_client().get("/admin/sign-in").text, "/admin/sign-in")
    crawled = crawl(client)
    pages = [*crawled.values(), signing_in, *looked_at(client, crawled)]
    found: dict[str, Form] = {}
    for form in [form for page in pages for form in page.forms if general(form.action) in rules]:
        known = found.setdefault(purpose(form.action), form)
        if len(known.fields) < len(form.fields):
            found[purpose(form.action)] = form
    return sorted(found.values(), key=lambda form: -len(form.fields))


def looked_at(client: FlaskClient, crawled: dict[str, Page]) -> Iterator[Page]:
    """The pages that no link leads to: after a button, with a row opened, narrowed by a filter."""
    token = crawled["/admin/"].token
    steps = {
        "pause": "/admin/",
        "resume": "/admin/",
        "workers/1/hold": "/admin/workers",
        "workers/1/release": "/admin/",
    }
    for step, path in steps.items():
        client.post(f"/admin/{step}", data={"csrf_token": token})
        yield Page(client.get(path).text, path)
    upload = next(path for path in crawled if UPLOADS.fullmatch(path))
    for path in (f"{upload}?show=all&edit=0", "/admin/comics/1?status=queued"):
        yield Page(client.get(path).text, path)
    preview = "/admin/comics/1/replace/preview?which=matching"
    yield Page(client.post(preview, data={"csrf_token": token, "find": "Hero", "by": "Bat"}).text, preview)
    for decision in ("cancelled", "active"):  # once it is cancelled, its panels can be retried
        client.post("/admin/comics/1/status", data={"csrf_token": token, "status": decision})
        yield Page(client.get("/admin/comics/1").text, "/admin/comics/1")


def general(action: str) -> str:
    """The rule that an address follows."""
    return re.sub(r"/(?:[0-9a-f]{32}|\d+|chatgpt\.com)(?=/|$)", "/1", action.partition("?")[0])


def purpose(action: str) -> str:
    """The rule, and which of its uses it is."""
    return f"{general(action)}?{re.findall('(?:which|to)=[a-z]+', action)}"


def filled(app: Flask, form: Form) -> Iterator[str]:
    """What is wrong with the answers to a form with each text in all fields, and if that is refused, in one alone."""
    client = browser(app)
    token = Page(client.get("/admin/").text, "/admin/").token
    good = {name: value or GOOD.get(PREFIX.sub("", name), "") for name, value in form.fields.items()}
    every = sorted({*good, *form.files, "surprise"} - {"csrf_token"})
    taken: set[str] = set()
    for names in (every, *([name] for name in every if PREFIX.sub("", name) in ALONE and len(every) > 2)):
        for number, text in enumerate(NASTY):
            if text in taken:
                continue
            app.extensions["semantest_throttles"] = access.new_throttles(app)
            key = {"key": sha256(f"{names} {number}".encode()).hexdigest()[:32]}  # each is a comic of its own
            answer = client.post(form.action, data={**good, **key, "csrf_token": token, **sent(form, names, text)})
            asked = f"{form.action} {names}: {text[:60]!r}"
            yield from complaints(answer, asked)
            yield from lost(answer, form, names, text, asked)
            if names == every and answer.status_code < 400:
                taken.add(text)
            if answer.status_code == 303 and UPLOADS.match(answer.location):
                yield from complaints(client.get(answer.location), f"preview {asked}")
            if answer.status_code == 303 and UPLOADS.fullmatch(answer.location) and not UPLOADS.match(form.action):
                queued = client.post(answer.location, data={"csrf_token": token, "do": "queue-good"})
                yield from complaints(queued, f"queued {asked}")
            if answer.status_code == 303 and SESSIONS.search(form.action):
                client = browser(app)
                token = Page(client.get("/admin/").text, "/admin/").token


def sent(form: Form, names: list[str], text: str) -> dict[str, Any]:
    """The text in these fields, as bytes; but the test client takes none in a form with a file."""
    raw = text.encode(errors="surrogatepass")
    if not form.files:
        return dict.fromkeys(names, raw)
    as_file = (BytesIO(raw), "prompts.txt")
    return {name: as_file if name in form.files else raw.decode(errors="replace") for name in names}


def lost(answer: TestResponse, form: Form, names: list[str], text: str, asked: str) -> Iterator[str]:
    """The fields that a refused form has come back without."""
    if answer.status_code not in (409, 422):
        return
    again = [one for one in Page(answer.text, form.action).forms if general(one.action) == general(form.action)]
    for name in form.typed & set(names) - SHORTENED:
        if not any(shows(one.fields.get(name, ""), text) for one in again):
            yield f"{asked}: {name} came back as {[one.fields.get(name) for one in again]!r:.200}"


def shows(shown: str, text: str) -> bool:
    """Whether what was typed is in a field or was kept, but for the space around it and the ends of lines.

    Half a character is another text by the time it arrives; no browser sends one.
    """
    return HALF.search(text) is not None or plain(text) in plain(shown)


def plain(text: str) -> str:
    """A text as a browser would send it, and HTML can say it, without the space around it."""
    return unescape(escape(text)).replace("\r\n", "\n").replace("\r", "\n").strip()


def edited(client: FlaskClient, session: Session, token: str, number: int, text: str) -> Iterator[str]:
    """What is wrong when a text is typed into the words of a panel: it is kept, or comes back with what is wrong."""
    path = f"/admin/comics/1/panels/{number}"
    raw: Any = text.encode(errors="surrogatepass")
    for names in EDITED.values():
        session.rollback()  # or it would see the panel as it was before
        now = wording(session, 1, number)
        said = {name: getattr(now, name) or "" for name in WORDS}
        sent = {"csrf_token": token, "version": now.version, **said, **dict.fromkeys(names, raw)}
        composed = client.post(f"{path}/composed", data=sent)
        yield from complaints(composed, f"{path}/composed {names}: {text[:60]!r}")
        for version in ("another", now.version):
            answer = client.post(path, data={**sent, "version": version})
            asked = f"{path} {names} {version}: {text[:60]!r}"
            yield from complaints(answer, asked)
            yield from lost(answer, Form(path, typed=WORDS), list(names), text, asked)
        if answer.status_code == 303:
            session.rollback()
            kept = wording(session, 1, number)
            yield from (f"{asked}: {name} is not kept" for name in names if not shows(getattr(kept, name) or "", text))


def replaced(client: FlaskClient, session: Session, token: str, number: int, text: str) -> Iterator[str]:
    """What is wrong when a text is found in a prompt, or put into one: all of it is kept, or nothing is changed."""
    raw: Any = text.encode(errors="surrogatepass")
    session.rollback()
    before = wording(session, 1, number).prompt
    about = {"csrf_token": token, "task": str(number), "match_case": "y"}
    for find, by in ((raw, "A bat"), (before, raw)):
        asked = f"replace {find[:60]!r} by {by[:60]!r}"
        preview = client.post("/admin/comics/1/replace/preview?which=selected", data={**about, "find": find, "by": by})
        yield from complaints(preview, asked)
        shown = Page(preview.text, "/admin/comics/1/replace")
        yield from lost(preview, Form("/admin/comics/1/replace/preview", typed={"find", "by"}), [], text, asked)
        for form in shown.forms:
            if form.action.startswith("/admin/comics/1/replace?") or form.action == "/admin/comics/1/replace":
                yield from complaints(client.post(form.action, data=form.fields), f"{asked} now")
    session.rollback()
    after = wording(session, 1, number).prompt
    if after not in (before, before.replace(text, "A bat")) and not shows(after, text):
        yield f"replace {text[:60]!r}: {after[:60]!r}"
