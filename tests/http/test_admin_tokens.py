"""The page of tokens: made, shown once, revoked."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from semantest_server.accounts.tables import Token

from ..conftest import FrozenClock
from .accounts import add_account, bearer, browser, send

PAGE = "/admin/tokens"


@pytest.fixture
def settings() -> dict[str, Any]:
    """Accounts are on; tests ask more often than one client may."""
    return {"SEMANTEST_ACCOUNTS": 1, "SEMANTEST_RATE_LIMITS": "off"}


@pytest.fixture
def admin(app: Flask, engine: Engine) -> FlaskClient:
    """A browser in which an admin is signed in."""
    add_account(engine)
    return browser(app)


def make(admin: FlaskClient, name: str = "studio", scope: str = "worker", expires: str = "") -> str:
    """Make a token with the form; the answer is its text."""
    response = send(admin, PAGE, PAGE, name=name, scope=scope, expires=expires)
    match = re.search(r'id="new-token">([^<]+)<', response.text)
    assert match, response.text
    return match[1]


def test_a_token_is_shown_once_and_works(admin: FlaskClient, client: FlaskClient, engine: Engine) -> None:
    text = make(admin)
    assert client.get("/tasks/pending", headers=bearer(text)).status_code == 200
    assert text not in admin.get(PAGE).text
    with Session(engine) as session:
        kept = session.scalars(select(Token)).one()
    assert text.split("_", 2)[2] not in (kept.digest, kept.name)


def test_a_revoked_token_opens_nothing_at_once(admin: FlaskClient, client: FlaskClient) -> None:
    text = make(admin)
    assert send(admin, f"{PAGE}/1/revoke", PAGE).status_code == 303
    assert client.get("/tasks/pending", headers=bearer(text)).status_code == 401
    page = admin.get(PAGE).text
    assert "studio is revoked." in page
    assert "/admin/tokens/1/revoke" not in page


def test_a_token_ends_by_itself_when_it_shall(
    admin: FlaskClient, client: FlaskClient, engine: Engine, clock: FrozenClock
) -> None:
    text = make(admin, expires="30")
    clock.advance(30 * 86_400 - 1)
    assert client.get("/tasks/pending", headers=bearer(text)).status_code == 200
    with Session(engine) as session:
        session.execute(update(Token).values(expires_at=clock.now))
        session.commit()
    assert client.get("/tasks/pending", headers=bearer(text)).status_code == 401


def test_a_name_is_taken_until_its_token_is_revoked(admin: FlaskClient) -> None:
    make(admin)
    response = send(admin, PAGE, PAGE, name=" studio ", scope="worker", expires="")
    assert response.status_code == 422
    assert "There is a token &#39;studio&#39; already; revoke it first." in response.text
    send(admin, f"{PAGE}/1/revoke", PAGE)
    make(admin)


@pytest.mark.parametrize(
    ("name", "scope", "expires"),
    [("", "worker", ""), ("x" * 201, "worker", ""), ("a\nb", "worker", ""), ("a", "root", ""), ("a", "worker", "-1")],
)
def test_nonsense_makes_no_token(admin: FlaskClient, engine: Engine, name: str, scope: str, expires: str) -> None:
    assert send(admin, PAGE, PAGE, name=name, scope=scope, expires=expires).status_code == 422
    with Session(engine) as session:
        assert session.scalars(select(Token)).all() == []


def test_a_hostile_name_is_only_text(admin: FlaskClient) -> None:
    make(admin, name="<script>alert(1)</script>")
    page = admin.get(PAGE).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_to_revoke_what_is_not_there_is_a_404(admin: FlaskClient) -> None:
    assert send(admin, f"{PAGE}/99/revoke", PAGE).status_code == 404
