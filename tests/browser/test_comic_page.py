"""A comic's page and a panel's page in real Chromium, with JavaScript and without it."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect

from .server import Server
from .waiting import until

PROMPTS = [
    "Hero enters the cave",
    "Echoes answer from the dark",
    "Monster appears",
    "Hero sings",
    "The monster weeps",
    "Both leave at dawn",
]
PIXEL = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)

OpenPage = Callable[[str], Page]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose panels fail at once, and whose leases outlive the tests."""
    server = Server(tmp_path_factory.mktemp("comic_page"), max_attempts=1, lease_seconds=3600, ack_seconds=3600)
    server.start()
    yield server
    server.stop()
    print(server.log())
    assert "Traceback" not in server.log()


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def has_scripts(request: pytest.FixtureRequest) -> bool:
    """Whether the browser runs JavaScript."""
    return bool(request.param)


@pytest.fixture
def open_page(server: Server, plain_browser: Browser, has_scripts: bool) -> Iterator[OpenPage]:
    """Opens an address of the server in a tab; that nothing went wrong there is seen at the end."""
    context = plain_browser.new_context(java_script_enabled=has_scripts)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda message: wrong.append(message.text) if is_wrong(message) else None)

    def open_it(path: str) -> Page:
        page.goto(server.url + path)
        return page

    yield open_it
    context.close()
    assert wrong == []


@pytest.fixture
def comic(server: Server) -> str:
    """A comic of six panels: the first is drawn, two have failed, three wait."""
    comic = server.queue_comic("Cave of Echoes", PROMPTS, priority="high")
    for said in ({"status": "completed", "imageUrl": PIXEL}, {"status": "failed"}, {"status": "failed"}):
        ((hand_out),) = server.send("GET", "/tasks/pending?limit=1", worker="studio")
        assert hand_out["payload"]["batchId"] == comic
        server.send("PATCH", f"/tasks/{hand_out['payload']['panels'][0]['id']}", said, worker="studio")
    return comic


@pytest.fixture(autouse=True)
def cancelled_afterwards(server: Server, comic: str) -> Iterator[None]:
    """Let no test draw what another has left."""
    yield
    for left in server.get("/comics")["comics"]:
        if left["status"] in ("active", "paused"):
            server.change_comic(left["id"], status="cancelled")


def is_wrong(message: ConsoleMessage) -> bool:
    """Whether a message is none that should be there; a page that answers `409` is meant to."""
    return message.type == "error" and "409" not in message.text


def see(page: Page, numbers: list[int]) -> None:
    """Return once these panels are shown, in this order."""

    def are_shown() -> bool:
        try:
            rows = page.locator("[data-row]").evaluate_all("rows => rows.map(row => row.id)")
        except Error:  # the page is being left
            return False
        return bool(rows == [f"panel-{number}" for number in numbers])

    until(are_shown, f"panels {numbers} are shown")


def pick(page: Page, *numbers: int) -> None:
    """Select panels."""
    for number in numbers:
        page.get_by_role("checkbox", name=f"Select panel {number}", exact=True).check()


def button(page: Page, has_scripts: bool, with_scripts: str, without: str) -> None:
    """Press what is called so with JavaScript, or without."""
    page.get_by_role("button", name=with_scripts if has_scripts else without, exact=True).click()


def summary(page: Page, text: str) -> None:
    """Open what a button that ends with dots hides."""
    page.locator("summary", has_text=text).locator("visible=true").click()


# ---- looking


def test_panels_are_filtered_searched_and_sorted(open_page: OpenPage, comic: str) -> None:
    page = open_page(f"/admin/comics/{comic}")
    see(page, [1, 2, 3, 4, 5, 6])
    page.get_by_role("link", name="Failed 2").click()
    see(page, [2, 3])
    page.get_by_label("Search").fill("MONSTER")
    page.get_by_role("button", name="Show").click()
    see(page, [3])
    expect(page.get_by_text("1 panel with “MONSTER”")).to_be_visible()
    page.get_by_role("link", name="All 2").click()
    see(page, [3, 5])
    page.get_by_label("Order").select_option("Panel number, backwards")
    page.get_by_label("On a page").select_option("100")
    page.get_by_role("button", name="Show").click()
    see(page, [5, 3])
    for part in ("q=MONSTER", "sort=-number", "size=100"):
        assert part in page.url
    page.get_by_role("link", name="Clear the search").click()
    page.get_by_role("link", name="Status").click()
    see(page, [4, 5, 6, 1, 2, 3])


def test_the_grid_shows_pictures_and_the_same_actions(open_page: OpenPage, comic: str) -> None:
    page = open_page(f"/admin/comics/{comic}?status=completed")
    page.get_by_role("link", name="Grid").click()
    picture = page.get_by_role("img", name="Picture of panel 1")
    expect(picture).to_be_visible()
    assert picture.evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") == 1
    page.get_by_role("link", name="All 6").click()
    page.wait_for_url(lambda address: "status=" not in address)
    assert "view=grid" in page.url
    page.get_by_role("button", name="Retry panel 2").click()
    expect(page.get_by_text("Panel 2 is queued again.")).to_be_visible()
    assert "view=grid" in page.url


def test_a_panel_leads_to_the_next_and_the_previous(open_page: OpenPage, comic: str, has_scripts: bool) -> None:
    page = open_page(f"/admin/comics/{comic}?status=failed")
    page.get_by_role("link", name="2", exact=True).click()
    expect(page.get_by_role("heading", name="Panel 2", exact=True)).to_be_visible()
    page.wait_for_load_state()
    if has_scripts:
        page.keyboard.press("n")
    else:
        page.get_by_role("link", name="Panel 3").click()
    expect(page.get_by_role("heading", name="Panel 3", exact=True)).to_be_visible()
    page.wait_for_load_state()
    if has_scripts:
        page.keyboard.press("b")
    else:
        page.get_by_role("link", name="Panel 2").click()
    expect(page.get_by_role("heading", name="Panel 2", exact=True)).to_be_visible()
    page.get_by_role("link", name="Cave of Echoes").click()
    expect(page).to_have_url(re.compile(r"\?status=failed$"))


def test_a_picture_and_a_comic_are_downloaded(open_page: OpenPage, comic: str) -> None:
    page = open_page(f"/admin/comics/{comic}/panels/1")
    with page.expect_download() as picture:
        page.get_by_role("link", name="Download the picture").click()
    assert picture.value.suggested_filename == "panel-001.png"
    open_page(f"/admin/comics/{comic}")
    for name in ("CSV", "JSON"):
        with page.expect_download() as file:
            page.get_by_role("link", name=name).click()
        assert file.value.suggested_filename == f"cave-of-echoes.{name.lower()}"


# ---- doing


def test_what_is_selected_is_retried(open_page: OpenPage, server: Server, comic: str, has_scripts: bool) -> None:
    page = open_page(f"/admin/comics/{comic}")
    pick(page, 1, 2, 6)
    button(page, has_scripts, "Retry 1 selected", "Retry selected")
    expect(page.get_by_text("1 panel queued again; 2 were not failed any more.")).to_be_visible()
    assert server.statuses(comic) == ["completed", "queued", "failed", "queued", "queued", "queued"]


def test_all_that_match_are_retried(open_page: OpenPage, server: Server, comic: str) -> None:
    page = open_page(f"/admin/comics/{comic}?status=failed")
    page.get_by_role("button", name="Retry 2 failed").click()
    expect(page.get_by_text("2 panels queued again.")).to_be_visible()
    expect(page.get_by_text("There are no failed panels.")).to_be_visible()
    assert "failed" not in server.statuses(comic)


def test_panels_are_cancelled_after_a_question(
    open_page: OpenPage, server: Server, comic: str, has_scripts: bool
) -> None:
    page = open_page(f"/admin/comics/{comic}")
    pick(page, 2, 4, 5)
    summary(page, "Cancel 2 selected…" if has_scripts else "Cancel selected…")
    said = "2 of the selected panels will not" if has_scripts else "Those of the selected panels that are queued or"
    expect(page.get_by_text(said)).to_be_visible()
    button(page, has_scripts, "Cancel 2 selected", "Cancel the selected panels")
    expect(page.get_by_text("2 panels cancelled; 1 was over already.")).to_be_visible()
    page.get_by_role("link", name="Queued 1").click()
    summary(page, "Cancel 1…")
    expect(page.get_by_text("1 panel will not be drawn.").locator("visible=true")).to_be_visible()
    page.get_by_role("button", name="Cancel 1 panel").click()
    expect(page.get_by_text("1 panel cancelled.")).to_be_visible()
    assert server.statuses(comic) == ["completed", "failed", "failed", "cancelled", "cancelled", "cancelled"]
    assert server.get(f"/comics/{comic}")["status"] == "finished"


def test_panels_are_moved(open_page: OpenPage, comic: str, has_scripts: bool) -> None:
    page = open_page(f"/admin/comics/{comic}?status=queued&sort=order")
    see(page, [4, 5, 6])
    pick(page, 6)
    summary(page, "Move 1 selected…" if has_scripts else "Move selected…")
    page.get_by_role("button", name="To the top").locator("visible=true").click()
    expect(page.get_by_text("1 panel moved to the top.")).to_be_visible()
    see(page, [6, 4, 5])
    pick(page, 6)
    summary(page, "Move 1 selected…" if has_scripts else "Move selected…")
    place = page.get_by_label("To place").locator("visible=true")
    place.fill("2")
    place.press("Enter")  # does nothing, and least of all presses another button of the form
    page.get_by_role("button", name="Move there").locator("visible=true").click()
    expect(page.get_by_text("1 panel moved to place 2.")).to_be_visible()
    see(page, [4, 6, 5])


def test_a_failed_panel_is_edited_and_queued_again(
    open_page: OpenPage, server: Server, comic: str, has_scripts: bool
) -> None:
    page = open_page(f"/admin/comics/{comic}/panels/2")
    page.get_by_label("Prompt", exact=True).fill("Echoes whisper")
    page.get_by_label("Style").fill("in ink")
    if has_scripts:
        expect(page.get_by_role("group", name="As it will be drawn")).to_have_text("Echoes whisper, in ink")
    page.get_by_role("button", name="Save and retry").click()
    expect(page.get_by_text("Saved, and queued again.")).to_be_visible()
    expect(page.locator(".history ins").first).to_have_text("Echoes whisper")
    task = server.tasks(comic)[1]
    assert (task["prompt"], task["style"], task["status"]) == ("Echoes whisper", "in ink", "queued")


def test_of_two_who_edit_at_once_the_second_loses_nothing(open_page: OpenPage, server: Server, comic: str) -> None:
    page = open_page(f"/admin/comics/{comic}/panels/4")
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_label("Prompt", exact=True).fill("Theirs")
    other.get_by_role("button", name="Save").click()
    page.get_by_label("Prompt", exact=True).fill("Mine")
    with page.expect_response(lambda response: response.status == 409):
        page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Somebody else has edited panel 4")).to_be_visible()
    expect(page.locator(".theirs dd")).to_have_text("Theirs")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("Mine")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert server.tasks(comic)[3]["prompt"] == "Mine"


def test_words_are_found_and_replaced_after_a_look(
    open_page: OpenPage, server: Server, comic: str, has_scripts: bool
) -> None:
    page = open_page(f"/admin/comics/{comic}")
    pick(page, 1, 3, 5, 6)
    button(page, has_scripts, "Find and replace in 3 selected", "Find and replace in selected")
    page.get_by_label("Find", exact=True).fill("monster")
    page.get_by_label("Replace with").fill("dragon")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("heading", name="2 prompts would change")).to_be_visible()
    expect(page.locator(".changes del")).to_have_text(["Monster", "monster"])
    page.get_by_label("And queue the 1 failed again").check()
    page.get_by_role("button", name="Replace in 2 prompts").click()
    expect(page.get_by_text("Replaced in 2 prompts. 1 panel queued again.")).to_be_visible()
    tasks = server.tasks(comic)
    assert [tasks[2]["prompt"], tasks[4]["prompt"]] == ["dragon appears", "The dragon weeps"]
    assert tasks[2]["status"] == "queued"


# ---- what only JavaScript can do


@pytest.mark.parametrize("has_scripts", [True], ids=["scripts"])
def test_shift_selects_a_range_and_buttons_follow_the_selection(open_page: OpenPage, comic: str) -> None:
    page = open_page(f"/admin/comics/{comic}")
    selected = page.locator("[data-bulk=selected]")
    expect(selected).to_be_hidden()
    pick(page, 2)
    page.get_by_label("Select panel 5").click(modifiers=["Shift"])
    expect(selected).to_contain_text("4 selected")
    expect(page.get_by_role("button", name="Retry 2 selected")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Retry 2 failed"))).to_be_hidden()
    pick(page, 1)
    page.get_by_label("Select panel 2").uncheck()
    page.get_by_label("Select panel 3").uncheck()
    expect(page.get_by_role("button", name=re.compile("^Retry . selected"))).to_be_hidden()
    page.get_by_label("All on this page").check()
    expect(selected).to_contain_text("6 selected")
    page.get_by_label("All on this page").uncheck()
    expect(selected).to_be_hidden()


@pytest.mark.parametrize("has_scripts", [True], ids=["scripts"])
def test_keys_walk_over_the_rows_and_retry(open_page: OpenPage, server: Server, comic: str) -> None:
    page = open_page(f"/admin/comics/{comic}")
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    page.get_by_label("Search").blur()
    for _ in range(3):
        page.keyboard.press("j")
    expect(page.locator("#panel-3")).to_be_focused()
    page.keyboard.press("r")
    expect(page.get_by_text("Panel 3 is queued again.")).to_be_visible()
    assert server.statuses(comic)[1:3] == ["failed", "queued"]
    page.wait_for_load_state()
    page.keyboard.press("p")
    expect(page.get_by_text("Paused: no more panels are handed out.")).to_be_visible()


@pytest.mark.parametrize("has_scripts", [True], ids=["scripts"])
def test_a_selection_outlives_what_happens_meanwhile(open_page: OpenPage, server: Server, comic: str) -> None:
    page = open_page(f"/admin/comics/{comic}")
    pick(page, 2)
    server.send("GET", "/tasks/pending?limit=1", worker="attic")
    page.evaluate("document.querySelectorAll('[data-live]').forEach(part => htmx.trigger(part, 'refresh'))")
    expect(page.get_by_label("Select panel 2")).to_be_checked()
    expect(page.locator("#panel-4 .status")).to_have_text("queued")
    page.get_by_label("Select panel 2").uncheck()
    page.get_by_label("Select panel 2").blur()
    page.evaluate("document.querySelectorAll('[data-live]').forEach(part => htmx.trigger(part, 'refresh'))")
    expect(page.locator("#panel-4 .status")).to_have_text("leased")
    expect(page.locator("[data-bulk=selected]")).to_be_hidden()
