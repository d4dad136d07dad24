"""When the database is in trouble: a clear 503 with `Retry-After`, and work as before once the cause is gone."""

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text
from werkzeug.test import TestResponse

from semantest_server import create_app
from semantest_server.database import db
from semantest_server.upgrade import upgrade

from ..chaos.databases import PostgresServer, killable_postgres
from ..postgres import new_database

COMIC = {"title": "A comic", "prompts": ["a prompt " * 400] * 20}


def refused(answer: TestResponse) -> str:
    """The detail of a 503 that says when to ask again."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json is not None
    return str(answer.json["detail"])


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as a full disk would not."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_full_disk_is_said_and_survived(client: FlaskClient, tmp_path: Path) -> None:
    assert client.post("/comics", json=COMIC).status_code == 201
    log = tmp_path / "semantest.db-wal"
    with largest_file(log.stat().st_size):
        refused(client.post("/comics", json=COMIC))
        assert client.get("/comics/1").status_code == 200
    assert client.post("/comics", json=COMIC).status_code == 201
    answer: Any = client.get("/comics").json
    assert [comic["id"] for comic in answer["comics"]] == ["2", "1"]


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_read_only_file_is_said_and_survived(app: Flask, client: FlaskClient) -> None:
    read_only = {"now": True}
    with app.app_context():
        engine = db.engine
        engine.dispose()
    event.listen(engine, "checkout", lambda c, *_: c.execute(f"PRAGMA query_only = {int(read_only['now'])}"))
    assert "read-only" in refused(client.post("/comics", json=COMIC))
    assert client.get("/comics").status_code == 200
    assert client.get("/tasks/pending").json == []
    read_only["now"] = False
    assert client.post("/comics", json=COMIC).status_code == 201


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_damaged_file_is_said_and_survived(app: Flask, client: FlaskClient, tmp_path: Path) -> None:
    file = tmp_path / "semantest.db"
    assert client.post("/comics", json=COMIC).status_code == 201
    with app.app_context():
        db.engine.dispose()  # the last connection to close writes the log back into the file
    good = file.read_bytes()
    file.write_bytes(b"this is no database " * 1_000)
    assert "damaged" in refused(client.get("/comics/1"))
    poll = client.get("/tasks/pending")
    assert (poll.status_code, poll.json) == (503, [])
    assert json.loads(poll.headers["Problem"])["status"] == 503
    page = client.get("/admin/")
    assert page.status_code == 503
    assert "damaged" in page.text
    file.write_bytes(good)
    assert client.get("/comics/1").status_code == 200


def test_a_database_without_tables_says_how_to_make_them(tmp_path: Path) -> None:
    app = create_app({"SEMANTEST_INSTANCE": str(tmp_path)})
    assert "db upgrade" in refused(app.test_client().get("/comics"))
    with app.app_context():
        db.engine.dispose()


def test_a_postgresql_that_is_away_costs_a_503(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    client = create_app({"SEMANTEST_INSTANCE": str(tmp_path), "SEMANTEST_DATABASE_URL": url}).test_client()
    for path in ("/health", "/comics", "/tasks"):
        assert "Ask again" in refused(client.get(path))
    poll = client.get("/tasks/pending")
    assert (poll.status_code, poll.json) == (503, [])
    assert int(poll.headers["Retry-After"]) > 0


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_connection_that_dies_after_the_answer_was_made_undoes_nothing(app: Flask, engine: Engine) -> None:
    app.testing = False

    @app.after_request
    def kill(response: Response) -> Response:
        pid = db.session.scalar(text("SELECT pg_backend_pid()"))
        with engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        return response

    client = app.test_client()
    assert client.get("/comics").status_code == 200
    assert client.get("/tasks/pending").json == []
    assert not db.session.registry.registry


@pytest.fixture(params=[1, 0], ids=["pre-ping", "no pre-ping"])
def pre_ping(request: pytest.FixtureRequest) -> int:
    """Whether a pooled connection is tried before use."""
    return int(request.param)


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that a test may kill."""
    with killable_postgres() as server:
        yield server


@pytest.fixture
def killable(postgres: PostgresServer, pre_ping: int, tmp_path: Path) -> Iterator[FlaskClient]:
    """A client of a server whose database is on that PostgreSQL."""
    with new_database(postgres.url) as url:
        settings: dict[str, Any] = {
            "SEMANTEST_INSTANCE": str(tmp_path),
            "SEMANTEST_DATABASE_URL": url.render_as_string(hide_password=False),
            "SEMANTEST_POOL_PRE_PING": pre_ping,
        }
        app = create_app(settings)
        upgrade(app)
        yield app.test_client()
        with app.app_context():
            db.engine.dispose()


def kill(postgres: PostgresServer) -> None:
    """End every process of PostgreSQL at once."""
    postgres.process.strike(signal.SIGQUIT)
    postgres.process.stop()


def test_a_restart_of_postgresql_costs_a_503_in_the_gap_and_nothing_afterwards(
    postgres: PostgresServer, killable: FlaskClient
) -> None:
    assert killable.post("/comics", json=COMIC).status_code == 201
    given: Any = killable.get("/tasks/pending?limit=1").json
    panel = given[0]["payload"]["panels"][0]["id"]
    success = {"status": "completed", "imageUrl": "https://chatgpt.com/a.png"}

    kill(postgres)
    refused(killable.get("/comics/1"))
    refused(killable.post("/comics", json=COMIC))
    refused(killable.patch(f"/tasks/{panel}", json=success))
    poll = killable.get("/tasks/pending")
    assert (poll.status_code, poll.json) == (503, [])
    assert killable.get("/admin/").status_code == 503

    postgres.start()
    assert killable.patch(f"/tasks/{panel}", json=success).status_code == 200
    assert killable.post("/comics", json=COMIC).status_code == 201
    comic: Any = killable.get("/comics/1").json
    assert comic["progress"]["completed"] == 1
    assert killable.get("/tasks/pending?limit=1").json != []


def test_a_restart_of_postgresql_that_no_request_met_is_noticed(
    postgres: PostgresServer, killable: FlaskClient, pre_ping: int
) -> None:
    assert killable.get("/comics").status_code == 200
    kill(postgres)
    postgres.start()
    if not pre_ping:
        refused(killable.get("/comics"))
    assert killable.get("/comics").status_code == 200
