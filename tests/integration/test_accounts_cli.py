"""The commands `account` and `token`, and what a start without them says."""

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy.orm import Session

from semantest_server.accounts import people, tokens
from semantest_server.accounts.tables import Scope
from semantest_server.addresses import StartError
from semantest_server.cli import main
from semantest_server.server import gunicorn_settings, require_admin

PASSWORD = "a sentence to sign in with"


def run(runner: FlaskCliRunner, *words: str, typed: str | None = None) -> str:
    """What a command prints; it has to succeed."""
    result = runner.invoke(main, words, input=typed)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_account_is_made_listed_and_removed(runner: FlaskCliRunner, session: Session) -> None:
    run(runner, "account", "add", "ann", typed=f"{PASSWORD}\n{PASSWORD}\n")
    run(runner, "account", "add", "cleo", "--scope", "creator", "--password", PASSWORD)
    listed = run(runner, "account", "list").splitlines()
    assert [line.split()[:2] for line in listed] == [["ACCOUNT", "SCOPE"], ["ann", "admin"], ["cleo", "creator"]]
    assert people.verified(session, "ann", PASSWORD) is not None
    run(runner, "account", "remove", "ann")
    assert "ann" not in run(runner, "account", "list")


def test_a_password_is_asked_for_and_never_shown(runner: FlaskCliRunner) -> None:
    said = run(runner, "account", "add", "ann", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert PASSWORD not in said
    assert PASSWORD not in run(runner, "account", "password", "ann", typed=f"{PASSWORD}!\n{PASSWORD}!\n")


def test_a_forgotten_password_is_set_anew(runner: FlaskCliRunner, session: Session) -> None:
    run(runner, "account", "add", "ann", "--password", PASSWORD)
    run(runner, "account", "password", "ann", "--password", "another sentence")
    assert people.verified(session, "ann", PASSWORD) is None
    assert people.verified(session, "ann", "another sentence") is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["account", "add", "ann", "--password", "short"],
            "The password cannot be used. Must have 10 to 200 characters.",
        ),
        (["account", "add", " ", "--password", PASSWORD], "The name cannot be used. Must have 1 to 200 characters"),
        (["account", "add", "bob", "--password", PASSWORD], "There is an account 'bob' already."),
        (["account", "remove", "eve"], "There is no account 'eve'."),
        (["account", "password", "eve", "--password", PASSWORD], "There is no account 'eve'."),
        (["token", "revoke", "eve"], "There is no token 'eve' that is not revoked."),
        (["token", "create", "studio"], "There is a token 'studio' already; revoke it first."),
        (["token", "create", "x" * 201], "The name cannot be used. Must have 1 to 200 characters"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(runner: FlaskCliRunner, words: list[str], said: str) -> None:
    run(runner, "account", "add", "bob", "--password", PASSWORD)
    run(runner, "token", "create", "studio")
    result = runner.invoke(main, words)
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_token_is_printed_once_and_alone_on_standard_output(runner: FlaskCliRunner, session: Session) -> None:
    result = runner.invoke(main, ["token", "create", "studio", "--expires", "90d"])
    text = result.stdout.strip()
    found = tokens.find(session, text)
    assert found is not None
    assert (found.name, found.scope) == ("studio", Scope.WORKER)
    assert "not shown again" in result.stderr
    listed = run(runner, "token", "list")
    assert text not in listed
    assert "expires" in listed
    session.rollback()
    run(runner, "token", "revoke", "studio")
    assert tokens.find(session, text) is None
    assert "revoked" in run(runner, "token", "list")


# A start


def test_beyond_this_machine_a_start_without_accounts_says_what_to_do(app: Flask) -> None:
    app.config["SEMANTEST_BIND"] = ("0.0.0.0:3003",)
    with pytest.raises(StartError, match=r"account add NAME.*SEMANTEST_ACCOUNTS=1.*127\.0\.0\.1"):
        gunicorn_settings(app)


def test_behind_a_proxy_a_start_without_accounts_says_what_to_do(app: Flask) -> None:
    app.config["SEMANTEST_PROXIES"] = 1
    with pytest.raises(StartError, match="whoever reaches the proxy"):
        gunicorn_settings(app)


def test_on_every_address_the_server_has_to_know_its_names(app: Flask) -> None:
    app.config.update(SEMANTEST_ACCOUNTS=1, SEMANTEST_BIND=("[::]:3003",))
    with pytest.raises(StartError, match="Set SEMANTEST_HOSTS"):
        gunicorn_settings(app)
    app.config["SEMANTEST_HOSTS"] = ("comics.example",)
    assert gunicorn_settings(app)["bind"] == ["[::]:3003"]


def test_with_accounts_somebody_has_to_be_able_to_sign_in(app: Flask, runner: FlaskCliRunner) -> None:
    require_admin(app)
    app.config["SEMANTEST_ACCOUNTS"] = 1
    with pytest.raises(StartError, match="account add NAME"):
        require_admin(app)
    run(runner, "account", "add", "cleo", "--scope", "creator", "--password", PASSWORD)
    with pytest.raises(StartError, match="account add NAME"):
        require_admin(app)
    run(runner, "account", "add", "ann", "--password", PASSWORD)
    require_admin(app)
