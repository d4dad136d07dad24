"""What the tests of the wire share: asking as clients ask, and reading the answers."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, make_url, select
from werkzeug.test import TestResponse

from semantest_server import access, create_app, standing
from semantest_server.accounts import people
from semantest_server.changes import Changes
from semantest_server.database import db
from semantest_server.models import Base
from semantest_server.queue.lookout import Lookout

from ..conftest import START, FrozenClock

EXTENSION = "abcdefghijklmnopabcdefghijklmnop"
EXTENSION_ORIGIN = f"chrome-extension://{EXTENSION}"
FOREIGN_ORIGIN = "https://evil.example"

TASK_KEYS = {
    "id", "batchId", "number", "status", "prompt", "style", "attempt", "receipt", "worker", "leasedUntil",
    "attemptsLeft", "availableAt", "progress", "imageUrl", "downloadPath", "message", "correlationId", "outputPath",
    "downloadFolder", "domain", "createdAt", "updatedAt",
}  # fmt: skip
COMIC_KEYS = {
    "id", "title", "status", "style", "priority", "parallel", "domain", "downloadFolder", "createdAt", "updatedAt",
    "progress",
}  # fmt: skip
PROGRESS_KEYS = {
    "total", "queued", "running", "completed", "failed", "cancelled", "current", "eta", "etaSeconds", "blocked",
}  # fmt: skip
EVENT_KEYS = {
    "id", "at", "type", "taskId", "batchId", "attempt", "worker", "leasedUntil", "message", "details",
}  # fmt: skip
on_one_database = pytest.mark.parametrize("backend", ["sqlite"])  # for what never gets as far as a database
PROBLEM_KEYS = {"type", "title", "status", "detail"}


@pytest.fixture(scope="session")
def kept_folder() -> Iterator[Path]:
    """The instance folder of the kept apps, in memory where that can be: what these tests write need not last."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="semantest-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def kept_apps() -> dict[str, Flask]:
    """The apps made so far, by database and settings: to make one takes longer than most tests here."""
    return {}


@pytest.fixture
def database_url(backend: str, database_url: str, kept_folder: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database without a row, the same URL for every test."""
    if backend != "sqlite":
        return database_url
    for left in kept_folder.glob("semantest.db*"):
        left.unlink()
    file = shutil.copy(request.getfixturevalue("migrated_sqlite"), kept_folder / "semantest.db")
    return f"sqlite:///{file}"


@pytest.fixture
def app(
    database_url: str, kept_folder: Path, kept_apps: dict[str, Flask], settings: dict[str, Any], clock: FrozenClock
) -> Iterator[Flask]:
    """An app on an empty database, which may have served other tests before, at a time that stands still."""
    name = f"{database_url} {settings}"
    if name not in kept_apps:
        folder = {"SEMANTEST_INSTANCE": str(kept_folder), "SEMANTEST_DATABASE_URL": database_url}
        kept_apps[name] = create_app({**folder, **settings})
    app = kept_apps[name]
    app.extensions["semantest_lookout"] = Lookout(Changes(make_url(database_url)))  # it remembers another database
    standing.init_app(app)
    app.extensions["semantest_throttles"] = access.new_throttles(app)  # they count what others did
    app.testing = True
    yield app
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords fast: what makes guessing slow makes tests slow too."""
    monkeypatch.setattr(people, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def engine(app: Flask) -> Engine:
    """Connections to the app's database; what the app has not committed is not seen through them."""
    with app.app_context():
        return db.engine


@pytest.fixture
def as_in_production(app: Flask) -> FlaskClient:
    """A client that is answered with a 500 where other tests are shown the exception."""
    app.testing = False
    return app.test_client()


def moment(seconds: float = 0) -> str:
    """The time so many seconds after the clock's start, as it is written on the wire."""
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def seconds_until(time: str) -> float:
    """How long after the clock's start a time on the wire is."""
    assert time.endswith("Z")
    return (datetime.fromisoformat(time) - START).total_seconds()


def queue(client: FlaskClient, panels: int | Sequence[Mapping[str, Any]] = 1, **fields: Any) -> Any:
    """Queue a comic of so many panels, or of these, and give it as it was answered."""
    if isinstance(panels, int):
        panels = [{"prompt": f"Panel {number}"} for number in range(1, panels + 1)]
    response = client.post("/comics", json={"title": "Cave of Echoes", "panels": panels, **fields})
    assert response.status_code == 201, response.text
    return response.json


def poll(client: FlaskClient, worker: str | None = "w1", **query: Any) -> list[Any]:
    """Poll as a worker that names itself, or as one that does not."""
    response = client.get("/tasks/pending", query_string=query, headers=named(worker))
    assert response.status_code == 200, response.text
    assert isinstance(response.json, list)
    return response.json


def named(worker: str | None) -> dict[str, str]:
    """The header by which a worker names itself."""
    return {"X-Worker-Id": worker} if worker else {}


def receipts(hand_outs: list[Any]) -> list[str]:
    """The receipts of all panels of hand-outs, in their order."""
    return [panel["id"] for hand_out in hand_outs for panel in hand_out["payload"]["panels"]]


def receipts_2x(answer: Any) -> list[str]:
    """The receipts in an answer to the 2.x extension's poll."""
    assert set(answer) == {"tasks"}
    return [task["id"] for task in answer["tasks"]]


def report(client: FlaskClient, target: str, status: str, worker: str | None = None, **fields: Any) -> TestResponse:
    """Report about a receipt, a task, a hand-out or a correlationId."""
    return client.patch(f"/tasks/{target}", json={"status": status, **fields}, headers=named(worker))


def show(client: FlaskClient, path: str) -> Any:
    """What there is to see at an address."""
    response = client.get(path)
    assert response.status_code == 200, response.text
    return response.json


def problem(response: TestResponse, status: int) -> Any:
    """The problem document of an answer, once it is sure that it is one and has that status."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    found = response.json
    assert found is not None
    assert set(found) >= PROBLEM_KEYS
    assert found["status"] == status
    return found


def problem_of_poll(response: TestResponse, status: int) -> Any:
    """The problem of a poll, from its header, once it is sure that the body is an empty array."""
    assert response.status_code == status, response.text
    assert response.mimetype == "application/json"
    assert response.json == []
    line = response.headers["Problem"]
    assert line.isascii()
    assert "\n" not in line
    found = json.loads(line)
    assert set(found) >= PROBLEM_KEYS
    assert found["status"] == status
    return found


def pointers(found: Any) -> list[str]:
    """Where the problem says that something is wrong."""
    assert all(set(error) == {"pointer", "message"} for error in found["errors"])
    return [error["pointer"] for error in found["errors"]]


def event_types(client: FlaskClient, task_id: str) -> list[str]:
    """The history of a task in short."""
    return [event["type"] for event in show(client, f"/tasks/{task_id}/events")["events"]]


def rows(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is in the database, the revision too."""
    with engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in Base.metadata.sorted_tables
        }


@contextmanager
def unchanged(engine: Engine) -> Iterator[None]:
    """Check that what is done in between changes nothing in the database."""
    before = rows(engine)
    yield
    assert rows(engine) == before
