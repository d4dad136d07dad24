"""CSV: what its columns mean, how it is cut, and what is said where it is wrong."""

import pytest

from semantest_server.imports.reading import read_text
from semantest_server.imports.rows import Kind, Reading, Unreadable
from semantest_server.spreadsheets import csv_text


def read(text: str, name: str = "comic.csv") -> Reading:
    found = read_text(text, name)
    assert found.kind is Kind.CSV
    return found


def cells(text: str) -> list[dict[str, str]]:
    return [row.cells for row in read(text).rows]


def refused(text: str, name: str = "comic.csv") -> str:
    with pytest.raises(Unreadable) as caught:
        read_text(text, name)
    return caught.value.errors[0].message


def test_each_row_is_a_panel_with_its_line() -> None:
    found = read("prompt,chapter\nHero enters,One\nMonster appears,Two\n")
    assert [(row.place, row.cells) for row in found.rows] == [
        (2, {"prompt": "Hero enters", "chapter": "One"}),
        (3, {"prompt": "Monster appears", "chapter": "Two"}),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found_out_from_the_header(delimiter: str) -> None:
    text = "strip|prompt|notes\n1|Hero, enters; slowly|x\n".replace("Hero, enters; slowly", '"Hero, enters; slowly"')
    assert cells(text.replace("|", delimiter)) == [{"strip": "1", "prompt": "Hero, enters; slowly", "notes": "x"}]


def test_a_first_line_may_name_the_delimiter() -> None:
    found = read("sep=;\nprompt;notes\nHero, enters;x\n")
    assert [(row.place, row.cells) for row in found.rows] == [(3, {"prompt": "Hero, enters", "notes": "x"})]


def test_many_lines_that_could_name_the_delimiter_do_no_harm() -> None:
    with pytest.raises(Unreadable):
        read("sep=,\n" * 5_000)


def test_a_byte_order_mark_and_empty_lines_before_the_header_do_no_harm() -> None:
    assert cells("\ufeff\n,,\nprompt,strip\nHero,1\n") == [{"prompt": "Hero", "strip": "1"}]


def test_quoted_cells_keep_newlines_quotes_and_delimiters_and_lines_are_still_counted() -> None:
    found = read('prompt,notes\n"Hero\nenters",""\n"say ""hi""","a, b"\n')
    assert [(row.place, row.cells) for row in found.rows] == [
        (2, {"prompt": "Hero\nenters"}),
        (4, {"prompt": 'say "hi"', "notes": "a, b"}),
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_the_lines_of_every_system_are_read_alike(ending: str) -> None:
    found = read(ending.join(["prompt,strip", "a,1", "b,2"]))
    assert [(row.place, row.cells["prompt"]) for row in found.rows] == [(2, "a"), (3, "b")]


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("PROMPT ", "prompt"),
        ("outputPath", "filename"),
        ("file_name", "filename"),
        ("Image Path", "filename"),
        ("downloadFolder", "folder"),
        ("correlation-id", "id"),
        ("dialogue", "speech"),
        ("scene", "strip"),
        ("number", "panel"),
        ("notes", "notes"),
    ],
)
def test_names_of_columns_are_read_in_any_case_and_by_their_aliases(name: str, column: str) -> None:
    header = f"{name},style" if column == "prompt" else f"{name},prompt"
    assert cells(f"{header}\nx,y\n")[0][column] == "x"


def test_where_there_is_no_prompt_the_scene_is_it() -> None:
    assert cells("scene,strip\nHero enters,1\n") == [{"prompt": "Hero enters", "strip": "1"}]


def test_empty_rows_are_passed_over() -> None:
    assert [row.place for row in read("prompt,strip\n\na,1\n,\n  ,\nb,2\n").rows] == [3, 6]


def test_a_short_row_has_no_more_cells() -> None:
    assert cells("prompt,strip,notes\na\n") == [{"prompt": "a"}]


def test_an_unknown_column_is_passed_over_with_a_hint() -> None:
    found = read("prompt,captoin,zzz\na,b,c\n")
    assert [(notice.line, notice.message) for notice in found.notices] == [
        (1, "captoin is not known here and is passed over. Did you mean caption?"),
        (1, "zzz is not known here and is passed over."),
    ]
    assert cells("prompt,captoin\na,b\n") == [{"prompt": "a"}]


def test_columns_that_mean_the_same_are_refused() -> None:
    assert refused("prompt,outputPath,fileName\na,b,c\n") == (
        "Line 1: The columns outputPath and fileName mean the same; keep one."
    )


def test_a_file_without_prompts_says_which_columns_there_are() -> None:
    assert refused("promt,chapter\na,b\n") == (
        "Line 1: There is no column prompt. There are promt, chapter. Did you mean prompt?"
    )


def test_a_first_row_that_names_nothing_is_no_header() -> None:
    assert refused("Hero enters, slowly\nx,y\n") == (
        "Line 1: The first line must name the columns, such as: prompt,chapter,strip."
    )


def test_one_column_without_a_name_is_plain_lines() -> None:
    found = read_text("Hero enters\n\nMonster appears\n", "comic.csv")
    assert (found.kind, [row.cells["strip"] for row in found.rows]) == (Kind.LINES, ["1", "2"])


@pytest.mark.parametrize(
    "text",
    [
        "prompt,chapter,style\nHero enters, sword drawn, at dawn,One,\n",
        "chapter,prompt,style\nOne,Hero enters, sword drawn, at dawn,\n",
        "style,chapter,prompt\n,One,Hero enters, sword drawn, at dawn\n",
    ],
)
def test_a_prompt_without_quotes_is_put_together_again_and_doubted(text: str) -> None:
    (row,) = read(text).rows
    assert row.cells == {"chapter": "One", "prompt": "Hero enters, sword drawn, at dawn"}
    (fault,) = row.faults
    assert fault.column is None
    assert fault.message.startswith("This row has 5 cells and the header 3: most likely its prompt has no quotes")


def test_empty_cells_behind_the_last_column_are_nothing() -> None:
    (row,) = read("prompt,strip\na,1,,\n").rows
    assert (row.cells, row.faults) == ({"prompt": "a", "strip": "1"}, ())


def test_a_lone_quote_spoils_its_own_row_only() -> None:
    first, second, third = read('prompt,strip\na,1\n"b" c,2\nd,3\n').rows
    assert (first.faults, third.faults, third.place) == ((), (), 4)
    assert second.faults[0].message.startswith('There is a lone " in this row')
    assert second.cells["strip"] == "2"


def test_a_quote_that_never_ends_is_named_where_it_begins() -> None:
    assert refused('prompt,strip\na,1\n"b,2\nc,3\n') == 'Line 3: A " that is opened here is never closed.'
    assert refused(f'prompt,strip\n"{"x" * 200_000}",2\n') == 'Line 2: A " that is opened here is never closed.'


def test_what_a_spreadsheet_was_kept_from_computing_comes_back() -> None:
    text = "".join(csv_text(["prompt", "notes", "errors", "warnings"], [["=1+1", "-x", "prompt: wrong", ""]]))
    found = read(text)
    assert ([row.cells for row in found.rows], found.notices) == ([{"prompt": "=1+1", "notes": "-x"}], [])


@pytest.mark.parametrize("text", ["prompt,strip\nx,1\n", "prompt\nHero\n", "title;prompt\na;b\n"])
def test_pasted_csv_is_known_by_its_header(text: str) -> None:
    assert read_text(text).kind is Kind.CSV


def test_pasted_csv_is_known_even_if_its_prompt_is_misspelt() -> None:
    assert "There is no column prompt." in refused("chapter;promt;strip\n1;a;2\n", "")


@pytest.mark.parametrize("text", ["Notes, on a table\nx", "style\nx", "Hero, prompt, in a cave\nx", "a;b\tc\nx"])
def test_a_prompt_is_no_header(text: str) -> None:
    assert read_text(text).kind is Kind.LINES
