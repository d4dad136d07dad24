"""The task's life in plain Python: what must be so after each step, told without a database.

Written from the rules, not from the code under test. Times are seconds since the start.
"""

from dataclasses import dataclass, field

ACK, LEASE, RESEND, BACKOFF, GIVE_BACK = 60.0, 300.0, 15.0, 10.0, 30.0
MAX_ATTEMPTS, LAPSES_IN_A_ROW, WORKER_TASKS = 3, 10, 4
MAX_BACKOFF = 600.0

PROGRESS = ("delivered", "sent", "running")
SUCCESS = ("completed", "image_found")
FAILURE = ("failed", "timeout")
GIVE_BACKS = ("no_tabs", "cancelled")


@dataclass
class Attempt:
    """One time that a task was given to a worker."""

    number: int
    worker: str
    poll: int
    handed_out: float
    reported: float | None = None
    ended: str | None = None
    ended_at: float = 0.0
    resent: bool = False


@dataclass
class Task:
    """One panel. `out` and `lease` say what was last decided; `settle` lets time have its effect."""

    id: int
    comic: "Comic"
    number: int
    status: str = "queued"
    attempts: list[Attempt] = field(default_factory=list)
    lease: float = 0.0
    available: float = 0.0
    used: int = 0
    counted: bool = False
    lapses: int = 0
    fresh_from: int = 0

    @property
    def latest(self) -> Attempt:
        return self.attempts[-1]

    @property
    def is_out(self) -> bool:
        return self.status in ("leased", "running")

    def is_open(self, attempt: Attempt) -> bool:
        return attempt is self.latest and attempt.ended is None and self.status not in ("completed", "cancelled")

    def settle(self, now: float) -> None:
        """A lease that has run out is over, at once and everywhere."""
        if not self.is_out or self.lease > now:
            return
        if self.counted:
            self.status = "failed" if self.used >= MAX_ATTEMPTS else "queued"
        else:
            fails = self.lapses + 1 >= LAPSES_IN_A_ROW
            self.lapses += self.latest.number > self.fresh_from
            self.status = "failed" if fails else "queued"

    def count(self, attempt: Attempt) -> None:
        """An attempt counts once, and never if it began before the last retry."""
        if not self.counted and attempt.number > self.fresh_from:
            self.counted, self.lapses = True, 0
            self.used += 1


@dataclass
class Comic:
    """A comic and its tasks."""

    id: int
    domain: str
    parallel: int
    priority: int
    status: str = "active"
    served: float = -1.0
    tasks: list[Task] = field(default_factory=list)

    def out(self) -> int:
        return sum(task.is_out for task in self.tasks)

    def effective(self) -> str:
        unfinished = any(task.status in ("queued", "leased", "running") for task in self.tasks)
        return self.status if unfinished or self.status == "cancelled" else "finished"


class World:
    """All comics and workers."""

    def __init__(self) -> None:
        self.now = 0.0
        self.polls = 0
        self.comics: dict[int, Comic] = {}
        self.tasks: dict[int, Task] = {}
        self.missing_tabs: dict[tuple[str, str], float] = {}
        self.results: dict[int, int] = {}
        self.names: dict[tuple[int, int], str] = {}  # by poll and comic: what the server called the hand-out

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        for task in self.tasks.values():
            task.settle(self.now)

    def held_by(self, worker: str) -> list[Task]:
        return [task for task in self.tasks.values() if task.is_out and task.latest.worker == worker]

    # a poll

    def poll(
        self, worker: str, named: bool, limit: int, domains: set[str] | None, holding: set[str] | None
    ) -> dict[int, list[str]]:
        """What a poll gives: by comic, the receipts in panel order."""
        self.polls += 1
        if holding:
            self._renew(worker, holding)
        given = self._resend(worker, limit, domains, holding) if named and holding is not None else []
        room = min(limit - len(given), WORKER_TASKS - len(self.held_by(worker)))
        open_comics = [comic for comic in self.comics.values() if self._is_open(comic, worker, domains)]
        for comic in sorted(open_comics, key=lambda c: (c.priority, c.out(), c.served, c.id)):
            for task in self._next(comic, worker)[: max(0, min(room, comic.parallel - comic.out()))]:
                self._hand_out(task, worker, ACK if named else LEASE)
                given.append(task)
                room -= 1
                comic.served = self.now
        found: dict[int, list[str]] = {}
        for task in sorted(given, key=lambda t: t.number):
            found.setdefault(task.comic.id, []).append(f"{task.id}.{task.latest.number}")
        return found

    def _renew(self, worker: str, holding: set[str]) -> None:
        for task in self.tasks.values():
            if not task.attempts or f"{task.id}.{task.latest.number}" not in holding:
                continue
            if task.is_open(task.latest) and task.latest.worker == worker:
                self._extend(task, task.latest)

    def _resend(self, worker: str, limit: int, domains: set[str] | None, holding: set[str]) -> list[Task]:
        lost = [
            task
            for task in sorted(self.held_by(worker), key=lambda t: (t.id,))
            if f"{task.id}.{task.latest.number}" not in holding
            and not task.latest.resent
            and task.latest.handed_out < self.now - RESEND
            and (task.latest.reported is None or task.latest.reported < self.now - RESEND)
            and task.comic.status == "active"
            and (domains is None or task.comic.domain in domains)
            and self._has_tab(worker, task.comic.domain)
        ][:limit]
        for task in lost:
            task.latest.resent, task.latest.poll = True, self.polls
            task.lease = max(task.lease, self.now + ACK)
        return lost

    def _is_open(self, comic: Comic, worker: str, domains: set[str] | None) -> bool:
        wanted = domains is None or comic.domain in domains
        return comic.status == "active" and self._has_tab(worker, comic.domain) and wanted

    def _has_tab(self, worker: str, domain: str) -> bool:
        return self.missing_tabs.get((worker, domain), -1.0) <= self.now

    def _next(self, comic: Comic, worker: str) -> list[Task]:
        def barred(task: Task) -> bool:
            return any(
                a.worker == worker and a.ended == "given_back" and a.ended_at > self.now - GIVE_BACK
                for a in task.attempts
            )

        waiting = (task for task in comic.tasks if task.status == "queued" and task.available <= self.now)
        return sorted((task for task in waiting if not barred(task)), key=lambda task: task.number)

    def _hand_out(self, task: Task, worker: str, lease: float) -> None:
        task.attempts.append(Attempt(len(task.attempts) + 1, worker, self.polls, self.now))
        task.status, task.counted, task.lease = "leased", False, self.now + lease

    def _extend(self, task: Task, attempt: Attempt) -> None:
        if not task.is_out:
            if not task.counted and attempt.number > task.fresh_from:
                task.lapses = max(0, task.lapses - 1)
            task.status = "leased" if attempt.reported is None else "running"
        task.lease, task.available = self.now + LEASE, 0.0

    # a report

    def report(self, receipts: list[str], word: str, *, whole: bool, foreign: bool) -> dict[str, str]:
        """What becomes of a report about attempts: by receipt `accepted`, `stop` or `conflict`.

        `whole`: it is about a hand-out; `foreign`: it is about a task by id, from another worker that names itself.
        """
        verdicts = {}
        for receipt in receipts:
            task, attempt = self.find(receipt)
            verdicts[receipt] = self._apply(task, attempt, word, whole=whole, foreign=foreign)
        if any(verdict != "conflict" for verdict in verdicts.values()):
            polls = {self.find(receipt)[1].poll for receipt in receipts}
            for task in self.tasks.values():
                if task.attempts and task.latest.poll in polls and task.is_open(task.latest):
                    self._extend(task, task.latest)
        return verdicts

    def find(self, receipt: str) -> tuple[Task, Attempt]:
        task_id, number = receipt.split(".")
        task = self.tasks[int(task_id)]
        return task, task.attempts[int(number) - 1]

    def _apply(self, task: Task, attempt: Attempt, word: str, *, whole: bool, foreign: bool) -> str:
        if word in SUCCESS:
            if task.status == "completed" or (whole and attempt.ended in ("failed", "given_back")):
                return "stop"
            self._complete(task, attempt)
            return "accepted"
        if foreign and word in (*PROGRESS, *FAILURE) and task.is_open(attempt):
            return "conflict"
        if task.status in ("completed", "cancelled"):
            return "stop"
        if task.is_open(attempt):
            return self._apply_open(task, attempt, word)
        same = (word in FAILURE and attempt.ended == "failed") or (word in GIVE_BACKS and attempt.ended == "given_back")
        return "stop" if same else "conflict"

    def _apply_open(self, task: Task, attempt: Attempt, word: str) -> str:
        if word in PROGRESS:
            self._extend(task, attempt)
            if word != "delivered":
                task.count(attempt)
            task.status, attempt.reported = "running", self.now
            return "accepted"
        attempt.reported = attempt.ended_at = self.now
        if word in FAILURE:
            task.count(attempt)
            attempt.ended = "failed"
            task.status = "failed" if task.used >= MAX_ATTEMPTS else "queued"
            task.available = self.now + min(BACKOFF * 2 ** (max(task.used, 1) - 1), MAX_BACKOFF)
            return "accepted"
        attempt.ended, task.status, task.available, task.lapses = "given_back", "queued", 0.0, 0
        if word == "no_tabs":
            self.missing_tabs[attempt.worker, task.comic.domain] = self.now + GIVE_BACK
        return "stop"

    def _complete(self, task: Task, attempt: Attempt) -> None:
        attempt.reported = attempt.ended_at = self.now
        attempt.ended, task.status = "completed", "completed"
        self.results[task.id] = self.results.get(task.id, 0) + 1

    # a person

    def set_status(self, comic: Comic, status: str) -> bool:
        """Whether it can be done; a comic that is over has no status to change."""
        if comic.effective() in ("finished", "cancelled"):
            return False
        comic.status = status
        if status == "cancelled":
            for task in comic.tasks:
                task.status = task.status if task.status == "completed" else "cancelled"
        return True

    def retry(self, comic: Comic) -> None:
        for task in comic.tasks:
            if task.status in ("failed", "cancelled"):
                task.status, task.available, task.used, task.counted, task.lapses = "queued", 0.0, 0, False, 0
                task.fresh_from = len(task.attempts)
                comic.status = "active" if comic.status == "cancelled" else comic.status
