"""Waiting for conditions, so that no sleep decides a test."""

import time
from collections.abc import Callable
from typing import TypeVar

DEADLINE_SECONDS = 60.0
STEP_SECONDS = 0.1

Found = TypeVar("Found")


def until(condition: Callable[[], Found | None], what: str, seconds: float = DEADLINE_SECONDS) -> Found:
    """Return what `condition` returns once it is true; fail, naming `what`, if that takes too long."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(STEP_SECONDS)
    return found
