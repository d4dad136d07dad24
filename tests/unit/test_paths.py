"""Names of files and folders stay inside the folder they are meant for."""

import pytest

from semantest_server.paths import check_path, make_relative, slug


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("panel-046.png", "panel-046.png"),
        ("cave/panel.png", "cave/panel.png"),
        (r"cave\panel.png", "cave/panel.png"),
        ("cave//panel.png", "cave/panel.png"),
        ("cave/", "cave"),
        (".hidden", ".hidden"),
        ("höhle/漫画 1.png", "höhle/漫画 1.png"),
        ("console.png", "console.png"),
        ("a" * 100, "a" * 100),
    ],
)
def test_a_relative_path_is_kept_with_slashes(given: str, path: str) -> None:
    assert check_path(given) == path


@pytest.mark.parametrize("path", ["/etc/passwd", r"\server\share", "//server/share", r"C:\a.png", "c:a.png", "C:/a"])
def test_an_absolute_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="relative"):
        check_path(path)


@pytest.mark.parametrize("path", ["..", "../a.png", "a/../b.png", r"a\..\b.png", "a/..", ".", "./a.png", "a/./b"])
def test_a_step_upwards_or_nowhere_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"'\.' or '\.\.'"):
        check_path(path)


@pytest.mark.parametrize(
    "path", ["a\x00b", "a\nb", "a\x7fb", "a<b", "a>b", 'a"b', "a|b", "a?b", "a*b", "ab:c", "d/a:b"]
)
def test_characters_that_a_system_forbids_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="control characters"):
        check_path(path)


@pytest.mark.parametrize("path", ["a.", "a ", "a./b", "a /b", "...", "a. .", ".. /a"])
def test_a_part_that_a_system_would_shorten_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="must not end with a dot or a space"):
        check_path(path)


@pytest.mark.parametrize("path", ["con", "NUL", "a/aux", "COM1", "lpt9.png", "prn.tar.gz", "com¹", "con.txt/a"])
def test_names_of_windows_devices_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        check_path(path)


@pytest.mark.parametrize("path", ["CONIN$", "conout$", "con .png"])
def test_the_rarer_names_of_windows_devices_are_refused_too(path: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        check_path(path)


def test_nothing_is_no_path() -> None:
    with pytest.raises(ValueError, match="empty"):
        check_path("")


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/home/me/cave.png", "home/me/cave.png"),
        (r"C:\Users\me\cave.png", "Users/me/cave.png"),
        ("file:///home/me/cave.png", "home/me/cave.png"),
        ("file:///C:/Users/me/cave.png", "Users/me/cave.png"),
        ("../../cave.png", "cave.png"),
        ("./cave/../a.png", "cave/a.png"),
        ("cave.png", "cave.png"),
    ],
)
def test_an_absolute_path_is_made_relative(given: str, path: str) -> None:
    assert make_relative(given) == path


@pytest.mark.parametrize("path", ["", "/", "..", "/con", "a/b?c", "C:"])
def test_what_is_no_path_after_that_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"^Must|reserved"):
        make_relative(path)


@pytest.mark.parametrize(
    ("title", "folder"),
    [
        ("Cave of Echoes", "cave-of-echoes"),
        ("  Cave: of / Echoes!  ", "cave-of-echoes"),
        ("Snake_case", "snake-case"),
        ("Höhle der Echos", "höhle-der-echos"),
        ("../../etc", "etc"),
        ("???", "comic"),
        ("", "comic"),
        ("CON", "comic"),
    ],
)
def test_a_title_becomes_the_name_of_a_folder(title: str, folder: str) -> None:
    assert slug(title) == folder


@pytest.mark.parametrize("title", ["a" * 500, "ab " * 200, "漫画" * 200, "con.", "é" * 300, "x" * 99 + " y"])
def test_the_name_of_a_folder_is_always_a_path_that_can_be_used(title: str) -> None:
    assert check_path(slug(title)) == slug(title)
    assert len(slug(title)) <= 100
