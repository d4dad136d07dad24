"""Nothing gets slower as the queue grows: requests use indexes and a pinned number of statements.

The tables are filled once for each database, with comics that are drawn, finished, paused and in backoff.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from semantest_server.database import db

COMICS, PANELS = 2_000, 100
BIG = re.compile(r"\b(?:SCAN|Seq Scan on) (?:task|event|attempt|comic)\b(?!.*USING)")
SERIES = {
    "sqlite": "WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < {n})",
    "postgresql": "WITH series(n) AS (SELECT generate_series(1, {n}))",
}
KIND = "(comic.id - 4 * (comic.id / 4))"  # 0 is open, 1 finished, 2 paused, 3 in backoff
MOMENT, LATER = "2026-11-22 17:00:00.000000+00:00", "2026-11-23 17:00:00.000000+00:00"
FILL_SITE = """INSERT INTO site (domain, gap_seconds, break_after, break_seconds, daily_cap, since_break, day, today)
    VALUES ('chatgpt.com', 0, 0, 0, 0, 0, '', 0)"""
FILL_COMICS = """INSERT INTO comic (id, title, status, priority, parallel, domain, download_folder, single_pictures,
    created_at, updated_at, served_at, paused_seconds, completions, ready, waiting, out, completed, failed, cancelled)
    {series} SELECT n, 'Comic', 'active', 1, 10, 'chatgpt.com', 'comic', {false}, '{moment}', '{moment}', '{moment}',
    0, '[]', 0, 0, 0, 0, 0, 0 FROM series"""
FILL_TASKS = """INSERT INTO task (comic_id, number, prompt, output_path, download_folder, status, attempt,
    attempts_used, counted, lapses, retried_after, created_at, updated_at, available_at)
    {series} SELECT comic.id, n, 'A prompt', 'panel.png', 'comic',
    CASE {kind} WHEN 1 THEN 'completed' ELSE 'queued' END, 0, 0, {false}, 0, 0, '{moment}', '{moment}',
    CASE {kind} WHEN 3 THEN {later} END FROM comic CROSS JOIN series"""
FILL_COUNTERS = """UPDATE comic SET status = CASE {kind} WHEN 2 THEN 'paused' ELSE 'active' END,
    ready = CASE WHEN {kind} IN (0, 2) THEN {panels} ELSE 0 END,
    waiting = CASE {kind} WHEN 3 THEN {panels} ELSE 0 END, completed = CASE {kind} WHEN 1 THEN {panels} ELSE 0 END"""
FILL_WORKER = """INSERT INTO worker (id, name, named, address, user_agent, created_at, seen_at)
    VALUES (1000, 'old', {true}, '', '', '{moment}', '{moment}')"""
FILL_ATTEMPTS = """INSERT INTO attempt (task_id, number, worker_id, poll, handed_out_at, resent, ended)
    SELECT id, 1, 1000, 'a1', created_at, {false}, 'completed' FROM task WHERE status = 'completed'"""
FILL_EVENTS = "INSERT INTO event (at, type, task_id, comic_id) SELECT created_at, 'queued', id, comic_id FROM task"

Statement = tuple[str, Any]


@pytest.fixture
def full(app: Flask, backend: str, clock: Any) -> Flask:
    """The app on a database of 200,000 tasks in 2,000 comics."""
    words = {
        "true": "1" if backend == "sqlite" else "true",
        "false": "0" if backend == "sqlite" else "false",
        "moment": MOMENT.removesuffix("+00:00") if backend == "sqlite" else MOMENT,
        "later": f"'{LATER[:26]}'" if backend == "sqlite" else f"timestamptz '{LATER}'",
        "kind": KIND,
        "panels": PANELS,
    }
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql(FILL_SITE)
        connection.exec_driver_sql(FILL_COMICS.format(series=SERIES[backend].format(n=COMICS), **words))
        connection.exec_driver_sql(FILL_TASKS.format(series=SERIES[backend].format(n=PANELS), **words))
        connection.exec_driver_sql(FILL_COUNTERS.format(**words))
        connection.exec_driver_sql(FILL_EVENTS)
        connection.exec_driver_sql(FILL_WORKER.format(**words))
        connection.exec_driver_sql(FILL_ATTEMPTS.format(**words))
        connection.exec_driver_sql("ANALYZE")
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
    "empty poll": ("GET", "/tasks/pending?domain=gemini.google.com", None, 7, 6),
    "poll": ("GET", "/tasks/pending", None, 24, 20),
    "report": ("PATCH", "/tasks/1.1", {"status": "running", "progress": 10}, 14, 12),
    "tasks": ("GET", "/tasks", None, 4, 3),
    "tasks by status": ("GET", "/tasks?status=queued,failed", None, 6, 5),
    "tasks of a comic": ("GET", "/tasks?comic=4", None, 4, 3),
    "tasks of a worker": ("GET", "/tasks?worker=w1", None, 11, 10),
    "history": ("GET", "/tasks/1/events", None, 3, 2),
    "comics": ("GET", "/comics", None, 7, 6),
    "comic": ("GET", "/comics/4", None, 7, 6),
    "page of comics": ("GET", "/admin/", None, 10, 9),
    "page of a comic": ("GET", "/admin/comics/4", None, 8, 7),
    "page of a status": ("GET", "/admin/comics/4?status=failed", None, 9, 8),
    "page of workers": ("GET", "/admin/workers", None, 4, 3),
}


def test_every_request_uses_indexes_and_no_more_statements_than_it_has_to(full: Flask, backend: str) -> None:
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
    which = 3 if backend == "sqlite" else 4
    assert counts == {name: pinned[which] for name, pinned in REQUESTS.items()}
