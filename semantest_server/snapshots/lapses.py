"""Tasks as they are now: a lapsed lease has ended, whether or not a write has recorded it."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from semantest_server.models import Task, TaskStatus
from semantest_server.policy import Policy


def status_now(policy: Policy, row: Any, now: datetime) -> TaskStatus:
    """The status that is so: a task whose lease has lapsed is back in the queue, or has failed.

    `row`: a `Task`, or a row with its columns.
    """
    status: TaskStatus = row.status
    if row.leased_until is None or row.leased_until > now:
        return status
    fails = policy.lapse_fails(counted=row.counted, used=row.attempts_used, lapses=row.lapses)
    return TaskStatus.FAILED if fails else TaskStatus.QUEUED


def lapsed_tasks(session: Session, now: datetime, comic_ids: list[int]) -> list[Task]:
    statement = select(Task).where(Task.comic_id.in_(comic_ids), Task.leased_until <= now)
    return list(session.scalars(statement))


def not_lapsed(now: datetime) -> ColumnElement[bool]:
    return or_(Task.leased_until.is_(None), Task.leased_until > now)
