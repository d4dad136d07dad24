"""Nothing gets slower as the queue grows: requests use indexes and a pinned number of statements.

The tables are filled once for each database, with comics that are drawn, finished, paused and in backoff.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from semantest_server import standing
from semantest_server.database import db
from semantest_server.models import ComicStatus

from ..conftest import migrate
from ..filling import Panels, analyze, fill

COMICS, PANELS = 2_000, 100
LONG_COMICS = 2
BIG = re.compile(r"\b(?:SCAN|Seq Scan on) (?:task|event|attempt|comic)\b(?!.*USING)")
LONG = Panels(finished=5_000, ready=5_000)  # what looks cheap among few panels may not be so among many
OPEN, FINISHED = Panels(ready=PANELS), Panels(finished=PANELS)
PAUSED, IN_BACKOFF = Panels(ready=PANELS, status=ComicStatus.PAUSED), Panels(waiting=PANELS)

Statement = tuple[str, Any]


@pytest.fixture
def database_url(empty_database_url: str, tmp_path: Path) -> str:
    """A database of its own: what other tests leave behind in theirs leads planners astray, and the other way round."""
    migrate(empty_database_url, tmp_path)
    return empty_database_url


@pytest.fixture
def full(app: Flask, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The app on a database of 220,000 tasks in 2,002 comics, two of them very long, as nobody has analyzed it."""
    monkeypatch.setattr(standing, "REMEMBERED_SECONDS", 3600.0)  # a look at it every second would count now and then
    with app.app_context(), db.engine.begin() as connection:
        fill(connection, LONG_COMICS, LONG)
        for panels in (OPEN, FINISHED, PAUSED, IN_BACKOFF):
            fill(connection, COMICS // 4, panels)
    return app


@contextmanager
def recorded(app: Flask) -> Iterator[list[Statement]]:
    """The statements that run meanwhile."""
    statements: list[Statement] = []

    def record(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        statements.append((statement, parameters))

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", record)


def full_scans(app: Flask, statements: list[Statement]) -> list[str]:
    """The statements that read a big table from one end to the other, with their plans."""
    scans = []
    with app.app_context(), db.engine.connect() as connection:
        explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        for statement, parameters in statements:
            if not statement.lstrip().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
                continue
            plan = connection.exec_driver_sql(f"{explain} {statement}", parameters)
            text = "\n".join(str(row[-1]) for row in plan)
            in_order = "ORDER BY comic.id" in statement and "LIMIT" in statement and "TEMP B-TREE" not in text
            if BIG.search(text) and not (
                in_order and "SCAN comic" in text
            ):  # from the end of the table, and no further
                scans.append(f"{statement}\n{text}")
    return scans


# What each request is, and how many statements it takes on SQLite, where BEGIN is one, and on PostgreSQL.
REQUESTS: dict[str, tuple[str, str, Any, int, int]] = {
    "empty poll": ("GET", "/tasks/pending?domain=gemini.google.com", None, 4, 3),
    "poll": ("GET", "/tasks/pending", None, 11, 9),
    "report": ("PATCH", "/tasks/1.1", {"status": "running", "progress": 10}, 13, 11),
    "tasks": ("GET", "/tasks", None, 4, 3),
    "tasks by status": ("GET", "/tasks?status=queued,failed", None, 6, 5),
    "tasks of a comic": ("GET", "/tasks?comic=4", None, 4, 3),
    "tasks of a worker": ("GET", "/tasks?worker=w1", None, 11, 10),
    "history": ("GET", "/tasks/1/events", None, 3, 2),
    "comics": ("GET", "/comics", None, 7, 6),
    "comic": ("GET", "/comics/4", None, 7, 6),
    "first page": ("GET", "/admin/", None, 18, 17),
    "page of comics": ("GET", "/admin/comics", None, 10, 9),
    "page of a comic": ("GET", "/admin/comics/4", None, 8, 7),
    "page of a status": ("GET", "/admin/comics/4?status=queued", None, 9, 8),
    "page of a search": ("GET", "/admin/comics/4?q=panel+7", None, 10, 9),
    "page in order of change": ("GET", "/admin/comics/4?sort=-changed", None, 8, 7),
    "page of a panel": ("GET", "/admin/comics/4/panels/50?status=queued", None, 17, 16),
    "page of find and replace": ("GET", "/admin/comics/4/replace", None, 9, 8),
    "page of workers": ("GET", "/admin/workers", None, 7, 6),
    "activity": ("GET", "/admin/activity", None, 9, 8),
    "trouble": ("GET", "/admin/activity?type=failed&type=expired&type=given_back", None, 9, 8),
    "activity of a comic": ("GET", "/admin/activity?comic=4", None, 10, 9),
    "activity of a long comic": ("GET", "/admin/activity?comic=1&type=failed", None, 10, 9),
    "activity of a worker": ("GET", "/admin/activity?worker=1", None, 9, 8),
    "settings": ("GET", "/admin/settings", None, 3, 2),
}


def test_every_request_uses_indexes_and_no_more_statements_than_it_has_to(full: Flask, backend: str) -> None:
    with full.app_context(), db.engine.begin() as connection:
        analyze(connection)
    assert statement_counts(full) == {
        name: pinned[3 if backend == "sqlite" else 4] for name, pinned in REQUESTS.items()
    }


@pytest.mark.parametrize("backend", ["sqlite"])  # PostgreSQL analyzes by itself
def test_a_file_that_nobody_has_analyzed_is_read_by_its_indexes_too(full: Flask) -> None:
    statement_counts(full)


def statement_counts(full: Flask) -> dict[str, int]:
    """How many statements each request takes, once it is clear that none reads a whole table."""
    client = full.test_client()
    worker = {"X-Worker-Id": "w1"}
    for _ in range(2):  # the worker is known, and has panels
        hand_outs: Any = client.get("/tasks/pending?limit=3", headers=worker).json
    receipt = hand_outs[0]["payload"]["panels"][0]["id"]
    counts = {}
    for name, (method, path, body, *_pinned) in REQUESTS.items():
        with recorded(full) as statements:
            answer = client.open(path.replace("1.1", receipt), method=method, json=body, headers=worker)
        assert answer.status_code == 200, name
        counts[name] = len(statements)
        assert full_scans(full, statements) == [], name
    return counts
