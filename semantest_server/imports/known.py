"""What the database knows that bears on a file: presets, open ids, and prompts that are queued already."""

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from semantest_server.imports.checked import Checked, Known
from semantest_server.imports.checking import check, compared
from semantest_server.imports.rows import Options, Reading, Row
from semantest_server.models import NAME_CHARACTERS, UNFINISHED_COMIC, Comic, Task
from semantest_server.queue.styles import presets
from semantest_server.queue.submit import open_correlation_ids

MOST_COMICS = 5  # that prompts are compared with, the newest
MOST_PROMPTS = 20_000


def check_against(session: Session, reading: Reading, options: Options) -> Checked:
    """Say of every row what will be queued, and what is wrong or strange about it, the database's facts included."""
    known = Known(
        presets={preset.name: preset.text for preset in presets(session)},
        open_ids=_open_ids(session, reading.rows),
        elsewhere=_elsewhere(session, options.title.strip(), reading.rows),
    )
    return check(reading, options, known)


def _open_ids(session: Session, rows: Sequence[Row]) -> frozenset[str]:
    given = {cell.strip() for row in rows if row.is_on and (cell := row.cells.get("id"))}
    wanted = [name for name in given if len(name) <= NAME_CHARACTERS and "\0" not in name]
    return frozenset(open_correlation_ids(session, wanted))


def _elsewhere(session: Session, title: str, rows: Sequence[Row]) -> dict[str, str]:
    """Where prompts of these rows are queued already: in the comics of that title, or in unfinished ones."""
    wanted = {compared(row.cells.get("prompt", "")) for row in rows if row.is_on}
    near = select(Comic.id).where(or_(Comic.title == title.replace("\0", ""), UNFINISHED_COMIC))
    near = near.order_by(Comic.id.desc()).limit(MOST_COMICS)
    queued = select(Task.prompt, Task.number, Comic.id, Comic.title).join(Comic, Comic.id == Task.comic_id)
    found = session.execute(queued.where(Task.comic_id.in_(near)).limit(MOST_PROMPTS))
    return {
        key: f"panel {number} of {name} (comic {comic_id})"
        for prompt, number, comic_id, name in found
        if (key := compared(prompt)) in wanted
    }
