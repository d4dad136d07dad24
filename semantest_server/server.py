"""Running under gunicorn: what it does before the first request, how it forks workers, how it stops.

`semantest-server run` is `run()`; `gunicorn wsgi:app` reads the same settings through `gunicorn.conf.py`.

The app is made once, before the workers are forked, and so is what the first requests make of it: what no worker
changes is in memory once. Migrations run in a process of their own, since nobody needs Alembic afterwards.
"""

import gc
import logging
import os
import signal
import sys
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from flask import Flask, request
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.workers.base import Worker
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, configure_mappers

from semantest_server import create_app
from semantest_server.accounts import people
from semantest_server.addresses import (
    BACKLOG,
    Address,
    StartError,
    greeting,
    host_of,
    listen,
    require_accounts,
)
from semantest_server.config import SettingError
from semantest_server.database import db
from semantest_server.guard import EVERY_ADDRESS
from semantest_server.upgrade import UpgradeError, prepare, where

log = logging.getLogger(__name__)

GRACEFUL_SECONDS = 30  # what a running request has to finish once a stop is asked for
KEEPALIVE_SECONDS = 75  # above the longest interval between two polls, so that they share a connection
REQUEST_LINE_BYTES = 8190  # gunicorn's most; `holding` and `correlationIds` are long
LOG_FORMAT, LOG_TIME = "%(asctime)s [%(process)d] [%(levelname)s] %(name)s: %(message)s", "[%Y-%m-%d %H:%M:%S %z]"
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - touched each second, which blocks on a slow disk  # nosec B108
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
REHEARSED = ("/health", "/tasks", "/comics", "/admin/")


def run(app: Flask) -> None:
    """Listen, migrate and serve until a signal stops it. Ends the process."""
    settings = gunicorn_settings(app)
    settings["bind"] = [f"fd://{listen(bind).detach()}" for bind in settings["bind"]]
    Server(app, settings).run()


def gunicorn_settings(app: Flask) -> dict[str, Any]:
    """gunicorn's settings, from ours; `StartError` for an address that others reach."""
    binds = app.config["SEMANTEST_BIND"]
    require_accounts(app, [host_of(bind) for bind in binds])
    level = app.config["SEMANTEST_LOG_LEVEL"].lower()
    return {
        "bind": list(binds),
        "backlog": BACKLOG,
        "preload_app": True,
        "workers": app.config["SEMANTEST_PROCESSES"],
        "worker_class": "gthread",
        "threads": app.config["SEMANTEST_THREADS"],
        "max_requests": 0,
        "graceful_timeout": GRACEFUL_SECONDS,
        "keepalive": KEEPALIVE_SECONDS,
        "limit_request_line": REQUEST_LINE_BYTES,
        "forwarded_allow_ips": "",  # `guard.py` believes as many proxies as are set, and gunicorn none
        "control_socket_disable": True,  # two servers of one person would fight over its path
        "worker_tmp_dir": str(MEMORY_FOLDER) if os.access(MEMORY_FOLDER, os.W_OK) else None,
        "loglevel": "warning" if level == "info" else level,  # at info it tells of each process it starts
        "proc_name": "semantest-server",
        "on_starting": partial(_before_start, app),
        "when_ready": partial(_before_workers, app),
        "post_worker_init": partial(_begin_worker, level),
    }


def settings_for_gunicorn() -> dict[str, Any]:
    """The same for `gunicorn.conf.py`: what is wrong with our settings ends gunicorn with one line."""
    try:
        return gunicorn_settings(create_app())
    except (SettingError, StartError, SQLAlchemyError) as error:
        sys.exit(f"Error: {error}")


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with the settings given. All workers have the same app, and each its own connections."""

    def __init__(self, app: Flask, settings: dict[str, Any]) -> None:
        self.app = app
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Hand the settings over."""
        for name, value in self.settings.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The app."""
        return self.app


def require_admin(app: Flask) -> None:
    """Raise `StartError` if accounts are on and nobody could sign in."""
    if not app.config["SEMANTEST_ACCOUNTS"]:
        return
    with app.app_context():
        with Session(db.engine) as session:
            has_admin = people.has_admin(session)
        db.engine.dispose()  # the caller may fork, and connections do not survive that
    if not has_admin:
        raise StartError("Nobody could sign in: `semantest-server account add NAME` makes the first account.")


def _before_start(app: Flask, arbiter: Arbiter) -> None:
    """Bring the database up to date before a worker opens it; what goes wrong ends gunicorn with one line."""
    try:
        require_accounts(app, [address[0] for address in arbiter.cfg.address if isinstance(address, tuple)])
        _prepare_apart(app)
        require_admin(app)
    except StartError as error:
        sys.exit(f"Error: {error}")
    served = arbiter.app.wsgi()
    if isinstance(served, Flask):
        rehearse(served)
    arbiter.handle_int = partial(_stop, arbiter)
    arbiter.spawn_worker = partial(_spawn_worker, arbiter)


def _prepare_apart(app: Flask) -> None:
    """Bring the database up to date in a process that ends with this one at the latest; its failure ends this one."""
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # until gunicorn handles it
    process = get_context("fork").Process(target=_prepare, args=[app], daemon=True)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(1 if process.exitcode > 0 else f"Error: Signal {-process.exitcode} has ended the migration.")


def _prepare(app: Flask) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    try:
        prepare(app)
    except UpgradeError as error:
        sys.exit(f"Error: {error}")


def rehearse(app: Flask) -> None:
    """Make what the first requests make, such as mappers, compiled statements and templates, for workers to share.

    Only views are called that read, and nothing that counts, refuses or logs requests. A view that fails now will tell
    whoever asks for it.
    """
    configure_mappers()
    for path in REHEARSED:
        try:
            with app.test_request_context(path):
                app.view_functions[str(request.endpoint)]()
        except Exception:
            log.debug("The rehearsal of %s has failed.", path, exc_info=True)
    with app.app_context():
        db.engine.dispose()


def _stop(arbiter: Arbiter) -> None:
    """Treat Ctrl-C like any other stop signal; gunicorn would cut running requests short."""
    print("Stopping. Ctrl-C again does not wait for running requests.", flush=True)
    arbiter.handle_term()


def _spawn_worker(arbiter: Arbiter) -> int:
    """Fork a worker whose stop signals wait until it heeds them.

    It begins with the master's handlers, which would swallow a stop; the master would then wait for it in vain.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        return int(Arbiter.spawn_worker(arbiter))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker(level: str, _worker: Worker) -> None:
    """Log in the format of gunicorn's own lines, leave Ctrl-C to the master, and heed its stops from now on."""
    logging.basicConfig(level=level.upper(), format=LOG_FORMAT, datefmt=LOG_TIME)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole group, workers too
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)


def _before_workers(app: Flask, arbiter: Arbiter) -> None:
    """Greet, and let no collection of garbage look at what there is by now.

    It writes to each object that it looks at, and so every worker would get a copy of what all share.
    """
    _greet(app, arbiter)
    gc.collect()
    gc.freeze()


def _greet(app: Flask, arbiter: Arbiter) -> None:
    """Print where everything is, now that it listens."""
    names = [listener.getsockname() for listener in arbiter.LISTENERS]
    addresses = [Address(name[0], name[1]) for name in names if isinstance(name, tuple)]
    named = [
        address._replace(host=app.config["SEMANTEST_HOSTS"][0]) if address.host in EVERY_ADDRESS else address
        for address in addresses
    ]
    if addresses:
        database = where(make_url(app.config["SQLALCHEMY_DATABASE_URI"]))
        print(greeting(named, database, has_accounts=bool(app.config["SEMANTEST_ACCOUNTS"])), flush=True)
