"""Turns at writing, between real processes."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from semantest_server import turns
from semantest_server.turns import turn

ROUNDS = 40
LONG = 60.0  # in seconds; never waited for unless something is broken

# Takes its turns and writes its name down in each. A turn ends only when the other one has asked for the next, which
# is when the first lock is taken, or needs no more.
TAKE_TURNS = """
import fcntl, sys, time
from pathlib import Path
from semantest_server import turns
file, name, other, rounds = sys.argv[1:]
turns.PATIENCE_SECONDS = 60.0

def other_waits():
    with open(file + "-next", "a") as following:
        try:
            fcntl.flock(following, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return Path(file + "-over-" + other).exists()

for _ in range(int(rounds)):
    with turns.turn(file):
        with open(file, "a") as book:
            book.write(name)
        while not other_waits():
            time.sleep(0.0001)
Path(file + "-over-" + name).touch()
"""

# Says when it has its turn, and keeps it.
KEEP_TURN = """
import sys
from semantest_server.turns import turn
with turn(sys.argv[1]):
    print("in", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    """What is written to in turns."""
    return str(tmp_path / "semantest.db")


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never go on without a turn, however slow the machine is."""
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", LONG)


def python(script: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def is_locked(file: str, name: str) -> bool:
    """Whether somebody has that lock."""
    with Path(f"{file}-{name}").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@contextmanager
def locked(file: str, *names: str) -> Iterator[None]:
    """Have these locks."""
    with ExitStack() as locks:
        for name in names:
            fcntl.flock(locks.enter_context(Path(f"{file}-{name}").open("a")), fcntl.LOCK_EX)
        yield


def test_two_processes_take_turns(file: str) -> None:
    rounds = str(ROUNDS)
    with python(TAKE_TURNS, file, "a", "b", rounds) as one, python(TAKE_TURNS, file, "b", "a", rounds) as two:
        assert [one.wait(LONG), two.wait(LONG)] == [0, 0]
    assert Path(file).read_text() in ("ab" * ROUNDS, "ba" * ROUNDS)


def test_one_at_a_time_has_its_turn(file: str, patience: None) -> None:
    start, inside, most = Barrier(8), [], []

    def take(number: int) -> None:
        start.wait(LONG)
        for _ in range(10):
            with turn(file):
                inside.append(number)
                most.append(len(inside))
                inside.remove(number)

    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(take, number) for number in range(8)]:
            done.result()
    assert most == [1] * 80


def test_whoever_has_its_turn_lets_another_be_next(file: str) -> None:
    with turn(file):
        assert is_locked(file, "turn")
        assert not is_locked(file, "next")
    assert not is_locked(file, "turn")


def test_what_is_raised_ends_the_turn(file: str) -> None:
    with pytest.raises(ZeroDivisionError), turn(file):
        raise ZeroDivisionError
    assert not is_locked(file, "turn")


def test_a_process_that_is_killed_in_its_turn_keeps_nobody_waiting(file: str, patience: None) -> None:
    with python(KEEP_TURN, file) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "in\n"
        assert is_locked(file, "turn")
        other.kill()
        with turn(file):
            assert is_locked(file, "turn")


def test_a_process_that_is_killed_while_it_is_next_keeps_nobody_waiting(file: str, patience: None) -> None:
    with turn(file):
        other = python(KEEP_TURN, file)
        while not is_locked(file, "next"):
            assert other.poll() is None
        other.kill()
        other.communicate()
    with turn(file):
        assert is_locked(file, "turn")


@pytest.mark.parametrize("taken", [["next"], ["turn"], ["next", "turn"]])
def test_patience_ends_and_then_it_goes_on_without_a_turn(
    file: str, monkeypatch: pytest.MonkeyPatch, taken: list[str]
) -> None:
    monkeypatch.setattr(turns, "PATIENCE_SECONDS", 0.01)
    done = []
    with locked(file, *taken), turn(file):
        done.append("written")
    assert done == ["written"]
    assert not is_locked(file, "next")
    assert not is_locked(file, "turn")


@pytest.mark.parametrize("name", ["next", "turn"])
def test_where_there_can_be_no_such_file_it_goes_on_without(file: str, name: str) -> None:
    Path(f"{file}-{name}").mkdir()
    done = []
    with turn(file):
        done.append("written")
    assert done == ["written"]


@pytest.mark.parametrize("error", [PermissionError, OSError])
def test_where_nothing_can_be_written_it_goes_on_without(
    file: str, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ZeroDivisionError), turn(file):
        raise ZeroDivisionError


def test_in_a_folder_that_is_not_there_it_goes_on_without(tmp_path: Path) -> None:
    done = []
    with turn(str(tmp_path / "nowhere" / "semantest.db")):
        done.append("written")
    assert done == ["written"]
