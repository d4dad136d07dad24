"""The history of a task as the database tells it, and what in it can never be."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from semantest_server.models import Attempt, Event, Task, Worker

CLOCK_SLACK = timedelta(seconds=0.25)  # workers and databases here read one clock, though not to the microsecond

BEGINNINGS = ("handed_out", "revived")
ENDINGS = ("expired", "failed", "given_back", "completed", "cancelled")
PROMISES = ("handed_out", "revived", "running", "noted")


@dataclass(frozen=True)
class Line:
    """One event of a task."""

    type: str
    at: datetime
    attempt: int | None = None
    worker: str | None = None
    until: datetime | None = None
    note: str | None = None
    image: str | None = None


@dataclass
class History:
    """A task as it is, and how it came to be so. `ended`: how each attempt ended; `heard`: those that reported."""

    task: int
    status: str
    image: str | None = None
    lines: list[Line] = field(default_factory=list)
    ended: dict[int, str | None] = field(default_factory=dict)
    heard: set[int] = field(default_factory=set)

    def __str__(self) -> str:
        lines = (f"  {line.at:%H:%M:%S.%f} {line.type} {line.attempt} {line.worker} {line.note}" for line in self.lines)
        return "\n".join([f"task {self.task}, {self.status}:", *lines])

    def until(self, at: float) -> list[Line]:
        """What was written before a time, in seconds since 1970."""
        latest = datetime.fromtimestamp(at, UTC) + CLOCK_SLACK
        return [line for line in self.lines if line.at <= latest]


def read_histories(session: Session) -> dict[int, History]:
    """Everything that the database says of every task."""
    rows = session.execute(select(Task.id, Task.status, Task.image_url))
    histories = {row.id: History(row.id, row.status.value, row.image_url) for row in rows}
    for row in session.execute(select(Attempt.task_id, Attempt.number, Attempt.ended, Attempt.reported_at)):
        history = histories[row.task_id]
        history.ended[row.number] = row.ended.value if row.ended else None
        if row.reported_at:
            history.heard.add(row.number)
    events = select(Event, Worker.name).outerjoin(Worker, Worker.id == Event.worker_id).order_by(Event.id)
    for event, worker in session.execute(events):
        details = event.details or {}
        note = details.get("timestamp") or event.message  # the 2.x dialect has no messages
        facts = event.type.value, event.at, event.attempt, worker, event.leased_until
        histories[event.task_id].lines.append(Line(*facts, note, details.get("imageUrl")))
    return histories


def result_problems(history: History) -> Iterator[str]:
    """Whether the task has just one result: an attempt that ended with it, an event of it, and its picture."""
    won = [number for number, ended in history.ended.items() if ended == "completed"]
    told = [line for line in history.lines if line.type == "completed"]
    wanted = int(history.status == "completed")
    if (len(won), len(told)) != (wanted, wanted):
        yield f"attempts {won} have a result, and {len(told)} events tell of one."
    elif wanted and told[0].attempt != won[0]:
        yield f"the result is of attempt {won[0]}, and the event is of attempt {told[0].attempt}."
    elif wanted and told[0].image and told[0].image != history.image:
        yield f"its picture is {history.image}, and {told[0].image} was accepted."


def lease_problems(history: History) -> Iterator[str]:
    """Whether the task was ever held twice, or taken away before the time that was promised."""
    lease = _Lease()
    for line in history.lines:
        for problem in lease.problems(line):
            yield f"{line.type} of attempt {line.attempt} by {line.worker} {problem}."
        lease.follow(line)


class _Lease:
    """Who holds a task, followed from event to event."""

    def __init__(self) -> None:
        self.held: int | None = None
        self.last = 0
        self.is_over = False
        self.promised = datetime.min.replace(tzinfo=UTC)

    def problems(self, line: Line) -> Iterator[str]:
        """Why this cannot come next."""
        if line.type in BEGINNINGS:
            yield from self._problems_of_beginning(line)
        if line.type in ("running", "expired") and line.attempt != self.held:
            yield f"while {self.held or 'none'} was live"
        if line.type in ("failed", "given_back") and line.attempt != self.last:
            yield f"when {self.last} was the latest"
        if line.type == "expired" and line.at < self.promised:
            yield f"at {line.at}, though it was promised until {self.promised}"

    def _problems_of_beginning(self, line: Line) -> Iterator[str]:
        if self.held is not None:
            yield f"while {self.held} was live"
        if self.is_over:
            yield "after it was completed"
        if line.attempt != self.last + (line.type == "handed_out"):
            yield f"after attempt {self.last}"

    def follow(self, line: Line) -> None:
        """Take note of it."""
        if line.type in BEGINNINGS:
            self.held = self.last = line.attempt or 0
            self.promised = line.until or self.promised
        elif line.type in PROMISES and line.until:
            self.promised = max(self.promised, line.until)
        elif line.type in ENDINGS:
            self.held = None
        self.is_over = self.is_over or line.type == "completed"
