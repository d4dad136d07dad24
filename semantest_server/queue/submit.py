"""What comes into the queue: comics, and single pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, insert, literal, select
from sqlalchemy.orm import Session

from semantest_server.clock import clock
from semantest_server.errors import FieldError, Invalid, KeyReused
from semantest_server.models import (
    OVER,
    READY_TASK,
    Comic,
    ComicStatus,
    Event,
    EventType,
    Site,
    Submission,
    Task,
)
from semantest_server.paths import check_path, slug
from semantest_server.policy import Policy, SiteDefaults
from semantest_server.queue.drafts import (
    PARALLEL,
    PLACES,
    ComicDraft,
    PanelDraft,
    PictureDraft,
    checked_comic,
    checked_picture,
)
from semantest_server.queue.journal import insert_missing, lock_correlation_ids
from semantest_server.queue.lapses import open_journal
from semantest_server.queue.states import ComicState
from semantest_server.queue.styles import Styles, styles

SINGLE_PICTURES = "Single pictures"


@dataclass(frozen=True)
class IdempotencyKey:
    """A key that makes a repeated submission harmless, and a digest of what was submitted under it."""

    key: str
    digest: str


@dataclass(frozen=True)
class QueuedPicture:
    """The task that a submission stands for, and whether it has made it."""

    task: Task
    is_new: bool


def submit_comic(
    session: Session, draft: ComicDraft, defaults: SiteDefaults, key: IdempotencyKey | None = None
) -> Comic:
    """Queue a comic with all its panels, or none of them.

    The same key again answers with the comic that it made. Raises `Invalid` with a pointer for each panel that
    cannot be queued, `KeyReused` if the key came with something else.
    """
    submission = _reserved(session, key)
    if submission and submission.comic_id:
        return session.get_one(Comic, submission.comic_id)
    draft = checked_comic(draft)
    if any(panel.correlation_id for panel in draft.panels):
        lock_correlation_ids(session)
    _check_correlation_ids(session, draft.panels)
    now, known = clock.now(session), styles(session)
    style_text = known.text_of(draft.style)
    comic = Comic(
        title=draft.title,
        style=None if style_text == "" else draft.style,
        style_text=style_text or None,
        priority=draft.priority,
        parallel=draft.parallel,
        domain=_site(session, draft.domain, defaults),
        download_folder=check_path(draft.download_folder or slug(draft.title)),
        created_at=now,
        updated_at=now,
        ready=len(draft.panels),
    )
    session.add(comic)
    session.flush()
    session.execute(insert(Task), [_row(comic, panel, known, now) for panel in draft.panels])
    _tell_queued(session, comic, now)
    if submission:
        submission.comic_id = comic.id
    return comic


def made_comic(session: Session, key: IdempotencyKey | None) -> Comic | None:
    """The comic that the key has made before. If it has made none, it is this transaction's to use.

    Raises `KeyReused` if the key came with something else.
    """
    submission = _reserved(session, key)
    return session.get_one(Comic, submission.comic_id) if submission and submission.comic_id else None


def submit_picture(
    session: Session,
    policy: Policy,
    draft: PictureDraft,
    defaults: SiteDefaults,
    key: IdempotencyKey | None = None,
) -> QueuedPicture:
    """Queue one picture in the site's standing comic; an open correlationId answers with its task.

    Raises `KeyReused` if the key came with something else, `Invalid` if a path leaves its folder.
    """
    submission = _reserved(session, key)
    if submission and submission.task_id:
        return QueuedPicture(session.get_one(Task, submission.task_id), is_new=True)
    if draft.panel.correlation_id:
        lock_correlation_ids(session)
    open_task = _open_task(session, draft.panel.correlation_id)
    queued = QueuedPicture(open_task, False) if open_task else _queue_picture(session, policy, draft, defaults)
    if submission:
        submission.task_id, submission.comic_id = queued.task.id, queued.task.comic_id
    return queued


def _queue_picture(session: Session, policy: Policy, draft: PictureDraft, defaults: SiteDefaults) -> QueuedPicture:
    comic_id = _standing_comic(session, _site(session, draft.domain, defaults))
    journal = open_journal(session, policy, [comic_id])
    if open_task := _open_task(session, draft.panel.correlation_id):
        return QueuedPicture(open_task, False)  # queued by another request while this one waited
    comic = journal.comics[comic_id]
    number, position = _next_place(session, comic_id)
    task = Task(**_row(comic, checked_picture(draft, number), styles(session), journal.now))
    task.position = position
    session.add(task)
    session.flush()
    status = ComicStatus.ACTIVE if comic.status is ComicStatus.CANCELLED else comic.status
    journal.set(comic, status=status, ready=comic.ready + 1, updated_at=journal.now)
    journal.told(EventType.QUEUED, task, details=draft.details or None)
    journal.post()
    return QueuedPicture(task, True)


def _next_place(session: Session, comic_id: int) -> tuple[int, int]:
    """The number of a comic's next task, and the position behind all that are ready, wherever they were moved."""
    of_comic = Task.comic_id == comic_id
    last = select(func.max(Task.number)).where(of_comic).scalar_subquery()
    bottom = select(func.max(Task.position)).where(of_comic, READY_TASK).scalar_subquery()
    row = session.execute(select(func.coalesce(last, 0) + 1, func.coalesce(bottom, 0) + 1)).one()
    return row[0], max(row)


def _reserved(session: Session, key: IdempotencyKey | None) -> Submission | None:
    """The row of the key, made if it is new; another transaction with the same key is waited for."""
    if key is None:
        return None
    insert_missing(session, Submission, key=key.key, digest=key.digest, created_at=clock.now(session))
    row = session.get_one(Submission, key.key, populate_existing=True)
    if row.digest != key.digest:
        raise KeyReused("This Idempotency-Key was used for another request; use a new key for a new one.")
    return row


def _site(session: Session, domain: str | None, defaults: SiteDefaults) -> str:
    """The site's name, and a row for it if it is new."""
    name = domain or defaults.domain
    pacing = defaults.pacing
    insert_missing(
        session,
        Site,
        domain=name,
        gap_seconds=pacing.gap_seconds,
        break_after=pacing.break_after,
        break_seconds=pacing.break_seconds,
        daily_cap=pacing.daily_cap,
    )
    return name


def _standing_comic(session: Session, domain: str) -> int:
    of_site = select(Comic.id).where(Comic.domain == domain, Comic.single_pictures.is_(True))
    comic_id = session.scalar(of_site)
    if comic_id is None:
        now = clock.now(session)
        insert_missing(
            session,
            Comic,
            title=SINGLE_PICTURES,
            parallel=PARALLEL,
            domain=domain,
            download_folder=slug(SINGLE_PICTURES),
            single_pictures=True,
            created_at=now,
            updated_at=now,
        )
        comic_id = session.execute(of_site).scalar_one()
    return comic_id


def _open_task(session: Session, correlation_id: str | None) -> Task | None:
    if correlation_id is None:
        return None
    statement = select(Task).where(Task.correlation_id == correlation_id, Task.status.not_in(OVER))
    return session.scalars(statement).first()


def _check_correlation_ids(session: Session, panels: Sequence[PanelDraft]) -> None:
    """Refuse a correlationId that an open task has."""
    at = {panel.correlation_id: index for index, panel in enumerate(panels) if panel.correlation_id}
    errors = [
        FieldError(f"/panels/{at[name]}/correlationId", "An open task has this correlationId.")
        for name in open_correlation_ids(session, list(at))
    ]
    if errors:
        raise Invalid("Some panels cannot be queued.", errors)


def open_correlation_ids(session: Session, wanted: list[str]) -> list[str]:
    """Those of the correlationIds that an open task has."""
    found: list[str] = []
    for start in range(0, len(wanted), 500):
        statement = select(Task.correlation_id).where(
            Task.correlation_id.in_(wanted[start : start + 500]), Task.status.not_in(OVER)
        )
        found += [name for name in session.scalars(statement) if name]
    return found


def _row(comic: Comic | ComicState, panel: PanelDraft, known: Styles, now: datetime) -> dict[str, Any]:
    return {
        "comic_id": comic.id,
        "number": panel.number,
        "position": panel.number,
        "prompt": panel.prompt,
        "style": panel.style,
        "style_text": known.text_of(panel.style),
        "output_path": check_path(panel.output_path or ""),
        "download_folder": check_path(panel.download_folder or comic.download_folder),
        "correlation_id": panel.correlation_id,
        **{name: getattr(panel, name) for name in PLACES},
        "created_at": now,
        "updated_at": now,
    }


def _tell_queued(session: Session, comic: Comic, now: datetime) -> None:
    told = select(
        literal(now, Event.at.type), literal(EventType.QUEUED, Event.type.type), Task.id, Task.comic_id
    ).where(Task.comic_id == comic.id)
    columns = ("at", "type", "task_id", "comic_id")
    session.execute(insert(Event).from_select(columns, told.order_by(Task.number)))
