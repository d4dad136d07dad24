"""Lanes: filled databases, each with a server of its own, that are driven in turn so that they share every weather.

A round hands panels out, has reports made about them, and puts everything back as it was.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, update

from semantest_server.models import Comic, ComicStatus, Site, Task, TaskStatus, Worker

from .. import filling
from ..filling import Panels
from .databases import Backend, migrated
from .generators import Burst, burst
from .messages import Unexpected, request
from .servers import Server, semantest

OTHER_SITE = "gemini.google.com"
POLLERS = [f"poller-{number}" for number in range(1_000)]
MOST_PARALLEL = 100
MOST_OUT = 80  # of one comic, so that it never looks as if nothing were left
COLD_SHARE = 5  # one in so many requests is not timed
DAY = timedelta(days=1)
TOGETHER = 50  # reports in one call


@dataclass(frozen=True)
class Shape:
    """What a lane's database is filled with, and how many panels of it a round hands out."""

    name: str
    comics: int
    panels: Panels
    round: int

    @property
    def drawers(self) -> list[str]:
        """Workers, one for each poll of a round: a worker that holds nothing claims like one that has just begun."""
        return [f"drawer-{number}" for number in range(self.round)]


def of_size(tasks: int, most: int) -> Shape:
    """Ten comics that share so many tasks, half of them finished."""
    each = tasks // 20
    panels = Panels(finished=each, ready=each, parallel=MOST_PARALLEL)
    return Shape(f"{tasks:,} tasks", 10, panels, round=min(most, each * 8))


def of_comics(comics: int, tasks: int, most: int) -> Shape:
    """So many comics that share the tasks, all ready."""
    panels = Panels(ready=tasks // comics, parallel=MOST_PARALLEL)
    return Shape(f"{comics:,} {'comic' if comics == 1 else 'comics'}", comics, panels, round=min(most, MOST_OUT))


class Lane:
    """A filled database and the server on it."""

    def __init__(self, shape: Shape, engine: Engine, server: Server) -> None:
        self.shape, self.engine, self.server = shape, engine, server
        self.port = server.port

    def claim(self, limit: int) -> tuple[Burst, list[Any]]:
        """Hand a round's panels out, `limit` at a time; the hand-outs come too."""
        polls = self.shape.drawers[: self.shape.round // limit]
        made = self._timed([poll(name, limit=limit) for name in polls])
        hand_outs = [hand_out for answer in made.answers for hand_out in answer.json]
        if len(receipts(hand_outs)) != limit * len(polls):
            raise Unexpected(f"{len(polls)} polls for {limit} panels were given {len(receipts(hand_outs))}.")
        return made, hand_outs

    def report_each(self, hand_outs: Sequence[Any]) -> Burst:
        """Report every panel drawn, one request for each."""
        return self._timed([request("PATCH", f"/tasks/{name}", drawn(name)) for name in receipts(hand_outs)])

    def report_together(self, hand_outs: Sequence[Any]) -> Burst:
        """Report every panel drawn, many in one request."""
        reports = [{"taskId": name, **drawn(name)} for name in receipts(hand_outs)]
        groups = [reports[at : at + TOGETHER] for at in range(0, len(reports), TOGETHER)]
        made = self._timed([request("POST", "/tasks/status", group) for group in groups])
        for answer in made.answers:
            if any(result["status"] != 200 for result in answer.json["results"]):
                raise Unexpected(f"Not every report was accepted:\n{answer}")
        return made

    def _timed(self, requests: Sequence[bytes]) -> Burst:
        """Ask every request once; what was changed past the server is in no cache of its, so the first do not count."""
        cold = len(requests) // COLD_SHARE
        first, made = burst(self.port, requests[:cold]), burst(self.port, requests[cold:])
        return Burst(made.seconds, made.latencies, first.answers + made.answers)

    def put_back(self, hand_outs: Sequence[Any]) -> None:
        """Make what was handed out what it was before. The server must be idle."""
        tasks = [int(name.partition(".")[0]) for name in receipts(hand_outs)]
        comics = {int(hand_out["payload"]["batchId"]) for hand_out in hand_outs}
        with self.engine.begin() as connection:
            filling.put_back(connection, tasks, sorted(comics), self.shape.panels)
        self.tidy()

    def tidy(self) -> None:
        """Clear away what changes have left behind, before that does it by itself while something is measured."""
        is_file = self.engine.dialect.name == "sqlite"
        self._command("PRAGMA wal_checkpoint" if is_file else "VACUUM comic, task, attempt, event, worker")

    def settle(self) -> None:
        """After a great change, bring all of it from the log into the files."""
        self.tidy()
        if self.engine.dialect.name == "postgresql":
            self._command("CHECKPOINT")

    def _command(self, statement: str) -> None:
        """Execute a statement that is in no transaction."""
        with self.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)

    def see_workers(self) -> None:
        """Let every worker be seen now, so that no poll of the next minutes need write it down."""
        with self.engine.begin() as connection:
            connection.execute(update(Worker).values(seen_at=datetime.now(UTC)))
            filling.changed(connection)
        self.tidy()

    def pause(self) -> None:
        """Pause every comic."""
        self._change(status=ComicStatus.PAUSED, paused_at=datetime.now(UTC))

    def resume(self) -> None:
        """Go on with every comic."""
        self._change(status=ComicStatus.ACTIVE, paused_at=None)

    def back_off(self) -> None:
        """Let every panel that is ready wait for a backoff of a day."""
        self._change_ready(available_at=self.shape.panels.later)
        self._change(waiting=Comic.ready, ready=0)

    def drain(self) -> None:
        """Leave nothing to draw."""
        self._change_ready(status=TaskStatus.CANCELLED, available_at=None)
        self._change(cancelled=Comic.ready + Comic.waiting, waiting=0, ready=0)

    def _change(self, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(Comic).values(values))
            filling.changed(connection)
            filling.analyze(connection)
        self.settle()

    def _change_ready(self, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(Task).where(Task.status == TaskStatus.QUEUED).values(values))


@contextmanager
def lane(backend: Backend, folder: Path, shape: Shape) -> Iterator[Lane]:
    """Fill a database, and start a server on it."""
    folder.mkdir()
    now = datetime.now(UTC)
    shape = replace(shape, panels=replace(shape.panels, moment=now - DAY, later=now + DAY))
    with migrated(backend, folder) as (url, engine):
        with engine.begin() as connection:
            filling.fill(connection, shape.comics, shape.panels)
            connection.execute(insert(Site).values(domain=OTHER_SITE))
            filling.add_workers(connection, [*shape.drawers, *POLLERS], now)
            filling.changed(connection)
            filling.analyze(connection)
        with semantest(folder, url) as server:
            made = Lane(shape, engine, server)
            made.settle()
            yield made


def poll(name: str, **query: Any) -> bytes:
    """A poll of a worker."""
    parameters = "&".join(f"{key}={value}" for key, value in query.items())
    return request("GET", f"/tasks/pending?{parameters}".rstrip("?"), headers={"X-Worker-Id": name})


def drawn(receipt: str) -> dict[str, Any]:
    """The report that a panel is drawn."""
    return {"status": "completed", "imageUrl": f"https://example.com/pictures/{receipt}.png"}


def receipts(hand_outs: Sequence[Any]) -> list[str]:
    """The receipts of all panels."""
    return [panel["id"] for hand_out in hand_outs for panel in hand_out["payload"]["panels"]]
