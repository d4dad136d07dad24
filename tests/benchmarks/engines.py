"""The queue without HTTP beside others from PyPI: jobs fetched and finished by one consumer, on one PostgreSQL.

Each goes its own shortest public way: faster than its own worker loop, and as durable.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import uvloop
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pgqueuer.queries import Queries
from procrastinate import App, PsycopgConnector
from procrastinate.jobs import Job, Status

from semantest_server import create_app
from semantest_server.api.asking import policy
from semantest_server.api.polling import take
from semantest_server.database import db
from semantest_server.queue.hand_outs import Poll
from semantest_server.queue.report import report
from semantest_server.queue.statuses import Report, ReportStatus
from semantest_server.queue.workers import Poller

from .. import filling
from ..filling import Panels
from .databases import Backend, migrated
from .figures import Figures
from .lanes import MOST_PARALLEL, drawn
from .messages import Unexpected
from .names import ENGINE_ONE, ENGINE_TEN, OURS, PGQUEUER, PROCRASTINATE
from .plan import Plan

JOB = "nothing"
HEARTBEAT = timedelta(seconds=30)  # PgQueuer's default
NOTICED_SECONDS = 1.0  # the server may believe for so long that nothing was queued past it
WORKER = Poller("drawer", named=True)


class Contender:
    """A queue: `fill` queues so many jobs, `draw` fetches and finishes them, so many at once, and counts them."""

    def __init__(self, name: str, fill: Callable[[int], None], draw: Callable[[int], int]) -> None:
        self.name, self.fill, self.draw = name, fill, draw

    def rate(self, count: int, at_once: int) -> float:
        """Fetch and finish so many jobs; how many a second."""
        self.fill(count)
        begun = time.perf_counter()
        done = self.draw(at_once)
        seconds = time.perf_counter() - begun
        if done != count:
            raise Unexpected(f"{self.name} did {done} of {count} jobs.")
        return count / seconds


def engines(plan: Plan, backend: Backend, folder: Path, figures: Figures) -> None:
    """Let the queues do the same number of jobs in turn."""
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        ours = stack.enter_context(_ours(backend, folder / "ours", runner))
        procrastinate = stack.enter_context(_procrastinate(backend, folder / "procrastinate", runner))
        pgqueuer = stack.enter_context(_pgqueuer(backend, folder / "pgqueuer", runner))
        for times in range(-1, plan.engine_rounds):
            for what, at_once, contenders in (
                (ENGINE_ONE, 1, (procrastinate, ours, pgqueuer)),
                (ENGINE_TEN, 10, (ours, pgqueuer)),
            ):
                for contender in contenders:
                    rate = contender.rate(plan.engine_tasks, at_once)
                    if times >= 0:
                        figures.add_rate(what, contender.name, rate)


@contextmanager
def _ours(backend: Backend, folder: Path, runner: asyncio.Runner) -> Iterator[Contender]:
    """As the views of `api/tasks.py` call it: a claim and a report, each in a transaction."""
    folder.mkdir()
    with migrated(backend, folder) as (url, engine):
        app = create_app({"SEMANTEST_DATABASE_URL": url, "SEMANTEST_INSTANCE": str(folder)})

        def fill(count: int) -> None:
            with engine.begin() as connection:
                filling.fill(connection, 1, Panels(ready=count, parallel=MOST_PARALLEL))
            runner.run(_analyze(url))
            time.sleep(NOTICED_SECONDS)

        def draw(at_once: int) -> int:
            done = 0
            with app.app_context():
                while hand_outs := take(Poll(WORKER, limit=at_once)):
                    reports = [_drawn(panel.receipt) for one in hand_outs for panel in one.panels]
                    with db.writing() as session:
                        outcomes = report(session, policy(), WORKER, reports)
                    done += sum(len(outcome.verdicts) for outcome in outcomes)
            return done

        yield Contender(OURS, fill, draw)
        with app.app_context():
            db.engine.dispose()


def _drawn(receipt: str) -> Report:
    return Report(receipt, ReportStatus.COMPLETED, image_url=drawn(receipt)["imageUrl"])


@contextmanager
def _procrastinate(backend: Backend, folder: Path, runner: asyncio.Runner) -> Iterator[Contender]:
    with backend.empty(folder) as url:
        connector = PsycopgConnector(conninfo=_plain(url), min_size=1, max_size=1)
        app: Any = App(connector=connector)
        runner.run(connector.open_async())
        runner.run(app.schema_manager.apply_schema_async())
        worker: int = runner.run(app.job_manager.register_worker())
        job = Job(id=None, status=None, queue="default", lock=None, queueing_lock=None, task_name=JOB, task_kwargs={})

        async def draw() -> int:
            done = 0
            while fetched := await app.job_manager.fetch_job(queues=None, worker_id=worker):
                await app.job_manager.finish_job(fetched, Status.SUCCEEDED, delete_job=False)
                done += 1
            return done

        async def fill(count: int) -> None:
            await app.job_manager.batch_defer_jobs_async([job] * count)
            await _analyze(url)

        yield Contender(PROCRASTINATE, lambda count: runner.run(fill(count)), lambda _: runner.run(draw()))
        runner.run(connector.close_async())


@contextmanager
def _pgqueuer(backend: Backend, folder: Path, runner: asyncio.Runner) -> Iterator[Contender]:
    with backend.empty(folder) as url:
        connection = runner.run(asyncpg.connect(_plain(url)))
        queries: Any = Queries.from_asyncpg_connection(connection)
        runner.run(queries.install())
        manager, jobs = uuid.uuid4(), {JOB: EntrypointExecutionParameter(concurrency_limit=0)}

        async def draw(at_once: int) -> int:
            done = 0
            while fetched := await queries.dequeue(at_once, jobs, manager, None, HEARTBEAT):
                await queries.log_jobs([(job, "successful", None) for job in fetched])
                done += len(fetched)
            return done

        async def fill(count: int) -> None:
            await queries.enqueue([JOB] * count, [None] * count, [0] * count)
            await _analyze(url)

        yield Contender(PGQUEUER, lambda count: runner.run(fill(count)), lambda many: runner.run(draw(many)))
        runner.run(connection.close())


async def _analyze(url: str) -> None:
    """Let the database know what it holds, and clear away what it no longer does."""
    connection = await asyncpg.connect(_plain(url))
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg:", "postgresql:")
