"""What one request of each kind costs, asked alone, right after a fleet and on the queue that it has left."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from .browsers import PANELS_PER_POLL
from .effort import Part, effort, since
from .generators import burst
from .messages import Answer, request

ROUND, EACH = 500, 20  # requests at most: in all, and of one worker
CLAIMS = 100


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one request by the part of the server that spent them."""

    count: int
    seconds: dict[str, float]

    @property
    def milliseconds(self) -> float:
        """Of all parts, in ms."""
        return sum(self.seconds.values()) * 1000


def errands(
    port: int, parts: list[Part], idle: Sequence[str], full: Sequence[tuple[str, list[str]]], sites: tuple[str, str]
) -> dict[str, Cost]:
    """Run them; `idle`: workers without panels, `full`: workers with what they hold, `sites`: with and without work."""
    costs: dict[str, Cost] = {}

    def run(name: str, requests: list[bytes]) -> list[Answer]:
        before = effort(parts)
        answers = burst(port, requests, clients=1, statuses=(200,)).answers if requests else []
        spent = since(before, effort(parts))
        if requests:
            costs[name] = Cost(len(requests), {part: seconds / len(requests) for part, seconds in spent.items()})
        return answers

    busy_site, idle_site = sites
    run("empty poll, while others draw", [_poll(name, idle_site) for name in islice(cycle(idle), _round(idle))])
    run("poll with 10 panels in hand", [_poll(*one) for one in _holding(full, busy_site)])
    _draw_some(run, idle[:CLAIMS], busy_site)
    return costs


def _draw_some(run: Callable[[str, list[bytes]], list[Answer]], workers: Sequence[str], site: str) -> None:
    given = [
        (name, hand_out["id"], [panel["id"] for panel in hand_out["payload"]["panels"]])
        for name, answer in zip(
            workers,
            run(f"poll that claims {PANELS_PER_POLL}", [_poll(name, site) for name in workers]),
            strict=False,
        )
        for hand_out in answer.json
    ]
    owned = [(name, receipt) for name, _, receipts in given for receipt in receipts]
    picture = {"status": "completed", "imageUrl": "https://example.com/a.png"}
    run(
        "report delivered, of a hand-out", [_report(name, target, {"status": "delivered"}) for name, target, _ in given]
    )
    run("report running", [_report(name, receipt, {"status": "running"}) for name, receipt in owned])
    run("report completed", [_report(name, receipt, picture) for name, receipt in owned])


def _holding(full: Sequence[tuple[str, list[str]]], site: str) -> Iterator[tuple[str, str, list[str]]]:
    for name, receipts in islice(cycle(full), _round(full)):
        yield name, site, receipts


def _round(workers: Sequence[object]) -> int:
    return min(ROUND, EACH * len(workers))


def _poll(name: str, site: str, receipts: Sequence[str] = ()) -> bytes:
    path = f"/tasks/pending?limit={PANELS_PER_POLL}&domain={site}&holding={','.join(receipts)}"
    return request("GET", path, headers={"X-Worker-Id": name})


def _report(name: str, target: str, body: dict[str, str]) -> bytes:
    return request("PATCH", f"/tasks/{target}", body, {"X-Worker-Id": name})
