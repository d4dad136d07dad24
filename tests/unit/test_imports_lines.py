"""Plain lines: a prompt on each, with chapters and strips between them."""

import pytest

from semantest_server.imports.lines import read_lines


def prompts(text: str) -> list[tuple[int, str]]:
    return [(row.place, row.cells["prompt"]) for row in read_lines(text)]


def places(text: str) -> list[tuple[str | None, str]]:
    return [(row.cells.get("chapter"), row.cells["strip"]) for row in read_lines(text)]


def test_each_line_is_a_prompt_with_its_number() -> None:
    assert prompts("Hero enters\nMonster appears") == [(1, "Hero enters"), (2, "Monster appears")]


def test_empty_lines_and_comments_are_passed_over_and_still_counted() -> None:
    assert prompts("\n# act one\n\n  Hero enters  \n   \n") == [(4, "Hero enters")]


def test_a_hash_inside_a_prompt_is_no_comment() -> None:
    assert prompts("Hero #1 enters") == [(1, "Hero #1 enters")]


@pytest.mark.parametrize("text", ["one\ntwo", "one\r\ntwo", "one\rtwo", "one\ntwo\n"])
def test_the_lines_of_every_system_are_read_alike(text: str) -> None:
    assert prompts(text) == [(1, "one"), (2, "two")]


def test_only_a_line_break_ends_a_prompt() -> None:
    assert prompts("one\u2028two\x0bthree\x85four") == [(1, "one\u2028two\x0bthree\x85four")]


@pytest.mark.parametrize("text", ["", "\n\n", "  \n", "# nothing\n#", "# Chapter: One\n"])
def test_a_text_without_prompts_has_none(text: str) -> None:
    assert prompts(text) == []


def test_a_blank_line_begins_the_next_strip() -> None:
    assert places("a\nb\n\nc") == [(None, "1"), (None, "1"), (None, "2")]


def test_lines_without_a_blank_one_are_one_strip() -> None:
    assert places("a\n# x\nb") == [(None, "1"), (None, "1")]


def test_more_blank_lines_make_no_empty_strips() -> None:
    assert places("\n\na\n\n\n# x\n\nb\n\n") == [(None, "1"), (None, "2")]


def test_strips_are_numbered_anew_in_each_chapter() -> None:
    text = "# Chapter: One\na\n\nb\n# Chapter: Two\nc\n\nd"
    assert places(text) == [("One", "1"), ("One", "2"), ("Two", "1"), ("Two", "2")]


@pytest.mark.parametrize("line", ["# Chapter: The cave", "#chapter:The cave", "##  CHAPTER : The cave "])
def test_a_chapter_may_be_written_in_many_ways(line: str) -> None:
    assert places(f"{line}\na") == [("The cave", "1")]


def test_a_chapter_without_a_colon_is_a_comment() -> None:
    assert places("# Chapter 1\na") == [(None, "1")]


def test_a_chapter_without_a_name_ends_the_one_before() -> None:
    assert places("# Chapter: One\na\n# Chapter:\nb") == [("One", "1"), (None, "1")]
