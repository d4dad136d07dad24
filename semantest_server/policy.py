"""The rules of the queue as pure functions: backoff, leases, poll intervals, pacing, the remaining time."""

import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

MAX_BACKOFF_SECONDS = 600
BACKOFF_JITTER = 0.2
LAPSES_IN_A_ROW = 10
ETA_COMPLETIONS = 20
ETA_LEAST_COMPLETIONS = 3
ETA_LONGEST_GAP_SECONDS = 600
IDLE_GROWTH = 0.1
POLL_JITTER = 0.2


@dataclass(frozen=True)
class Policy:
    """The numbers that the queue obeys; times in seconds. `config.py` reads them from the settings."""

    ack_seconds: float = 60
    lease_seconds: float = 300
    resend_seconds: float = 15
    max_attempts: int = 3
    backoff_seconds: float = 10
    give_back_seconds: float = 30
    worker_tasks: int = 10
    poll_seconds: float = 5
    idle_poll_seconds: float = 30

    @property
    def ack(self) -> timedelta:
        """How long a worker that names itself has to send a first report."""
        return timedelta(seconds=self.ack_seconds)

    @property
    def lease(self) -> timedelta:
        """How long an attempt is a worker's after its last report."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def resend(self) -> timedelta:
        """How long an attempt must have been silent before it is sent again."""
        return timedelta(seconds=self.resend_seconds)

    @property
    def give_back(self) -> timedelta:
        """How long a worker does not get what it gave back."""
        return timedelta(seconds=self.give_back_seconds)

    def first_lease(self, named: bool) -> timedelta:
        """The lease of a new attempt: short for a worker that names itself, since it will acknowledge."""
        return self.ack if named else self.lease

    def attempts_left(self, used: int) -> int:
        """How many more attempts may count before the task fails."""
        return max(0, self.max_attempts - used)

    def lapse_fails(self, *, counted: bool, used: int, lapses: int) -> bool:
        """Whether a task fails when its lease runs out now.

        `counted`: this attempt has used up one of the allowed ones; `used`: how many are; `lapses`: how many
        attempts in a row had lapsed uncounted before this one.
        """
        if counted:
            return used >= self.max_attempts
        return lapses + 1 >= LAPSES_IN_A_ROW

    def backoff(self, failures: int, chance: random.Random | None = None) -> timedelta:
        """The wait after the n-th counted failure: base × 2^(n−1), at most 10 min, ±20 %."""
        doubled = self.backoff_seconds * 2.0 ** min(max(failures, 1) - 1, 32)
        return timedelta(seconds=min(doubled, MAX_BACKOFF_SECONDS) * _jitter(BACKOFF_JITTER, chance))

    def poll_interval(self, idle: timedelta | None, chance: random.Random | None = None) -> int:
        """The seconds until the next poll: short while there is work (`idle` is None), longer the longer not.

        The jitter only shortens, so that the longest interval is never above the alarm it was chosen for.
        """
        seconds = self.poll_seconds
        if idle is not None:
            seconds = min(max(seconds, idle.total_seconds() * IDLE_GROWTH), self.idle_poll_seconds)
        chance = chance or _chance
        return max(1, round(seconds * chance.uniform(1 - POLL_JITTER, 1)))


@dataclass(frozen=True)
class Pacing:
    """How fast a site may be given panels, and what it has been given; 0 turns a rule off. Times in seconds."""

    gap_seconds: float = 0
    break_after: int = 0
    break_seconds: float = 0
    daily_cap: int = 0
    handed_out_at: datetime | None = None
    since_break: int = 0
    break_until: datetime | None = None
    day: str = ""
    today: int = 0

    @property
    def is_on(self) -> bool:
        """Whether any rule is set."""
        return bool(self.gap_seconds or (self.break_after and self.break_seconds) or self.daily_cap)

    def allowance(self, now: datetime, most: int) -> int:
        """How many panels, `most` at most, the site may be given at `now`."""
        if self.held_until(now) is not None:
            return 0
        allowed = most
        if self.gap_seconds:
            allowed = min(allowed, 1)
        if self.break_after and self.break_seconds:
            allowed = min(allowed, self.break_after - self.since_break)
        if self.daily_cap:
            allowed = min(allowed, self.daily_cap - self.handed_out_on(now))
        return max(0, allowed)

    def held_until(self, now: datetime) -> tuple[str, datetime] | None:
        """Why and until when the site gets nothing at `now`: `("daily_cap" or "pacing", time)`, or None."""
        return max(self._holds(now), key=lambda hold: hold[1], default=None)

    def _holds(self, now: datetime) -> Iterator[tuple[str, datetime]]:
        if self.daily_cap and self.handed_out_on(now) >= self.daily_cap:
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            yield "daily_cap", midnight
        if self.break_after and self.break_until is not None and now < self.break_until:
            yield "pacing", self.break_until
        if self.gap_seconds and self.handed_out_at is not None:
            until = self.handed_out_at + timedelta(seconds=self.gap_seconds)
            if now < until:
                yield "pacing", until

    def after(self, now: datetime, count: int) -> "Pacing":
        """The state once `count` panels have been handed out at `now`."""
        since_break, break_until = self.since_break + count, self.break_until
        if self.break_after and since_break >= self.break_after:
            since_break, break_until = 0, now + timedelta(seconds=self.break_seconds)
        return Pacing(
            gap_seconds=self.gap_seconds,
            break_after=self.break_after,
            break_seconds=self.break_seconds,
            daily_cap=self.daily_cap,
            handed_out_at=now,
            since_break=since_break,
            break_until=break_until,
            day=_day(now),
            today=self.handed_out_on(now) + count,
        )

    def handed_out_on(self, now: datetime) -> int:
        """How many panels it was given on the UTC day of `now`."""
        return self.today if self.day == _day(now) else 0


@dataclass(frozen=True)
class SiteDefaults:
    """The site that draws when none is named, and the pacing that a site starts with."""

    domain: str
    pacing: Pacing


def remaining_seconds(remaining: int, completions: Sequence[float], pacing: Pacing | None = None) -> float | None:
    """The time until a comic is done, in seconds, or None while fewer than 3 panels are completed.

    `completions`: when the last panels were completed, in seconds on a clock that stands still while the comic
    is paused, oldest first. Remaining × span ÷ (count − 1); gaps over 10 min count as nothing; the breaks that
    the site will still take are added.
    """
    average = average_seconds(completions)
    if average is None:
        return None
    seconds = remaining * average
    if pacing is not None and pacing.break_after and pacing.break_seconds:
        seconds += max(remaining + pacing.since_break - 1, 0) // pacing.break_after * pacing.break_seconds
    return seconds


def average_seconds(completions: Sequence[float]) -> float | None:
    """The time from one of the last completions to the next, in seconds, or None while there are fewer than 3.

    Panels that are drawn side by side make it shorter. `completions` are as in `remaining_seconds`.
    """
    recent = list(completions)[-ETA_COMPLETIONS:]
    if len(recent) < ETA_LEAST_COMPLETIONS:
        return None
    gaps = [later - earlier for earlier, later in pairwise(recent)]
    return sum(gap for gap in gaps if gap <= ETA_LONGEST_GAP_SECONDS) / (len(recent) - 1)


def remaining_text(seconds: float) -> str:
    """The remaining time as a person would say it: `47 minutes remaining`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute remaining"
    if minutes < 60:
        return f"{_count(minutes, 'minute')} remaining"
    hours, minutes = divmod(minutes, 60)
    if hours >= 24:
        days, hours = divmod(hours, 24)
        return (
            f"{_count(days, 'day')} {_count(hours, 'hour')} remaining" if hours else f"{_count(days, 'day')} remaining"
        )
    return (
        f"{_count(hours, 'hour')} {_count(minutes, 'minute')} remaining"
        if minutes
        else f"{_count(hours, 'hour')} remaining"
    )


_chance = random.Random()  # noqa: S311 - spreads load; nothing secret depends on it  # nosec B311
os.register_at_fork(after_in_child=_chance.seed)  # or the processes of a server would all draw the same


def _jitter(share: float, chance: random.Random | None) -> float:
    return (chance or _chance).uniform(1 - share, 1 + share)


def _day(now: datetime) -> str:
    return now.date().isoformat()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
