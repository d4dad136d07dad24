"""JSON: our own export, and what scripts for the extension write."""

import json
from typing import Any

import pytest

from semantest_server.imports.reading import read_text
from semantest_server.imports.rows import Kind, Options, Reading, Unreadable

PANELS = [{"prompt": "Hero enters"}, "Monster appears"]


def read(value: Any) -> Reading:
    found = read_text(value if isinstance(value, str) else json.dumps(value))
    assert found.kind is Kind.JSON
    return found


def refused(text: str) -> str:
    with pytest.raises(Unreadable) as caught:
        read_text(text, "comic.json")
    return caught.value.errors[0].message


@pytest.mark.parametrize(
    "value",
    [
        PANELS,
        {"panels": PANELS},
        {"prompts": PANELS},
        {"requests": PANELS},
        {"jobs": PANELS},
        {"payload": {"panels": PANELS}},
        {"payload": PANELS},
    ],
)
def test_the_list_is_found_wherever_it_is(value: Any) -> None:
    rows = read(value).rows
    assert [(row.place, row.cells["prompt"]) for row in rows] == [(1, "Hero enters"), (2, "Monster appears")]


def test_our_own_export_comes_back_whole() -> None:
    panel = {
        "prompt": "Hero enters", "number": 46, "style": "noir", "outputPath": "a/46.png", "downloadFolder": "cave",
        "correlationId": "c-46", "chapter": "One", "strip": "3", "caption": "Later", "speech": "Who?", "notes": "x",
    }  # fmt: skip
    options = {"style": "manga", "priority": "high", "parallel": 3, "domain": "a.example", "downloadFolder": "cave"}
    found = read({"title": "Cave of Echoes", **options, "panels": [panel]})
    assert found.options == Options("Cave of Echoes", "manga", "high", "3", "a.example", "cave")
    assert found.notices == []
    assert found.rows[0].cells == {
        "prompt": "Hero enters", "panel": "46", "style": "noir", "filename": "a/46.png", "folder": "cave",
        "id": "c-46", "chapter": "One", "strip": "3", "caption": "Later", "speech": "Who?", "notes": "x",
    }  # fmt: skip


def test_an_event_is_one_panel_under_its_submitters_name() -> None:
    event = {"type": "ImageGenerationRequestedEvent", "id": "e1", "payload": {"prompt": "Hero", "imagePath": "x.png"}}
    for value in (event, [event], {"requests": [event]}):
        assert [row.cells for row in read(value).rows] == [{"prompt": "Hero", "id": "e1", "filename": "x.png"}]


def test_a_hand_outs_options_are_the_comics() -> None:
    payload = {"batchId": "12", "title": "Cave", "panels": ["Hero"], "options": {"style": "noir", "parallel": 10}}
    assert read({"payload": payload}).options == Options(title="Cave", style="noir", parallel="10")


def test_of_two_names_that_mean_the_same_the_first_one_wins() -> None:
    (row,) = read([{"prompt": "x", "imagePath": "c", "fileName": "b", "outputPath": "", "id": 7}]).rows
    assert row.cells == {"prompt": "x", "filename": "b", "id": "7"}


def test_nothing_is_as_good_as_absent() -> None:
    (row,) = read([{"prompt": "x", "style": None, "notes": "", "number": 3.0}]).rows
    assert (row.cells, row.faults) == ({"prompt": "x", "panel": "3"}, ())


def test_a_scene_is_the_prompt_where_there_is_none() -> None:
    assert [row.cells for row in read([{"scene": "Hero"}, {"scene": "1", "prompt": "x"}]).rows] == [
        {"prompt": "Hero"},
        {"strip": "1", "prompt": "x"},
    ]


def test_a_name_that_is_not_known_is_told_once() -> None:
    found = read({"titel": "x", "prompts": [{"prompt": "a", "capton": "b"}, {"prompt": "c", "capton": "d"}]})
    assert [(notice.line, notice.message) for notice in found.notices] == [
        (None, "titel is not known here and is passed over."),
        (1, "capton is not known here and is passed over. Did you mean caption?"),
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [(True, "true or false"), ([1], "a list"), ({"a": 1}, "an object")],
)
def test_a_value_of_the_wrong_kind_is_a_fault_of_its_cell(value: Any, said: str) -> None:
    (row,) = read([{"prompt": value}]).rows
    assert [(fault.column, fault.message) for fault in row.faults] == [("prompt", f"Must be text, not {said}.")]
    assert row.cells["prompt"] == json.dumps(value)


@pytest.mark.parametrize(("item", "said"), [(7, "a number"), (None, "nothing"), ([], "a list")])
def test_an_item_that_is_no_panel_is_a_fault_of_its_row(item: Any, said: str) -> None:
    _, row = read(["x", item]).rows
    assert [(fault.column, fault.message) for fault in row.faults] == [
        (None, f"A prompt or an object was expected here, not {said}.")
    ]


def test_half_a_character_is_a_fault_and_can_be_shown() -> None:
    (row,) = read('[{"prompt": "a\\ud800b"}]').rows
    assert row.faults[0].column == "prompt"
    assert row.cells["prompt"].encode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"prompts": ["a" "b"]}', "Line 1, column 18: A comma, or the end of the list or object, was expected here."),
        ('{"prompts":\n  ["a",]}', "Line 2, column 8: A value was expected here"),
        ('{"prompts" ["a"]}', "Line 1, column 12: A colon was expected here."),
        ('{"a": 1, b: 2}', "Line 1, column 10: A name in double quotes was expected here."),
        ('["a"] x', "Line 1, column 7: The end was expected here"),
        ('["a', "Line 1, column 2: The text that begins here has no closing quote."),
        ("", "Line 1, column 1: A value was expected here"),
        ("[NaN]", "NaN is no number of JSON."),
        (f"[{'9' * 5000}]", "There is a number in it that is too long."),
        ("[" * 50_000, "It is nested too deeply."),
        ('"x"', "A list of prompts was expected"),
        ('{"title": "x"}', "A list of prompts was expected"),
        ('{"panels": "x"}', "A list of prompts was expected"),
        ('{"panels": ["a"], "prompts": ["b"]}', "There are both panels and prompts; one list of panels is wanted."),
        ('{"title": ["x"], "prompts": ["b"]}', "title must be text or a number, not a list."),
        ('{"prompts": []}', "There is no prompt in it."),
    ],
)
def test_what_is_broken_is_said_with_its_place(text: str, said: str) -> None:
    assert refused(text).startswith(said)
