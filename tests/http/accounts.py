"""What the tests of accounts share: people and programs that may and may not."""

import re
from datetime import timedelta
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from semantest_server.accounts import people, tokens
from semantest_server.accounts.tables import Scope

PASSWORD = "a sentence to sign in with"


def add_account(engine: Engine, name: str = "ann", scope: Scope = Scope.ADMIN) -> None:
    """Make an account with the password above."""
    with Session(engine) as session:
        people.add(session, name, PASSWORD, scope)
        session.commit()


def add_token(engine: Engine, name: str, scope: Scope, lifetime: timedelta | None = None) -> str:
    """Make a token; the answer is its text."""
    with Session(engine) as session:
        _, text = tokens.create(session, name, scope, lifetime)
        session.commit()
    return text


def revoke_token(engine: Engine, name: str) -> None:
    """End a token."""
    with Session(engine) as session:
        tokens.revoke_named(session, name)
        session.commit()


def bearer(text: str, **more: str) -> dict[str, str]:
    """The headers of a program that has this token."""
    return {"Authorization": f"Bearer {text}", **more}


def csrf_token(client: FlaskClient, path: str = "/admin/sign-in") -> str:
    """The token of the forms on a page."""
    match = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get(path).text)
    assert match, path
    return match[1]


def send(client: FlaskClient, path: str, form_on: str = "/admin/sign-in", **fields: Any) -> TestResponse:
    """Send a form of ours."""
    return client.post(path, data={"csrf_token": csrf_token(client, form_on), **fields})


def sign_in(client: FlaskClient, name: str = "ann", password: str = PASSWORD, following: str = "") -> TestResponse:
    """Sign in with the form."""
    path = f"/admin/sign-in?next={following}" if following else "/admin/sign-in"
    return send(client, path, name=name, password=password)


def browser(app: Flask, name: str = "ann") -> FlaskClient:
    """A browser in which somebody is signed in."""
    client = app.test_client()
    assert sign_in(client, name).status_code == 303
    return client
