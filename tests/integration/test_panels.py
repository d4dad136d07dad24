"""What a person does to panels: retry, cancel, move, edit, replace; and what they are shown of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, select

from semantest_server import snapshots
from semantest_server.errors import Conflict, Invalid, NotFound
from semantest_server.models import Event, EventType, Task, TaskStatus
from semantest_server.policy import Policy
from semantest_server.queue.drafts import PanelDraft
from semantest_server.queue.panels import End, cancel_panels, move_panels, retry_panels
from semantest_server.queue.styles import add_style, change_style
from semantest_server.queue.wording import Change, Replaced, Wording, changes, edit_panel, replace_in_prompts, wording
from semantest_server.replacement import Replacement
from semantest_server.selection import Selection
from semantest_server.snapshots import Sort

from ..conftest import FrozenClock
from .callers import Queue, numbers

FAILED, QUEUED = TaskStatus.FAILED, TaskStatus.QUEUED


@pytest.fixture
def comic(queue: Queue) -> int:
    """A comic with one panel in each state: queued, leased, running, completed, failed, and in backoff."""
    comic = queue.comic("A", panels=6)
    queue.set(max_attempts=1)
    queue.take(limit=5)
    queue.tell_all(("2.1", "running"), ("3.1", "completed"), ("4.1", "failed"))
    queue.set(max_attempts=3)
    queue.tell("5.1", "failed")
    assert queue.statuses(comic) == ["leased", "running", "completed", "failed", "queued", "queued"]
    return comic


def do(queue: Queue, action: Any, selection: Selection, *more: Any) -> int:
    """Do something to a selection, in a transaction of its own; how many panels it was done to."""
    with queue.writing() as session:
        done: int = action(session, queue.policy, selection, *more)
        return done


def order(queue: Queue, comic: int) -> list[int]:
    """The numbers of what is queued, in the order of drawing."""
    with queue.reading() as session:
        queued = select(Task.number).where(Task.comic_id == comic, Task.status == QUEUED)
        return list(session.scalars(queued.order_by(Task.position)))


def move(queue: Queue, comic: int, chosen: list[int], to: End | int) -> list[int]:
    """Move panels by their numbers; the order then."""
    with queue.reading() as session:
        ids = session.scalars(select(Task.id).where(Task.comic_id == comic, Task.number.in_(chosen))).all()
    do(queue, move_panels, Selection(comic, task_ids=tuple(ids)), to)
    return order(queue, comic)


@contextmanager
def statements(queue: Queue) -> Iterator[list[str]]:
    """The statements that run meanwhile."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        found.append(statement)

    event.listen(queue.engine, "before_cursor_execute", note)
    yield found
    event.remove(queue.engine, "before_cursor_execute", note)


def store(queue: Queue, comic: int, status: TaskStatus) -> None:
    """Let every queued panel of a comic have a status, however it came to it."""
    with queue.writing() as session:
        for task in session.scalars(select(Task).where(Task.comic_id == comic)):
            task.status = status
        name = {FAILED: "failed", TaskStatus.COMPLETED: "completed"}[status]
        found = snapshots.comic(session, queue.policy, comic).comic
        setattr(found, name, found.ready)
        found.ready = 0


# ---- retry


def test_only_what_has_failed_or_was_cancelled_of_the_picked_is_queued_again(queue: Queue, comic: int) -> None:
    assert do(queue, retry_panels, Selection(comic, task_ids=(2, 3, 4, 6, 99))) == 1
    assert queue.statuses(comic) == ["leased", "running", "completed", "queued", "queued", "queued"]
    assert queue.told(4)[-1] == "retried"
    assert queue.task(4).attempts_left == 3


def test_everything_that_matches_a_filter_and_a_search_is_queued_again(queue: Queue) -> None:
    comic = queue.comic("A", panels=["Hero enters", "Monster appears", "The hero sings"])
    do(queue, cancel_panels, Selection(comic))
    assert do(queue, retry_panels, Selection(comic, frozenset({FAILED}), "hero")) == 0
    assert do(queue, retry_panels, Selection(comic, frozenset({TaskStatus.CANCELLED}), "hero")) == 2
    assert queue.statuses(comic) == ["queued", "cancelled", "queued"]


def test_a_retry_makes_a_cancelled_comic_active(queue: Queue, comic: int) -> None:
    queue.cancel(comic)
    do(queue, retry_panels, Selection(comic, task_ids=(4,)))
    assert queue.comic_now(comic).status == "active"


def test_a_retry_of_3000_is_one_update_of_the_tasks(queue: Queue) -> None:
    comic = queue.comic("A", panels=3_000)
    store(queue, comic, FAILED)
    with statements(queue) as found:
        assert do(queue, retry_panels, Selection(comic, frozenset({FAILED}))) == 3_000
    assert sum(statement.startswith("UPDATE task") for statement in found) == 1
    assert sum(statement.startswith("INSERT INTO event") for statement in found) == 1
    assert len(found) <= 12
    store(queue, comic, FAILED)
    with statements(queue) as found:
        assert do(queue, retry_panels, Selection(comic, task_ids=tuple(range(1, 3_001)))) == 3_000
    assert sum(statement.startswith("UPDATE task") for statement in found) == 1


def test_a_selection_without_a_panel_is_no_panel(queue: Queue, comic: int) -> None:
    for action in (retry_panels, cancel_panels):
        assert do(queue, action, Selection(comic, task_ids=())) == 0
    assert do(queue, move_panels, Selection(comic, task_ids=()), End.TOP) == 0
    assert do(queue, cancel_panels, Selection(comic, frozenset({FAILED}))) == 0


def test_an_unknown_comic_is_not_found(queue: Queue) -> None:
    for action in (retry_panels, cancel_panels):
        with pytest.raises(NotFound):
            do(queue, action, Selection(99))
    with pytest.raises(NotFound):
        do(queue, move_panels, Selection(99), 1)


# ---- cancel


def test_single_panels_are_cancelled_and_their_workers_told_to_stop(queue: Queue, comic: int) -> None:
    assert do(queue, cancel_panels, Selection(comic, task_ids=(1, 2, 3, 4))) == 2
    assert queue.statuses(comic) == ["cancelled", "cancelled", "completed", "failed", "queued", "queued"]
    assert queue.told(2)[-1] == "cancelled"
    assert queue.lease(2) is None
    assert queue.tell("2.1", "running") == (200, "stop")
    assert queue.comic_now(comic).status == "active"


def test_a_comic_whose_last_panels_are_cancelled_is_finished(queue: Queue, comic: int) -> None:
    assert do(queue, cancel_panels, Selection(comic)) == 4
    assert queue.comic_now(comic).status == "finished"


def test_what_has_lapsed_is_recorded_before_it_is_cancelled(queue: Queue, comic: int, clock: FrozenClock) -> None:
    clock.advance(3600)
    assert do(queue, cancel_panels, Selection(comic, frozenset({QUEUED}))) == 4
    assert queue.told(1)[-2:] == ["expired", "cancelled"]


# ---- move


@pytest.mark.parametrize(
    ("chosen", "to", "then"),
    [
        ([5], End.TOP, [5, 1, 2, 3, 4, 6]),
        ([6, 3], End.TOP, [3, 6, 1, 2, 4, 5]),
        ([1, 2], End.BOTTOM, [3, 4, 5, 6, 1, 2]),
        ([6], 1, [6, 1, 2, 3, 4, 5]),
        ([1], 3, [2, 3, 1, 4, 5, 6]),
        ([2, 5], 2, [1, 2, 5, 3, 4, 6]),
        ([5, 6], 2, [1, 5, 6, 2, 3, 4]),
        ([1, 6], 5, [2, 3, 4, 5, 1, 6]),
        ([2], 99, [1, 3, 4, 5, 6, 2]),
        ([2], 2, [1, 2, 3, 4, 5, 6]),
        ([1, 2, 3, 4, 5, 6], 4, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_the_moved_come_where_they_are_wanted_and_claims_follow(
    queue: Queue, chosen: list[int], to: End | int, then: list[int]
) -> None:
    comic = queue.comic("A", panels=6)
    assert move(queue, comic, chosen, to) == then
    assert numbers(queue.poll(limit=4)) == then[:4]


def test_moves_add_up(queue: Queue) -> None:
    comic = queue.comic("A", panels=5)
    assert move(queue, comic, [4], End.TOP) == [4, 1, 2, 3, 5]
    assert move(queue, comic, [2], End.TOP) == [2, 4, 1, 3, 5]
    assert move(queue, comic, [4], End.BOTTOM) == [2, 1, 3, 5, 4]
    assert move(queue, comic, [5, 4], 2) == [2, 5, 4, 1, 3]
    assert numbers(queue.poll()) == [2, 5, 4, 1, 3]


def test_only_what_is_queued_moves_and_the_rest_keeps_its_place(queue: Queue, comic: int) -> None:
    """Panel 4 has failed; when it is retried, it is where it was."""
    assert move(queue, comic, [2, 3, 4, 6], 1) == [6, 5]
    do(queue, retry_panels, Selection(comic, task_ids=(4,)))
    assert order(queue, comic) == [6, 4, 5]
    assert [queue.told(task)[-1] for task in (2, 6)] == ["running", "noted"]
    assert move(queue, comic, [5], End.TOP) == [5, 6, 4]


def test_panels_that_share_a_position_are_put_in_order(queue: Queue) -> None:
    comic = queue.comic("A", panels=4)
    with queue.writing() as session:
        for task in session.scalars(select(Task).where(Task.number < 4)):
            task.position = 7
    assert move(queue, comic, [3], 2) == [4, 3, 1, 2]


def test_a_picture_that_is_queued_later_comes_behind_what_was_moved(queue: Queue) -> None:
    for prompt in "abcd":
        queue.picture(prompt)
    for number in (1, 2, 3):
        move(queue, 1, [number], End.BOTTOM)
    queue.picture("e")
    assert order(queue, 1) == [4, 1, 2, 3, 5]


def test_a_place_that_is_none_is_refused(queue: Queue, comic: int) -> None:
    for place in (0, -1, 10**9):
        with pytest.raises(Invalid):
            do(queue, move_panels, Selection(comic), place)


def test_10_000_panels_are_moved_by_a_few_statements(queue: Queue) -> None:
    comic = queue.comic("A", panels=10_000)
    picked = tuple(range(2, 10_001, 2))
    for to in (End.TOP, End.BOTTOM, 101):
        with statements(queue) as found:
            assert do(queue, move_panels, Selection(comic, task_ids=picked), to) == 5_000
        assert len(found) <= 12
    odd, even = list(range(1, 10_001, 2)), list(picked)
    assert order(queue, comic) == odd[:100] + even + odd[100:]


# ---- edit


def edit(queue: Queue, comic: int, number: int, *, seen: str | None = None, retry: bool = False, **new: Any) -> bool:
    """Edit a panel as somebody who has just opened it, unless they saw another version."""
    with queue.writing() as session:
        now = wording(session, comic, number)
        return edit_panel(
            session,
            queue.policy,
            comic,
            number,
            Wording(**{**vars(now), **new}),
            now.version if seen is None else seen,
            retry=retry,
        )


def panel(queue: Queue, comic: int, number: int) -> snapshots.PanelSnapshot:
    with queue.reading() as session:
        return snapshots.panel(session, queue.policy, comic, number)


def last_line(queue: Queue, task: int) -> Event:
    with queue.reading() as session:
        return snapshots.events(session, task)[0][-1]


def test_a_waiting_panel_is_edited_and_drawn_as_it_is_then(queue: Queue) -> None:
    comic = queue.comic("A", panels=[PanelDraft("Hero enters", chapter="One")], style="noir")
    assert edit(queue, comic, 1, prompt="Hero leaves", style="manga", chapter=None, notes="later") is False
    found = panel(queue, comic, 1)
    assert (found.prompt, found.chapter, found.notes, found.status) == ("Hero leaves", None, "later", "queued")
    line = last_line(queue, 1)
    assert (line.type, line.message) == (EventType.NOTED, "The prompt was edited.")
    assert line.details == {
        "before": {"prompt": "Hero enters", "style": None, "chapter": "One", "notes": None},
        "after": {"prompt": "Hero leaves", "style": "manga", "chapter": None, "notes": "later"},
    }
    (hand_out,) = queue.poll()
    assert hand_out.panels[0].prompt == "Hero leaves, manga"


def test_a_failed_panel_is_edited_and_queued_again_if_that_is_asked(queue: Queue, comic: int) -> None:
    assert edit(queue, comic, 4, prompt="Easier") is False
    assert queue.status(4) == "failed"
    assert edit(queue, comic, 4, retry=True) is True
    assert queue.status(4) == "queued"
    assert queue.told(4)[-2:] == ["noted", "retried"]


def test_an_edit_that_changes_nothing_is_no_news(queue: Queue) -> None:
    comic = queue.comic()
    edit(queue, comic, 1)
    assert queue.told(1) == []


@pytest.mark.parametrize(("style", "drawn"), [(None, "P, ink"), ("none", "P"), ("NOIR", "P, dark"), ("oil", "P, oil")])
def test_a_style_is_a_preset_or_none_or_own_words_or_the_comics(queue: Queue, style: str | None, drawn: str) -> None:
    with queue.writing() as session:
        add_style(session, "noir", "dark")
    comic = queue.comic("A", panels=[PanelDraft("P", style="manga")], style="ink")
    edit(queue, comic, 1, style=style)
    assert panel(queue, comic, 1).final_prompt == drawn
    assert panel(queue, comic, 1).chosen_style == style


def test_a_style_that_is_left_as_it_was_keeps_its_text(queue: Queue) -> None:
    with queue.writing() as session:
        preset = add_style(session, "noir", "dark")
        session.flush()
        number = preset.id
    comic = queue.comic("A", panels=[PanelDraft("P", style="noir")])
    with queue.writing() as session:
        change_style(session, number, "noir", "darker")
    edit(queue, comic, 1, prompt="Q")
    assert panel(queue, comic, 1).final_prompt == "Q, dark"


@pytest.mark.parametrize(("number", "said"), [(1, "being drawn"), (2, "being drawn"), (3, "drawn already")])
def test_what_is_drawn_or_being_drawn_cannot_be_edited(queue: Queue, comic: int, number: int, said: str) -> None:
    with pytest.raises(Conflict, match=said):
        edit(queue, comic, number, prompt="New")
    assert panel(queue, comic, number).prompt == f"Panel {number}"


def test_of_two_who_edit_at_once_the_second_is_told(queue: Queue, comic: int) -> None:
    with queue.reading() as session:
        seen = wording(session, comic, 6).version
    edit(queue, comic, 6, prompt="First", seen=seen)
    with pytest.raises(Conflict, match="Somebody else"):
        edit(queue, comic, 6, prompt="Second", seen=seen)
    assert panel(queue, comic, 6).prompt == "First"


def test_a_wrong_edit_is_refused_with_every_reason(queue: Queue, comic: int) -> None:
    with pytest.raises(Invalid) as refused:
        edit(queue, comic, 6, prompt=" ", chapter="x" * 201, notes="\x00")
    assert [error.pointer for error in refused.value.errors] == ["/prompt", "/chapter", "/notes"]


def test_a_panel_that_is_not_there_is_not_found(queue: Queue, comic: int) -> None:
    for missing in ((comic, 99), (99, 1)):
        with pytest.raises(NotFound):
            edit(queue, *missing)


# ---- find and replace


def preview(queue: Queue, replacement: Replacement, selection: Selection) -> list[Change]:
    with queue.reading() as session:
        return list(changes(session, selection, replacement))


def replace_all(queue: Queue, comic: int, replacement: Replacement, shown: list[Change], **more: bool) -> Replaced:
    with queue.writing() as session:
        seen = {change.id: change.seen for change in shown}
        return replace_in_prompts(session, queue.policy, comic, seen, replacement, **more)


def test_only_what_waits_or_has_failed_is_replaced_in(queue: Queue, comic: int) -> None:
    replacement = Replacement("panel", "Picture")
    shown = preview(queue, replacement, Selection(comic))
    assert [(change.number, change.after) for change in shown] == [
        (4, "Picture 4"),
        (5, "Picture 5"),
        (6, "Picture 6"),
    ]
    assert replace_all(queue, comic, replacement, shown) == Replaced(3, 0, 0)
    assert [panel(queue, comic, number).prompt for number in (3, 4, 5)] == ["Panel 3", "Picture 4", "Picture 5"]
    assert queue.status(4) == "failed"
    assert last_line(queue, 4).details == {"before": {"prompt": "Panel 4"}, "after": {"prompt": "Picture 4"}}


def test_a_selection_and_a_search_narrow_a_replacement(queue: Queue, comic: int) -> None:
    replacement = Replacement("Panel", "P")
    assert [one.number for one in preview(queue, replacement, Selection(comic, task_ids=(1, 5)))] == [5]
    assert [one.number for one in preview(queue, replacement, Selection(comic, frozenset({FAILED})))] == [4]
    assert [one.number for one in preview(queue, replacement, Selection(comic, search="panel 6"))] == [6]
    assert preview(queue, replacement, Selection(comic, frozenset({TaskStatus.COMPLETED}))) == []
    assert preview(queue, Replacement("dragon", "cat"), Selection(comic)) == []


def test_failed_panels_are_queued_again_if_that_is_asked(queue: Queue, comic: int) -> None:
    replacement = Replacement("Panel", "P")
    shown = preview(queue, replacement, Selection(comic))
    assert replace_all(queue, comic, replacement, shown, retry=True) == Replaced(3, 0, 1)
    assert queue.status(4) == "queued"


def test_what_has_changed_since_it_was_shown_is_left_alone(queue: Queue, comic: int) -> None:
    replacement = Replacement("Panel", "P")
    shown = preview(queue, replacement, Selection(comic))
    edit(queue, comic, 4, prompt="Panel of another")
    do(queue, cancel_panels, Selection(comic, task_ids=(6,)))
    assert replace_all(queue, comic, replacement, shown, retry=True) == Replaced(1, 2, 0)
    assert panel(queue, comic, 4).prompt == "Panel of another"
    assert panel(queue, comic, 6).prompt == "Panel 6"


def test_prompts_that_would_be_empty_or_too_long_are_left_out(queue: Queue) -> None:
    comic = queue.comic("A", panels=["cat", "cat " * 900, "a cat"])
    shown = preview(queue, Replacement("cat", "a very long cat"), Selection(comic))
    assert [change.errors for change in shown] == [(), ("Must have 1 to 4,000 characters.",), ()]
    empty = Replacement("cat", "", whole_words=True)
    assert [bool(change.errors) for change in preview(queue, empty, Selection(comic))] == [True, True, False]
    assert replace_all(queue, comic, empty, preview(queue, empty, Selection(comic))) == Replaced(1, 2, 0)


def test_3000_prompts_are_replaced_in_by_a_few_statements(queue: Queue) -> None:
    comic = queue.comic("A", panels=3_000)
    replacement = Replacement("Panel", "P")
    shown = preview(queue, replacement, Selection(comic))
    with statements(queue) as found:
        assert replace_all(queue, comic, replacement, shown) == Replaced(3_000, 0, 0)
    assert len(found) <= 12


# ---- what is shown


def listed(queue: Queue, comic: int, search: str = "", *statuses: TaskStatus, **more: Any) -> list[int]:
    selection = Selection(comic, frozenset(statuses) or None, search)
    with queue.reading() as session:
        return [one.number for one in snapshots.panel_page(session, queue.policy, selection, **more)]


def test_a_search_finds_words_anywhere_in_capitals_or_not_and_numbers(queue: Queue) -> None:
    comic = queue.comic(
        "A",
        panels=[
            PanelDraft("Über den Wolken, 100 %"),
            PanelDraft("A cave", chapter="Chapter Two"),
            PanelDraft("A house", strip="Echoes_1"),
            PanelDraft("2 heroes"),
        ],
    )
    found = {
        "über": [1], "ÜBER den": [1], "chapter two": [2], "echoes_": [3], "_": [3], "%": [1], "100 %": [1],
        "2": [2, 4], "#2": [2], "cave ": [2], "dragon": [], "'": [], "\x00": [1, 2, 3, 4], "9" * 30: [],
    }  # fmt: skip
    assert {words: listed(queue, comic, words) for words in found} == found


def test_a_search_finds_what_went_wrong(queue: Queue) -> None:
    comic = queue.comic()
    (receipt,) = queue.take()
    queue.tell(receipt, "failed", message="Content Policy")
    assert listed(queue, comic, "policy") == [1]


def test_panels_come_in_every_order(queue: Queue, comic: int, clock: FrozenClock) -> None:
    clock.advance(1)
    move(queue, comic, [6], End.TOP)
    assert listed(queue, comic, sort=Sort.ORDER) == [6, 1, 2, 3, 4, 5]
    assert listed(queue, comic, sort=Sort.CHANGED, descending=True)[0] == 6
    assert listed(queue, comic, sort=Sort.STATUS) == [5, 6, 1, 2, 3, 4]
    assert listed(queue, comic, sort=Sort.NUMBER, descending=True, limit=2, offset=1) == [5, 4]


def test_counts_and_filters_know_what_has_lapsed(queue: Queue, comic: int, clock: FrozenClock) -> None:
    with queue.reading() as session:
        before = snapshots.panel_counts(session, queue.policy, Selection(comic, search="panel"))
    assert (before[QUEUED], before[TaskStatus.LEASED], before[TaskStatus.RUNNING], before[FAILED]) == (2, 1, 1, 1)
    clock.advance(3600)
    with queue.reading() as session:
        after = snapshots.panel_counts(session, queue.policy, Selection(comic, search="panel"))
    assert (after[QUEUED], after[TaskStatus.LEASED], after[TaskStatus.RUNNING]) == (4, 0, 0)
    assert listed(queue, comic, "", QUEUED) == [1, 2, 5, 6]
    assert listed(queue, comic, "panel 2", QUEUED) == [2]
    assert listed(queue, comic, "", TaskStatus.LEASED, TaskStatus.RUNNING) == []


def test_neighbours_are_those_of_the_same_selection(queue: Queue, comic: int) -> None:
    with queue.reading() as session:

        def around(number: int, *statuses: TaskStatus) -> tuple[int | None, int | None]:
            return snapshots.neighbours(session, queue.policy, Selection(comic, frozenset(statuses) or None), number)

        assert around(1) == (None, 2)
        assert around(6) == (5, None)
        assert around(4, QUEUED) == (None, 5)


def test_of_a_picture_that_is_data_a_list_has_only_the_beginning(queue: Queue, comic: int) -> None:
    data = "data:image/png;base64," + "A" * 1000
    queue.tell("1.1", "completed", image_url=data)
    found = panel(queue, comic, 1)
    assert found.image_url == data[:60]
    with queue.reading() as session:
        assert snapshots.picture_address(session, comic, 1) == data
        assert snapshots.picture_address(session, comic, 99) is None


def test_attempts_say_who_when_and_how_they_ended(queue: Queue, clock: FrozenClock) -> None:
    comic = queue.comic()
    queue.policy = Policy(backoff_seconds=0, give_back_seconds=0)
    start = clock.now
    (first,) = queue.take("w1")
    clock.advance(10)
    queue.tell(first, "delivered", tab_id="7")
    clock.advance(10)
    queue.tell(first, "failed", message="Refused")
    (second,) = queue.take("w2")
    queue.tell(second, "no_tabs", by="w2")
    clock.advance(60)
    queue.take("w3")
    clock.advance(100)
    with queue.reading() as session:
        lapsed, given_back, failed = snapshots.attempts(session, 1)
    assert (failed.worker, failed.tab_id, failed.ended_by) == ("w1", "7", "failed")
    assert [(at - start).seconds for at in (failed.first_report_at, failed.last_report_at, failed.ended_at) if at] == [
        10, 20, 20,
    ]  # fmt: skip
    assert [event.message for event in failed.events][-1] == "Refused"
    assert (given_back.worker, given_back.ended_by) == ("w2", "given back")
    assert (lapsed.worker, lapsed.ended_by, lapsed.first_report_at) == ("w3", "the lease ran out", None)
    do(queue, cancel_panels, Selection(comic))
    with queue.reading() as session:
        assert snapshots.attempts(session, 1)[0].ended_by == "the lease ran out"


def test_an_open_attempt_has_not_ended(queue: Queue, comic: int) -> None:
    with queue.reading() as session:
        (attempt,) = snapshots.attempts(session, 2)
        assert (attempt.ended_by, attempt.ended_at) == (None, None)
        assert snapshots.attempts(session, 6) == []
