"""Imports point one way, and only the outer ring knows Flask; read from the source, so that nothing need be run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import semantest_server

PACKAGE = "semantest_server"
ROOT = Path(semantest_server.__file__).parent

RINGS = [
    {"changes", "errors", "paths", "policy", "prompts", "replacement", "spreadsheets"}
    | {"statements", "throttle", "together", "turns"},
    {"clock", "models", "transactions"},
    {"selection"},
    {"accounts", "queue", "snapshots"},
    {"imports", "upkeep"},
    {"config", "database"},
    {"guard", "migrations", "standing", "upgrade"},
    {"access", "addresses"},
    {"admin", "api"},
    {"__init__"},
    {"cli_ages", "cli_table", "server"},
    {"cli_accounts", "cli_upkeep"},
    {"cli"},
    {"__main__"},
]
WEB = {"flask", "flask_migrate", "flask_smorest", "flask_sqlalchemy", "flask_wtf", "gunicorn", "marshmallow"}
WEB |= {"webargs", "werkzeug", "wtforms"}
DOMAIN = set().union(*RINGS[:5])
ONLY = {"database": {"flask_sqlalchemy"}, "config": {"flask"}}


def test_imports_point_one_way() -> None:
    wrong = [problem for path in ROOT.rglob("*.py") for problem in problems(part_of(path), path.read_text())]
    assert wrong == []


def test_every_part_has_its_ring() -> None:
    assert {part_of(path) for path in ROOT.rglob("*.py")} == set().union(*RINGS)


def test_an_import_that_turns_back_is_found() -> None:
    assert problems("policy", "from semantest_server.models import Task") == ["policy imports models"]
    assert problems("queue", "from semantest_server import snapshots") == ["queue imports snapshots"]
    assert problems("api", "def view():\n    import semantest_server.admin.forms") == ["api imports admin"]
    assert problems("models", "from .queue import claim") == ["models imports queue"]
    assert problems("admin", "from semantest_server import create_app") == ["admin imports __init__"]


def test_flask_in_the_domain_is_found() -> None:
    assert problems("queue", "from flask import current_app") == ["queue imports flask"]
    assert problems("snapshots", "import werkzeug.exceptions") == ["snapshots imports werkzeug"]
    assert problems("database", "import flask_sqlalchemy, flask") == ["database imports flask"]


def test_imports_inwards_and_within_a_part_are_fine() -> None:
    assert problems("api", "from semantest_server.api.schemas import Comic\nimport flask") == []
    assert problems("queue", "from semantest_server.models import Task\nimport sqlalchemy") == []


def part_of(path: Path) -> str:
    """The part of the package that a file belongs to: `queue` for `queue/claim.py`."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def problems(part: str, source: str) -> list[str]:
    """The imports of a part that are not allowed."""
    return [f"{part} imports {name}" for name, is_ours in imports(source) if not is_allowed(part, name, is_ours)]


def is_allowed(part: str, name: str, is_ours: bool) -> bool:
    """Whether a part may import another one, or a package from outside."""
    if is_ours:
        return name == part or ring(name) < ring(part)
    if part in ONLY:
        return name not in WEB - ONLY[part]
    return name not in WEB or part not in DOMAIN


def ring(part: str) -> int:
    """How far out a part is."""
    return next(number for number, parts in enumerate(RINGS) if part in parts)


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """What a source imports, at any depth: our parts, or packages, and whether it is ours."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield named(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = f"{PACKAGE}.{node.module or ''}".rstrip(".") if node.level else node.module or ""
            for alias in node.names:
                yield named(f"{module}.{alias.name}" if module == PACKAGE else module)


def named(module: str) -> tuple[str, bool]:
    """The part, or the package, that a dotted name is in."""
    package, _, rest = module.partition(".")
    if package != PACKAGE:
        return package, False
    part = rest.partition(".")[0]
    return (part if part in set().union(*RINGS) else "__init__"), True
