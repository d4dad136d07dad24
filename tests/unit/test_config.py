"""Settings: where they come from, what they take, and what is said of a wrong one."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from semantest_server import config
from semantest_server.config import SettingError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The instance folder that the environment names."""
    monkeypatch.setenv("SEMANTEST_INSTANCE", str(tmp_path / "instance"))
    (tmp_path / "instance").mkdir()
    return tmp_path / "instance"


def loaded(**overrides: Any) -> Flask:
    """An app with nothing but its settings."""
    named = {f"SEMANTEST_{name}": value for name, value in overrides.items()}
    app = Flask("test", instance_path=config.instance_path(named), instance_relative_config=True)
    config.load(app, named)
    return app


def test_without_any_setting_the_defaults_hold(folder: Path) -> None:
    app = loaded()
    assert app.config["SEMANTEST_BIND"] == ("127.0.0.1:3003",)
    assert app.config["SEMANTEST_ACK_SECONDS"] == 60
    assert app.config["SQLALCHEMY_DATABASE_URI"] == f"sqlite:///{folder / 'semantest.db'}"


def test_the_environment_wins_over_config_py(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "config.py").write_text("SEMANTEST_THREADS = 7\nSEMANTEST_PROCESSES = 5\n")
    monkeypatch.setenv("SEMANTEST_THREADS", "3")
    app = loaded()
    assert app.config["SEMANTEST_THREADS"] == 3
    assert app.config["SEMANTEST_PROCESSES"] == 5


def test_an_override_wins_over_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMANTEST_THREADS", "3")
    assert loaded(THREADS=9).config["SEMANTEST_THREADS"] == 9


def test_an_empty_variable_is_no_setting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMANTEST_THREADS", " ")
    assert loaded().config["SEMANTEST_THREADS"] == 4


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("THREADS", "many"),
        ("THREADS", "0"),
        ("THREADS", "2.5"),
        ("ACK_SECONDS", "soon"),
        ("ACK_SECONDS", "nan"),
        ("ACK_SECONDS", "-1"),
        ("BIND", "3003"),
        ("BIND", "127.0.0.1:http"),
        ("BIND", "http://127.0.0.1:3003"),
        ("BIND", ","),
    ],
)
def test_a_wrong_value_is_refused_by_name(folder: Path, name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"^SEMANTEST_{name} is '{value}', and takes "):
        loaded(**{name: value})


def test_several_addresses_are_separated_by_commas(folder: Path) -> None:
    binds = loaded(BIND="127.0.0.1:3003, localhost:8080,[::1]:3003").config["SEMANTEST_BIND"]
    assert binds == ("127.0.0.1:3003", "localhost:8080", "[::1]:3003")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_way_to_say_postgresql_means_psycopg(folder: Path, scheme: str) -> None:
    app = loaded(DATABASE_URL=f"{scheme}://me@localhost/semantest")
    assert app.config["SQLALCHEMY_DATABASE_URI"] == "postgresql+psycopg://me@localhost/semantest"


def test_an_unknown_setting_is_warned_of_and_not_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SEMANTEST_THREAD", "3")
    loaded()
    assert "Unknown setting SEMANTEST_THREAD" in caplog.text


def test_the_key_is_made_once_and_only_its_owner_reads_it(folder: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = {future.result() for future in [pool.submit(key_of_an_app) for _ in range(8)]}
    assert len(keys) == 1
    assert len(keys.pop()) == 64
    assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["secret_key"]


def key_of_an_app() -> str:
    """The key of an app that is just made."""
    return str(loaded().config["SECRET_KEY"])


def test_the_queue_obeys_the_settings(folder: Path) -> None:
    settings = config.semantest(loaded(MAX_ATTEMPTS=5, GAP_SECONDS=2, DOMAIN="draw.example"))
    assert settings.policy.max_attempts == 5
    assert settings.site_defaults.domain == "draw.example"
    assert settings.site_defaults.pacing.gap_seconds == 2
