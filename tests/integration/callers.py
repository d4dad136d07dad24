"""The queue as its callers use it: each call is a request of its own, in a transaction of its own."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from semantest_server import snapshots
from semantest_server.database import revision, write_transaction
from semantest_server.models import Base, ComicStatus, Priority, Site, TaskStatus
from semantest_server.policy import Pacing, Policy, SiteDefaults
from semantest_server.queue.claim import hand_out
from semantest_server.queue.drafts import ComicDraft, PanelDraft, PictureDraft
from semantest_server.queue.hand_outs import HandOut, Poll
from semantest_server.queue.report import give_back_held, note_failure_of_other_tab, report
from semantest_server.queue.statuses import Outcome, Report, ReportStatus
from semantest_server.queue.steer import change_comic, change_pacing, retry
from semantest_server.queue.submit import IdempotencyKey, submit_comic, submit_picture
from semantest_server.queue.workers import Poller

from ..conftest import START

CHATGPT = "chatgpt.com"
Panels = int | Sequence[str | PanelDraft]


class Answer(NamedTuple):
    """What a client is told about a report."""

    status: int
    directive: str


class Line(NamedTuple):
    """One line of history: its type, which attempt, whose, and until when, in seconds after the start."""

    type: str
    attempt: int | None = None
    worker: str | None = None
    leased_until: float | None = None


class Queue:
    """A queue in a database, and everybody's requests to it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.policy = Policy()
        self.defaults = SiteDefaults(CHATGPT, Pacing())
        self.hand_out_of: dict[str, str] = {}  # by receipt, the last hand-out that carried it

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A request that only reads."""
        with Session(self.engine, autoflush=False, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A request that writes; committed at the end."""
        with self.reading() as session, write_transaction(session):
            yield session

    def set(self, **policy: float) -> None:
        """Change the numbers that the queue obeys."""
        self.policy = replace(self.policy, **policy)  # type: ignore[arg-type]

    # ---- a creator

    def comic(
        self,
        title: str = "A",
        *,
        panels: Panels = 1,
        priority: Priority = Priority.NORMAL,
        key: str | None = None,
        body: str = "",
        **options: Any,
    ) -> int:
        """Queue a comic; its id."""
        draft = ComicDraft(title, _drafts(panels), priority=priority, **options)
        with self.writing() as session:
            return submit_comic(session, draft, self.defaults, _key(key, body)).id

    def picture(
        self,
        prompt: str = "A cave",
        *,
        domain: str | None = None,
        details: dict[str, Any] | None = None,
        key: str | None = None,
        body: str = "",
        **panel: Any,
    ) -> tuple[int, bool]:
        """Queue a single picture; its task, and whether that is new."""
        draft = PictureDraft(PanelDraft(prompt, **panel), domain, details or {})
        with self.writing() as session:
            queued = submit_picture(session, self.policy, draft, self.defaults, _key(key, body))
            return queued.task.id, queued.is_new

    def change(self, comic: int, **changes: Any) -> None:
        """Change a comic's status, priority, parallel or title."""
        with self.writing() as session:
            change_comic(session, self.policy, comic, **changes)

    def pause(self, comic: int) -> None:
        """Pause a comic."""
        self.change(comic, status=ComicStatus.PAUSED)

    def resume(self, comic: int) -> None:
        """Resume a comic."""
        self.change(comic, status=ComicStatus.ACTIVE)

    def cancel(self, comic: int) -> None:
        """Cancel a comic."""
        self.change(comic, status=ComicStatus.CANCELLED)

    def retry(self, comic: int, *tasks: int) -> None:
        """Bring a comic's failed and cancelled tasks back, all or those named."""
        with self.writing() as session:
            retry(session, self.policy, comic, tasks or None)

    def pace(self, domain: str = CHATGPT, **rules: float) -> None:
        """Set how fast a site is given panels."""
        off = {"gap_seconds": 0, "break_after": 0, "break_seconds": 0, "daily_cap": 0}
        with self.writing() as session:
            change_pacing(session, domain, **{**off, **rules})  # type: ignore[arg-type]

    # ---- a worker

    def poll(
        self,
        worker: str = "w1",
        *,
        limit: int = 10,
        domains: Iterable[str] | None = None,
        holding: Iterable[str] | None = None,
        one_at_a_time: bool = False,
        named: bool = True,
        address: str = "127.0.0.1",
    ) -> list[HandOut]:
        """Poll."""
        poll = Poll(
            poller=Poller(worker, named, address, "Chrome"),
            limit=limit,
            domains=None if domains is None else frozenset(domains),
            holding=None if holding is None else frozenset(_receipt(text) for text in holding),
            one_at_a_time=one_at_a_time,
        )
        hand_outs = hand_out(self.writing, self.policy, poll).hand_outs
        self.hand_out_of |= {panel.receipt: one.id for one in hand_outs for panel in one.panels}
        return hand_outs

    def take(self, worker: str = "w1", **poll: Any) -> list[str]:
        """Poll; the receipts of what came."""
        return receipts(self.poll(worker, **poll))

    def tell(self, target: str | int, status: str, *, by: str = "w1", named: bool = True, **facts: Any) -> Answer:
        """Report about a receipt, a task, a hand-out or a correlationId."""
        return answer(self.outcomes((target, status, facts), by=by, named=named)[0])

    def tell_all(self, *reports: tuple[str, str], by: str = "w1") -> list[Answer]:
        """Report about several at once."""
        return [answer(one) for one in self.outcomes(*((*each, {}) for each in reports), by=by)]

    def outcomes(
        self, *reports: tuple[str | int, str, dict[str, Any]], by: str = "w1", named: bool = True
    ) -> list[Outcome]:
        """What became of several reports at once."""
        drafts = [Report(str(target), ReportStatus(status), **facts) for target, status, facts in reports]
        with self.writing() as session:
            return report(session, self.policy, Poller(by, named), drafts)

    def tell_2x(self, target: str | None, status: str, *, tab: int, by: str = "2.x") -> None:
        """Report as the 2.x extension does: from a tab, and perhaps without saying about what."""
        one = Report(target or "", ReportStatus(status), tab_id=str(tab))
        poller = Poller(by, False)
        with self.writing() as session:
            if target is None:
                give_back_held(session, self.policy, poller, one)
            elif not note_failure_of_other_tab(session, self.policy, poller, one):
                report(session, self.policy, poller, [one])

    def wear_out(self, task: int, *, by: str = "w1") -> None:
        """Let a task fail: report the failure of as many attempts as it has. Ends with no backoff set."""
        before = self.policy
        self.set(backoff_seconds=0)
        while self.status(task) != "failed":
            (receipt,) = [one for one in self.take(by) if one.startswith(f"{task}.")]
            self.tell(receipt, "failed", by=by)
        self.policy = before

    # ---- whoever looks

    def task(self, task: int) -> snapshots.TaskSnapshot:
        """One task."""
        with self.reading() as session:
            return snapshots.task(session, self.policy, task)

    def status(self, task: int) -> str:
        """The status of one task."""
        return self.task(task).status.value

    def statuses(self, comic: int) -> list[str]:
        """The statuses of a comic's tasks, in their order."""
        with self.reading() as session:
            return [task.status.value for task in snapshots.panels(session, self.policy, comic, limit=200)[0]]

    def lease(self, task: int) -> float | None:
        """Until when a task is leased, in seconds after the start."""
        return _seconds(self.task(task).leased_until)

    def comic_now(self, comic: int) -> snapshots.ComicSnapshot:
        """One comic with its progress."""
        with self.reading() as session:
            return snapshots.comic(session, self.policy, comic)

    def progress(self, comic: int) -> snapshots.Progress:
        """How far a comic is."""
        return self.comic_now(comic).progress

    def blocked(self, comic: int) -> str | None:
        """Why nothing of a comic is handed out."""
        blocked = self.progress(comic).blocked
        return blocked.reason if blocked else None

    def listed(self, *statuses: str, comic: int | None = None, worker: str | None = None) -> list[int]:
        """The tasks that a list with these filters shows."""
        wanted = snapshots.TaskFilter(frozenset(TaskStatus(word) for word in statuses), comic, worker)
        with self.reading() as session:
            return [task.id for task in snapshots.tasks(session, self.policy, wanted)[0]]

    def site(self, domain: str = CHATGPT) -> Site:
        """A site and its pacing."""
        with self.reading() as session:
            return session.get_one(Site, domain)

    def history(self, task: int) -> list[Line]:
        """The lines of a task's history after `queued`, oldest first."""
        with self.reading() as session:
            found, _ = snapshots.events(session, task)
        assert [line.type.value for line in found[:1]] == ["queued"]
        return [
            Line(
                line.type.value,
                line.attempt,
                line.worker.name if line.worker else None,
                _seconds(line.leased_until),
            )
            for line in found[1:]
        ]

    def told(self, task: int) -> list[str]:
        """The types of the lines of a task's history after `queued`, oldest first."""
        return [line.type for line in self.history(task)]

    def revision(self) -> str:
        """The token that differs whenever anything was committed."""
        with self.reading() as session:
            return revision(session)

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, to see that nothing has changed."""
        with self.reading() as session:
            return {
                table.name: [tuple(row) for row in session.execute(select(table).order_by(*table.primary_key.columns))]
                for table in Base.metadata.sorted_tables
            }


def receipts(hand_outs: Iterable[HandOut]) -> list[str]:
    """The receipts of all panels."""
    return [panel.receipt for hand_out in hand_outs for panel in hand_out.panels]


def titles(hand_outs: Iterable[HandOut]) -> list[str]:
    """The title of the comic of each panel."""
    return [hand_out.comic.title for hand_out in hand_outs for _ in hand_out.panels]


def numbers(hand_outs: Iterable[HandOut]) -> list[int]:
    """The number of each panel."""
    return [panel.number for hand_out in hand_outs for panel in hand_out.panels]


def answer(outcome: Outcome) -> Answer:
    """The status and directive that an outcome is answered with."""
    if outcome.error is not None:
        return Answer(404, outcome.directive.value)
    return Answer(409 if outcome.is_conflict else 200, outcome.directive.value)


def _drafts(panels: Panels) -> list[PanelDraft]:
    if isinstance(panels, int):
        panels = [f"Panel {number}" for number in range(1, panels + 1)]
    return [PanelDraft(panel) if isinstance(panel, str) else panel for panel in panels]


def _key(key: str | None, body: str) -> IdempotencyKey | None:
    return None if key is None else IdempotencyKey(key, body)


def _receipt(text: str) -> tuple[int, int]:
    task, attempt = text.split(".")
    return int(task), int(attempt)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else (moment - START).total_seconds()
