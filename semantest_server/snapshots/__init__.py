"""Read-only pictures of the queue at one moment.

A lapsed lease counts as ended here at once, whether or not a write has recorded it: the counters of a comic are
corrected by its lapsed tasks, of which there are never many.
"""

from semantest_server.snapshots.fleet import (
    Health,
    WorkerSnapshot,
    health,
    lapsed_since,
    sites,
    workers,
)
from semantest_server.snapshots.progress import BLOCKED_WORDS, Blocked, ComicSnapshot, Progress, comic, comics
from semantest_server.snapshots.task_lists import (
    TaskCursor,
    TaskFilter,
    TaskSnapshot,
    events,
    find_task,
    panels,
    statuses_of,
    task,
    tasks,
    tasks_by_id,
    waiting,
)

__all__ = [
    "BLOCKED_WORDS",
    "Blocked",
    "ComicSnapshot",
    "Health",
    "Progress",
    "TaskCursor",
    "TaskFilter",
    "TaskSnapshot",
    "WorkerSnapshot",
    "comic",
    "comics",
    "events",
    "find_task",
    "health",
    "lapsed_since",
    "panels",
    "sites",
    "statuses_of",
    "task",
    "tasks",
    "tasks_by_id",
    "waiting",
    "workers",
]
