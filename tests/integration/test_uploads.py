"""Uploads: kept until they are queued or forgotten, mended row by row, queued once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from semantest_server.errors import Invalid, KeyReused, NotFound
from semantest_server.imports.known import MOST_COMICS
from semantest_server.imports.reading import read_text
from semantest_server.imports.rows import Options
from semantest_server.imports.uploads import (
    KEPT,
    Edits,
    Source,
    change_upload,
    check_upload,
    discard_upload,
    find_upload,
    keep_upload,
    new_id,
    options_of,
    queue_upload,
    queued_as,
    waiting_uploads,
)
from semantest_server.models import Comic, Task, Upload
from semantest_server.policy import Pacing, SiteDefaults
from semantest_server.queue.drafts import ComicDraft, PanelDraft
from semantest_server.queue.submit import submit_comic

from ..conftest import FrozenClock

pytestmark = pytest.mark.usefixtures("clock")

DEFAULTS = SiteDefaults("chatgpt.com", Pacing())
TEXT = "prompt,priority\nHero enters,high\nMonster appears,hihg\n"


@pytest.fixture
def db(connections: Engine) -> Iterator[Session]:
    """A session on an empty database."""
    with Session(connections, autoflush=False, expire_on_commit=False) as session:
        yield session


def keep(
    db: Session, text: str = TEXT, upload_id: str = "a" * 32, digest: str = "1", title: str = "Cave"
) -> int | None:
    """Keep a text to be looked through."""
    comic_id = keep_upload(db, upload_id, Source("cave.csv", digest), read_text(text), Options(title=title))
    db.commit()
    return comic_id


def cells(db: Session, upload_id: str = "a" * 32) -> list[dict[str, str]]:
    return [row.row.cells for row in check_upload(db, find_upload(db, upload_id)).rows]


def prompts(db: Session) -> list[tuple[int, str]]:
    return [(task.number, task.prompt) for task in db.scalars(select(Task).order_by(Task.id))]


def test_an_upload_is_kept_as_it_was_read(db: Session) -> None:
    assert keep(db) is None
    upload = find_upload(db, "a" * 32)
    assert (upload.name, options_of(upload)) == ("cave.csv", Options(title="Cave"))
    assert cells(db) == [
        {"prompt": "Hero enters", "priority": "high"},
        {"prompt": "Monster appears", "priority": "hihg"},
    ]


def test_the_same_file_again_keeps_what_was_mended_and_another_one_replaces_it(db: Session) -> None:
    keep(db)
    change_upload(db, "a" * 32, Edits(cells={1: {"priority": "high"}}))
    keep(db)
    assert cells(db)[1]["priority"] == "high"
    keep(db, "Other", digest="2")
    assert cells(db) == [{"prompt": "Other", "strip": "1"}]


def test_uploads_are_forgotten_a_week_after_they_were_last_changed(db: Session, clock: FrozenClock) -> None:
    keep(db, upload_id="a" * 32)
    keep(db, upload_id="b" * 32)
    clock.advance(KEPT.total_seconds() - 1)
    change_upload(db, "b" * 32, Edits())
    db.commit()
    clock.advance(timedelta(seconds=2).total_seconds())
    keep(db, upload_id="c" * 32)
    assert sorted(db.scalars(select(Upload.id))) == ["b" * 32, "c" * 32]


def test_the_last_uploads_are_listed(db: Session, clock: FrozenClock) -> None:
    for letter in "abcdefg":
        keep(db, upload_id=letter * 32)
        clock.advance(1)
    assert [upload.id[0] for upload in waiting_uploads(db)] == ["g", "f", "e", "d", "c"]


def test_a_wrong_row_keeps_everything_from_being_queued(db: Session) -> None:
    keep(db)
    with pytest.raises(Invalid) as caught:
        queue_upload(db, "a" * 32, DEFAULTS)
    db.rollback()
    assert [error.pointer for error in caught.value.errors] == ["/rows/1/priority"]
    assert prompts(db) == []
    assert cells(db)


def test_a_mended_upload_is_queued_and_forgotten(db: Session) -> None:
    keep(db)
    change_upload(db, "a" * 32, Edits(cells={1: {"priority": "HIGH", "prompt": "Cat\r\nappears"}, 9: {"prompt": "x"}}))
    comic = queue_upload(db, "a" * 32, DEFAULTS)
    db.commit()
    assert prompts(db) == [(1, "Hero enters"), (2, "Cat\nappears")]
    assert (comic.title, comic.priority, queued_as(db, "a" * 32)) == ("Cave", 0, comic.id)
    with pytest.raises(NotFound):
        find_upload(db, "a" * 32)


def test_wrong_rows_can_be_left_out(db: Session) -> None:
    keep(db, f"{TEXT}Cat appears,\n")
    queue_upload(db, "a" * 32, DEFAULTS, but_wrong=True)
    db.commit()
    assert prompts(db) == [(1, "Hero enters"), (3, "Cat appears")]


def test_queueing_again_gives_the_same_comic(db: Session) -> None:
    keep(db, "Hero enters")
    first = queue_upload(db, "a" * 32, DEFAULTS)
    db.commit()
    assert queue_upload(db, "a" * 32, DEFAULTS).id == first.id
    assert keep(db, "Hero enters") == first.id
    assert len(prompts(db)) == 1


def test_another_file_under_a_used_id_is_refused(db: Session) -> None:
    keep(db, "Hero enters")
    queue_upload(db, "a" * 32, DEFAULTS)
    db.commit()
    with pytest.raises(KeyReused):
        keep(db, "Monster appears", digest="2")


def test_a_fault_is_gone_once_its_cell_is_another_or_its_row_is_approved(db: Session) -> None:
    keep(db, '[{"prompt": true}, {"prompt": true, "notes": "x"}, 7, 8]')
    change_upload(
        db,
        "a" * 32,
        Edits(cells={0: {"prompt": "Hero"}, 1: {"notes": "y"}, 2: {"prompt": "Cat"}}, approved={3}),
    )
    rows = check_upload(db, find_upload(db, "a" * 32)).rows
    assert [[problem.column for problem in row.errors] for row in rows] == [[], ["prompt"], [], ["prompt"]]


def test_rows_are_chosen_and_left(db: Session) -> None:
    keep(db, "One hero\nTwo heroes\nThree heroes")
    change_upload(db, "a" * 32, Edits(off={0, 1}))
    change_upload(db, "a" * 32, Edits(on={1}))
    queue_upload(db, "a" * 32, DEFAULTS)
    db.commit()
    assert prompts(db) == [(1, "Two heroes"), (2, "Three heroes")]


def test_options_are_changed(db: Session) -> None:
    keep(db, "One hero")
    change_upload(db, "a" * 32, Edits(options=Options(title="Echoes", style="ink", parallel="3")))
    comic = queue_upload(db, "a" * 32, DEFAULTS)
    db.commit()
    assert (comic.title, comic.style, comic.parallel) == ("Echoes", "ink", 3)


def test_a_discarded_upload_is_gone(db: Session) -> None:
    keep(db)
    discard_upload(db, "a" * 32)
    for change in (lambda: change_upload(db, "a" * 32, Edits()), lambda: queue_upload(db, "a" * 32, DEFAULTS)):
        with pytest.raises(NotFound):
            change()


def test_ids_of_open_tasks_and_prompts_that_are_queued_are_told(db: Session) -> None:
    for number in range(MOST_COMICS + 1):
        panels = [PanelDraft(f"Hero {number}", correlation_id=f"c-{number}")]
        submit_comic(db, ComicDraft(f"Comic {number}", panels), DEFAULTS)
    db.commit()
    keep(db, "prompt,id\nhero  0,x\nHERO 5,c-5\n")
    first, second = check_upload(db, find_upload(db, "a" * 32)).rows
    assert (first.errors, first.warnings) == ((), ())  # the oldest of too many comics
    assert [problem.column for problem in second.errors] == ["id"]
    assert [problem.message for problem in second.warnings] == ["The same prompt as panel 1 of Comic 5 (comic 6)."]
    assert db.scalar(select(Comic.title).where(Comic.id == 6)) == "Comic 5"


def test_ids_differ() -> None:
    assert len({new_id() for _ in range(100)}) == 100
