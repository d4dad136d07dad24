"""Turns at writing to an SQLite file, in the order of asking. SQLite itself would sleep for up to 100 ms at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

STEP_SECONDS = 0.0002
PATIENCE_SECONDS = 10.0


@contextmanager
def turn(file: str) -> Iterator[None]:
    """Wait until no other process is in its turn; whoever has just had one comes last.

    Who holds the first lock is next, and who holds the second one writes. This is about order only: what makes
    writing safe is SQLite's own lock. So nothing fails where such files cannot be, or after 10 s.
    """
    with ExitStack() as files:
        try:
            following, writing = (files.enter_context(_opened(f"{file}-{name}")) for name in ("next", "turn"))
        except OSError:
            yield
            return
        deadline = time.monotonic() + PATIENCE_SECONDS
        if _lock(following, deadline) and _lock(writing, deadline):
            fcntl.flock(following, fcntl.LOCK_UN)
        yield


@contextmanager
def _opened(path: str) -> Iterator[int]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o666)  # what `open` does besides would take most of a turn's time
    try:
        yield file
    finally:
        os.close(file)


def _lock(file: int, deadline: float) -> bool:
    """Lock a file until it is closed; whether that was possible in time."""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(STEP_SECONDS)
        except OSError:
            return False
