"""Whatever reads text, files or bytes: any input gives a good value or the one error that is meant for it."""

import json
import ntpath
import os
import posixpath
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError
from werkzeug.exceptions import BadRequest
from werkzeug.test import EnvironBuilder

from semantest_server.admin.pictures import is_picture_data, picture_response
from semantest_server.admin.words import is_safe_address
from semantest_server.api.asking import id_of
from semantest_server.api.cursors import encoded, task_cursor, whole_cursor
from semantest_server.api.parsing import DEEPEST, read_json, refuse_harmful
from semantest_server.api.tasks import _receipts
from semantest_server.errors import Invalid, NotFound
from semantest_server.imports.checked import Known
from semantest_server.imports.checking import check, site_name
from semantest_server.imports.lines import read_lines
from semantest_server.imports.reading import decoded, read_file
from semantest_server.imports.rows import Row, Unreadable
from semantest_server.paths import check_path, make_relative, slug
from semantest_server.prompts import compose
from semantest_server.queue.drafts import DOMAIN, MOST_PANELS, checked_comic
from semantest_server.queue.targets import HAND_OUT, OURS, RECEIPT, TASK

from ..http.conftest import on_one_database
from ..http.pages import fields, show
from .nasty import NASTY

EXAMPLES = int(os.environ.get("SEMANTEST_TEST_EXAMPLES", "200"))
LARGEST = 2**63 - 1  # that databases keep

any_input = settings(
    max_examples=EXAMPLES,
    deadline=None,  # timing decides no test
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def made_of(*pieces: str) -> st.SearchStrategy[str]:
    """Texts of these pieces, and of anything between them."""
    return st.lists(st.sampled_from(pieces) | st.text(max_size=4), max_size=8).map("".join) | st.sampled_from(NASTY)


# Prompts


@any_input
@given(text=made_of("\n", "\r", "\r\n", "#", " ", "\t", "\x0b", "\x85", "\u2028", "# Chapter: x", "a"))
def test_prompts_are_the_lines_that_say_something(text: str) -> None:
    found = read_lines(text)
    lines = re.split("\r\n|\r|\n", text)
    assert [lines[row.place - 1].strip() for row in found] == [row.cells["prompt"] for row in found]
    assert {number for number, line in enumerate(lines, 1) if line.strip() and not line.strip().startswith("#")} == {
        row.place for row in found
    }
    assert [row.place for row in found] == sorted({row.place for row in found})


# Imports

ROWS = made_of(
    "\n", "\r\n", ",", ";", "\t", '"', '""', "prompt", "Prompt,chapter", "scene", "sep=;", "=1", "'=1", " ", "a",
    "\x00", "/x/y.png", "C:\\", "panel", "hihg", "priority", "1", "9" * 30, "style", "noirr", "\ufeff", "errors",
)  # fmt: skip
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | made_of("\ud800", "\x00", "a", "hihg", "/x"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["prompts", "panels", "requests", "jobs", "payload", "prompt", "id", "title", "options"])
            | st.sampled_from(
                ["number", "parallel", "outputPath", "fileName", "scene", "correlationId", "promt", "\ud800"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)
NAMES_OF_FILES = st.sampled_from(["", "a.txt", "a.csv", "a.json", "a.tsv", "a"])


def assert_imported_or_refused(content: bytes, name: str, media_type: str = "") -> None:
    """A file gives rows that can be checked, shown and queued, or the one error that is meant for it."""
    try:
        reading = read_file(content, name, media_type)
    except Unreadable as error:
        error.errors[0].message.encode()
        return
    assert 1 <= len(reading.rows) <= MOST_PANELS
    assert [Row.of(json.loads(json.dumps(row.plain()))) for row in reading.rows] == list(reading.rows)
    checked = check(reading, reading.options, Known({"noir": "noir"}))
    assert len(checked.rows) == len(reading.rows)
    for problem in [*checked.all_errors(), *checked.all_warnings()]:
        problem.message.encode()
    for row in checked.rows:
        row.final_prompt.encode()
        assert not row.errors or row in checked.wrong
    with suppress(Invalid):
        checked_comic(checked.draft(but_wrong=True))


@any_input
@given(
    content=st.binary(max_size=300) | ROWS.map(lambda text: text.encode(errors="surrogatepass")), name=NAMES_OF_FILES
)
def test_any_file_is_imported_or_refused(content: bytes, name: str) -> None:
    assert_imported_or_refused(content, name)


@any_input
@given(value=DOCUMENTS)
@example(value={"prompts": [[[]], {"prompt": {"a": [1]}}, None, True, 1e300]})
@example(value={"payload": {"payload": {"panels": ["\ud800"]}}, "title": "x"})
def test_any_json_is_imported_or_refused(value: Any) -> None:
    assert_imported_or_refused(json.dumps(value).encode(), "a.json")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"prompts":' * 100_000,
        "[" + "9" * 10_000 + "]",
        "[1e400]",
        "[NaN]",
        '["\\ud800"]',
        "[-Infinity]",
    ],
)
def test_json_at_its_edges_is_imported_or_refused(text: str) -> None:
    assert_imported_or_refused(text.encode(), "a.json")


@any_input
@given(prompt=made_of("(", "[", "\\", "noir", ", ", " "), style=st.none() | made_of("(", "[", "\\", "noir", "+", "*"))
def test_a_style_is_added_behind_the_prompt_or_not_at_all(prompt: str, style: str | None) -> None:
    found = compose(prompt, style)
    assert found == prompt or (style is not None and found == f"{prompt.rstrip(' ,')}, {style}")
    assert compose(found, style) == found or not style or style != style.strip()


# Paths

PATHS = made_of(
    "/", "\\", "..", ".", ":", "C:", "c:\\", "//", "\\\\server\\share", "\\\\?\\", "\\\\.\\", "file:", "file:///",
    "con", "NUL", "aux.", "COM1", "lpt9", "CONIN$", "com¹", ".png", " ", "a", "~", "%2e%2e", "::$DATA", "\x00", "\n",
    "\u202e", "\uff0f", "\u2215", "\ud800",
)  # fmt: skip
DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{name}{number}" for name in ("COM", "LPT") for number in "123456789¹²³"
}
HOME = {posixpath: "/home/me/pictures", ntpath: "D:\\pictures"}


def what_is_wrong(path: str) -> str | None:
    """Why a path could leave its folder or be another file than it says, by the rules of POSIX and of Windows."""
    for rules, home in HOME.items():
        if not rules.normpath(rules.join(home, path)).startswith(home + rules.sep):
            return f"leaves {home}"
        if rules.isabs(path) or rules.splitdrive(path)[0]:
            return "is absolute"
    for part in re.split(r"[/\\]", path):
        if not part or part != part.rstrip(". "):
            return f"{part!r} is another name on Windows"
        if part.partition(".")[0].rstrip(" ").upper() in DEVICES:
            return f"{part!r} is a device"
        if re.search(r'[\x00-\x1f\x7f<>:"|?*]', part):
            return f"{part!r} has characters that Windows has other uses for"
    return None


@any_input
@given(path=PATHS)
def test_a_path_that_is_taken_stays_in_its_folder_on_every_system(path: str) -> None:
    try:
        found = check_path(path)
    except ValueError:
        return
    assert what_is_wrong(found) is None
    assert "\\" not in found
    assert check_path(found) == found


@any_input
@given(path=PATHS)
def test_a_path_that_is_made_relative_stays_in_its_folder_on_every_system(path: str) -> None:
    try:
        found = make_relative(path)
    except ValueError:
        return
    assert what_is_wrong(found) is None
    assert check_path(found) == found


@any_input
@given(title=PATHS | st.text(max_size=300))
def test_every_title_has_a_name_of_a_folder(title: str) -> None:
    found = slug(title)
    assert what_is_wrong(found) is None
    assert check_path(found) == found
    assert "/" not in found
    assert 1 <= len(found) <= 100


# JSON bodies

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | made_of("\x00", "\ud800", "\udc00", "\x1b", "\x7f"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(made_of("\x00", "\udfff", "a"), inner, max_size=3),
)


def body(app: Flask, raw: bytes) -> Any:
    """What the server makes of the bytes of a body."""
    request = app.request_class(EnvironBuilder(method="POST", data=raw, content_type="application/json").get_environ())
    return read_json(request)


@on_one_database
@any_input
@given(raw=st.binary(max_size=60) | st.text(alphabet='{}[]",:0eE+-.\\u nulltrfasNI\x00', max_size=30).map(str.encode))
def test_bytes_are_json_or_a_bad_request(app: Flask, raw: bytes) -> None:
    try:
        found = body(app, raw)
    except BadRequest:
        return
    assert json.loads(raw) == found


@on_one_database
@any_input
@given(value=JSON)
def test_json_that_is_let_in_can_be_stored_and_sent_again(app: Flask, value: Any) -> None:
    raw = json.dumps(value).encode()
    try:
        found = body(app, raw)
        refuse_harmful(found)
    except BadRequest:
        assert re.search(rb"NaN|Infinity", raw) or depth(value) > DEEPEST
        return
    except ValidationError:
        return
    assert found == json.loads(raw)
    again = json.dumps(found, ensure_ascii=False, allow_nan=False)
    assert "\x00" not in again.encode().decode()


def depth(value: Any) -> int:
    """How many lists and objects are in one another."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@on_one_database
@any_input
@given(levels=st.integers(1, 60), kind=st.sampled_from(["[]", "{}"]))
def test_what_is_nested_too_deeply_is_a_bad_request_and_nothing_else_is(app: Flask, levels: int, kind: str) -> None:
    start, end = ("[", "]") if kind == "[]" else ('{"a":', "}")
    raw = (start * levels + "1" + end * levels).encode()
    if levels <= DEEPEST + 1:
        assert depth(body(app, raw)) == levels
    else:
        with pytest.raises(BadRequest):
            body(app, raw)


# Ids, receipts, cursors


@any_input
@given(text=made_of(".", ",", "1", "٣", "²", "-", " ", "9" * 18, "9" * 19, "h-", "h-7f-1"))
def test_receipts_are_pairs_of_numbers_that_databases_keep(text: str) -> None:
    assert all(0 <= number <= LARGEST for receipt in _receipts(text) for number in receipt)
    for pattern in (RECEIPT, TASK, HAND_OUT):
        if match := pattern.fullmatch(text):
            assert all(int(number) <= LARGEST for number in (match.groups() or [text]) if number.isdigit()), text
    if RECEIPT.fullmatch(text) or TASK.fullmatch(text):
        assert OURS.fullmatch(text)


@any_input
@given(text=made_of("0", "9" * 18, "9" * 19, str(2**63), "٣", "²", "-", "+", "_", " ", "1"))
def test_an_id_is_a_number_that_databases_keep_or_is_not_found(text: str) -> None:
    with suppress(NotFound):
        assert 0 <= id_of("comic", text) <= LARGEST
    with suppress(Invalid):
        assert 0 <= (whole_cursor(text) or 0) <= LARGEST


moments = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001 - Hypothesis adds the zone
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC) | st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


@any_input
@given(moment=moments, number=st.integers(0, 10**18 - 1))
def test_a_cursor_leads_back_to_where_it_came_from(moment: datetime, number: int) -> None:
    assert task_cursor(encoded((moment, number))) == (moment, number)


@any_input
@given(text=made_of("MjAyNi0xMS0yMlQxODowMDowMCswMDowMCAx", "=", "-", "_", "AAAA", "IA==") | st.text())
def test_a_cursor_of_nonsense_is_invalid(text: str) -> None:
    with suppress(Invalid):
        found = task_cursor(text)
        assert found is not None
        assert found[0].tzinfo is not None
        assert 0 <= found[1] <= LARGEST


# What the pages read

FILES = st.binary(max_size=300) | made_of("\n", "\ufeff", "#", "\x00", "a", "\x1b").map(
    lambda text: text.encode(errors="surrogatepass")
)


@any_input
@given(content=FILES)
def test_a_file_is_text_or_is_refused_in_a_sentence(content: bytes) -> None:
    try:
        found = decoded(content)
    except Unreadable:
        return
    assert found.encode() == content.removeprefix(b"\xef\xbb\xbf")
    assert "\0" not in found


@on_one_database
@settings(any_input, max_examples=max(25, EXAMPLES // 10))
@given(content=FILES, name=made_of("..", "/", "\\", '"', "\r\n", ";", "a.txt"))
def test_a_file_in_the_form_is_queued_or_refused(client: FlaskClient, content: bytes, name: str) -> None:
    name = "".join(filter(str.isprintable, name))  # the test client writes no other name of a file
    given = {**fields(show(client, "/admin/comics/new")), "title": "Cave", "file": (BytesIO(content), name)}
    answer = client.post("/admin/comics/new", data=given, content_type="multipart/form-data")
    assert answer.status_code in (303, 422), answer.text


@any_input
@given(text=made_of("https://", "http://", "HTTPS://", "/", ".", ":", "@", " ", "chatgpt.com"))
def test_the_name_of_a_site_comes_out_of_its_address(text: str) -> None:
    found = site_name(text)
    assert found in text.lower()
    assert "/" not in found or not DOMAIN.fullmatch(found)


@on_one_database
@any_input
@given(
    text=made_of(
        "https://", "http:", "//", "javascript:", "data:", "data:image/png;base64,", "data:image/svg+xml,", "AAAA",
        "\n", "\t", " ", "\\", '"', "<", "JaVaScRiPt:", "\x01", "vbscript:", "a.example",
    )
)  # fmt: skip
@example(text="data:image/png;base64,ü")
def test_an_address_that_becomes_a_link_is_of_the_web_or_a_picture(app: Flask, text: str) -> None:
    if is_safe_address(text):
        assert re.match("https?://[^/]", text.lower())
        assert not re.search(r"\s", text)
    if is_picture_data(text):
        with app.test_request_context():
            answer = picture_response(text)
        assert answer is None or re.fullmatch("image/(png|jpeg|gif|webp|avif)", answer.content_type)
