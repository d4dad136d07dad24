"""Queueing a long comic in one request, against inserting the same rows."""

import time
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, insert, select

from semantest_server.models import Comic, Event, Task

from .. import filling
from .generators import burst
from .lanes import Lane
from .messages import request
from .names import QUEUE
from .sections import Bench

PANELS = 10_000
TITLE, FOLDER = "A long comic", "a-long-comic"


def queueing(bench: Bench) -> None:
    """Queue a comic over HTTP and insert it past the server, in turn."""
    prompts = [f"The hero enters a cave, and something moves in the dark: panel {n}" for n in range(1, PANELS + 1)]
    body = request("POST", "/comics", {"title": TITLE, "prompts": prompts, "downloadFolder": FOLDER})
    for times in range(-1, bench.plan.queue_rounds):
        for lane in bench.by_size:
            inserted = _insert(lane, prompts)
            made = burst(lane.port, [body], clients=1, statuses=(201,))
            _delete(lane, int(made.answers[0].json["id"]))
            if times >= 0:
                bench.figures.add_rate(QUEUE, lane.shape.name, 1 / made.seconds, 1 / inserted)


def _insert(lane: Lane, prompts: list[str]) -> float:
    """Insert the comic and its tasks in one transaction, and delete them again; the seconds that inserting took."""
    now = datetime.now(UTC)
    times = {"created_at": now, "updated_at": now}
    comic = {"title": TITLE, "parallel": 10, "domain": filling.DOMAIN, "download_folder": FOLDER, **times}
    begun = time.perf_counter()
    with lane.engine.begin() as connection:
        made = insert(Comic).values(**comic, ready=len(prompts)).returning(Comic.id)
        comic_id = connection.execute(made).scalar_one()
        connection.execute(insert(Task), [_row(comic_id, n, prompt, times) for n, prompt in enumerate(prompts, 1)])
    seconds = time.perf_counter() - begun
    _delete(lane, comic_id)
    return seconds


def _row(comic_id: int, number: int, prompt: str, times: dict[str, Any]) -> dict[str, Any]:
    return {
        "comic_id": comic_id,
        "number": number,
        "position": number,
        "prompt": prompt,
        "output_path": f"panel-{number:03d}.png",
        "download_folder": FOLDER,
        "style": None,
        "correlation_id": None,
        **times,
    }


def _delete(lane: Lane, comic_id: int) -> None:
    with lane.engine.begin() as connection:
        connection.execute(delete(Event).where(Event.task_id.in_(select(Task.id).where(Task.comic_id == comic_id))))
        connection.execute(delete(Task).where(Task.comic_id == comic_id))
        connection.execute(delete(Comic).where(Comic.id == comic_id))
        filling.changed(connection)
    lane.tidy()
