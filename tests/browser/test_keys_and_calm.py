"""Pages renew themselves without getting in anybody's way, and keys press what has them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from .server import Server
from .studio import TITLE
from .waiting import until

COMIC = "/admin/comics/2"  # the one that is being drawn
HIDE = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => Boolean(window.isHidden) })"
ASK_OFTEN = "document.querySelectorAll('[data-live]').forEach((part) => htmx.trigger(part, 'refresh'))"


@pytest.fixture
def open_page(plain_browser: Browser, studio: Server) -> Iterator[Any]:
    """Opens pages of the studio, each in a browser context of its own."""
    contexts = []

    def open_it(path: str, **options: Any) -> Page:
        context = plain_browser.new_context(**options)
        contexts.append(context)
        context.add_init_script(HIDE)
        page = context.new_page()
        page.goto(studio.url + path)
        return page

    yield open_it
    for context in contexts:
        context.close()


@contextmanager
def answers(page: Page) -> Iterator[list[int]]:
    """The statuses of the answers to what a page's scripts ask meanwhile."""
    statuses: list[int] = []

    def note(response: Response) -> None:
        if response.request.resource_type == "xhr":
            statuses.append(response.status)

    page.on("response", note)
    yield statuses
    page.remove_listener("response", note)


# ---- live and calm


def test_a_part_is_renewed_when_something_changes_and_not_before(open_page: Any, studio: Server) -> None:
    page = open_page(COMIC)
    with answers(page) as statuses:

        def is_up_to_date() -> bool:
            statuses.clear()
            page.evaluate(ASK_OFTEN)
            until(lambda: page.evaluate("1") and len(statuses) >= 2, "both parts were asked for")
            return set(statuses) == {204}

        until(is_up_to_date, "nothing is sent that has not changed")  # minutes pass, which the page tells
    studio.change_comic("2", parallel=7)
    expect(page.get_by_text("7 at once")).to_be_visible()


def test_nothing_is_asked_while_the_page_is_hidden_and_at_once_when_it_is_seen_again(open_page: Any) -> None:
    page = open_page(COMIC)
    page.evaluate("window.isHidden = true")
    with answers(page) as statuses:
        page.evaluate(ASK_OFTEN)
        page.wait_for_timeout(4_500)
        assert statuses == []
        page.evaluate("window.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")
        until(lambda: page.evaluate("1") and bool(statuses), "it asks again")


def test_nothing_is_replaced_while_a_row_is_selected_or_a_dialog_is_open(open_page: Any, studio: Server) -> None:
    page = open_page(COMIC)
    box = page.locator("input[data-pick]").first
    box.check()
    with answers(page) as statuses:
        page.evaluate(ASK_OFTEN)
        page.wait_for_timeout(500)
        assert statuses == []
    box.uncheck()
    page.get_by_role("button", name="Keys").click()
    with answers(page) as statuses:
        page.evaluate(ASK_OFTEN)
        page.wait_for_timeout(500)
        assert statuses == []
    page.get_by_role("button", name="Close").click()
    with answers(page) as statuses:
        page.evaluate(ASK_OFTEN)
        until(lambda: page.evaluate("1") and bool(statuses), "it asks again")


def test_focus_and_scroll_stay_when_a_part_is_replaced(open_page: Any, studio: Server) -> None:
    page = open_page(COMIC, viewport={"width": 900, "height": 400})
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused = page.evaluate("document.activeElement.id")
    page.evaluate("window.scrollTo(0, 700)")
    scrolled = page.evaluate("window.scrollY")
    studio.send(
        "POST",
        "/tasks/status",
        [{"taskId": task["receipt"], "status": "running", "progress": 77} for task in running(studio)],
    )
    expect(page.get_by_text("77 %").first).to_be_attached()
    assert page.evaluate("document.activeElement.id") == focused != ""
    assert abs(page.evaluate("window.scrollY") - scrolled) <= 2


def test_what_is_being_typed_is_never_replaced(open_page: Any, studio: Server) -> None:
    page = open_page(COMIC)
    page.get_by_text("Change title, priority or parallel").click()
    page.get_by_label("Title").fill("Half a ti")
    studio.change_comic("2", parallel=9)
    expect(page.get_by_text("9 at once")).to_be_visible()
    expect(page.get_by_label("Title")).to_have_value("Half a ti")
    expect(page.get_by_label("Title")).to_be_focused()


def test_times_are_the_readers_own(open_page: Any) -> None:
    here = open_page("/admin/", timezone_id="Asia/Tokyo", locale="en-GB").locator("time[title]").first
    there = open_page("/admin/", timezone_id="America/New_York", locale="en-GB").locator("time[title]").first
    here.hover()
    there.hover()
    expect(here).not_to_have_attribute("title", there.get_attribute("title") or "")
    assert "UTC" not in (here.get_attribute("title") or "")


def test_progress_is_said_aloud_in_steps_of_ten_percent_once(open_page: Any, studio: Server) -> None:
    page = open_page("/admin/")
    expect(page.locator("#announced")).to_have_text("")
    for task in running(studio):
        studio.send(
            "PATCH", f"/tasks/{task['receipt']}", {"status": "completed", "imageUrl": "https://example.com/1.png"}
        )
    expect(page.locator("#announced")).to_contain_text(f"{TITLE}: 50 % drawn")


def running(studio: Server) -> list[dict[str, Any]]:
    """The panels that are being drawn."""
    found: list[dict[str, Any]] = studio.get("/tasks?comic=2&status=running")["tasks"]
    return found


# ---- keys


def test_j_and_k_walk_over_the_rows_and_r_retries_the_one_that_is_focused(open_page: Any, studio: Server) -> None:
    page = open_page(f"{COMIC}?status=failed")
    failed = len(studio.get("/tasks?comic=2&status=failed")["tasks"])
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.id")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.id") != first
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.id") == first
    with page.expect_navigation():
        page.keyboard.press("r")
    assert len(studio.get("/tasks?comic=2&status=failed")["tasks"]) == failed - 1


def test_slash_searches_and_letters_are_then_only_letters(open_page: Any, studio: Server) -> None:
    page = open_page(COMIC)
    page.keyboard.press("/")
    expect(page.locator("input[name=q]")).to_be_focused()
    page.keyboard.type("prj?")
    expect(page.locator("input[name=q]")).to_have_value("prj?")
    assert studio.get("/comics/2")["status"] == "active"


def test_p_pauses_and_resumes(open_page: Any, studio: Server) -> None:
    page = open_page(COMIC)
    for status in ("paused", "active"):
        with page.expect_navigation():
            page.keyboard.press("p")
        assert studio.get("/comics/2")["status"] == status


def test_a_question_mark_helps_and_keys_can_be_switched_off_for_good(open_page: Any, studio: Server) -> None:
    page = open_page(COMIC)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("switch").uncheck()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.reload()
    page.keyboard.press("p")
    page.wait_for_timeout(300)
    assert studio.get("/comics/2")["status"] == "active"


def test_an_open_question_is_closed_by_escape(open_page: Any) -> None:
    page = open_page(COMIC)
    page.locator("details.confirm summary").first.click()
    expect(page.locator("details.confirm[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("details.confirm[open]")).to_have_count(0)
