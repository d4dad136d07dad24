"""How much is measured: the sizes, and the number and length of the rounds."""

from dataclasses import dataclass

from .lanes import POLLERS, Shape, of_comics, of_size

DEFAULT_TASKS = 100_000


@dataclass(frozen=True)
class Plan:
    """The numbers of a run. Seconds are of load by one generator on one thing in one round."""

    sizes: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    comics: tuple[int, int] = (1, 10_000)
    comics_tasks: int = 100_000
    poller_count: int = 1_000
    load_rounds: int = 9
    load_seconds: float = 1
    draw_panels: int = 400
    draw_rounds: int = 40
    draw_seconds: float = 200
    queue_rounds: int = 5
    engine_rounds: int = 5
    engine_tasks: int = 2_000

    @property
    def pollers(self) -> list[str]:
        """Workers that are given nothing."""
        return POLLERS[: self.poller_count]

    @property
    def by_size(self) -> list[Shape]:
        """A lane for each size."""
        return [of_size(tasks, self.draw_panels) for tasks in self.sizes]

    @property
    def by_comics(self) -> list[Shape]:
        """A lane for each number of comics."""
        return [of_comics(comics, self.comics_tasks, self.draw_panels) for comics in self.comics]

    @property
    def usual(self) -> Shape:
        """The lane that is compared with bare Flask."""
        fitting = [shape for tasks, shape in zip(self.sizes, self.by_size, strict=True) if tasks <= DEFAULT_TASKS]
        return (fitting or self.by_size)[-1]


FULL = Plan()
QUICK = Plan(
    sizes=(1_000, 10_000),
    comics=(1, 1_000),
    comics_tasks=10_000,
    poller_count=100,
    load_rounds=1,
    load_seconds=0.3,
    draw_panels=80,
    draw_rounds=1,
    queue_rounds=1,
    engine_rounds=1,
    engine_tasks=200,
)
