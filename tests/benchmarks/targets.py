"""The targets, each beside what was measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .figures import Figures, Series
from .names import (
    BY_COMICS,
    BY_SIZE,
    CLAIM_TEN,
    EMPTY,
    EMPTY_BACKOFF,
    EMPTY_ELSEWHERE,
    EMPTY_PAUSED,
    ENGINE_ONE,
    ENGINE_TEN,
    MEMORY,
    OURS,
    PGQUEUER,
    PROCRASTINATE,
    QUEUE,
    REPORT_ONE,
)
from .plan import Plan


@dataclass(frozen=True)
class Target:
    """A ratio that is to be at least, or at most, so much."""

    backend: str
    name: str
    limit: float
    value: float | None
    at_most: bool = False

    @property
    def is_met(self) -> bool | None:
        """Whether it is; None if it was not measured."""
        if self.value is None:
            return None
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    @property
    def wanted(self) -> str:
        """The limit, in words."""
        return f"{'at most' if self.at_most else 'at least'} {self.limit:.2f}"

    def as_json(self) -> dict[str, Any]:
        """To be written down."""
        return {**vars(self), "met": self.is_met}


def targets(plan: Plan, measured: Mapping[str, Figures]) -> list[Target]:
    """Every target on every backend that was measured on; what was not measured has no value."""
    return [target for name, figures in measured.items() for target in _targets(plan, name, figures)]


def _targets(plan: Plan, backend: str, figures: Figures) -> Iterator[Target]:
    usual, many = plan.usual.name, plan.by_comics[-1].name
    yield Target(backend, f"{EMPTY}, {usual}, of bare Flask", 0.80, figures.share(EMPTY, usual))
    for what in (EMPTY_ELSEWHERE, EMPTY_PAUSED, EMPTY_BACKOFF):
        yield Target(backend, f"{what}, {many}, of bare Flask", 0.80, figures.share(what, many))
    if backend == "sqlite":
        yield Target(backend, f"{CLAIM_TEN}, of bare Flask", 0.20, figures.share(CLAIM_TEN, usual))
        yield Target(backend, f"{REPORT_ONE}, of bare Flask", 0.25, figures.share(REPORT_ONE, usual))
        tail = _tail(figures.series.get((CLAIM_TEN, usual)))
        yield Target(backend, f"{CLAIM_TEN}, 8 clients, p99 to median", 5, tail, at_most=True)
    least, most = plan.by_size[0].name, plan.by_size[-1].name
    for what in BY_SIZE if most != least else ():
        yield Target(backend, f"{what}, {most} to {least}", 0.90, figures.against(what, most, least))
    for what in BY_COMICS:
        one = plan.by_comics[0].name
        yield Target(backend, f"{what}, {many} to {one}", 0.80, figures.against(what, many, one))
    if backend == "postgresql":
        for what, other in ((ENGINE_ONE, PROCRASTINATE), (ENGINE_ONE, PGQUEUER), (ENGINE_TEN, PGQUEUER)):
            yield Target(backend, f"{what}, to {other}", 1.0, figures.against(what, OURS, other))
    yield Target(backend, f"{QUEUE}, times an insert", 6, _inverse(figures.share(QUEUE, usual)), at_most=True)
    yield Target(backend, f"{MEMORY}, times a bare one", 2.5, figures.share(MEMORY, usual), at_most=True)


def _tail(series: Series | None) -> float | None:
    if series is None or series.p99 is None or not series.median:
        return None
    return series.p99 / series.median


def _inverse(share: float | None) -> float | None:
    return 1 / share if share else None
