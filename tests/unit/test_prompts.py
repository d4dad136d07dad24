"""Prompts as text: joined with a style."""

import pytest

from semantest_server.prompts import compose


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
