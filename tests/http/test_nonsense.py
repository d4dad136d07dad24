"""Whatever comes in: a problem that says so, never a failure of the server, and nothing changed.

Values are written as raw JSON, so that what no JSON library would write can come too.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from ..conftest import FrozenClock
from .conftest import (
    EXTENSION_ORIGIN,
    named,
    on_one_database,
    pointers,
    poll,
    problem,
    problem_of_poll,
    queue,
    report,
    unchanged,
)

HERE = "@@here@@"  # stands for the value in question
MOST_BODY_BYTES = 16 * 1024 * 1024


# What nobody takes, in any field


NO_JSON = {
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "5000 digits": "9" * 5000,
    "a leading zero": "01",
    "a hexadecimal number": "0x10",
    "an open string": '"abc',
    "an open list": "[1, 2",
    "an open object": '{"a": 1',
    "single quotes": "'abc'",
    "a bare word": "abc",
    "nothing": "",
    "a comma too many": "[1,]",
    "a bad escape": r'"\x41"',
    "a raw control character": '"a\x01b"',
    "a raw newline": '"a\nb"',
    "100 levels": "[" * 100 + "]" * 100,
    "100,000 levels": "[" * 100_000 + "]" * 100_000,
    "100,000 objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
}
HARMFUL = {
    "NUL": r'"a\u0000b"',
    "bell": r'"a\u0007b"',
    "escape": r'"\u001b[31m"',
    "delete": r'"a\u007fb"',
    "half a character": r'"a\ud800b"',
    "the other half": r'"\udfff"',
    "halves in the wrong order": r'"\udc00\ud800"',
    "1e999": "1e999",
    "-1e999": "-1e999",
    "a list with NUL in it": r'["a", {"b": "\u0000"}]',
    "an object with NUL as a name": r'{"\u0000": 1}',
    "an object with half a character as a name": r'{"\ud800": 1}',
}
WRONG_TYPES = {
    "true": "true",
    "false": "false",
    "a fraction": "1.5",
    "a list": "[]",
    "a list of lists": "[[]]",
    "an object": "{}",
    "an object in a list": '[{"a": 1}]',
    "a huge number": "9" * 400,
    "minus a huge number": "-" + "9" * 400,
}
NULL = {"null": "null"}
NUMBERS = {"a number": "7", "zero": "0", "minus one": "-1"}


def texts(*values: str) -> dict[str, str]:
    """Strings as raw JSON, by themselves."""
    return {repr(value[:24]): json.dumps(value) for value in values}


def longer(characters: int) -> dict[str, str]:
    """Text that is too long by one character, and by a lot."""
    return {f"{count:,} characters": json.dumps("ü" * count) for count in (characters + 1, max(20_000, 2 * characters))}


EMPTY = texts("", " ", "\t\n ")
NO_NUMBER = texts("", "x", "١", "²", "1_0", "0x1", "1.5", "1e3", "9" * 30, "NaN", "∞", "½")
NO_PATH = texts(
    "../x", "a/../b", "a\\..\\b", "/x", "\\\\host\\x", "C:\\x", "c:x", "con", "a/NUL.png", "a<b", "a|b", "a?", "x."
)
NO_DOMAIN = texts("a b", "https://a.example", "a.example/x", "-a", "a@b", "ä ö", "a\nb", "a:b", "a:123456", "..")
NO_URL = texts("x", "javascript:alert(1)", "ftp://x", "https://a b", "data:text/html,x", 'https://x"y', "//x", "")
REQUIRED_TEXT = {**NULL, **NUMBERS, **EMPTY}
OPTIONAL_TEXT = {**NUMBERS, **EMPTY}
OPTIONAL_NAME = {**EMPTY, **longer(200)}
NAME = {**NULL, **OPTIONAL_NAME}
WHOLE = {**NO_NUMBER, "minus one": "-1", "beyond 2^63": str(2**63), "beyond 2^64": str(2**64)}


# Every field of every endpoint, and what only that field does not take


COMIC = {"title": "Cave", "panels": [{"prompt": "Hero"}]}
FIELDS: dict[str, dict[str, tuple[Any, dict[str, str]]]] = {}


def field(endpoint: str, body: Any, wrong: dict[str, str], name: str) -> None:
    """Add a field: the endpoint, a good body with the place of the field, and what it does not take."""
    FIELDS.setdefault(endpoint, {})[name] = body, wrong


def panel_fields(endpoint: str, around: Any) -> None:
    """Add the fields that panels and single pictures share."""
    field(endpoint, around(prompt=HERE), {**REQUIRED_TEXT, **longer(4000)}, "prompt")
    for name, wrong in {
        "style": {**OPTIONAL_TEXT, **longer(500)},
        "outputPath": {**OPTIONAL_TEXT, **NO_PATH, **longer(500)},
        "downloadFolder": {**OPTIONAL_TEXT, **NO_PATH, **longer(500)},
        "correlationId": OPTIONAL_NAME,
        "chapter": {**OPTIONAL_TEXT, **longer(200)},
        "strip": {**OPTIONAL_TEXT, **longer(200)},
        "caption": {**OPTIONAL_TEXT, **longer(2000)},
        "speech": {**OPTIONAL_TEXT, **longer(2000)},
        "notes": {**OPTIONAL_TEXT, **longer(2000)},
        "surprise": {**NULL, **NUMBERS, **texts("x")},
        "correlation_id": texts("x"),
    }.items():
        field(endpoint, around(prompt="Hero", **{name: HERE}), wrong, name)


for name, wrong in {
    "title": {**REQUIRED_TEXT, **longer(200)},
    "style": {**OPTIONAL_TEXT, **longer(500)},
    "priority": {**NULL, **NUMBERS, **EMPTY, **texts("urgent", "High", "normal "), **longer(300)},
    "parallel": {**NULL, **WHOLE, "zero": "0", "101": "101"},
    "domain": {**OPTIONAL_TEXT, **NO_DOMAIN, **longer(200)},
    "downloadFolder": {**OPTIONAL_TEXT, **NO_PATH, **longer(500)},
    "panels": {**NULL, **NUMBERS, **texts("x"), "numbers": "[1]", "empty panels": "[{}]", "nulls": "[null]"},
    "prompts": {**NULL, **NUMBERS, **texts("x")},
    "id": {**NUMBERS, **texts("x")},
    "download_folder": texts("x"),
}.items():
    field("POST /comics", {**COMIC, name: HERE}, wrong, name)
field("POST /comics", {"title": "Cave", "prompts": [HERE]}, {**REQUIRED_TEXT, **longer(4000)}, "prompts/0")
field("POST /comics", {"title": "Cave", "panels": [HERE]}, {**NULL, **NUMBERS, **texts("x")}, "panels/0")
field(
    "POST /comics",
    {"title": "Cave", "panels": [{"prompt": "Hero", "number": HERE}]},
    {**WHOLE, "zero": "0", "a million": "1000000"},
    "panels/0/number",
)
panel_fields("POST /comics", lambda **panel: {"title": "Cave", "panels": [{"prompt": "First"}, panel]})
panel_fields("POST /tasks", lambda **panel: panel)
field("POST /tasks", {"prompt": "Hero", "domain": HERE}, {**OPTIONAL_TEXT, **NO_DOMAIN, **longer(200)}, "domain")
field("POST /tasks", {"prompt": "Hero", "number": HERE}, NUMBERS, "number")

field("PATCH /comics/1", {"status": HERE}, {**NULL, **NUMBERS, **EMPTY, **texts("finished", "Paused")}, "status")
field("PATCH /comics/1", {"title": HERE}, {**REQUIRED_TEXT, **longer(200)}, "title")
field("PATCH /comics/1", {"priority": HERE}, {**NULL, **NUMBERS, **EMPTY, **texts("urgent")}, "priority")
field("PATCH /comics/1", {"parallel": HERE}, {**NULL, **WHOLE, "zero": "0", "101": "101"}, "parallel")
field("PATCH /comics/1", {"title": "New", "surprise": HERE}, {**NULL, **NUMBERS}, "surprise")
field("POST /comics/1/retry", {"tasks": HERE}, {**NUMBERS, **texts("1")}, "tasks")
field(
    "POST /comics/1/retry",
    {"tasks": ["4", HERE]},
    {**NAME, **texts("x", "١", "1_0", "1.x", "1e3"), "minus one": "-1", "zero": "0", "another comic's": '"5"'},
    "tasks/1",
)
field("POST /comics/1/retry", {"surprise": HERE}, {**NULL, **NUMBERS}, "surprise")

REPORT = {
    "status": {**NULL, **NUMBERS, **EMPTY, **texts("queued", "leased", "Completed", "completed ", "retried")},
    "progress": {**WHOLE, "101": "101"},
    "imageUrl": {**NUMBERS, **NO_URL, "2,000,001 characters": json.dumps("https://x/" + "y" * 2_000_000)},
    "downloadPath": {**NUMBERS, **longer(4096)},
    "message": {**NUMBERS, **longer(10_000)},
    "tabId": OPTIONAL_NAME,
}
for endpoint, body in {
    "PATCH /tasks/1.1": {},
    "PATCH /tasks/1": {},
    "POST /task-status": {"taskId": "1.1"},
}.items():
    for name, wrong in REPORT.items():
        field(endpoint, {"status": "running", **body, name: HERE}, wrong, name)
field("POST /task-status", {"status": "sent", "taskId": HERE}, OPTIONAL_NAME, "taskId")

EVENT = {"type": "PromptRequestedEvent", "payload": {"prompt": "Hero"}}
field("POST /events", {**EVENT, "type": HERE}, {**NULL, **NUMBERS, **EMPTY, **texts("Other", "x" * 300)}, "type")
field("POST /events", {**EVENT, "id": HERE}, OPTIONAL_NAME, "id")
field("POST /events", {**EVENT, "correlationId": HERE}, OPTIONAL_NAME, "correlationId")
field("POST /events", {**EVENT, "payload": HERE}, {**NULL, **NUMBERS, **texts("x")}, "payload")
for name, wrong in {
    "prompt": {**REQUIRED_TEXT, **longer(4000)},
    "style": {**OPTIONAL_TEXT, **longer(500)},
    "domain": {**OPTIONAL_TEXT, **NO_DOMAIN, **longer(200)},
    "correlationId": OPTIONAL_NAME,
    "outputPath": {**NUMBERS, **texts("con", "a<b", "a/..b/x."), **longer(500)},
    "fileName": {**NUMBERS, **texts("con", "a<b"), **longer(500)},
    "imagePath": {**NUMBERS, **texts("con", "a<b"), **longer(500)},
    "downloadFolder": {**NUMBERS, **texts("con", "a<b"), **longer(500)},
}.items():
    field("POST /events", {**EVENT, "payload": {"prompt": "Hero", name: HERE}}, wrong, f"payload/{name}")

# Fields that nobody knows are kept, unless no database could keep them.
UNKNOWN = ("surprise", "image_url", "download_path", "tab_id", "details", "target", "correlation_id", "a/b~c")
KEPT: dict[str, dict[str, Any]] = {
    "PATCH /tasks/1.1": {name: {"status": "running", name: HERE} for name in UNKNOWN},
    "POST /task-status": {name: {"status": "sent", "taskId": "1.1", name: HERE} for name in UNKNOWN},
    "POST /events": {
        **{name: {**EVENT, name: HERE} for name in UNKNOWN},
        **{
            f"payload/{name}": {**EVENT, "payload": {"prompt": "Hero", name: HERE}}
            for name in ("surprise", "correlation_id", "output_path", "file_name", "image_path", "download_folder")
        },
    },
}

WHOLE_BODIES = {
    "POST /comics": {**WRONG_TYPES, **NULL, **NUMBERS, **texts("x")},
    "POST /tasks": {**WRONG_TYPES, **NULL, **NUMBERS, **texts("x")},
    "POST /events": {**WRONG_TYPES, **NULL, **NUMBERS, **texts("x")},
    "POST /task-status": {**WRONG_TYPES, **NULL, **NUMBERS, **texts("x")},
    "PATCH /tasks/1.1": {**WRONG_TYPES, **NULL, **NUMBERS, **texts("x")},
    "PATCH /comics/1": {"a list": "[]", "a list of lists": "[[]]", "a number": "7", "true": "true", **texts("x")},
    "POST /comics/1/retry": {"a list of lists": "[[]]", "a number": "7", "true": "true", **texts("x")},
    "POST /tasks/status": {"true": "true", "a number": "7", "null": "null", **texts("x")},
}


@pytest.fixture(autouse=True)
def work(clock: FrozenClock, client: FlaskClient, as_in_production: FlaskClient) -> None:
    """Something of everything: leased, running, completed, cancelled, failed once, queued."""
    queue(client, 4)
    poll(client, "w1", limit=3)
    report(client, "2.1", "running")
    report(client, "3.1", "completed")
    queue(client, [{"prompt": "Bats", "correlationId": "c-1"}])


def send(client: FlaskClient, endpoint: str, raw: str) -> TestResponse:
    """Send a body as it is; what is half a character in it goes out as bytes that are no UTF-8."""
    method, path = endpoint.split(" ")
    return client.open(path, method=method, data=raw.encode(errors="surrogatepass"), content_type="application/json")


def variants(body: Any, values: dict[str, str]) -> dict[str, str]:
    """A body with each of the raw values in its place, as raw JSON."""
    before, after = json.dumps(body).split(json.dumps(HERE))
    return {name: f"{before}{value}{after}" for name, value in values.items()}


def complaint(response: TestResponse) -> str | None:
    """What is wrong with an answer to nonsense, or None if it is a problem as it should be."""
    if not 400 <= response.status_code < 500:
        return f"answered {response.status_code}: {response.text[:100]}"
    found = response.json if response.is_json else None
    if response.mimetype != "application/problem+json" or not isinstance(found, dict):
        return f"no problem document: {response.text[:100]}"
    if found["status"] != response.status_code or not found["title"]:
        return f"a problem that does not fit: {response.text[:100]}"
    return None


def complaints(client: FlaskClient, endpoint: str, bodies: dict[str, str]) -> Iterator[str]:
    """What is wrong with the answers to these raw bodies, by their names."""
    for name, raw in bodies.items():
        if said := complaint(send(client, endpoint, raw)):
            yield f"{name}: {said}"


# Bodies


@pytest.mark.parametrize("endpoint", FIELDS)
def test_nonsense_in_a_field_is_a_problem_and_changes_nothing(
    client: FlaskClient, engine: Engine, endpoint: str
) -> None:
    with unchanged(engine):
        found = [
            f"{name}: {said}"
            for name, (body, wrong) in FIELDS[endpoint].items()
            for said in complaints(client, endpoint, variants(body, {**WRONG_TYPES, **HARMFUL, **wrong}))
        ]
    assert found == []


@pytest.mark.parametrize("endpoint", KEPT)
def test_what_cannot_be_kept_as_details_is_a_problem_and_changes_nothing(
    client: FlaskClient, engine: Engine, endpoint: str
) -> None:
    with unchanged(engine):
        found = [
            f"{name}: {said}"
            for name, body in KEPT[endpoint].items()
            for said in complaints(client, endpoint, variants(body, {**HARMFUL, **longer(20_000)}))
        ]
    assert found == []


@pytest.mark.parametrize("endpoint", KEPT)
def test_an_unknown_field_may_be_anything_else_and_is_never_taken_for_a_known_one(
    client: FlaskClient, endpoint: str
) -> None:
    values = {**WRONG_TYPES, **NULL, **texts("9.9")}
    found = [
        f"{name}: {value}: {response.text[:100]}"
        for name, body in KEPT[endpoint].items()
        for value, raw in variants(body, values).items()
        if (response := send(client, endpoint, raw)).status_code != 200
    ]
    assert found == []
    task: Any = client.get("/tasks/1").json
    assert (task["imageUrl"], task["downloadPath"], task["correlationId"]) == (None, None, None)
    listed: Any = client.get("/tasks?limit=200").json
    assert {one["correlationId"] for one in listed["tasks"]} == {None, "c-1"}
    assert {one["outputPath"][:6] for one in listed["tasks"]} == {"panel-"}
    assert client.get("/tasks/1/events?limit=200").status_code == 200


@on_one_database
@pytest.mark.parametrize("endpoint", WHOLE_BODIES)
def test_a_whole_body_of_nonsense_is_a_problem_and_changes_nothing(
    client: FlaskClient, engine: Engine, endpoint: str
) -> None:
    with unchanged(engine):
        found = list(complaints(client, endpoint, {**HARMFUL, **WHOLE_BODIES[endpoint]}))
    if endpoint == "POST /tasks/status":  # a list there is answered item by item
        found = [one for one in found if not one.startswith("a list with NUL") and not one.startswith("an object")]
    assert found == []


@on_one_database
@pytest.mark.parametrize("endpoint", WHOLE_BODIES)
def test_what_is_no_json_is_a_problem_wherever_it_stands(client: FlaskClient, engine: Engine, endpoint: str) -> None:
    bodies = {name: raw for name, raw in NO_JSON.items() if raw}
    bodies |= {f"{name} in a field": f'{{"title": {raw}}}' for name, raw in NO_JSON.items()}
    bodies |= {f"{name} in a list": f'[{{"status": {raw}}}]' for name, raw in NO_JSON.items()}
    with unchanged(engine):
        assert list(complaints(client, endpoint, bodies)) == []


@on_one_database
@pytest.mark.parametrize("endpoint", WHOLE_BODIES)
def test_bytes_that_are_no_utf_8_text_are_a_problem(client: FlaskClient, engine: Engine, endpoint: str) -> None:
    method, path = endpoint.split(" ")
    good = json.dumps(COMIC)
    with unchanged(engine):
        for data in (
            b"\xff\xfe" + good.encode("utf-16-le"),
            b"\xef\xbb\xbf" + good.encode(),
            b'{"title": "\xe4"}',
            b'{"title": "\xed\xa0\x80"}',
            b"\x00",
            b"\x89PNG\r\n\x1a\n",
            b"\x1f\x8b\x08\x00",
        ):
            response = client.open(path, method=method, data=data, content_type="application/json")
            assert complaint(response) is None, data


def test_nonsense_in_one_of_many_reports_is_a_problem_of_that_report(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        for name, wrong in {"taskId": NAME, **REPORT}.items():
            values = {**WRONG_TYPES, **HARMFUL, **wrong}
            items = variants({"taskId": "1.1", "status": "running", name: HERE}, values).values()
            response = send(client, "POST /tasks/status", f"[{', '.join(items)}]")
            assert response.status_code == 200, response.text[:300]
            answer: Any = response.json
            results = zip(values, answer["results"], strict=True)
            assert [value for value, one in results if one["status"] != 422 or "problem" not in one] == [], name


def test_an_unknown_field_in_one_of_many_reports_is_never_taken_for_a_known_one(client: FlaskClient) -> None:
    values = {**WRONG_TYPES, **NULL, **NUMBERS, **texts("3.1")}
    for name in ("target", "image_url", "download_path", "tab_id", "details"):
        items = variants({"taskId": "1.1", "status": "running", name: HERE}, values).values()
        response = send(client, "POST /tasks/status", f"[{', '.join(items)}]")
        assert response.status_code == 200, f"{name}: {response.text[:200]}"
        answer: Any = response.json
        assert {(one["status"], one["task"]["receipt"], one["task"]["imageUrl"]) for one in answer["results"]} == {
            (200, "1.1", None)
        }


def test_a_problem_points_to_where_the_harm_is(client: FlaskClient) -> None:
    body = r'{"title": "x", "panels": [{"prompt": "a"}, {"prompt": "b\u0000"}]}'
    assert pointers(problem(send(client, "POST /comics", body), 422)) == ["/panels/1/prompt"]
    body = r'{"status": "running", "a/b~c": [0, {"d": "\ud800"}]}'
    assert pointers(problem(send(client, "PATCH /tasks/1.1", body), 422)) == ["/a~1b~0c/1/d"]


def test_a_problem_never_repeats_all_that_was_sent(client: FlaskClient) -> None:
    body = json.dumps({"title": "x", "panels": [{"prompt": ""}] * 10_000})
    response = send(client, "POST /comics", body)
    assert len(problem(response, 422)["errors"]) == 1_000
    for raw in (f'"{"x" * 500_000}"', "9" * 4000):
        response = send(client, "PATCH /tasks/1.1", f'{{"status": {raw}}}')
        assert len(response.data) < 10_000


# Bodies that are too large


@on_one_database
@pytest.mark.parametrize("endpoint", WHOLE_BODIES)
def test_a_body_over_16_mb_is_a_413(client: FlaskClient, engine: Engine, endpoint: str) -> None:
    method, path = endpoint.split(" ")
    huge = b'{"title": "' + b"x" * MOST_BODY_BYTES + b'"}'
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    with unchanged(engine):
        problem(client.open(path, method=method, data=huge, content_type="application/json"), 413)
        response = client.open(
            path, method=method, data=huge, content_type="application/json", environ_overrides=chunked
        )
        problem(response, 413)


def test_a_body_of_almost_16_mb_is_read(client: FlaskClient) -> None:
    start = b'{"title": "x", "prompts": ["'
    body = start + b"x" * (MOST_BODY_BYTES - len(start) - 3) + b'"]}'
    assert pointers(problem(client.post("/comics", data=body, content_type="application/json"), 422)) == ["/prompts/0"]


def test_a_length_that_is_a_lie_is_no_failure(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        for length in ("-1", "abc", "0", str(10**30), "1"):
            response = client.post(
                "/comics",
                data=b'{"title": "x"',
                content_type="application/json",
                environ_overrides={"CONTENT_LENGTH": length},
            )
            assert complaint(response) is None, length


# Addresses


IDS = [
    "0", "-1", "99", "x", "1.", ".1", "1.1.1", "1.0", "1.99", "1,1", "1 ", "+1", "1e1", "0x1", "h-", "h-1", "h-1-",
    "h-zz-1", "h-1-" + "9" * 30, "null", "undefined", "[object Object]", "NaN", "%00", "%0a", "%ff", "%ed%a0%80",
    "%D9%A1", "%C2%B2", "..", "%2e%2e", "a%2fb", "%25", "%", "%zz", "'", '"', "'; DROP TABLE task; --",
    "<script>", "{{7*7}}", "${7}", str(2**31), str(2**63 - 1), str(2**63), str(2**64), "9" * 20, "9" * 400, "9" * 5000,
    "0" * 30 + "7.7", "00000000000000000000012", "1." + str(2**63), "1." + "9" * 5000, str(2**63) + ".1",
    "9" * 5000 + ".1", "x" * 7000, "ü" * 1000,
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/tasks/{}"),
        ("GET", "/tasks/{}/events"),
        ("PATCH", "/tasks/{}"),
        ("GET", "/comics/{}"),
        ("PATCH", "/comics/{}"),
        ("POST", "/comics/{}/retry"),
    ],
)
def test_an_id_that_is_none_of_ours_is_not_found(client: FlaskClient, engine: Engine, method: str, path: str) -> None:
    bodies: dict[str, Any] = {"PATCH /tasks/{}": {"status": "completed"}, "PATCH /comics/{}": {"title": "x"}}
    body = None if method == "GET" else bodies.get(f"{method} {path}", {})
    found = []
    with unchanged(engine):
        for name in IDS:
            response = client.open(path.format(name), method=method, json=body)
            if said := complaint(response):
                found.append(f"{name[:40]}: {said}")
    assert found == []


def test_no_id_of_nonsense_is_found_by_a_report_or_a_question(client: FlaskClient, engine: Engine) -> None:
    names = [name for name in IDS if "%" not in name and "," not in name and len(name) <= 200 and name != "1 "]
    with unchanged(engine):
        for start in range(0, len(names), 50):
            reports = [{"taskId": name, "status": "completed"} for name in names[start : start + 50]]
            answer: Any = client.post("/tasks/status", json=reports).json
            assert [one["taskId"] for one in answer["results"] if one["status"] != 404] == []
        for name in names:
            response = client.post("/task-status", json={"taskId": name, "status": "completed"})
            assert response.json == {"received": True}
        answer = client.get("/status/batch", query_string={"correlationIds": ",".join(names)}).json
        assert [one["correlationId"] for one in answer["requests"] if one["status"] != "unknown"] == []


def test_addresses_that_there_are_not_are_problems(client: FlaskClient, engine: Engine) -> None:
    paths = ["/nowhere", "/tasks/", "/tasks/1/", "/comics/", "/comics/1/x", "/.env", "/%00"]
    with unchanged(engine):
        for path in [*paths, "/" + "x" * 7000, "/status", "/tasks/1/2/3", "/comics/1/retry/"]:
            for method in ("GET", "POST", "PATCH"):
                data = None if method == "GET" else "{}"
                response = client.open(path, method=method, data=data, content_type="application/json")
                assert complaint(response) is None, path


def test_other_methods_are_a_405_that_says_which_there_are(client: FlaskClient, engine: Engine) -> None:
    allowed = {
        "/tasks": {"GET", "POST"},
        "/tasks/1": {"GET", "PATCH"},
        "/tasks/1/events": {"GET"},
        "/tasks/pending": {"GET"},
        "/comics": {"GET", "POST"},
        "/comics/1": {"GET", "PATCH"},
        "/comics/1/retry": {"POST"},
        "/pending-tasks": {"GET"},
        "/task-status": {"POST"},
        "/events": {"POST"},
        "/status/batch": {"GET"},
        "/health": {"GET"},
        "/openapi.json": {"GET"},
    }
    with unchanged(engine):
        for path, methods in allowed.items():
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} - methods:
                if (path, method) == ("/tasks/pending", "PATCH"):
                    continue  # a report about a task of that name, for all the server knows
                response = client.open(path, method=method)
                check = problem_of_poll if path == "/tasks/pending" else problem
                check(response, 405)
                assert methods <= set(response.headers["Allow"].split(", ")), f"{method} {path}"


# Parameters


STRANGE = [
    "x", "", " ", "-1", "0", "1.5", "1e3", "1_0", "+1", "0x1", "null", "[]", "{}", "true", "%00", "%0a", "%ff",
    "%ed%a0%80", "%D9%A1", "%C2%B2", "'", "%22", "'; DROP TABLE task; --", "%25", "%zz", str(2**31), str(2**63),
    str(2**64), "-" + str(2**63), "9" * 400, "9" * 5000, "x" * 7000, "%F0%9F%A6%87",
]  # fmt: skip
CURSORS = [
    "MjAyNi0xMS0yMlQxODowMDowMCAx",  # a time without a zone
    "MDAwMS0wMS0wMVQwMDowMDowMCswMTowMCAx",  # before the first year
    "OTk5OS0xMi0zMVQyMzo1OTo1OS0wMTowMCAx",  # after the last
    "MjAyNi0xMS0yMlQxODowMDowMCswMDowMCA5OTk5OTk5OTk5OTk5OTk5OTk5OQ==",  # an id of 20 digits
    "MjAyNi0xMS0yMlQxODowMDowMCswMDowMCAtMQ==",  # a negative one
    "MjAyNi0xMS0yMlQxODowMDowMCswMDowMCDZoQ==",  # in another script
    "AAAA", "____", "====", "ww==", "IA==",
]  # fmt: skip
FINE: dict[str, set[str]] = {  # what of it is a good value of a parameter after all, or as good as none
    "/tasks?limit=": set(),
    "/tasks?comic=": {"0", str(2**31)},
    "/tasks?status=": {"", " ", "%0a"},
    "/tasks?cursor=": set(CURSORS),
    "/tasks/1/events?limit=": set(),
    "/tasks/1/events?cursor=": {"0", str(2**31)},
    "/comics?limit=": set(),
    "/comics?cursor=": {"0", str(2**31)},
}


@pytest.mark.parametrize("path", FINE)
def test_a_parameter_that_is_nonsense_is_a_problem(client: FlaskClient, path: str) -> None:
    found = []
    for value in [*STRANGE, *CURSORS]:
        response = client.get(path + value)
        is_fine = response.status_code == 200 and value in FINE[path]
        if not is_fine and (said := complaint(response)):
            found.append(f"{value[:40]!r}: {said}")
    assert found == []


@pytest.mark.parametrize("path", ["/tasks?worker=", "/status/batch?correlationIds="])
def test_a_name_that_nobody_has_is_no_failure(client: FlaskClient, engine: Engine, path: str) -> None:
    with unchanged(engine):
        for value in [*STRANGE, ",".join(["x"] * 3500)]:
            response = client.get(path + value)
            assert response.status_code == 200 or complaint(response) is None, value[:40]


def test_a_poll_of_nonsense_is_an_array_and_claims_nothing(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        for value in STRANGE:
            response = client.get(f"/tasks/pending?limit={value}", headers=named("w1"))
            if value == "%00":
                problem_of_poll(response, 400)
            else:
                assert pointers(problem_of_poll(response, 422)) == ["/limit"]


@pytest.mark.parametrize("name", ["domain", "holding"])
def test_sites_and_receipts_that_nobody_knows_are_no_failure(client: FlaskClient, engine: Engine, name: str) -> None:
    poll(client, "w1", domain="none.example")
    values = [*STRANGE, ",".join(f"{number}.1" for number in range(9, 1200)), "1.1.1,,.,1.,.1", "9" * 19 + ".1"]
    with unchanged(engine):
        for value in values:
            domain = "" if name == "domain" else "domain=none.example&"
            response = client.get(f"/tasks/pending?{domain}{name}={value}", headers=named("w1"))
            assert 200 <= response.status_code < 500, value[:40]
            assert response.json == []


# Headers


HEADERS = [
    "", " ", "x" * 201, "x" * 60_000, "\x01", "\x7f", "\x1b[31m", "\xff", "\xe4\xf6", "\xed\xa0\x80",
    "null", "undefined", "[object Object]", "'; DROP TABLE worker; --", "../..", "%00", "0", "9" * 400,
]  # fmt: skip
WHO = ["X-Worker-Id", "X-Extension-Id", "X-Last-Id", "User-Agent"]
OTHER_HEADERS = [
    "Sec-Purpose", "Sec-Fetch-Mode", "Accept", "Accept-Encoding", "If-None-Match", "If-Modified-Since", "Range",
    "Cookie", "Referer", "Authorization", "X-Forwarded-For", "X-Forwarded-Host", "X-HTTP-Method-Override",
    "Forwarded", "Idempotency-Key", "Content-Type", "Content-Length", "Expect",
]  # fmt: skip


def environ(name: str, value: str) -> dict[str, Any]:
    """A header as the server hands it over, whatever is in it."""
    key = name.upper().replace("-", "_")
    return {key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}": value}


@pytest.mark.parametrize("name", WHO)
def test_a_hostile_name_of_a_worker_is_no_failure(client: FlaskClient, name: str) -> None:
    for value in HEADERS:
        for path in ("/tasks/pending?limit=1", "/pending-tasks", "/tasks", "/comics"):
            check_answer(client.get(path, environ_overrides=environ(name, value)), path, value)


@on_one_database
def test_any_other_hostile_header_is_no_failure(client: FlaskClient) -> None:
    for name in OTHER_HEADERS:
        for value in HEADERS:
            path = "/tasks/pending?limit=1"
            check_answer(client.get(path, environ_overrides=environ(name, value)), path, value)


def check_answer(response: TestResponse, path: str, value: str) -> None:
    """Check that it is JSON, for the poll an array, and no failure of the server."""
    assert response.status_code < 500, f"{path} {value[:20]!r}: {response.text[:200]}"
    assert response.is_json
    if path.startswith("/tasks/pending"):
        assert isinstance(response.json, list)


@pytest.mark.parametrize("name", ["Host", "Origin", "Sec-Fetch-Site"])
def test_hostile_headers_of_strangers_are_refused(client: FlaskClient, engine: Engine, name: str) -> None:
    values = [*HEADERS, "localhost:\xb2", "[", "]", "[::1", "localhost,evil.example", "http://localhost/"]
    with unchanged(engine):
        for value in values:
            response = client.get("/tasks/pending", environ_overrides=environ(name, value))
            problem_of_poll(response, 403)


def test_hostile_keys_queue_once_or_not_at_all(client: FlaskClient) -> None:
    for value in HEADERS:
        for _ in range(2):
            response = client.post(
                "/tasks",
                json={"prompt": value.encode().hex()[:50]},
                environ_overrides=environ("Idempotency-Key", value),
            )
            assert response.status_code == 201 or complaint(response) is None, repr(value[:20])


def test_hostile_workers_report_or_are_refused(client: FlaskClient) -> None:
    for name in ("X-Worker-Id", "X-Extension-Id", "User-Agent"):
        for value in HEADERS:
            for path, body in {
                "/tasks/1": {"status": "running"},
                "/tasks/status": [{"taskId": "1", "status": "running"}],
                "/task-status": {"status": "error"},
            }.items():
                method = "PATCH" if path == "/tasks/1" else "POST"
                response = client.open(path, method=method, json=body, environ_overrides=environ(name, value))
                assert response.status_code == 200 or complaint(response) is None, f"{name} {path} {value[:20]!r}"


def test_content_types_of_nonsense_are_a_415(client: FlaskClient, engine: Engine) -> None:
    with unchanged(engine):
        for value in [*HEADERS, "application/jsonp", "application/json2", "text/json", "json", "application/*", "*/*"]:
            for method, path in (("POST", "/comics"), ("PATCH", "/comics/1"), ("POST", "/comics/1/retry")):
                response = client.open(
                    path,
                    method=method,
                    data='{"title": "x", "prompts": ["y"]}',
                    environ_overrides=environ("Content-Type", value),
                )
                problem(response, 415)


def test_if_none_match_of_nonsense_is_answered_in_full(client: FlaskClient) -> None:
    for value in HEADERS:
        response = client.get("/tasks", environ_overrides=environ("If-None-Match", value))
        assert response.status_code == 200
        assert response.json is not None


def test_an_extension_reads_every_problem(client: FlaskClient) -> None:
    response = client.post("/comics", data="{", content_type="application/json", headers={"Origin": EXTENSION_ORIGIN})
    problem(response, 400)
    assert response.headers["Access-Control-Allow-Origin"] == EXTENSION_ORIGIN


def test_an_address_with_hostile_words_is_only_text_in_the_answer(client: FlaskClient) -> None:
    response = client.get(f"/tasks/{quote('<img src=x onerror=alert(1)>')}")
    assert response.mimetype == "application/problem+json"
    problem(response, 404)
