"""Figures: what was measured, round by round, and what the rounds come to."""

from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from .generators import Burst, Pace, percentile


@dataclass(frozen=True)
class Figure:
    """One round: so many a second, and as many of the reference that was measured beside it."""

    rate: float
    reference: float | None = None
    median: float | None = None
    p99: float | None = None


@dataclass
class Series:
    """All rounds of one thing in one place."""

    rounds: list[Figure] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """How many a second."""
        return median(figure.rate for figure in self.rounds)

    @property
    def of_reference(self) -> float | None:
        """The share of the reference, round by round."""
        shares = [figure.rate / figure.reference for figure in self.rounds if figure.reference]
        return median(shares) if shares else None

    @property
    def median(self) -> float | None:
        """The seconds that one takes."""
        if self.latencies:
            return percentile(self.latencies, 50)
        return _median_of([figure.median for figure in self.rounds])

    @property
    def p99(self) -> float | None:
        """The seconds that one in a hundred exceeds."""
        if self.latencies:
            return percentile(self.latencies, 99)
        return _median_of([figure.p99 for figure in self.rounds])


class Figures:
    """Everything that was measured on one backend, by what it is and where."""

    def __init__(self) -> None:
        self.series: dict[tuple[str, str], Series] = defaultdict(Series)

    def add_rate(self, what: str, where: str, rate: float, reference: float | None = None) -> None:
        """Note a round of which only the rate is known."""
        self.series[what, where].rounds.append(Figure(rate, reference))

    def add_pace(self, what: str, where: str, pace: Pace, reference: Pace | None = None) -> None:
        """Note a round under load."""
        against = reference.rate if reference else None
        self.series[what, where].rounds.append(Figure(pace.rate, against, pace.median, pace.p99))

    def add_burst(self, what: str, where: str, burst: Burst, reference: Burst | None = None) -> None:
        """Note a round of which every answer was timed."""
        self.add_pace(what, where, burst.pace, reference.pace if reference else None)
        self.series[what, where].latencies += burst.latencies

    def share(self, what: str, where: str) -> float | None:
        """The share of its reference, or None if it was not measured."""
        found = self.series.get((what, where))
        return found.of_reference if found else None

    def against(self, what: str, where: str, elsewhere: str) -> float | None:
        """The rate in one place against that in another, round by round; None if one was not measured."""
        here, there = self.series.get((what, where)), self.series.get((what, elsewhere))
        if here is None or there is None:
            return None
        return median(a.rate / b.rate for a, b in zip(here.rounds, there.rounds, strict=True))

    def as_json(self) -> dict[str, Any]:
        """Every round, to be written down."""
        written: dict[str, Any] = defaultdict(dict)
        for (what, where), series in self.series.items():
            written[what][where] = {
                "perSecond": series.rate,
                "ofReference": series.of_reference,
                "medianSeconds": series.median,
                "p99Seconds": series.p99,
                "rounds": [vars(figure) for figure in series.rounds],
            }
        return written


def _median_of(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
