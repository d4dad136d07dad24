"""Telling from the log beside the database whether anything has been committed."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import make_url

from semantest_server import changes, create_app
from semantest_server.changes import RACY_SECONDS, Changes

LONG_AGO = 1_700_000_000 * 10**9  # in nanoseconds
POSTGRESQL = "postgresql://nobody@127.0.0.1:1/semantest.db"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database file, which need be none here."""
    file = tmp_path / "semantest.db"
    file.write_text("the database")
    return file


@pytest.fixture
def log(file: Path) -> Path:
    """The log beside it."""
    log = Path(f"{file}-wal")
    log.write_text("the log")
    return log


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a real database file, as another process would have it."""
    with closing(sqlite3.connect(tmp_path / "semantest.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE panel (id INTEGER PRIMARY KEY)")
        yield connection


def changes_of(folder: Path) -> Changes:
    return Changes(make_url(f"sqlite:///{folder / 'semantest.db'}"))


def settle(folder: Path, moment: int = LONG_AGO) -> None:
    """Let the files look as if they had been written to long ago."""
    for file in folder.glob("semantest.db*"):
        os.utime(file, ns=(moment, moment))


def stop(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    """Let it be that time, in seconds."""
    monkeypatch.setattr(changes, "time", SimpleNamespace(time=lambda: now))


def test_a_token_stays_while_nothing_is_written(tmp_path: Path, log: Path) -> None:
    settle(tmp_path)
    seen = changes_of(tmp_path)
    assert seen.token() == seen.token()
    assert seen.token() == changes_of(tmp_path).token()


def test_once_the_log_is_written_to_the_token_differs(tmp_path: Path, log: Path) -> None:
    settle(tmp_path)
    before = changes_of(tmp_path).token()
    log.write_text("x" * log.stat().st_size)
    assert changes_of(tmp_path).token() != before
    os.utime(log, ns=(LONG_AGO + 1, LONG_AGO + 1))
    assert changes_of(tmp_path).token() != before


def test_a_log_that_grew_in_no_time_gives_another_token(tmp_path: Path, log: Path) -> None:
    settle(tmp_path)
    before = changes_of(tmp_path).token()
    log.write_text("more than the log")
    settle(tmp_path)
    assert changes_of(tmp_path).token() != before


def test_a_log_that_was_replaced_by_one_that_looks_the_same_gives_another_token(tmp_path: Path, log: Path) -> None:
    settle(tmp_path)
    before = changes_of(tmp_path).token()
    other = tmp_path / "other"
    other.write_bytes(log.read_bytes())
    other.rename(log)
    settle(tmp_path)
    assert changes_of(tmp_path).token() != before


def test_every_commit_of_another_connection_gives_another_token(tmp_path: Path, writer: sqlite3.Connection) -> None:
    tokens = []
    for _ in range(5):
        settle(tmp_path)
        tokens.append(changes_of(tmp_path).token())
        assert tokens.count(changes_of(tmp_path).token()) == 1
        writer.execute("INSERT INTO panel DEFAULT VALUES")
        assert changes_of(tmp_path).token() not in tokens


def test_reading_changes_no_token(tmp_path: Path, writer: sqlite3.Connection) -> None:
    settle(tmp_path)
    before = changes_of(tmp_path).token()
    with closing(sqlite3.connect(tmp_path / "semantest.db")) as reader:
        assert reader.execute("SELECT count(*) FROM panel").fetchone() == (0,)
    assert changes_of(tmp_path).token() == before


@pytest.mark.parametrize("age", [0, RACY_SECONDS / 2, -3600], ids=["now", "just now", "later"])
def test_what_was_written_just_now_is_like_nothing_else(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, age: float
) -> None:
    settle(tmp_path)
    os.utime(log, (1_800_000_000, 1_800_000_000))
    stop(monkeypatch, 1_800_000_000 + age)
    seen = changes_of(tmp_path)
    assert seen.token() != seen.token()
    token = seen.token()
    stop(monkeypatch, 1_800_000_000 + 2 * RACY_SECONDS)
    assert seen.token() != token
    assert seen.token() == seen.token()


def test_two_changes_within_a_tick_of_the_file_systems_clock_are_told_apart(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time_ns()
    stop(monkeypatch, now / 10**9 + RACY_SECONDS / 4)
    settle(tmp_path, now)
    before = changes_of(tmp_path).token()
    log.write_text("new log"[: log.stat().st_size])
    settle(tmp_path, now)
    assert changes_of(tmp_path).token() != before
    stop(monkeypatch, now / 10**9 + 60)
    assert changes_of(tmp_path).token() != before


def test_without_a_log_nothing_can_be_told(tmp_path: Path, file: Path) -> None:
    settle(tmp_path)
    seen = changes_of(tmp_path)
    tokens = [seen.token()]
    assert seen.token() not in tokens
    log = tmp_path / "semantest.db-wal"
    log.touch()
    settle(tmp_path)
    assert seen.token() not in tokens
    tokens.append(seen.token())
    assert seen.token() == tokens[-1]
    log.unlink()
    assert seen.token() not in tokens


@pytest.mark.parametrize("url", [POSTGRESQL, "sqlite://"])
def test_without_a_file_only_the_commits_of_this_process_are_noticed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Changes(make_url(url))
    before = seen.token()
    assert seen.token() == before
    monkeypatch.setattr(Changes, "commits", Changes.commits + 1)
    assert seen.token() != before
    assert seen.token() == Changes(make_url(url)).token()


def test_a_commit_of_this_process_is_noticed_before_the_file_tells_it(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(tmp_path)
    before = changes_of(tmp_path).token()
    monkeypatch.setattr(Changes, "commits", Changes.commits + 1)
    assert changes_of(tmp_path).token() != before


def test_a_file_in_the_instance_folder_is_watched_there(file: Path, log: Path) -> None:
    settle(file.parent)
    settings = {"SEMANTEST_INSTANCE": str(file.parent), "SEMANTEST_DATABASE_URL": f"sqlite:///{file.name}"}
    watched: Changes = create_app(settings).extensions["semantest_lookout"]._changes
    assert watched.token() == Changes(make_url(f"sqlite:///{file}")).token()
