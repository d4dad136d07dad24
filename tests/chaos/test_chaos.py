"""Everything that can be killed is killed, at random, while 20 workers draw; nothing is lost, nothing drawn twice.

`SEMANTEST_TEST_SEED` repeats a run's lots, `SEMANTEST_TEST_CHAOS_TASKS` sets how many tasks there are.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..conftest import BOTH
from ..postgres import new_database
from .databases import Database, Postgres, PostgresServer, Sqlite, killable_postgres
from .processes import command
from .proxy import Losses
from .schedule import Target
from .supervisor import Plan, Supervisor
from .verify import Rule

TASKS = int(os.environ.get("SEMANTEST_TEST_CHAOS_TASKS", "200"))
SEED = os.environ.get("SEMANTEST_TEST_SEED") or secrets.token_hex(4)
PATIENCE = 300.0 + TASKS / 2
STRIKES = {  # one for so many tasks, and the fewest
    Target.PROCESS: (100, 3),
    Target.SERVER: (250, 2),
    Target.WORKERS: (100, 3),
    Target.DATABASE: (200, 2),
    Target.PERSON: (150, 2),
}
TASKS_OF_BROKEN = 50
PATIENCE_WITH_BROKEN = 60.0  # a comic whose queueing was not committed is never drawn
RULES = {"lease": Rule.LEASE, "result": Rule.RESULT, "commit": Rule.REPORT}


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server that a test may kill."""
    with killable_postgres() as server:
        yield server


@pytest.fixture
def database(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database that a test may kill."""
    if backend == "sqlite":
        yield Sqlite(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    server.start()
    with new_database(server.url) as url:
        yield Postgres(server, url)
        server.start()


@pytest.mark.parametrize("backend", BOTH)
def test_nothing_is_lost_and_nothing_is_drawn_twice(database: Database, tmp_path: Path) -> None:
    strikes = {target: max(least, TASKS // share) for target, (share, least) in STRIKES.items()}
    if isinstance(database, Sqlite):
        del strikes[Target.DATABASE]
    print(f"\nSEMANTEST_TEST_SEED={SEED} SEMANTEST_TEST_CHAOS_TASKS={TASKS} on {type(database).__name__}", flush=True)
    outcome = Supervisor(Plan(SEED, TASKS, strikes, patience=PATIENCE), database, tmp_path).run()
    print(outcome.figures)
    assert outcome.violations == []
    assert outcome.completed == TASKS
    assert {**strikes, **outcome.struck, Target.PERSON: 0} == {**strikes, Target.PERSON: 0}


@pytest.mark.parametrize(
    ("backend", "guard"),
    [("sqlite", "lease"), ("sqlite", "result"), ("sqlite", "commit"), ("postgresql", "lease")],
)
def test_a_broken_guard_is_found(database: Database, guard: str, tmp_path: Path) -> None:
    broken = (command("gunicorn"), f"tests.chaos.broken:app({guard!r})")
    losses = Losses(before=0.01, after=0.2)
    plan = Plan(SEED, TASKS_OF_BROKEN, {}, losses, broken, enough=0.6, patience=PATIENCE_WITH_BROKEN)
    outcome = Supervisor(plan, database, tmp_path).run()
    print(f"\n{outcome.figures}")
    assert outcome.broken(RULES[guard]) > 0
