"""What a file is, and which ones are refused as a whole."""

import pytest

from semantest_server.imports.reading import kind_of, read_file, read_text
from semantest_server.imports.rows import Kind, Unreadable

TOO_MANY = 11_000


@pytest.mark.parametrize(
    ("text", "name", "media_type", "kind"),
    [
        ("Hero enters\n", "", "", Kind.LINES),
        ("[wide shot] Hero enters\n", "", "", Kind.LINES),
        ("{wide} Hero enters\n", "", "", Kind.LINES),
        ('["Hero"]', "", "", Kind.JSON),
        ('  {"prompts": 1', "", "", Kind.JSON),
        ("[1]", "a.JSON", "", Kind.JSON),
        ("[1]", "", "application/json", Kind.JSON),
        ("prompt,style\nx,y\n", "", "", Kind.CSV),
        ("prompt,style\nx,y\n", "a.txt", "text/plain", Kind.CSV),
        ("title,prompt\nx,y\n", "a.csv", "", Kind.CSV),
        ("style\nx\n", "a.csv", "", Kind.CSV),
        ("Hero\nMonster\n", "a.csv", "", Kind.LINES),
        ("Hero\nMonster\n", "", "text/csv", Kind.LINES),
        ("", "", "", Kind.LINES),
    ],
)
def test_a_file_is_known_by_its_name_its_media_type_or_its_content(
    text: str, name: str, media_type: str, kind: Kind
) -> None:
    assert kind_of(text, name, media_type) is kind


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("prompt\nHero".encode("utf-16"), "This file is UTF-16."),
        ("Hero\nFüße".encode("latin-1"), "Line 2: This is not UTF-8 text."),
        (b"Hero\x00", "Line 1: This is not a text file."),
        (b"", "There is no prompt in it."),
        (b"# nothing", "There is no prompt in it."),
        (b"prompt,style\n,\n", "There is no prompt in it."),
    ],
)
def test_a_file_that_cannot_be_read_says_why(content: bytes, said: str) -> None:
    with pytest.raises(Unreadable) as caught:
        read_file(content)
    assert caught.value.errors[0].message.startswith(said)


def test_a_byte_order_mark_is_taken_off() -> None:
    assert read_file("\ufeffHero".encode()).rows[0].cells["prompt"] == "Hero"
    assert read_text("\ufeffHero").rows[0].cells["prompt"] == "Hero"


@pytest.mark.parametrize(
    "text",
    ["x\n" * TOO_MANY, "prompt,style,wrong\n" + "x,hihg,y,z\n" * TOO_MANY, "[" + ",".join(["[]"] * TOO_MANY) + "]"],
)
def test_too_many_rows_are_one_error_and_not_looked_at(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guessed_at: list[str] = []

    def look_up(word: str, *_: object) -> list[str]:
        guessed_at.append(word)
        return []

    monkeypatch.setattr("semantest_server.imports.hints.get_close_matches", look_up)
    with pytest.raises(Unreadable) as caught:
        read_text(text)
    assert [error.message for error in caught.value.errors] == [
        "There are 11,000 prompts in it; a comic has at most 10,000."
    ]
    assert set(guessed_at) <= {"wrong"}, "only the header was"
