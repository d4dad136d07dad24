"""Fixtures of all tests: an app on a migrated database, on SQLite and, where it matters, on PostgreSQL too.

Tests in `integration/` and `http/` run on both; one that is about a single database says so with
`@pytest.mark.parametrize("backend", ["sqlite"])`.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import URL, Engine, NullPool, create_engine, make_url
from sqlalchemy.orm import Session

from semantest_server import create_app
from semantest_server.clock import clock as the_clock
from semantest_server.database import db
from semantest_server.upgrade import upgrade

from . import postgres

BOTH = ["sqlite", "postgresql"]
FOLDERS_ON_BOTH = {"integration", "http", "life", "upkeep", "fuzz"}
# Folders whose tests start servers, and want most of a core.
WHOLE_MACHINES = {"benchmarks", "browser", "chaos", "flood"}
START = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)


def pytest_configure() -> None:
    """Let no setting of the person who runs the tests reach them."""
    for name in [*os.environ]:
        if name.startswith("SEMANTEST_") and not name.startswith("SEMANTEST_TEST_"):
            del os.environ[name]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what needs a database on each one that its folder asks for."""
    chosen = any("backend" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
    if "backend" in metafunc.fixturenames and not chosen:
        on_both = metafunc.definition.path.parent.name in FOLDERS_ON_BOTH
        metafunc.parametrize("backend", BOTH if on_both else BOTH[:1], scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, keep those that start servers together, folder by folder."""
    for item in items:
        if item.path.parent.name in WHOLE_MACHINES:
            item.add_marker(pytest.mark.xdist_group(item.path.parent.name))


class FrozenClock:
    """A time that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move the time forwards."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    """The time of the server, stopped at 2026-11-22T18:00:00Z."""
    frozen = FrozenClock()
    monkeypatch.setattr(the_clock, "source", frozen)
    return frozen


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[URL]:
    """A PostgreSQL server on which tests may make databases."""
    with postgres.server() as url:
        yield url


@pytest.fixture
def empty_database_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database without a table."""
    if backend == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with postgres.new_database(request.getfixturevalue("postgres_server")) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file as the migrations make it, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "semantest.db"
    migrate(f"sqlite:///{file}", file.parent)
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """A database as the migrations make it, to be emptied before each test."""
    with postgres.new_database(postgres_server) as url:
        migrate(url.render_as_string(hide_password=False), tmp_path_factory.mktemp("migrated"))
        yield url


def migrate(url: str, folder: Path) -> None:
    """Apply the migrations to the database."""
    upgrade(create_app({"SEMANTEST_DATABASE_URL": url, "SEMANTEST_INSTANCE": str(folder)}))


@pytest.fixture
def database_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a migrated database without a row."""
    if backend == "sqlite":
        file = shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "semantest.db")
        return f"sqlite:///{file}"
    url: URL = request.getfixturevalue("migrated_postgres")
    postgres.empty(url)
    return url.render_as_string(hide_password=False)


@pytest.fixture
def settings() -> dict[str, Any]:
    """Settings by their full names, for a test module to override."""
    return {}


@pytest.fixture
def app(database_url: str, tmp_path: Path, settings: dict[str, Any], clock: FrozenClock) -> Iterator[Flask]:
    """The app on an empty database, with an instance folder of its own, at a time that stands still."""
    folder = {"SEMANTEST_INSTANCE": str(tmp_path), "SEMANTEST_DATABASE_URL": database_url}
    app = create_app({**folder, **settings})
    app.testing = True
    yield app
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A client on this machine that is no browser. Not inside an app context: it would share its session."""
    return app.test_client()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    """Runs commands: `runner.invoke(main, ["status"])`."""
    return app.test_cli_runner()


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """Connections to the app's database that are not the app's own."""
    engine = create_engine(make_url(database_url), poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def session(app: Flask, engine: Engine) -> Iterator[Session]:
    """A session of its own, as the domain takes it; what the app has not committed is not seen in it."""
    with Session(engine, autoflush=False) as session:
        yield session
