"""CSV for spreadsheets: what is written is text there, and comes back as it was."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantest_server.spreadsheets import csv_text, defused, undefused


def table(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_a_file_has_a_mark_a_header_and_a_line_for_each_row() -> None:
    assert "".join(csv_text(["a", "b"], [["x", 1], [None, "y"]])) == "\ufeffa,b\r\nx,1\r\n,y\r\n"


def test_commas_quotes_and_newlines_stay_in_their_cell() -> None:
    cells = ["a, b", 'say "x"', "one\ntwo"]
    assert table("".join(csv_text(["1", "2", "3"], [cells])))[1] == cells


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1"])
def test_what_could_be_a_formula_gets_an_apostrophe(text: str) -> None:
    assert defused(text) == f"'{text}"
    assert table("".join(csv_text([text], [[text]]))) == [[f"'{text}"], [f"'{text}"]]


@pytest.mark.parametrize("text", ["", "a=1", " =1", "'tis the season", "1-2"])
def test_other_text_stays(text: str) -> None:
    assert defused(text) == undefused(text) == text


def test_a_number_is_no_formula() -> None:
    assert "".join(csv_text(["n"], [[-3]])) == "\ufeffn\r\n-3\r\n"


@given(st.text(alphabet="'=+-@\t\r\nab ", max_size=8) | st.text())
def test_what_was_defused_comes_back_as_it_was(text: str) -> None:
    assert undefused(defused(text)) == text
