"""The commands `queue` and `status`, and what every command says when something is wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask.testing import FlaskCliRunner
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from semantest_server.cli import main
from semantest_server.models import Comic, Priority, Task, Worker

from ..conftest import START


def queue(runner: FlaskCliRunner, file: Path | str, *options: str, stdin: str | None = None) -> Result:
    """Run `semantest-server queue`."""
    return runner.invoke(main, ["queue", str(file), *options], input=stdin)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Prompts as a person writes them."""
    path = tmp_path / "cave-of-echoes.txt"
    path.write_text("# Chapter 1\nHero enters cave\n\n  Monster appears  \n# the end\n")
    return path


def test_queue_makes_a_panel_of_each_line(runner: FlaskCliRunner, session: Session, file: Path) -> None:
    result = queue(runner, file)
    assert result.exit_code == 0, result.output
    tasks = session.scalars(select(Task).order_by(Task.number)).all()
    assert [(task.number, task.prompt) for task in tasks] == [(1, "Hero enters cave"), (2, "Monster appears")]


def test_queue_tells_the_comic_and_its_page(runner: FlaskCliRunner, session: Session, file: Path) -> None:
    result = queue(runner, file)
    comic = session.scalars(select(Comic)).one()
    page = f"http://127.0.0.1:3003/admin/comics/{comic.id}"
    assert result.stdout == f"Queued comic {comic.id}, cave-of-echoes, with 2 panels: {page}\n"


def test_queue_takes_every_option(runner: FlaskCliRunner, session: Session, file: Path) -> None:
    options = ["--title", "Echoes", "--style", "noir", "--priority", "high", "--parallel", "3"]
    result = queue(runner, file, *options, "--domain", "draw.example", "--download-folder", "cave/one")
    assert result.exit_code == 0, result.output
    comic = session.scalars(select(Comic)).one()
    assert (comic.title, comic.style, comic.parallel) == ("Echoes", "noir", 3)
    assert (comic.priority, comic.domain, comic.download_folder) == (Priority.HIGH, "draw.example", "cave/one")


def test_queue_reads_standard_input(runner: FlaskCliRunner, session: Session) -> None:
    result = queue(runner, "-", stdin="Hero enters cave\n")
    assert result.exit_code == 0, result.output
    assert session.scalars(select(Comic)).one().title == "Untitled"


def test_queue_names_the_line_that_is_wrong_and_queues_nothing(
    runner: FlaskCliRunner, session: Session, file: Path
) -> None:
    file.write_text(f"# long ones\nfine\n\n{'x' * 4001}\n{'y' * 4001}\n")
    result = queue(runner, file)
    assert result.exit_code == 1
    assert [line.split(": ")[0] for line in result.stderr.splitlines()] == [f"{file}:4:prompt", f"{file}:5:prompt"]
    assert session.scalars(select(Comic)).all() == []


def test_queue_reads_csv_and_tells_everything_that_is_wrong_and_strange_with_it(
    runner: FlaskCliRunner, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "cave.csv"
    file.write_text("prompt;priority;filename;what\nHero enters;high;/x/a.png;1\nMonster appears;hihg;;\nA, b;;;\n")
    result = queue(runner, file)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"{file}:1: what is not known here and is passed over.",
        f"{file}:2:filename: warning: Made relative; it was /x/a.png",
        f"{file}:3:priority: Must be high, normal or low. Did you mean high?",
    ]
    assert session.scalars(select(Comic)).all() == []


def test_queue_takes_options_from_json_where_none_are_given(
    runner: FlaskCliRunner, session: Session, tmp_path: Path
) -> None:
    file = tmp_path / "cave.json"
    file.write_text('{"title": "Echoes", "style": "ink", "priority": "low", "parallel": 3, "prompts": ["Hero enters"]}')
    result = queue(runner, file, "--parallel", "4")
    assert result.exit_code == 0, result.output
    comic = session.scalars(select(Comic)).one()
    assert (comic.title, comic.style, comic.priority, comic.parallel) == ("Echoes", "ink", Priority.LOW, 4)


def test_queue_names_the_item_of_a_list_and_the_place_where_json_is_broken(
    runner: FlaskCliRunner, session: Session
) -> None:
    result = queue(runner, "-", stdin='["Hero enters", 7]')
    assert result.stderr == "<stdin>:item 2: A prompt or an object was expected here, not a number.\n"
    result = queue(runner, "-", stdin='{"prompts":\n["Hero enters" 7]}')
    assert result.stderr == "<stdin>:2: A comma, or the end of the list or object, was expected here.\n"
    assert result.exit_code == 1
    assert session.scalars(select(Comic)).all() == []


def test_queue_keeps_chapters_and_strips(runner: FlaskCliRunner, session: Session) -> None:
    queue(runner, "-", stdin="# Chapter: One\nHero enters\n\nMonster appears\n")
    tasks = session.scalars(select(Task).order_by(Task.number)).all()
    assert [(task.chapter, task.strip) for task in tasks] == [("One", "1"), ("One", "2")]


def test_a_dry_run_queues_nothing(runner: FlaskCliRunner, session: Session, file: Path) -> None:
    result = queue(runner, file, "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "2 panels can be queued.\n")
    assert session.scalars(select(Comic)).all() == []
    file.write_text("prompt,panel\nHero,x\n")
    assert queue(runner, file, "--dry-run").exit_code == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--parallel", "0"),
        ("--parallel", "101"),
        ("--title", "x" * 201),
        ("--style", "x" * 501),
        ("--domain", "no site"),
        ("--download-folder", "../up"),
    ],
)
def test_queue_names_the_option_that_is_wrong_and_queues_nothing(
    runner: FlaskCliRunner, session: Session, file: Path, option: str, value: str
) -> None:
    result = queue(runner, file, option, value)
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith(f"{option}: ")
    assert session.scalars(select(Comic)).all() == []


@pytest.mark.parametrize("content", [b"", b"# nothing\n\n", b"\xff\xfe\x00x"])
def test_queue_says_what_is_wrong_with_a_file_without_prompts(
    runner: FlaskCliRunner, session: Session, file: Path, content: bytes
) -> None:
    file.write_bytes(content)
    result = queue(runner, file)
    assert result.exit_code == 1
    assert result.stderr.startswith((f"{file}: ", f"{file}:1: "))
    assert session.scalars(select(Comic)).all() == []


def test_queue_refuses_a_file_that_is_not_there(runner: FlaskCliRunner, tmp_path: Path) -> None:
    result = queue(runner, tmp_path / "missing.txt")
    assert result.exit_code == 2
    assert "No such file" in result.stderr


def test_status_shows_comics_and_workers(runner: FlaskCliRunner, session: Session, file: Path, clock: Any) -> None:
    queue(runner, file, "--title", "Cave of Echoes")
    session.add(Worker(name="studio", named=True, created_at=START, seen_at=START))
    session.commit()
    clock.advance(125)
    result = runner.invoke(main, ["status"])
    assert result.exit_code == 0, result.output
    comic, worker = (line.split() for line in result.stdout.splitlines() if "Cave" in line or "studio" in line)
    assert comic == ["1", "Cave", "of", "Echoes", "active", "0/2", "0", "0"]
    assert worker == ["studio", "2", "minutes", "ago", "0"]


def test_status_says_what_holds_a_comic_back(runner: FlaskCliRunner, file: Path) -> None:
    queue(runner, file)
    assert "no extension is polling" in runner.invoke(main, ["status"]).stdout


def test_status_of_an_empty_queue(runner: FlaskCliRunner) -> None:
    result = runner.invoke(main, ["status"])
    assert result.stdout == "No comic is queued.\n\nNo extension has polled yet.\n"


def test_help_lists_what_is_imported_only_when_it_is_asked_for(runner: FlaskCliRunner) -> None:
    assert re.search(r"^  db +Perform database migrations.$", runner.invoke(main, ["--help"]).stdout, re.MULTILINE)
    listed = re.findall(r"^  (\w+)  ", runner.invoke(main, ["db", "--help"]).stdout, re.MULTILINE)
    assert {"copy", "current", "upgrade"} <= {*listed}


@pytest.mark.parametrize("command", [["status"], ["db", "upgrade"], ["db", "current"]])
def test_a_database_that_cannot_be_used_is_one_line(
    runner: FlaskCliRunner, session: Session, command: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    version = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    set_version = text("UPDATE alembic_version SET version_num = :version")
    session.execute(set_version, {"version": "9999"})
    session.commit()
    result = runner.invoke(main, command)
    session.execute(set_version, {"version": version})  # other tests use this database too
    session.commit()
    assert result.exit_code == 1
    assert "newer version of Semantest server" in result.stderr + caplog.text
