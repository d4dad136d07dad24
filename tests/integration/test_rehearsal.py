"""What is made before the workers are forked: it changes nothing, holds nothing, and stops no start."""

import logging
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from semantest_server import create_app
from semantest_server.database import db, revision
from semantest_server.server import REHEARSED, rehearse


@pytest.fixture(params=[0, 1], ids=["without accounts", "with accounts"])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"SEMANTEST_ACCOUNTS": request.param, "SEMANTEST_RATE_LIMITS": "1 per day"}


def test_a_rehearsal_calls_every_view(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "semantest_server.server")
    rehearse(app)
    assert caplog.messages == []


def test_a_rehearsal_counts_for_nobody(app: Flask) -> None:
    rehearse(app)
    statuses = {app.test_client().get("/health").status_code}
    assert statuses == {401 if app.config["SEMANTEST_ACCOUNTS"] else 200}  # and not 429


def test_a_rehearsal_changes_nothing_and_holds_no_connection(app: Flask, session: Session) -> None:
    before = revision(session)
    session.rollback()
    rehearse(app)
    assert revision(session) == before
    with app.app_context():
        assert "Connections in pool: 0" in db.engine.pool.status()
        assert "Current Checked out connections: 0" in db.engine.pool.status()


def test_a_rehearsal_without_a_database_is_only_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "semantest_server.server")
    url = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    rehearse(create_app({"SEMANTEST_INSTANCE": str(tmp_path), "SEMANTEST_DATABASE_URL": url}))
    assert caplog.messages == [f"The rehearsal of {path} has failed." for path in REHEARSED]
