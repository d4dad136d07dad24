"""What needs a person, as far as the server can see."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from semantest_server.models import ComicStatus
from semantest_server.snapshots.fleet import WorkerSnapshot
from semantest_server.snapshots.home import Home
from semantest_server.snapshots.progress import ComicSnapshot


@dataclass(frozen=True)
class Need:
    """One thing that a person can mend.

    `kind`: `no_worker` (`worker` is the last seen one), `no_tab` for a site in a worker, `held` worker, `daily_cap`
    of a site until then, `failed` panels of the comics, or `paused` comics.
    """

    kind: str
    worker: WorkerSnapshot | None = None
    domain: str | None = None
    until: datetime | None = None
    comics: list[ComicSnapshot] = field(default_factory=list)


@dataclass(frozen=True)
class Rest:
    """A break that a site takes by itself: nobody need do anything."""

    domain: str
    until: datetime


def needs(home: Home) -> list[Need]:
    """What needs a person, what holds up most first."""
    return [*_of_workers(home), *_of_sites(home), *_of_comics(home)]


def rests(home: Home) -> list[Rest]:
    """The sites that rest for a minute or more while something waits for them."""
    holds = {domain: home.sites[domain].pacing.held_until(home.now) for domain in sorted(home.waiting_for)}
    return [
        Rest(domain, hold[1])
        for domain, hold in holds.items()
        if hold and hold[0] == "pacing" and (hold[1] - home.now).total_seconds() >= 60
    ]


def _of_workers(home: Home) -> Iterator[Need]:
    if home.waiting_for and not home.connected:
        yield Need("no_worker", worker=home.workers[0] if home.workers else None)
    for worker in home.connected:
        for domain in worker.missing_tabs:
            if domain in home.waiting_for:
                yield Need("no_tab", worker=worker, domain=domain)
    yield from (Need("held", worker=worker) for worker in home.connected if worker.held)


def _of_sites(home: Home) -> Iterator[Need]:
    for domain in sorted(home.waiting_for):
        hold = home.sites[domain].pacing.held_until(home.now)
        if hold and hold[0] == "daily_cap":
            yield Need("daily_cap", domain=domain, until=hold[1])


def _of_comics(home: Home) -> Iterator[Need]:
    yield from (Need("failed", comics=[one]) for one in [*home.unfinished, *home.finished] if one.progress.failed)
    paused = [one for one in home.unfinished if one.status is ComicStatus.PAUSED]
    if paused:
        yield Need("paused", comics=paused)
