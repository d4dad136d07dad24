"""What a fleet has shown: for people, and to be written down."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .browsers import DRAWING_SECONDS, REPORT, Stretch
from .errands import Cost
from .generators import percentile
from .verdict import Verdict

IDLE, WORKING = "nothing queued", "half of the browsers draw"
WORKER_TASKS = 10  # what a browser takes in advance
PERCENTS = (50, 95, 99, 100)


@dataclass(frozen=True)
class Plan:
    """A run: how many browsers, for how many seconds, by what their times are divided, and the seed."""

    workers: int = 1000
    seconds: float = 120
    speed: float = 1
    seed: str = "1"

    @property
    def drawing(self) -> int:
        """The browsers that find work."""
        return max(1, self.workers // 2)

    @property
    def panels(self) -> int:
        """As many as the fleet can take, whatever happens."""
        fastest = self.seconds * self.speed / DRAWING_SECONDS[0]
        return self.drawing * (WORKER_TASKS + round(fastest) + 1)


@dataclass(frozen=True)
class Phase:
    """A part of the run, measured: its seconds, what happened, and the CPU seconds of the server's parts and ours."""

    name: str
    seconds: float
    stretch: Stretch
    spent: dict[str, float]
    own_seconds: float

    def count(self, kind: str) -> int:
        """How many requests of a kind were answered."""
        return len(self.stretch.latencies.get(kind, ()))


@dataclass(frozen=True)
class Result:
    """All that a run has shown."""

    plan: Plan
    phases: list[Phase]
    memory: dict[str, float]
    load_average: float
    died: int
    verdict: Verdict
    costs: dict[str, Cost]


def as_text(backend: str, machine: Mapping[str, Any], result: Result) -> str:
    """The run, for a person."""
    return "\n".join(_lines(backend, machine, result))


def as_json(backend: str, machine: Mapping[str, Any], result: Result) -> dict[str, Any]:
    """The run, to be written down."""
    return {
        "backend": backend,
        "machine": dict(machine),
        "plan": asdict(result.plan),
        "phases": [_phase_json(phase) for phase in result.phases],
        "memoryMib": result.memory,
        "loadAverage": result.load_average,
        "died": result.died,
        "verdict": vars(result.verdict),
        "milliseconds": {name: _milliseconds(cost.seconds) for name, cost in result.costs.items()},
    }


def _lines(backend: str, machine: Mapping[str, Any], result: Result) -> Iterator[str]:
    plan, found = result.plan, result.verdict
    yield f"{plan.workers:,} browsers, {plan.seconds:g} s, {backend}, speed {plan.speed:g}, seed {plan.seed}"
    yield ", ".join(f"{name}: {value}" for name, value in machine.items() if name != "libraries")
    for phase in result.phases:
        yield ""
        yield from _phase_lines(phase)
    yield ""
    yield "One request, asked alone, in CPU ms: what is asked, of all parts, of each"
    for name, cost in result.costs.items():
        each = ", ".join(f"{part} {value:.2f}" for part, value in _milliseconds(cost.seconds).items())
        yield f"  {name:<32} {cost.milliseconds:8.2f}   {each}"
    yield ""
    memory = ", ".join(f"{part} {value:,.0f} MiB" for part, value in result.memory.items())
    yield f"memory: {memory}; load average of the machine: {result.load_average:.2f}; browsers that died: {result.died}"
    yield f"panels: {', '.join(f'{count:,} {what}' for what, count in found.panels.most_common())}"
    yield f"doubles: {len(found.doubles)}, losses: {len(found.losses)}, reports forgotten: {len(found.forgotten)}"
    yield from (f"  {text}" for text in [*found.doubles, *found.losses, *found.forgotten][:10])


def _phase_lines(phase: Phase) -> Iterator[str]:
    reports = phase.count(REPORT)
    polls = sum(map(phase.count, phase.stretch.latencies)) - reports
    cpu = sum(phase.spent.values())
    rates = f"{polls / phase.seconds:.0f} polls/s, {reports / phase.seconds:.0f} reports/s"
    yield f"{phase.name}, {phase.seconds:.0f} s: {rates}"
    yield f"  {'latency in ms':<26}" + "".join(f"{_percent(percent):>9}" for percent in PERCENTS) + f"{'count':>10}"
    for kind, latencies in sorted(phase.stretch.latencies.items()):
        values = "".join(f"{percentile(latencies, percent) * 1000:9.1f}" for percent in PERCENTS)
        yield f"  {kind:<26}{values}{len(latencies):10,}"
    each = ", ".join(f"{part} {seconds / phase.seconds:.1%}" for part, seconds in phase.spent.items())
    yield f"  server: {cpu:.2f} s CPU, {cpu / phase.seconds:.1%} of one core ({each})"
    if polls:
        yield f"  {cpu / polls * 1000:.2f} ms CPU a poll, {cpu / (polls + reports) * 1000:.2f} ms a request"
    yield f"  the browsers themselves: {phase.own_seconds / phase.seconds:.1%} of one core"
    stretch = phase.stretch
    yield (
        f"  errors: {_counts(stretch.refused)} refused, {_counts(stretch.unanswered)} unanswered;"
        f" answers thrown away on purpose: {stretch.thrown_away}; connections opened: {stretch.connections:,}"
    )


def _phase_json(phase: Phase) -> dict[str, Any]:
    return {
        "name": phase.name,
        "seconds": phase.seconds,
        "counts": {kind: len(latencies) for kind, latencies in phase.stretch.latencies.items()},
        "latencySeconds": {
            kind: {_percent(percent): percentile(latencies, percent) for percent in PERCENTS}
            for kind, latencies in phase.stretch.latencies.items()
        },
        "refused": phase.stretch.refused,
        "unanswered": phase.stretch.unanswered,
        "thrownAway": phase.stretch.thrown_away,
        "connectionsOpened": phase.stretch.connections,
        "cpuSeconds": phase.spent,
        "ownCpuSeconds": phase.own_seconds,
    }


def _milliseconds(seconds: Mapping[str, float]) -> dict[str, float]:
    return {part: value * 1000 for part, value in seconds.items()}


def _percent(percent: int) -> str:
    return "max" if percent == 100 else f"p{percent}"


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{count} × {what}" for what, count in counter.items()) or "0"
