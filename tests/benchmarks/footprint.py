"""What a worker process of the server takes of the machine's memory, and what a bare one takes."""

from pathlib import Path

from .databases import Backend
from .figures import Figures
from .generators import NOTHING, burst
from .lanes import OTHER_SITE, lane, poll
from .messages import request
from .names import MEMORY
from .plan import Plan
from .sections import draw
from .servers import bare

ROUNDS = 2


def footprint(plan: Plan, backend: Backend, folder: Path, figures: Figures) -> None:
    """Ask many things of either, alone, since what several programs share counts less."""
    with bare(folder / "bare-alone") as server:
        burst(server.port, [NOTHING] * ROUNDS * len(plan.pollers))
        least = server.memory()
    with lane(backend, folder / "alone", plan.usual) as alone:
        for _ in range(ROUNDS):
            burst(alone.port, [poll(name, domain=OTHER_SITE) for name in plan.pollers])
            burst(alone.port, [request("GET", path) for path in ("/tasks", "/comics", "/comics/1")])
            draw(alone)
        figures.add_rate(MEMORY, plan.usual.name, alone.server.memory(), least)
