"""Whether rows can be queued as one comic, and what is said about those that cannot."""

from typing import Any

import pytest

from semantest_server.errors import Invalid
from semantest_server.imports.checked import Checked, Known
from semantest_server.imports.checking import check
from semantest_server.imports.hints import MOST_LOOKUPS
from semantest_server.imports.reading import read_text
from semantest_server.imports.rows import Kind, Options, Reading, Row
from semantest_server.models import Priority

PRESETS = {"noir": "noir, high contrast", "manga": "manga, screentone"}


def checked(*cells: dict[str, str] | str, known: Known | None = None, **options: Any) -> Checked:
    """Rows that begin on line 2, checked."""
    rows = [
        Row(line, {"prompt": one} if isinstance(one, str) else {"prompt": "Hero enters " + str(line), **one})
        for line, one in enumerate(cells, start=2)
    ]
    return check(Reading(Kind.CSV, rows), Options(**{"title": "Cave", **options}), known or Known(PRESETS))


def errors(found: Checked) -> list[tuple[int, str | None, str]]:
    return [(row.row.place, problem.column, problem.message) for row in found.rows for problem in row.errors]


def warnings(found: Checked) -> list[tuple[int, str | None, str]]:
    return [(row.row.place, problem.column, problem.message) for row in found.rows for problem in row.warnings]


def test_a_row_becomes_the_panel_that_it_says() -> None:
    cells = {
        "panel": "46", "style": "noir", "filename": "a/b.png", "folder": "cave", "id": "c-1", "chapter": "One",
        "strip": "3", "caption": "Later", "speech": "Who?", "notes": "x",
    }  # fmt: skip
    (row,) = checked({"prompt": "Hero", **cells}).rows
    assert row.panel is not None
    assert vars(row.panel) == {
        "prompt": "Hero", "number": 46, "style": "noir", "output_path": "a/b.png", "download_folder": "cave",
        "correlation_id": "c-1", "chapter": "One", "strip": "3", "caption": "Later", "speech": "Who?", "notes": "x",
    }  # fmt: skip
    assert row.final_prompt == "Hero, noir, high contrast"


def test_what_rows_leave_out_follows_from_their_place_and_the_comic() -> None:
    found = checked("Hero", {"prompt": "Monster", "style": "none"}, style="manga")
    assert [row.final_prompt for row in found.rows] == ["Hero, manga, screentone", "Monster"]
    assert [(row.panel.number, row.panel.output_path) for row in found.rows if row.panel] == [
        (1, "panel-001.png"),
        (2, "panel-002.png"),
    ]


def test_options_are_the_comics() -> None:
    comic = checked("Hero", priority="High ", parallel=" 3", domain="https://A.example/x", download_folder="a/b").comic
    assert (comic.title, comic.priority, comic.parallel) == ("Cave", Priority.HIGH, 3)
    assert (comic.domain, comic.download_folder) == ("a.example", "a/b")


@pytest.mark.parametrize(
    ("options", "pointer", "said"),
    [
        ({"title": " "}, "/title", "Must have 1 to 200 characters."),
        ({"style": "x" * 501}, "/style", "Must have 1 to 500 characters."),
        ({"priority": "hihg"}, "/priority", "Must be high, normal or low. Did you mean high?"),
        ({"parallel": "many"}, "/parallel", "Give a whole number, such as 10."),
        ({"parallel": "0"}, "/parallel", "Must be a number from 1 to 100."),
        ({"parallel": "-1"}, "/parallel", "Must be a number from 1 to 100."),
        ({"parallel": "9" * 5000}, "/parallel", "Give a whole number, such as 10."),
        ({"domain": "no site"}, "/domain", "Must be a site's name, such as chatgpt.com."),
        ({"download_folder": "../up"}, "/downloadFolder", "Must not contain '.' or '..' as a folder."),
    ],
)
def test_a_wrong_option_is_said_at_its_pointer(options: dict[str, Any], pointer: str, said: str) -> None:
    found = checked("Hero", **options)
    assert [(error.pointer, error.message) for error in found.errors] == [(pointer, said)]
    assert errors(found) == []


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("prompt", "x" * 4001, "Must have 1 to 4,000 characters."),
        ("prompt", "a\x00b", "Must not contain control characters or half a character."),
        ("panel", "two", "Must be a whole number, such as 46."),
        ("panel", "0", "Must be a number from 1 to 999,999."),
        ("panel", "1000000", "Must be a number from 1 to 999,999."),
        ("style", "x" * 501, "Must have 1 to 500 characters."),
        ("priority", "hihg", "Must be high, normal or low. Did you mean high?"),
        ("priority", "7", "Must be high, normal or low."),
        ("domain", "no site", "Must be a site's name, such as chatgpt.com."),
        ("filename", "../up.png", "Must not contain '.' or '..' as a folder."),
        ("filename", "con.png", "'con.png' is a reserved name on Windows."),
        ("folder", "a?", 'Must not contain control characters or any of < > : " | ? *'),
        ("id", "x" * 201, "Must have 1 to 200 characters."),
        ("chapter", "x" * 201, "Must have 1 to 200 characters."),
        ("caption", "x" * 2001, "Must have 1 to 2,000 characters."),
    ],
)
def test_a_wrong_cell_is_said_in_its_row_and_column(column: str, cell: str, said: str) -> None:
    assert errors(checked("Hero", {column: cell})) == [(3, column, said)]


def test_a_row_without_a_prompt_is_wrong() -> None:
    found = check(Reading(Kind.LINES, [Row(2, {"notes": "x"})]), Options(title="x"), Known())
    assert errors(found) == [(2, "prompt", "Must have 1 to 4,000 characters.")]
    assert found.rows[0].final_prompt == ""


def test_numbers_and_ids_that_are_taken_name_the_row_that_has_them() -> None:
    found = checked({"panel": "7", "id": "a"}, {"panel": "7"}, {"id": "a"})
    assert errors(found) == [
        (3, "panel", "Panel number 7 is taken by line 2."),
        (4, "id", "The same as line 2."),
    ]


def test_an_id_of_an_open_task_is_wrong() -> None:
    known = Known(open_ids=frozenset({"a"}))
    assert errors(checked({"id": "a"}, {"id": "b"}, known=known)) == [
        (2, "id", "A task that is not finished yet has this id.")
    ]


def test_priority_and_site_hold_for_the_comic_and_rows_that_differ_are_wrong() -> None:
    found = checked(
        "Hero",
        {"priority": "High", "domain": "https://A.example/"},
        {"priority": "low", "domain": "b.example"},
        {"priority": "high", "domain": "a.example"},
    )
    assert (found.comic.priority, found.comic.domain) == (Priority.HIGH, "a.example")
    assert errors(found) == [
        (4, "priority", "Line 3 says high, and the priority holds for the whole comic."),
        (4, "domain", "Line 3 says a.example, and the domain holds for the whole comic."),
    ]


def test_what_a_person_chose_wins_over_the_rows() -> None:
    found = checked({"priority": "low", "domain": "a.example"}, priority="high", domain="b.example")
    assert (found.comic.priority, found.comic.domain, errors(found)) == (Priority.HIGH, "b.example", [])
    assert [notice.message for notice in found.notices] == [
        "The rows say priority low; high was chosen for the comic.",
        "The rows say domain a.example; b.example was chosen for the comic.",
    ]
    assert not checked({"priority": "low", "domain": "a.example"}, priority="low", domain="a.example").notices


def test_absolute_paths_are_made_relative_with_a_warning() -> None:
    found = checked({"filename": "C:\\pics\\a.png", "folder": "/home/me/cave"})
    (row,) = found.rows
    assert row.panel is not None
    assert (row.panel.output_path, row.panel.download_folder) == ("pics/a.png", "home/me/cave")
    assert warnings(found) == [
        (2, "filename", "Made relative; it was C:\\pics\\a.png"),
        (2, "folder", "Made relative; it was /home/me/cave"),
    ]


def test_an_absolute_path_that_leads_nowhere_is_wrong() -> None:
    assert errors(checked({"filename": "/"})) == [(2, "filename", "Must be a relative path.")]


def test_the_same_prompt_twice_is_a_warning() -> None:
    found = checked("Hero  enters", "Monster", "hero enters")
    assert warnings(found) == [(4, "prompt", "The same prompt as line 2.")]


def test_a_prompt_that_is_queued_elsewhere_is_a_warning() -> None:
    known = Known(elsewhere={"hero enters": "panel 3 of Cave (comic 1)"})
    found = checked("Hero enters", "Monster", known=known)
    assert warnings(found) == [(2, "prompt", "The same prompt as panel 3 of Cave (comic 1).")]


def test_a_style_that_is_no_preset_is_a_warning_once_or_wherever_it_may_be_misspelt() -> None:
    found = checked(
        {"style": "Noir"}, {"style": "none"}, {"style": "ink"}, {"style": "ink"}, {"style": "nior"}, {"style": "nior"}
    )
    assert warnings(found) == [
        (4, "style", "Not a preset; its own words are added."),
        (6, "style", "Not a preset; its own words are added. Did you mean noir?"),
        (7, "style", "Not a preset; its own words are added. Did you mean noir?"),
    ]


def test_a_comics_style_is_told_only_if_it_may_be_misspelt() -> None:
    assert checked("Hero", style="ink wash, long shadows").notices == []
    (notice,) = checked("Hero", style="mangaa").notices
    assert notice.message.endswith("Did you mean manga?")


def test_other_warnings() -> None:
    found = checked("abc", {"prompt": " Hero enters\n"}, {"filename": "a.png"}, {"filename": "A.png"})
    assert warnings(found) == [
        (2, "prompt", "Very short: is this a prompt?"),
        (3, "prompt", "The space around it was taken off."),
        (5, "filename", "The same file as line 4: one picture replaces the other."),
    ]


def test_a_deselected_row_is_neither_checked_nor_numbered() -> None:
    rows = [Row(1, {"prompt": "a hero"}), Row(2, {"priority": "x"}, is_on=False), Row(3, {"prompt": "b hero"})]
    found = check(Reading(Kind.LINES, rows), Options(title="x"), Known())
    assert errors(found) == []
    assert [row.panel and row.panel.number for row in found.rows] == [1, None, 2]
    assert len(found.draft().panels) == 2


def test_wrong_rows_can_be_left_out_and_the_others_keep_their_numbers() -> None:
    found = checked("Hero", {"priority": "x"}, "Monster")
    with pytest.raises(Invalid) as caught:
        found.draft()
    assert [(error.pointer, error.message) for error in caught.value.errors] == [
        ("/rows/1/priority", "Line 3, column priority: Must be high, normal or low.")
    ]
    panels = found.draft(but_wrong=True).panels
    assert [(panel.prompt, panel.number, panel.output_path) for panel in panels] == [
        ("Hero", 1, "panel-001.png"),
        ("Monster", 3, "panel-003.png"),
    ]


def test_nothing_but_wrong_rows_cannot_be_queued() -> None:
    found = checked({"priority": "x"})
    with pytest.raises(Invalid):
        found.draft(but_wrong=True)


def test_without_a_selected_row_there_is_no_comic() -> None:
    found = check(Reading(Kind.LINES, [Row(1, {"prompt": "a"}, is_on=False)]), Options(title="x"), Known())
    assert [(error.pointer, error.message) for error in found.errors] == [("/panels", "No row is selected.")]


def test_of_ten_thousand_wrong_rows_only_some_are_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def look_up(*given: Any) -> list[str]:
        asked.append(given)
        return []

    monkeypatch.setattr("semantest_server.imports.hints.get_close_matches", look_up)
    text = "prompt,style,priority\n" + "".join(f"x,noirr{n},hihg{n}\n" for n in range(10_000))
    found = check(read_text(text), Options(title="x"), Known(PRESETS))
    assert len(found.wrong) == 10_000
    assert len(asked) == MOST_LOOKUPS
