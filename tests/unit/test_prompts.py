"""Prompts as text: one a line, and joined with a style."""

import pytest

from semantest_server.prompts import PromptLine, compose, read_lines


def test_each_line_is_a_prompt_with_its_number() -> None:
    assert read_lines("Hero enters\nMonster appears") == [
        PromptLine(1, "Hero enters"),
        PromptLine(2, "Monster appears"),
    ]


def test_empty_lines_and_comments_are_passed_over_and_still_counted() -> None:
    assert read_lines("\n# act one\n\n  Hero enters  \n   \n") == [PromptLine(4, "Hero enters")]


def test_a_hash_inside_a_prompt_is_no_comment() -> None:
    assert read_lines("Hero #1 enters") == [PromptLine(1, "Hero #1 enters")]


@pytest.mark.parametrize("text", ["one\ntwo", "one\r\ntwo", "one\rtwo", "one\ntwo\n", "\ufeffone\ntwo"])
def test_the_lines_of_every_system_are_read_alike(text: str) -> None:
    assert read_lines(text) == [PromptLine(1, "one"), PromptLine(2, "two")]


def test_only_a_line_break_ends_a_prompt() -> None:
    assert read_lines("one\u2028two\x0bthree\x85four") == [PromptLine(1, "one\u2028two\x0bthree\x85four")]


@pytest.mark.parametrize("text", ["", "\n\n", "  \n", "# nothing\n#"])
def test_a_text_without_prompts_has_none(text: str) -> None:
    assert read_lines(text) == []


def test_the_style_follows_the_panels_own_words() -> None:
    assert compose("Hero enters cave", "noir, high contrast") == "Hero enters cave, noir, high contrast"


@pytest.mark.parametrize("style", [None, ""])
def test_without_a_style_the_prompt_stays_as_it_is(style: str | None) -> None:
    assert compose("Hero enters cave", style) == "Hero enters cave"


def test_a_comma_at_the_end_is_not_doubled() -> None:
    assert compose("Hero enters cave, ", "noir") == "Hero enters cave, noir"


def test_a_style_that_the_prompt_names_already_is_not_repeated() -> None:
    assert compose("Hero enters cave, Noir", "noir") == "Hero enters cave, Noir"


def test_a_style_that_is_only_a_part_of_a_word_is_still_added() -> None:
    assert compose("A heart on fire", "art") == "A heart on fire, art"
