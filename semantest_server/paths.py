"""Names of files and folders that cannot leave the folder they are meant for, on any system's rules."""

import re

# Windows' device names
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³]) *(\..*)?", re.IGNORECASE)
FORBIDDEN = re.compile(r'[<>:"|?*\x00-\x1f\x7f]')
SEPARATORS = re.compile(r"[/\\]+")


def check_path(path: str) -> str:
    """A relative path with `/` between its parts, or `ValueError` saying what is wrong with it."""
    if re.match(r"[/\\]|[a-zA-Z]:", path):
        raise ValueError("Must be a relative path.")
    parts = [part for part in SEPARATORS.split(path) if part]
    if not parts:
        raise ValueError("Must not be empty.")
    for part in parts:
        _check_part(part)
    return "/".join(parts)


def make_relative(path: str) -> str:
    """The same path without a drive or root and without steps upwards, then checked like any other."""
    parts = SEPARATORS.split(re.sub(r"^(file:[/\\]*)?([a-zA-Z]:)?", "", path))
    return check_path("/".join(part for part in parts if part not in ("", ".", "..")))


def slug(title: str) -> str:
    """A folder name from a title: `Cave of Echoes` becomes `cave-of-echoes`."""
    name = re.sub(r"[\W_]+", "-", re.sub("['’]", "", title.lower())).strip("-")[:100].strip("-")
    return "comic" if not name or RESERVED.fullmatch(name) else name


def _check_part(part: str) -> None:
    if part in (".", ".."):
        raise ValueError("Must not contain '.' or '..' as a folder.")
    if FORBIDDEN.search(part):
        raise ValueError('Must not contain control characters or any of < > : " | ? *')
    if part != part.rstrip(" ."):
        raise ValueError("Parts of a path must not end with a dot or a space.")
    if RESERVED.fullmatch(part):
        raise ValueError(f"{part!r} is a reserved name on Windows.")
