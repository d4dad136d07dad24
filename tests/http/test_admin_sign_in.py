"""Signing in and out, passwords, and what they leave in cookies and logs."""

import logging
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from semantest_server.accounts import people, sign_ins
from semantest_server.accounts.tables import Account, Scope, SignIn

from ..conftest import FrozenClock
from .accounts import PASSWORD, add_account, bearer, browser, csrf_token, send, sign_in
from .conftest import on_one_database

WRONG = "The name or the password is wrong."


@pytest.fixture
def settings() -> dict[str, Any]:
    """Accounts are on; tests ask more often than one client may."""
    return {"SEMANTEST_ACCOUNTS": 1, "SEMANTEST_RATE_LIMITS": "off"}


def test_who_signs_in_is_led_to_where_they_wanted_to_go(client: FlaskClient, engine: Engine) -> None:
    add_account(engine)
    asked = client.get("/admin/settings?x=1")
    assert (asked.status_code, asked.headers["Location"]) == (303, "/admin/sign-in?next=/admin/settings?x%3D1")
    response = sign_in(client, following="/admin/settings?x%3D1")
    assert (response.status_code, response.headers["Location"]) == (303, "/admin/settings?x=1")
    assert client.get("/admin/settings").status_code == 200


@on_one_database
@pytest.mark.parametrize(
    "following",
    ["https://evil.example/", "//evil.example/", "/admin/..//evil.example", "/admin/\\evil", "javascript:1", "/comics"],
)
def test_nobody_is_led_away_from_here(client: FlaskClient, engine: Engine, following: str) -> None:
    add_account(engine)
    assert sign_in(client, following=following).headers["Location"] == "/admin/"


@pytest.mark.parametrize(("name", "password"), [("ann", "another sentence"), ("bob", PASSWORD), ("ann", "x" * 1000)])
def test_a_wrong_name_and_a_wrong_password_are_told_the_same(
    client: FlaskClient, engine: Engine, name: str, password: str, caplog: pytest.LogCaptureFixture
) -> None:
    add_account(engine)
    with caplog.at_level(logging.WARNING, "semantest.security"):
        response = sign_in(client, name, password)
    assert response.status_code == 422
    assert WRONG in response.text
    assert (
        f"event=sign_in_failed method='POST' path='/admin/sign-in' address='127.0.0.1' account='{name}'" in caplog.text
    )
    assert password not in caplog.text
    assert password not in response.text
    assert client.get("/admin/").status_code == 303


@on_one_database
def test_too_many_wrong_passwords_from_one_address_close_the_door_for_a_while(
    client: FlaskClient, engine: Engine
) -> None:
    add_account(engine)
    statuses = [sign_in(client, password=f"guess number {n}").status_code for n in range(21)]
    assert statuses == [422] * 20 + [429]
    response = sign_in(client)
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert "Too many wrong passwords" in response.text


@on_one_database
def test_a_browser_with_an_old_token_keeps_nobody_beside_it_from_signing_in(
    client: FlaskClient, engine: Engine
) -> None:
    add_account(engine)
    statuses = [client.get("/tasks/pending", headers=bearer("old")).status_code for _ in range(25)]
    assert statuses == [401] * 20 + [429] * 5
    assert sign_in(client).status_code == 303


@on_one_database
def test_too_many_wrong_passwords_for_one_account_close_it_from_wherever_they_come(app: Flask, engine: Engine) -> None:
    add_account(engine)
    add_account(engine, "bob")
    statuses = []
    for number in range(51):
        client = app.test_client()
        data = {"csrf_token": csrf_token(client), "name": "ann", "password": "a wrong guess"}
        address = {"REMOTE_ADDR": f"10.0.1.{number}"}
        statuses.append(client.post("/admin/sign-in", data=data, environ_base=address).status_code)
    assert statuses == [422] * 50 + [429]
    assert sign_in(app.test_client(), "bob").status_code == 303


@on_one_database
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient, engine: Engine) -> None:
    add_account(engine)
    cookie = sign_in(client).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    data = {"csrf_token": csrf_token(client), "name": "ann", "password": PASSWORD}
    secure = client.post("/admin/sign-in", data=data, base_url="https://localhost")
    assert "Secure" in secure.headers["Set-Cookie"]
    assert secure.headers["Strict-Transport-Security"].startswith("max-age=")


@on_one_database
def test_a_sign_in_begins_a_new_session(client: FlaskClient, engine: Engine) -> None:
    add_account(engine)
    before = csrf_token(client)
    sign_in(client)
    first = client.get_cookie("semantest")
    assert csrf_token(client, "/admin/account") != before
    sign_in(client)
    assert client.get_cookie("semantest") != first
    assert client.post("/admin/sign-out", data={"csrf_token": before}).status_code == 400


def test_who_has_signed_out_is_out_even_with_the_cookie_of_before(client: FlaskClient, engine: Engine) -> None:
    add_account(engine)
    sign_in(client)
    kept = client.get_cookie("semantest")
    assert kept is not None
    assert send(client, "/admin/sign-out", "/admin/account").status_code == 303
    client.set_cookie("semantest", kept.value)
    assert client.get("/admin/").status_code == 303


def test_a_sign_in_ends_by_itself_after_thirty_days(client: FlaskClient, engine: Engine, clock: FrozenClock) -> None:
    add_account(engine)
    sign_in(client)
    clock.advance(sign_ins.LIFETIME.total_seconds() - 1)
    assert client.get("/admin/").status_code == 200
    clock.advance(2)
    assert client.get("/admin/").status_code == 303
    sign_in(client)
    with Session(engine) as session:
        assert len(session.scalars(select(SignIn)).all()) == 1


def test_signing_out_everywhere_ends_every_session_of_the_account_and_no_other(app: Flask, engine: Engine) -> None:
    add_account(engine)
    add_account(engine, "bob")
    here, there, bobs = browser(app), browser(app), browser(app, "bob")
    assert send(here, "/admin/account/sign-out-everywhere", "/admin/account").status_code == 303
    assert [client.get("/admin/").status_code for client in (here, there, bobs)] == [303, 303, 200]


def test_a_changed_password_signs_out_everywhere_else(app: Flask, engine: Engine) -> None:
    add_account(engine)
    here, there = browser(app), browser(app)
    new = "quite another sentence"
    response = send(here, "/admin/account/password", "/admin/account", old=PASSWORD, new=new, again=new)
    assert response.status_code == 303
    assert [client.get("/admin/").status_code for client in (here, there)] == [200, 303]
    assert WRONG in sign_in(there).text
    assert sign_in(there, password=new).status_code == 303


@pytest.mark.parametrize(
    ("old", "new", "again", "said"),
    [
        ("not my password", "a new sentence", "a new sentence", "That is not your password."),
        (PASSWORD, "short", "short", "Must have 10 to 200 characters."),
        (PASSWORD, "x" * 201, "x" * 201, "Must have 10 to 200 characters."),
        (PASSWORD, "a new sentence", "a new sentense", "This is not the same as the new password."),
        ("", "a new sentence", "a new sentence", "Give the password that you have."),
    ],
)
def test_a_password_that_will_not_do_is_refused_beside_its_field(
    app: Flask, engine: Engine, old: str, new: str, again: str, said: str
) -> None:
    add_account(engine)
    client = browser(app)
    response = send(client, "/admin/account/password", "/admin/account", old=old, new=new, again=again)
    assert response.status_code == 422
    assert said in response.text
    assert sign_in(app.test_client()).status_code == 303


def test_what_is_kept_of_a_password_is_an_argon2_hash(engine: Engine) -> None:
    add_account(engine, scope=Scope.CREATOR)
    with Session(engine) as session:
        kept = session.scalars(select(Account.password)).one()
        assert kept.startswith("$argon2id$")
        assert people.verified(session, "ann", PASSWORD) is not None
        assert people.verified(session, "ann", PASSWORD + "x") is None


@on_one_database
def test_the_account_says_in_words_where_one_is_signed_in_and_which_is_this_browser(app: Flask, engine: Engine) -> None:
    add_account(engine)
    agents = {
        "Firefox on Windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Chrome on Linux": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0.0.0 Safari/537.36",
    }
    for agent in agents.values():
        here = app.test_client()
        here.environ_base["HTTP_USER_AGENT"] = agent
        sign_in(here)

    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", here.get("/admin/account").text)

    assert len(rows) == 2
    for name in agents:
        (row,) = [row for row in rows if name in row]
        assert ("this browser" in row) == (name == "Chrome on Linux")


@on_one_database
def test_a_page_that_renews_itself_leads_to_the_sign_in_too(client: FlaskClient) -> None:
    response = client.get("/admin/live", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["HX-Redirect"]) == (401, "/admin/sign-in")


@on_one_database
def test_a_form_that_came_too_late_says_that_nothing_was_changed(client: FlaskClient) -> None:
    response = send(client, "/admin/comics/1/status", status="paused")
    assert (response.status_code, response.headers["Location"]) == (303, "/admin/sign-in")
    assert "nothing was changed" in client.get("/admin/sign-in").text


@on_one_database
@pytest.mark.parametrize("settings", [{"SEMANTEST_ACCOUNTS": 0}])
def test_without_accounts_the_page_says_that_nobody_need_sign_in(client: FlaskClient) -> None:
    assert "nobody need sign in" in client.get("/admin/sign-in").text
    assert client.get("/admin/account").status_code == 404
