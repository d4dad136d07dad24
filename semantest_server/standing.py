"""The numbers that the queue obeys, as they are now: the settings, and what was chosen in the pages instead."""

import time
from collections.abc import Callable
from threading import Lock
from typing import cast

from flask import Flask, current_app
from sqlalchemy.orm import Session

from semantest_server.database import db
from semantest_server.policy import Policy
from semantest_server.queue.preferences import policy_now

REMEMBERED_SECONDS = 1.0  # what was chosen in another process holds here so much later
EXTENSION = "semantest_standing"


class Standing:
    """The memory of one process. Asking costs nothing but for one look at the database a second."""

    def __init__(self, settings: Policy) -> None:
        self._settings = settings
        self._policy: Policy | None = None
        self._until = 0.0
        self._looking = Lock()

    def policy(self, look: Callable[[Policy], Policy]) -> Policy:
        """The numbers now; only one thread at a time looks, and others go on with what is known."""
        if self._policy is not None and time.monotonic() < self._until:
            return self._policy
        if self._looking.acquire(blocking=self._policy is None):
            try:
                self._policy = look(self._settings)
                self._until = time.monotonic() + REMEMBERED_SECONDS
            finally:
                self._looking.release()
        return cast(Policy, self._policy)

    def forget(self) -> None:
        """Look anew next time."""
        self._until = 0.0


def init_app(app: Flask) -> None:
    """Remember nothing yet."""
    app.extensions[EXTENSION] = Standing(app.extensions["semantest"].policy)


def policy() -> Policy:
    """The numbers that the queue obeys."""
    return _standing().policy(_look)


def forget() -> None:
    """See at once what was just chosen here."""
    _standing().forget()


def _look(settings: Policy) -> Policy:
    with Session(db.engine) as session:  # its own, since the request's may be in the middle of something
        return policy_now(session, settings)


def _standing() -> Standing:
    return cast(Standing, current_app.extensions[EXTENSION])
