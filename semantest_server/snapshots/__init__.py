"""Read-only pictures of the queue at one moment.

A lapsed lease counts as ended here at once, whether or not a write has recorded it: the counters of a comic are
corrected by its lapsed tasks, of which there are never many.
"""

from semantest_server.snapshots.activity import (
    TROUBLE,
    WINDOW,
    Activity,
    EventFilter,
    Line,
    history,
    titles,
)
from semantest_server.snapshots.attempts import AttemptSnapshot, attempts
from semantest_server.snapshots.fleet import (
    Health,
    WorkerRecord,
    WorkerSnapshot,
    health,
    lapsed_since,
    sites,
    worker_records,
    workers,
)
from semantest_server.snapshots.home import ADDRESS_CHARACTERS, Home, overview
from semantest_server.snapshots.needs import Need, Rest, needs, rests
from semantest_server.snapshots.panels import (
    PanelSnapshot,
    Sort,
    neighbours,
    panel,
    panel_counts,
    panel_page,
    panels,
    picture_address,
)
from semantest_server.snapshots.progress import BLOCKED_WORDS, Blocked, ComicSnapshot, Progress, comic, comics
from semantest_server.snapshots.task_lists import (
    TaskCursor,
    TaskFilter,
    TaskSnapshot,
    events,
    find_task,
    statuses_of,
    task,
    tasks,
    tasks_by_id,
    waiting,
)

__all__ = [
    "ADDRESS_CHARACTERS",
    "BLOCKED_WORDS",
    "TROUBLE",
    "WINDOW",
    "Activity",
    "AttemptSnapshot",
    "Blocked",
    "ComicSnapshot",
    "EventFilter",
    "Health",
    "Home",
    "Line",
    "Need",
    "PanelSnapshot",
    "Progress",
    "Rest",
    "Sort",
    "TaskCursor",
    "TaskFilter",
    "TaskSnapshot",
    "WorkerRecord",
    "WorkerSnapshot",
    "attempts",
    "comic",
    "comics",
    "events",
    "find_task",
    "health",
    "history",
    "lapsed_since",
    "needs",
    "neighbours",
    "overview",
    "panel",
    "panel_counts",
    "panel_page",
    "panels",
    "picture_address",
    "rests",
    "sites",
    "statuses_of",
    "task",
    "tasks",
    "tasks_by_id",
    "titles",
    "waiting",
    "worker_records",
    "workers",
]
