"""Styles: what a preset adds to prompts, and for how long."""

import pytest

from semantest_server.errors import Conflict, Invalid, NotFound
from semantest_server.queue.drafts import PanelDraft
from semantest_server.queue.preferences import begin, change_max_attempts, policy_now
from semantest_server.queue.styles import add_style, change_style, presets, remove_style

from .callers import Queue

NOIR = "noir, high contrast"


@pytest.fixture
def noir(queue: Queue) -> int:
    """The id of a preset."""
    with queue.writing() as session:
        begin(session, {"noir": NOIR})
        return presets(session)[0].id


def prompts(queue: Queue) -> list[str]:
    """What is handed out next."""
    return [panel.prompt for hand_out in queue.poll("w1") for panel in hand_out.panels]


def test_a_preset_adds_its_text_and_keeps_its_name(queue: Queue, noir: int) -> None:
    comic = queue.comic(panels=["Hero"], style="Noir")
    assert queue.comic_now(comic).comic.style == "Noir"
    assert prompts(queue) == [f"Hero, {NOIR}"]


def test_what_is_no_preset_is_added_as_it_is(queue: Queue, noir: int) -> None:
    queue.comic(panels=["Hero"], style="loose pencil")
    assert prompts(queue) == ["Hero, loose pencil"]


def test_a_panel_may_have_a_style_of_its_own_or_none(queue: Queue, noir: int) -> None:
    queue.comic(
        panels=[PanelDraft("Hero"), PanelDraft("Map", style="none"), PanelDraft("Bats", style="ink")], style="noir"
    )
    assert prompts(queue) == [f"Hero, {NOIR}", "Map", "Bats, ink"]


def test_a_comic_without_style_says_so(queue: Queue, noir: int) -> None:
    comic = queue.comic(panels=["Hero"], style="none")
    assert queue.comic_now(comic).comic.style is None
    assert prompts(queue) == ["Hero"]


def test_editing_or_removing_a_preset_changes_nothing_that_is_queued(queue: Queue, noir: int) -> None:
    queue.comic(panels=2, style="noir", parallel=1)
    with queue.writing() as session:
        change_style(session, noir, "noir", "grey")
    assert prompts(queue) == [f"Panel 1, {NOIR}"]
    with queue.writing() as session:
        assert remove_style(session, noir) == "noir"
    queue.tell("1.1", "completed")
    assert prompts(queue) == [f"Panel 2, {NOIR}"]


def test_names_of_presets_are_taken_once_and_none_means_none(queue: Queue, noir: int) -> None:
    with queue.writing() as session, pytest.raises(Conflict):
        add_style(session, "NOIR", "grey")
    with queue.writing() as session, pytest.raises(Invalid):
        add_style(session, "None", "grey")
    with queue.writing() as session, pytest.raises(Invalid):
        add_style(session, "", "")
    with queue.writing() as session, pytest.raises(NotFound):
        change_style(session, noir + 1, "ink", "ink")


def test_presets_that_were_removed_do_not_come_back(queue: Queue, noir: int) -> None:
    with queue.writing() as session:
        remove_style(session, noir)
    with queue.writing() as session:
        begin(session, {"noir": NOIR})
        assert presets(session) == []


def test_the_attempts_of_the_pages_win_over_the_settings(queue: Queue) -> None:
    with queue.writing() as session:
        assert policy_now(session, queue.policy).max_attempts == 3
        change_max_attempts(session, 5)
    with queue.writing() as session:
        assert policy_now(session, queue.policy).max_attempts == 5
        change_max_attempts(session, None)
        assert policy_now(session, queue.policy).max_attempts == 3
        with pytest.raises(Invalid):
            change_max_attempts(session, 0)
