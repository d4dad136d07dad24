"""The words of panels that wait or have failed: edited one by one, or found and replaced in many."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

from sqlalchemy import Row, bindparam, or_, select, update
from sqlalchemy.orm import Session

from semantest_server.errors import Conflict, FieldError, Invalid, NotFound, RaceLost
from semantest_server.models import PROMPT_CHARACTERS, STYLE_CHARACTERS, EventType, Task, TaskStatus
from semantest_server.policy import Policy
from semantest_server.queue.bulk import open_comic, retry_all
from semantest_server.queue.drafts import MOST_PANELS, PLACES, text_errors
from semantest_server.queue.journal import Journal, lock_correlation_ids
from semantest_server.queue.styles import styles
from semantest_server.replacement import Replacement
from semantest_server.selection import Selection

TaskRow = Row[Any]
EDITABLE = (TaskStatus.QUEUED, TaskStatus.FAILED)
DIGEST_CHARACTERS = 8
STATES = {
    TaskStatus.LEASED: "is being drawn",
    TaskStatus.RUNNING: "is being drawn",
    TaskStatus.COMPLETED: "is drawn already",
    TaskStatus.CANCELLED: "is cancelled",
}
REWORD = (
    update(Task)
    .where(
        Task.id == bindparam("of_task"),
        Task.prompt == bindparam("was"),
        or_(*(Task.status == status for status in EDITABLE)),  # in many rows at once, no list can be bound
    )
    .values(prompt=bindparam("new"), updated_at=bindparam("now"))
)


@dataclass(frozen=True)
class Wording:
    """All that can be edited of a panel; None is nothing. `style` as chosen: None is the comic's."""

    prompt: str
    style: str | None = None
    chapter: str | None = None
    strip: str | None = None
    caption: str | None = None
    speech: str | None = None
    notes: str | None = None

    @property
    def version(self) -> str:
        """What differs whenever any of it does."""
        return _digest(repr([getattr(self, name) for name in WORDS]))


WORDS = [field.name for field in fields(Wording)]


@dataclass(frozen=True)
class Change:
    """What a replacement does to the prompt of one task. `errors` say why it cannot be done, and it stays."""

    id: int
    comic_id: int
    number: int
    status: TaskStatus
    before: str
    after: str
    errors: tuple[str, ...] = ()

    @property
    def seen(self) -> str:
        """What tells whether the prompt is still the one that was shown."""
        return _digest(self.before)


@dataclass(frozen=True)
class Replaced:
    """How many prompts were changed, were not because they had changed meanwhile, and were queued again."""

    changed: int
    left_alone: int
    retried: int


def wording(session: Session, comic_id: int, number: int) -> Wording:
    """The words of a panel as they are now. Raises `NotFound`."""
    return _wording(_task(session, comic_id, number))


def edit_panel(
    session: Session, policy: Policy, comic_id: int, number: int, new: Wording, seen: str, *, retry: bool = False
) -> bool:
    """Change the words of a panel that waits or has failed, and queue a failed one again if that is asked.

    A style that is left as it was keeps the text it was queued with. `seen` is the version that the person began
    with. Says whether it was queued again. Raises `NotFound`, `Invalid`, and `Conflict` if the panel can be edited no
    more, or somebody else has edited it since.
    """
    _check(new)
    if retry:
        lock_correlation_ids(session)
    journal, comic = open_comic(session, policy, comic_id)
    task = _task(session, comic_id, number)
    old = _wording(task)
    if task.status not in EDITABLE:
        raise Conflict(f"Panel {number} {STATES[task.status]}, so that its words cannot be changed.")
    if old.version != seen:
        raise Conflict(f"Somebody else has edited panel {number} since you opened it.")
    if old != new:
        _save(journal, task, old, new)
    retried = retry_all(journal, comic, [Task.id == task.id, Task.status == TaskStatus.FAILED]) if retry else 0
    journal.post()
    return bool(retried)


def changes(session: Session, selection: Selection, replacement: Replacement) -> Iterator[Change]:
    """What a replacement would do, by panel number; only to those that wait or have failed."""
    wanted = selection.only(*EDITABLE)
    rows = select(Task.id, Task.number, Task.status, Task.prompt).where(*wanted.conditions).order_by(Task.number)
    for task_id, number, status, before in session.execute(rows).all():
        after = replacement.apply(before)
        if after != before:
            errors = tuple(error.message for error in text_errors("/prompt", after, PROMPT_CHARACTERS))
            kept = before if errors else after  # what cannot be may be a thousand times as long
            yield Change(task_id, selection.comic_id, number, status, before, kept, errors)


def replace_in_prompts(
    session: Session,
    policy: Policy,
    comic_id: int,
    seen: Mapping[int, str],
    replacement: Replacement,
    *,
    retry: bool = False,
) -> Replaced:
    """Replace in the prompts of these tasks, those that are still what was seen of them, as `Change.seen` says.

    What cannot be done to a prompt is not. Queues those that have failed again if that is asked. Raises `NotFound`.
    """
    if retry:
        lock_correlation_ids(session)
    journal, comic = open_comic(session, policy, comic_id)
    named = tuple(seen) if len(seen) <= MOST_PANELS else None  # a statement holds no more
    found = changes(session, Selection(comic_id, task_ids=named), replacement)
    right = [change for change in found if not change.errors and change.seen == seen.get(change.id)]
    for change in right:
        details = {"before": {"prompt": change.before}, "after": {"prompt": change.after}}
        journal.told(EventType.NOTED, change, message="The prompt was edited.", details=details)
    _reword(journal, right)
    failed = [change.id for change in right if change.status is TaskStatus.FAILED]
    retried = retry_all(journal, comic, [Task.id.in_(failed)]) if retry and failed else 0
    journal.set(comic, updated_at=journal.now)
    journal.post()
    return Replaced(len(right), len(seen) - len(right), retried)


def _reword(journal: Journal, right: Sequence[Change]) -> None:
    if not right:
        return
    rows = [{"of_task": change.id, "was": change.before, "new": change.after, "now": journal.now} for change in right]
    if journal.connection.execute(REWORD, rows).rowcount != len(rows):
        raise RaceLost("A prompt was changed by another request at the same moment.")


def _save(journal: Journal, task: TaskRow, old: Wording, new: Wording) -> None:
    values: dict[str, Any] = {name: getattr(new, name) for name in WORDS if getattr(new, name) != getattr(old, name)}
    before = {name: getattr(old, name) for name in values}
    what = "prompt" if "prompt" in values else "panel"
    journal.told(
        EventType.NOTED, task, message=f"The {what} was edited.", details={"before": before, "after": {**values}}
    )
    if "style" in values:
        values["style_text"] = styles(journal.session).text_of(new.style)
    guarded = update(Task).where(Task.id == task.id, Task.prompt == old.prompt, Task.status.in_(EDITABLE))
    if journal.connection.execute(guarded.values(**values, updated_at=journal.now)).rowcount != 1:
        raise RaceLost("The panel was changed by another request at the same moment.")
    journal.set(journal.comics[task.comic_id], updated_at=journal.now)


def _task(session: Session, comic_id: int, number: int) -> TaskRow:
    columns = [getattr(Task, name) for name in WORDS]
    found = select(Task.id, Task.comic_id, Task.status, *columns)
    task = session.execute(found.where(Task.comic_id == comic_id, Task.number == number)).one_or_none()
    if task is None:
        raise NotFound(f"Comic {comic_id} has no panel {number}.")
    return task


def _wording(task: TaskRow) -> Wording:
    return Wording(**{name: getattr(task, name) for name in WORDS})


def _check(new: Wording) -> None:
    longest = {"prompt": PROMPT_CHARACTERS, "style": STYLE_CHARACTERS, **PLACES}
    errors: list[FieldError] = []
    for name, characters in longest.items():
        errors += text_errors(f"/{name}", getattr(new, name), characters)
    if errors:
        raise Invalid("The panel cannot be changed so.", errors)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARACTERS]
