"""Pruning, backing up, checking and moving an installation."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import URL, delete, func, insert, select, update
from sqlalchemy.orm import Session

from semantest_server import create_app
from semantest_server.cli_upkeep import backup_command, check_command, copy_command, prune_command
from semantest_server.database import db
from semantest_server.models import Attempt, Base, Comic, Event, EventType, Task, TaskStatus
from semantest_server.upkeep.check import check, replay

from .. import postgres

DAY = 86_400
DONE = {"status": "completed", "imageUrl": "https://pictures.example/1.png"}


@pytest.fixture
def postgres_url(postgres_server: URL) -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    with postgres.new_database(postgres_server) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def busy(client: FlaskClient) -> FlaskClient:
    """A client of a server with a finished comic (1), one being drawn (2), one that waits (3), a finished picture."""
    for title in ("Finished", "Drawn"):
        client.post("/comics", json={"title": title, "prompts": ["one", "two"]}, headers={"Idempotency-Key": title})
    for receipt in claim(client, "w1"):
        if receipt in ("1.1", "2.1"):
            assert client.patch(f"/tasks/{receipt}", json=DONE).status_code == 200
    client.post("/tasks", json={"prompt": "single", "correlationId": "mine"}, headers={"Idempotency-Key": "p"})
    assert client.patch(f"/tasks/{claim(client, 'w2')[-1]}", json=DONE).status_code == 200
    client.post("/comics", json={"title": "Waiting", "prompts": ["three"]})
    return client


def claim(client: FlaskClient, worker: str) -> list[str]:
    """The receipts that a poll gives."""
    hand_outs: Any = client.get("/tasks/pending", headers={"X-Worker-Id": worker}).json
    return [panel["id"] for hand_out in hand_outs for panel in hand_out["payload"]["panels"]]


def titles(client: FlaskClient) -> set[str]:
    """The titles of all comics."""
    answer: Any = client.get("/comics").json
    return {comic["title"] for comic in answer["comics"]}


def test_prune_deletes_what_was_finished_before_and_nothing_else(
    busy: FlaskClient, runner: FlaskCliRunner, session: Session, clock: Any
) -> None:
    before = set(session.scalars(select(Task.id)))
    session.rollback()
    clock.advance(31 * DAY)
    result = runner.invoke(prune_command, ["--older-than", "30d"])
    assert "Deleted 1 finished comics and 3 panels" in result.output
    assert titles(busy) == {"Drawn", "Single pictures", "Waiting"}
    assert before - set(session.scalars(select(Task.id))) == {1, 2, 5}
    kept = session.scalars(select(Task.id)).all()
    for table in (Event, Attempt):
        assert not session.scalar(select(func.count()).select_from(table).where(table.task_id.not_in(kept)))
    assert list(check(session)) == []


def test_prune_keeps_what_was_finished_lately(busy: FlaskClient, runner: FlaskCliRunner, clock: Any) -> None:
    clock.advance(29 * DAY)
    assert "Deleted 0 finished comics and 0 panels" in runner.invoke(prune_command, ["--older-than", "30d"]).output


def test_prune_forgets_the_keys_of_what_it_deletes(busy: FlaskClient, runner: FlaskCliRunner, clock: Any) -> None:
    clock.advance(31 * DAY)
    runner.invoke(prune_command, ["--older-than", "30d"])
    again = busy.post("/comics", json={"title": "New", "prompts": ["x"]}, headers={"Idempotency-Key": "Finished"})
    assert again.status_code == 201


def test_prune_refuses_what_is_no_age(app: Flask, runner: FlaskCliRunner) -> None:
    result = runner.invoke(prune_command, ["--older-than", "soon"])
    assert (result.exit_code, "30d" in result.output) == (2, True)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_backup_copies_a_database_in_use_and_overwrites_nothing(
    busy: FlaskClient, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    target = tmp_path / "backup.db"
    assert runner.invoke(backup_command, [str(target)]).exit_code == 0
    copy = sqlite3.connect(target)
    assert copy.execute("SELECT count(*) FROM task").fetchone() == (6,)
    copy.close()
    again = runner.invoke(backup_command, [str(target)])
    assert (again.exit_code, "exists already" in again.output) == (1, True)
    nowhere = runner.invoke(backup_command, [str(tmp_path / "no" / "folder.db")])
    assert (nowhere.exit_code, "could not be made" in nowhere.output) == (1, True)
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize("backend", ["postgresql"])
def test_backup_says_what_to_use_for_postgresql(app: Flask, runner: FlaskCliRunner, tmp_path: Path) -> None:
    result = runner.invoke(backup_command, [str(tmp_path / "backup.db")])
    assert (result.exit_code, "pg_dump" in result.output) == (1, True)


def test_check_finds_nothing_wrong_with_a_busy_queue(busy: FlaskClient, runner: FlaskCliRunner) -> None:
    result = runner.invoke(check_command)
    assert (result.exit_code, "All is well" in result.output) == (0, True)


WRONGS = {
    "counts 7 tasks as ready": update(Comic).where(Comic.id == 3).values(ready=7),
    "is at attempt 5": update(Task).where(Task.id == 3).values(attempt=5),
    "is leased to worker": update(Task).where(Task.id == 3).values(worker_id=2),
    "accepted results": update(Attempt).where(Attempt.task_id == 1).values(ended=None),
    "have no history": delete(Event).where(Event.task_id == 6),
    "its history ends at": delete(Event).where(Event.task_id == 1, Event.type == EventType.COMPLETED),
    "attempt 3 was handed out": insert(Event).values(
        at=func.now(), type=EventType.HANDED_OUT, task_id=6, comic_id=3, attempt=3
    ),
}


@pytest.mark.parametrize("wrong", WRONGS)
def test_check_says_what_is_wrong(wrong: str, busy: FlaskClient, runner: FlaskCliRunner, session: Session) -> None:
    session.execute(WRONGS[wrong], execution_options={"synchronize_session": False})
    session.commit()
    result = runner.invoke(check_command)
    assert result.exit_code == 1
    assert wrong in result.output


def test_a_history_is_replayed_step_by_step() -> None:
    life = [(EventType.QUEUED, None), (EventType.HANDED_OUT, 1), (EventType.RUNNING, 1)]
    assert list(replay(1, TaskStatus.RUNNING, life)) == []
    assert list(replay(1, TaskStatus.COMPLETED, life)) == ["Task 1 is completed, and its history ends at running."]
    twice = [*life, (EventType.HANDED_OUT, 2), (EventType.RUNNING, 2)]
    assert list(replay(1, TaskStatus.RUNNING, twice)) == ["Task 1: handed_out after it was running."]


def test_copy_moves_everything_to_an_empty_database(
    busy: FlaskClient, runner: FlaskCliRunner, postgres_url: str, tmp_path: Path
) -> None:
    result = runner.invoke(copy_command, [postgres_url])
    assert result.exit_code == 0, result.output
    target = create_app({"SEMANTEST_INSTANCE": str(tmp_path), "SEMANTEST_DATABASE_URL": postgres_url})
    for table in Base.metadata.sorted_tables:
        assert f"{table.name}: " in result.output or table.name == "revision"
    moved = target.test_client()
    assert moved.get("/comics").json == busy.get("/comics").json
    assert moved.get("/tasks").json == busy.get("/tasks").json
    assert moved.get("/tasks/1/events").json == busy.get("/tasks/1/events").json
    new = moved.post("/comics", json={"title": "New", "prompts": ["x"]})
    assert (new.status_code, new.json and new.json["id"]) == (201, "5")
    refused = runner.invoke(copy_command, [postgres_url])
    assert (refused.exit_code, "not empty" in refused.output) == (1, True)
    with target.app_context():
        db.engine.dispose()
