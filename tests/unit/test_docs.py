"""The README names every command, every endpoint of the API and every setting."""

import re
from collections.abc import Iterable
from pathlib import Path

from flask import Flask

from semantest_server.cli import main
from semantest_server.config import PREFIX, SETTINGS

README = Path(__file__).parents[2] / "README.md"
NO_API = {"static", "home"}


def test_every_command_is_in_the_readme() -> None:
    names = [f"semantest-server {name}" for name in main.commands if name != "db"]
    assert missing(README.read_text(), [*names, "semantest-server db upgrade"]) == []


def test_every_endpoint_is_in_the_readme(app: Flask) -> None:
    assert missing(README.read_text(), endpoints(app)) == []


def test_every_setting_is_in_the_readme() -> None:
    assert missing(README.read_text(), [PREFIX + setting.name for setting in SETTINGS]) == []


def test_what_is_missing_is_found() -> None:
    assert missing("GET /tasks/pending and SEMANTEST_BINDING", ["GET /tasks", "SEMANTEST_BIND"]) == [
        "GET /tasks",
        "SEMANTEST_BIND",
    ]


def missing(text: str, names: Iterable[str]) -> list[str]:
    """The names that do not stand in the text as whole words."""
    return [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w/-])", text)]


def endpoints(app: Flask) -> list[str]:
    """The endpoints of the API, such as `PATCH /tasks/{id}`."""
    return sorted(
        f"{method} {re.sub('<[^>]*>', '{id}', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in NO_API and not rule.endpoint.startswith("admin.")
    )
