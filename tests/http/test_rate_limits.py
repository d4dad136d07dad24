"""How often one client may ask, and what it is told when that was too often."""

from pathlib import Path
from typing import Any

import pytest
import redis
from fakeredis import FakeRedis, FakeServer
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from semantest_server import create_app
from semantest_server.accounts.tables import Scope

from .accounts import add_account, add_token, bearer, browser
from .conftest import on_one_database

pytestmark = on_one_database
FEW = "3 per hour"


@pytest.fixture
def settings() -> dict[str, Any]:
    """Accounts are on, and everybody may ask three times."""
    return {"SEMANTEST_ACCOUNTS": 1, "SEMANTEST_RATE_LIMITS": FEW}


@pytest.fixture
def shared_storage(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a storage that answers as Redis does, the same one for everybody."""
    server = FakeServer()
    monkeypatch.setattr(redis, "from_url", lambda *_args, **_options: FakeRedis(server=server))
    return "redis://storage.example"


def test_who_asks_too_often_is_told_when_to_come_back(client: FlaskClient, engine: Engine) -> None:
    token = bearer(add_token(engine, "pod", Scope.CREATOR))
    assert [client.get("/comics", headers=token).status_code for _ in range(4)] == [200, 200, 200, 429]
    response = client.get("/comics", headers=token)
    assert response.content_type == "application/problem+json"
    assert 0 < int(response.headers["Retry-After"]) <= 3600


def test_a_poll_that_came_too_often_is_answered_with_an_empty_list(client: FlaskClient, engine: Engine) -> None:
    token = bearer(add_token(engine, "studio", Scope.WORKER))
    responses = [client.get("/tasks/pending", headers=token) for _ in range(4)]
    assert [(response.status_code, response.json) for response in responses] == [(200, [])] * 3 + [(429, [])]
    assert "That was too often." in responses[-1].headers["Problem"]


def test_clients_are_counted_apart_even_at_one_address(client: FlaskClient, engine: Engine) -> None:
    tokens = [bearer(add_token(engine, name, Scope.CREATOR)) for name in ("pod", "den")]
    assert [client.get("/comics", headers=tokens[0]).status_code for _ in range(4)][-1] == 429
    assert client.get("/comics", headers=tokens[1]).status_code == 200
    assert client.get("/comics").status_code == 401


def test_polls_and_the_rest_are_counted_apart(client: FlaskClient, engine: Engine) -> None:
    token = bearer(add_token(engine, "boss", Scope.ADMIN))
    assert [client.get("/tasks/pending", headers=token).status_code for _ in range(4)][-1] == 429
    assert client.get("/comics", headers=token).status_code == 200


def test_who_says_nothing_of_themselves_is_counted_by_address(client: FlaskClient) -> None:
    assert [client.get("/comics").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert client.get("/comics", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 401


def test_a_page_says_it_in_a_page(app: Flask, engine: Engine) -> None:
    add_account(engine)
    client = browser(app)
    pages = [client.get("/admin/") for _ in range(4)]
    assert [page.status_code for page in pages] == [200, 200, 200, 429]
    assert "That was too often." in pages[-1].text
    assert int(pages[-1].headers["Retry-After"]) > 0


def test_hosts_that_share_a_storage_count_together_except_polls(
    database_url: str, engine: Engine, tmp_path: Path, settings: dict[str, Any], shared_storage: str
) -> None:
    token = bearer(add_token(engine, "boss", Scope.ADMIN))
    given = {"SEMANTEST_DATABASE_URL": database_url, "SEMANTEST_RATE_LIMIT_STORAGE": shared_storage, **settings}
    hosts = [create_app({**given, "SEMANTEST_INSTANCE": str(tmp_path / name)}).test_client() for name in ("one", "two")]
    assert [hosts[n % 2].get("/comics", headers=token).status_code for n in range(4)] == [200, 200, 200, 429]
    assert [hosts[n % 2].get("/tasks/pending", headers=token).status_code for n in range(6)] == [200] * 6


@pytest.mark.parametrize("settings", [{"SEMANTEST_ACCOUNTS": 0}, {"SEMANTEST_ACCOUNTS": 1}])
def test_without_a_setting_nobody_who_is_honest_meets_a_limit(
    client: FlaskClient, engine: Engine, settings: dict[str, Any]
) -> None:
    token = bearer(add_token(engine, "studio", Scope.WORKER)) if settings["SEMANTEST_ACCOUNTS"] else {}
    assert {client.get("/tasks/pending", headers=token).status_code for _ in range(60)} == {200}


@pytest.mark.parametrize("settings", [{"SEMANTEST_RATE_LIMITS": FEW}])
def test_a_limit_may_be_set_without_accounts_too(client: FlaskClient) -> None:
    assert [client.get("/comics").status_code for _ in range(4)] == [200, 200, 200, 429]
