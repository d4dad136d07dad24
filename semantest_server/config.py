"""Every setting: its name, default, unit and meaning. `SEMANTEST_*` variables win over `instance/config.py`."""

import logging
import math
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask
from limits import parse_many
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from semantest_server.accounts.sign_ins import LIFETIME
from semantest_server.policy import Pacing, Policy, SiteDefaults

log = logging.getLogger(__name__)

PREFIX = "SEMANTEST_"
DATABASE_FILE = "semantest.db"
KEY_FILE = "secret_key"
MIGRATIONS = str(Path(__file__).parent / "migrations")
MAX_BODY_BYTES = 16 * 1024 * 1024
RATES = "100 per second; 3000 per minute"  # of one client; a wild extension of an honest person makes 1,300 a minute


STYLES = {
    "noir": "noir, high contrast black and white, deep shadows, dramatic lighting",
    "manga": "manga, black ink, screentone shading, expressive lines",
    "watercolor": "watercolor, soft washes, visible paper texture",
    "clear line": "clear line, even ink outlines, flat bright colors",
    "pencil": "pencil drawing, fine hatching, white paper",
    "pop art": "pop art, halftone dots, bold primary colors, thick outlines",
    "cyberpunk": "cyberpunk, neon lights, rain, deep blue and magenta",
    "storybook": "storybook illustration, gouache, warm light, gentle colors",
}
LOG_LEVELS = ("debug", "info", "warning", "error")
PACING = ("gap_seconds", "break_after", "break_seconds", "daily_cap")


@dataclass(frozen=True)
class Semantest:
    """What views need of the settings: `app.extensions["semantest"]`."""

    policy: Policy
    site_defaults: SiteDefaults


class SettingError(Exception):
    """A setting has a value that it cannot have; the message names it and says what it takes."""


def _text(value: Any) -> str:
    return str(value).strip()


def _words(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(part.strip() for part in parts if part.strip())


def _number(least: float, most: float = 10**9) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not least <= number <= most:
            raise ValueError(f"a number from {least:g} to {most:g}")
        return number

    return parse


def _whole(least: int, most: int = 10**9) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        try:
            number = int(value)
        except ValueError:
            raise ValueError(f"a whole number from {least} to {most}") from None
        if not least <= number <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return number

    return parse


def _binds(value: Any) -> tuple[str, ...]:
    binds = _words(value)
    if not binds or not all(re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):[0-9]{1,5}", bind) for bind in binds):
        raise ValueError("addresses such as 127.0.0.1:3003, separated by commas")
    return binds


def _url(value: Any) -> str:
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", _text(value))
    try:
        backend = make_url(url).get_backend_name() if url else "sqlite"
    except SQLAlchemyError:
        backend = ""
    if backend not in ("sqlite", "postgresql"):
        raise ValueError("a URL such as postgresql+psycopg://USER:PASSWORD@HOST/NAME")
    return url


def _rates(value: Any) -> str:
    """Rates, `off`, or nothing, which means our own where accounts are on."""
    rates = _text(value)
    try:
        if rates and rates != "off":
            parse_many(rates)
    except ValueError:
        raise ValueError(f"rates such as {RATES!r}, or `off`") from None
    return rates


def _styles(value: Any) -> dict[str, str]:
    """Texts by name, from a mapping or from `name: text; name: text`."""
    if isinstance(value, Mapping):
        pairs = [(str(name), str(text)) for name, text in value.items()]
    else:
        pairs = [(name, text) for name, _, text in (part.partition(":") for part in value.split(";") if part.strip())]
    styles = {name.strip(): text.strip() for name, text in pairs}
    if not all(styles) or not all(styles.values()):
        raise ValueError("styles such as `noir: high contrast, deep shadows; sketch: loose pencil lines`")
    return styles


def _level(value: Any) -> str:
    level = _text(value).lower()
    if level not in LOG_LEVELS:
        raise ValueError(f"one of {', '.join(LOG_LEVELS)}")
    return level


@dataclass(frozen=True)
class Setting:
    """One setting. `parse` turns what was given into the value used, or raises `ValueError` saying what it takes."""

    name: str
    default: Any
    parse: Callable[[Any], Any]
    meaning: str


SETTINGS = (
    Setting("BIND", "127.0.0.1:3003", _binds, "Where to listen; several addresses are separated by commas."),
    Setting("DATABASE_URL", "", _url, "An SQLAlchemy URL; empty means SQLite in the instance folder."),
    Setting("INSTANCE", "", _text, "The folder of the database, the key and config.py; empty means `instance/`."),
    Setting("PROCESSES", 2, _whole(1, 256), "gunicorn worker processes."),
    Setting("THREADS", 4, _whole(1, 256), "Threads in each process."),
    Setting("ACK_SECONDS", 60, _number(0.1), "The time a worker that names itself has to send a first report."),
    Setting("LEASE_SECONDS", 300, _number(0.1), "How long a panel stays a worker's after its last report."),
    Setting(
        "RESEND_SECONDS",
        15,
        _number(0),
        "The silence after which a panel that a worker does not hold is sent again.",
    ),
    Setting("MAX_ATTEMPTS", 3, _whole(1, 1000), "How often a panel is tried before it fails."),
    Setting(
        "BACKOFF_SECONDS",
        10,
        _number(0),
        "The wait after the first failure; it doubles with each one, up to 10 min.",
    ),
    Setting(
        "GIVE_BACK_SECONDS",
        30,
        _number(0),
        "How long a worker does not get what it gave back, or a site without a tab.",
    ),
    Setting("WORKER_TASKS", 10, _whole(1, 1000), "How many panels a worker holds at most."),
    Setting("POLL_SECONDS", 5, _number(1, 3600), "`Retry-After` while there is work."),
    Setting("IDLE_POLL_SECONDS", 30, _number(1, 3600), "The most that `Retry-After` grows to while there is none."),
    Setting("DOMAIN", "chatgpt.com", _text, "The site that draws when nothing else is said."),
    Setting("GAP_SECONDS", 0, _number(0), "For new sites: the gap between two panels; 0 is none."),
    Setting("BREAK_AFTER", 0, _whole(0), "For new sites: panels between two breaks; 0 is never."),
    Setting("BREAK_SECONDS", 0, _number(0), "For new sites: how long a break lasts."),
    Setting("DAILY_CAP", 0, _whole(0), "For new sites: panels in a UTC day; 0 is no cap."),
    Setting("STYLES", STYLES, _styles, "The style presets of a new database: `name: text; name: text`."),
    Setting("POOL_SIZE", 0, _whole(0, 1000), "Database connections of a process at most; 0 is one a thread."),
    Setting("POOL_PRE_PING", 1, _whole(0, 1), "Try a pooled connection before use, 1 or 0; PostgreSQL only."),
    Setting("HOSTS", "", _words, "Further names in a `Host` header that are this server, separated by commas."),
    Setting(
        "EXTENSIONS",
        "",
        _words,
        "Ids of the extensions that may ask, separated by commas; empty means every one.",
    ),
    Setting("ACCOUNTS", 0, _whole(0, 1), "Whether who asks has to sign in or send a token, 1 or 0."),
    Setting(
        "PROXIES", 0, _whole(0, 10), "How many proxies stand before the server; what they say of clients is believed."
    ),
    Setting(
        "RATE_LIMITS",
        "",
        _rates,
        f"How often one client may ask; empty means {RATES!r} with accounts, and no limit without; `off` is none.",
    ),
    Setting(
        "RATE_LIMIT_STORAGE",
        "",
        _text,
        "Where several hosts count together, such as `redis://HOST`; empty means in each process's memory.",
    ),
    Setting("LOG_LEVEL", "info", _level, "How much is logged: debug, info, warning or error."),
)


def load(app: Flask, overrides: Mapping[str, Any] | None = None) -> None:
    """Read every setting into `app.config` under its full name, and what Flask and its extensions need."""
    folder = Path(app.instance_path)
    folder.mkdir(parents=True, exist_ok=True)
    app.config.from_pyfile("config.py", silent=True)
    app.config.update(overrides or {})
    for setting in SETTINGS:
        app.config[PREFIX + setting.name] = _value(app, setting, overrides or {})
    if app.config["SEMANTEST_ACCOUNTS"] and not app.config["SEMANTEST_RATE_LIMITS"]:
        app.config["SEMANTEST_RATE_LIMITS"] = RATES
    app.logger.setLevel(app.config["SEMANTEST_LOG_LEVEL"].upper())
    _warn_of_unknown(app)
    app.config.update(
        SECRET_KEY=app.config.get("SECRET_KEY") or _secret_key(folder / KEY_FILE),
        MAX_CONTENT_LENGTH=MAX_BODY_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_BODY_BYTES,
        SQLALCHEMY_DATABASE_URI=app.config["SEMANTEST_DATABASE_URL"] or f"sqlite:///{folder / DATABASE_FILE}",
        SQLALCHEMY_ENGINE_OPTIONS={
            "pool_size": app.config["SEMANTEST_POOL_SIZE"] or app.config["SEMANTEST_THREADS"],
            "max_overflow": 2,
            "pool_use_lifo": True,  # so that a few connections are kept warm
            "pool_pre_ping": bool(app.config["SEMANTEST_POOL_PRE_PING"] and app.config["SEMANTEST_DATABASE_URL"]),
        },
        SESSION_COOKIE_NAME="semantest",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_HTTPONLY=True,
        PERMANENT_SESSION_LIFETIME=LIFETIME,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=None,
    )


def instance_path(overrides: Mapping[str, Any] | None = None) -> str | None:
    """The instance folder that was set, absolute, or None for Flask's own choice."""
    name = PREFIX + "INSTANCE"
    path = str((overrides or {}).get(name) or os.environ.get(name, "")).strip()
    return str(Path(path).expanduser().resolve()) if path else None


def semantest(app: Flask) -> Semantest:
    """The settings that the queue obeys, as plain values."""
    pacing = {name: app.config[PREFIX + name.upper()] for name in PACING}
    return Semantest(
        policy=Policy(**{name: app.config[PREFIX + name.upper()] for name in Policy.__dataclass_fields__}),
        site_defaults=SiteDefaults(app.config["SEMANTEST_DOMAIN"], Pacing(**pacing)),
    )


def _value(app: Flask, setting: Setting, overrides: Mapping[str, Any]) -> Any:
    name = PREFIX + setting.name
    given: Any = None if name in overrides else os.environ.get(name, "").strip()
    if not given:
        given = app.config.get(name, setting.default)
    try:
        return setting.parse(given)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{name} is {given!r}, and takes {error}.") from None


def _warn_of_unknown(app: Flask) -> None:
    known = {PREFIX + setting.name for setting in SETTINGS}
    for name in sorted({*os.environ, *app.config} - known):
        if name.startswith(PREFIX) and not name.startswith(PREFIX + "TEST_"):
            log.warning("Unknown setting %s: nothing reads it.", name)


def _secret_key(path: Path) -> str:
    """The key that signs cookies, made on first use; several processes may come here at once."""
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)  # fails if another process was first, whose key it is then
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
