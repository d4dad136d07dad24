"""What comes into the queue: comics as a whole or not at all, and single pictures."""

import pytest

from semantest_server import snapshots
from semantest_server.errors import FieldError, Invalid, KeyReused
from semantest_server.models import ComicStatus, Priority
from semantest_server.policy import Pacing, SiteDefaults
from semantest_server.queue.drafts import PanelDraft

from .callers import Queue


def refused(queue: Queue, panels: list[PanelDraft]) -> list[FieldError]:
    """What is wrong with these panels; and nothing may have changed."""
    before = queue.everything()
    with pytest.raises(Invalid) as raised:
        queue.comic("Refused", panels=panels)
    assert queue.everything() == before
    return raised.value.errors


def pointers(queue: Queue, panels: list[PanelDraft]) -> list[str]:
    return [error.pointer for error in refused(queue, panels)]


# ---- comics


def test_a_comic_is_queued_with_all_its_panels(queue: Queue) -> None:
    comic = queue.comic("Cave of Echoes", panels=["Hero enters", "Monster appears"], style="noir")
    first, second = queue.task(1), queue.task(2)
    assert [first.number, second.number] == [1, 2]
    assert [first.output_path, second.output_path] == ["panel-001.png", "panel-002.png"]
    assert (first.prompt, first.style, first.status) == ("Hero enters", "noir", "queued")
    assert (first.batch_id, first.domain, first.download_folder) == (comic, "chatgpt.com", "cave-of-echoes")
    assert (first.attempt, first.receipt, first.attempts_left) == (0, None, 3)
    assert (queue.progress(comic).total, queue.progress(comic).queued) == (2, 2)
    assert queue.comic_now(comic).status == "active"


def test_the_first_line_of_every_history_is_queued(queue: Queue) -> None:
    queue.comic(panels=2)
    assert [queue.history(1), queue.history(2)] == [[], []]


def test_the_options_of_a_comic_are_kept(queue: Queue) -> None:
    comic = queue.comic(priority=Priority.LOW, parallel=7, domain="gemini.google.com", download_folder="my/comics")
    row = queue.comic_now(comic).comic
    assert (row.priority, row.parallel, row.domain, row.download_folder) == (2, 7, "gemini.google.com", "my/comics")


def test_a_panel_may_say_everything_itself(queue: Queue) -> None:
    queue.comic(panels=[PanelDraft("Hero", 46, "ink", "act-1/46.png", "mine", "order-1")], style="noir")
    task = queue.task(1)
    assert (task.number, task.style, task.output_path) == (46, "ink", "act-1/46.png")
    assert (task.download_folder, task.correlation_id) == ("mine", "order-1")


def test_panels_without_a_number_go_on_from_the_one_before(queue: Queue) -> None:
    comic = queue.comic(panels=[PanelDraft("a"), PanelDraft("b", 10), PanelDraft("c"), PanelDraft("d", 2)])
    with queue.reading() as session:
        found, _ = snapshots.panels(session, queue.policy, comic)
    assert [(panel.prompt, panel.number) for panel in found] == [("a", 1), ("d", 2), ("b", 10), ("c", 11)]


def test_a_number_that_comes_twice_is_refused_at_the_later_panel(queue: Queue) -> None:
    assert pointers(queue, [PanelDraft("a", 1), PanelDraft("b", 2), PanelDraft("c", 1)]) == ["/panels/2/number"]


def test_a_number_that_follows_from_the_panel_before_may_not_be_taken_either(queue: Queue) -> None:
    assert pointers(queue, [PanelDraft("a", 3), PanelDraft("b", 2), PanelDraft("c")]) == ["/panels/2/number"]


def test_one_bad_panel_means_no_comic_at_all(queue: Queue) -> None:
    panels = [PanelDraft(f"Panel {n}") for n in range(50)]
    panels[37] = PanelDraft("Panel 37", output_path="../outside.png")
    assert pointers(queue, panels) == ["/panels/37/outputPath"]


def test_every_bad_panel_is_named(queue: Queue) -> None:
    bad = [
        PanelDraft("a", output_path="/etc/passwd"),
        PanelDraft("b"),
        PanelDraft("c", 1, download_folder="con"),
        PanelDraft("d", 9, output_path="what?.png"),
    ]
    assert set(pointers(queue, bad)) == {
        "/panels/0/outputPath",
        "/panels/2/number",
        "/panels/2/downloadFolder",
        "/panels/3/outputPath",
    }


def test_a_download_folder_that_leaves_its_place_is_refused(queue: Queue) -> None:
    with pytest.raises(Invalid) as raised:
        queue.comic(download_folder="../up")
    assert [error.pointer for error in raised.value.errors] == ["/downloadFolder"]


def test_ten_thousand_panels_are_queued_at_once(queue: Queue) -> None:
    comic = queue.comic(panels=[PanelDraft("Panel", correlation_id=f"c-{n}") for n in range(10_000)])
    assert queue.progress(comic).queued == 10_000
    assert queue.take(limit=3) == ["1.1", "2.1", "3.1"]


# ---- correlationIds


def test_a_correlation_id_that_comes_twice_in_a_comic_is_refused(queue: Queue) -> None:
    twice = [PanelDraft("a", correlation_id="x"), PanelDraft("b"), PanelDraft("c", correlation_id="x")]
    assert pointers(queue, twice) == ["/panels/2/correlationId"]


def test_the_correlation_id_of_an_open_task_is_refused_at_its_pointer(queue: Queue) -> None:
    queue.comic(panels=[PanelDraft("a", correlation_id="x")])
    assert pointers(queue, [PanelDraft("b"), PanelDraft("c", correlation_id="x")]) == ["/panels/1/correlationId"]


def test_a_failed_task_still_has_its_correlation_id(queue: Queue) -> None:
    queue.comic(panels=[PanelDraft("a", correlation_id="x")])
    queue.wear_out(1)
    assert pointers(queue, [PanelDraft("c", correlation_id="x")]) == ["/panels/0/correlationId"]


@pytest.mark.parametrize("over", ["completed", "cancelled"])
def test_the_correlation_id_of_a_task_that_is_over_is_free_again(queue: Queue, over: str) -> None:
    comic = queue.comic(panels=[PanelDraft("a", correlation_id="x")])
    queue.take()
    if over == "completed":
        queue.tell("1.1", "completed")
    else:
        queue.cancel(comic)
    queue.comic("B", panels=[PanelDraft("b", correlation_id="x")])
    assert queue.status(2) == "queued"


# ---- Idempotency-Key


def test_the_same_key_and_body_again_answer_with_the_comic_that_is_there(queue: Queue) -> None:
    comic = queue.comic("A", panels=2, key="k", body="{}")
    before = queue.everything()
    assert queue.comic("A", panels=2, key="k", body="{}") == comic
    assert queue.everything() == before


def test_the_key_answers_with_the_same_comic_even_when_its_correlation_ids_are_open(queue: Queue) -> None:
    panels = [PanelDraft("a", correlation_id="x")]
    comic = queue.comic(panels=panels, key="k")
    assert queue.comic(panels=panels, key="k") == comic


def test_the_same_key_with_another_body_is_refused(queue: Queue) -> None:
    queue.comic("A", key="k", body="{}")
    before = queue.everything()
    with pytest.raises(KeyReused):
        queue.comic("B", key="k", body='{"title": "B"}')
    assert queue.everything() == before


def test_other_keys_make_other_comics(queue: Queue) -> None:
    assert queue.comic(key="k") != queue.comic(key="l")


def test_a_key_of_a_refused_submission_may_come_again_corrected(queue: Queue) -> None:
    with pytest.raises(Invalid):
        queue.comic(panels=[PanelDraft("a", output_path="..")], key="k", body="wrong")
    comic = queue.comic(panels=[PanelDraft("a")], key="k", body="right")
    assert queue.statuses(comic) == ["queued"]


def test_a_key_makes_a_repeated_picture_harmless(queue: Queue) -> None:
    task, _ = queue.picture("Hero", key="k", body="{}")
    before = queue.everything()
    assert queue.picture("Hero", key="k", body="{}")[0] == task
    assert queue.everything() == before
    with pytest.raises(KeyReused):
        queue.picture("Monster", key="k", body="other")


def test_a_key_of_a_picture_that_was_there_already_stands_for_it_for_good(queue: Queue) -> None:
    task, _ = queue.picture("Hero", correlation_id="x")
    assert queue.picture("Hero", correlation_id="x", key="k")[0] == task
    queue.take()
    queue.tell("1.1", "completed")
    assert queue.picture("Hero", correlation_id="x", key="k")[0] == task


# ---- single pictures


def test_single_pictures_belong_to_one_standing_comic_per_site(queue: Queue) -> None:
    one, _ = queue.picture("Hero")
    two, _ = queue.picture("Monster")
    other, _ = queue.picture("Hero", domain="gemini.google.com")
    tasks = [queue.task(one), queue.task(two), queue.task(other)]
    assert tasks[0].batch_id == tasks[1].batch_id != tasks[2].batch_id
    assert [task.number for task in tasks] == [1, 2, 1]
    assert [task.domain for task in tasks] == ["chatgpt.com", "chatgpt.com", "gemini.google.com"]
    assert queue.comic_now(tasks[0].batch_id).comic.title == "Single pictures"
    assert queue.take(domains=["chatgpt.com"]) == [f"{one}.1", f"{two}.1"]


def test_an_open_correlation_id_answers_with_the_task_that_is_there(queue: Queue) -> None:
    assert queue.picture("Hero", correlation_id="x") == (1, True)
    assert queue.picture("Hero again", correlation_id="x") == (1, False)
    assert queue.take() == ["1.1"]
    assert queue.picture("Hero again", correlation_id="x") == (1, False)
    assert queue.task(1).prompt == "Hero"


def test_a_panel_of_a_comic_answers_for_its_correlation_id_too(queue: Queue) -> None:
    queue.comic(panels=[PanelDraft("a", correlation_id="x")])
    assert queue.picture("Hero", correlation_id="x") == (1, False)


def test_an_open_correlation_id_of_another_site_answers_with_its_task(queue: Queue) -> None:
    queue.picture("Hero", correlation_id="x")
    assert queue.picture("Hero", correlation_id="x", domain="gemini.google.com") == (1, False)


def test_a_correlation_id_that_is_over_makes_a_new_task(queue: Queue) -> None:
    queue.picture("Hero", correlation_id="x")
    queue.take()
    queue.tell("1.1", "completed")
    assert queue.picture("Hero", correlation_id="x") == (2, True)


def test_a_path_that_leaves_its_folder_makes_no_picture(queue: Queue) -> None:
    before = queue.everything()
    with pytest.raises(Invalid):
        queue.picture("Hero", output_path="../up.png")
    assert queue.everything() == before


def test_what_else_the_submitter_said_is_kept_with_the_first_line_of_history(queue: Queue) -> None:
    queue.picture("Hero", details={"source": "obsidian"})
    with queue.reading() as session:
        (line,), _ = snapshots.events(session, 1)
    assert line.details == {"source": "obsidian"}


def test_a_new_picture_makes_the_finished_comic_active_again(queue: Queue) -> None:
    queue.picture("Hero")
    queue.take()
    queue.tell("1.1", "completed")
    assert queue.comic_now(1).status == "finished"
    queue.picture("Monster")
    assert queue.comic_now(1).status == "active"


def test_a_new_picture_makes_the_cancelled_comic_active_again(queue: Queue) -> None:
    queue.picture("Hero")
    queue.cancel(1)
    queue.picture("Monster")
    assert queue.comic_now(1).status == "active"
    assert queue.statuses(1) == ["cancelled", "queued"]


def test_a_new_picture_leaves_the_paused_comic_paused(queue: Queue) -> None:
    queue.picture("Hero")
    queue.pause(1)
    queue.picture("Monster")
    assert queue.comic_now(1).status == ComicStatus.PAUSED
    assert queue.take() == []


# ---- sites


def test_a_new_site_starts_with_the_pacing_of_the_settings(queue: Queue) -> None:
    queue.defaults = SiteDefaults("chatgpt.com", Pacing(3, 20, 600, 100))
    queue.comic()
    queue.picture(domain="gemini.google.com")
    for domain in ("chatgpt.com", "gemini.google.com"):
        site = queue.site(domain)
        assert (site.gap_seconds, site.break_after, site.break_seconds, site.daily_cap) == (3, 20, 600, 100)


def test_a_site_that_is_there_keeps_the_pacing_it_was_given(queue: Queue) -> None:
    queue.comic()
    queue.pace(gap_seconds=7)
    queue.defaults = SiteDefaults("chatgpt.com", Pacing(gap_seconds=3))
    queue.comic("B")
    assert queue.site().gap_seconds == 7


def test_the_site_that_draws_when_none_is_named_is_a_setting(queue: Queue) -> None:
    queue.defaults = SiteDefaults("gemini.google.com", Pacing())
    queue.comic()
    queue.picture()
    assert [queue.task(1).domain, queue.task(2).domain] == ["gemini.google.com"] * 2
