"""Taking reports: those that come to one process at the same time are applied in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Flask, current_app

from semantest_server import snapshots
from semantest_server.api.asking import policy, poller
from semantest_server.database import db
from semantest_server.queue.report import report_all
from semantest_server.queue.statuses import Outcome, Report
from semantest_server.queue.workers import Poller
from semantest_server.together import Together

EXTENSION = "semantest_reports"


@dataclass(frozen=True)
class Reported:
    """What became of reports, in their order, and the tasks that they were about, as they are now."""

    outcomes: list[Outcome]
    tasks: dict[int, snapshots.TaskSnapshot]


Reports = tuple[Poller, Sequence[Report]]


def init_app(app: Flask) -> None:
    """Take reports together: a transaction costs much more than one more report in it."""
    app.extensions[EXTENSION] = Together(_apply)


def take_reports(reports: Sequence[Report]) -> Reported:
    """Apply the reports of whoever asks; once this returns, they are on disk."""
    together: Together[Reports, Reported] = current_app.extensions[EXTENSION]
    return together((poller(), reports))


def _apply(waiting: Callable[[], list[Reports]]) -> list[Reported]:
    with db.writing() as session:
        requests = waiting()  # now that it is our turn to write; more have come meanwhile
        every = [(reporter, one) for reporter, reports in requests for one in reports]
        outcomes = report_all(session, policy(), every)
        task_ids = {task_id for outcome in outcomes for task_id in outcome.verdicts}
        tasks = snapshots.tasks_by_id(session, policy(), task_ids)
    told = iter(outcomes)
    return [Reported([next(told) for _ in reports], tasks) for _, reports in requests]
