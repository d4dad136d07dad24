"""Finding and replacing in a prompt."""

import pytest

from semantest_server.replacement import Replacement


def marked(replacement: Replacement, prompt: str) -> str:
    """The pieces, with what goes in [] and what comes in {}."""
    around = {"same": "{}", "del": "[{}]", "ins": "{{{}}}"}
    return "".join(around[piece.kind].format(piece.text) for piece in replacement.pieces(prompt))


@pytest.mark.parametrize(
    ("replacement", "prompt", "after"),
    [
        (Replacement("cat", "dog"), "A Cat and a catfish", "A dog and a dogfish"),
        (Replacement("cat", "dog", match_case=True), "A Cat and a catfish", "A Cat and a dogfish"),
        (Replacement("cat", "dog", whole_words=True), "A Cat and a catfish", "A dog and a catfish"),
        (Replacement("cat", "", whole_words=True), "cat", ""),
        (Replacement("(a|b)", r"\1"), "x (a|b) y", r"x \1 y"),
        (Replacement("ä", "ö"), "Ähren", "öhren"),
        (Replacement("dragon", "cat"), "Hero enters", "Hero enters"),
    ],
)
def test_every_place_is_replaced_as_plain_words(replacement: Replacement, prompt: str, after: str) -> None:
    assert replacement.apply(prompt) == after


def test_the_pieces_say_what_goes_and_what_comes() -> None:
    assert marked(Replacement("cat", "dog"), "A Cat, a cat!") == "A [Cat]{dog}, a [cat]{dog}!"
    assert marked(Replacement("a ", ""), "a hat") == "[a ]hat"
    assert marked(Replacement("cat", "dog"), "A hat") == "A hat"
