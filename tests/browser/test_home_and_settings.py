"""The first page, workers, activity, settings and styles in a real browser, with JavaScript and without."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from .server import Server
from .studio import TITLE


@pytest.fixture(params=[True, False], ids=["with JavaScript", "without JavaScript"])
def context(plain_browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    context = plain_browser.new_context(java_script_enabled=request.param)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


def go(page: Page, studio: Server, path: str = "") -> None:
    page.goto(f"{studio.url}/admin/{path}")


def status(studio: Server, comic: int) -> str:
    found: str = studio.get(f"/comics/{comic}")["status"]
    return found


# The first page


def test_the_first_page_says_what_is_drawn_and_what_needs_a_person(page: Page, studio: Server) -> None:
    go(page, studio)

    expect(page.get_by_text("Drawing 2 panels.")).to_be_visible()
    drawing = page.get_by_role("table").get_by_role("row").filter(has_text="60 %")
    expect(drawing).to_contain_text(TITLE)
    expect(drawing).to_contain_text("studio laptop")
    card = page.get_by_role("article").filter(has_text=TITLE)
    expect(card).to_contain_text("94 seconds a panel")
    expect(card).to_contain_text(re.compile(r"9 of 22 panels drawn.*minutes remaining.*done at about \d"))
    expect(page.get_by_text("No tab open for gemini.google.com in office.")).to_be_visible()
    opened = page.get_by_role("button", name="Open gemini.google.com")
    expect(opened).to_have_attribute("href", "https://gemini.google.com/")
    pictures = page.get_by_role("img", name="Panel 9 of Cave of Echoes")
    expect(pictures).to_be_visible()
    pictures.click()
    expect(page).to_have_url(re.compile(r"/admin/comics/2/panels/9$"))


def test_a_paused_comic_is_resumed_and_everything_is_paused_and_resumed(page: Page, studio: Server) -> None:
    go(page, studio)
    paused = page.get_by_role("listitem").filter(has_text="is paused.")
    expect(paused).to_contain_text("The long night")
    paused.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Resumed.")).to_be_visible()
    assert status(studio, 3) == "active"

    page.get_by_role("button", name="Pause everything").click()
    expect(page.get_by_text("Paused 3 comics")).to_be_visible()
    assert {status(studio, comic) for comic in (2, 3, 5)} == {"paused"}
    page.get_by_role("button", name="Resume everything").click()
    expect(page.get_by_text("Resumed 3 comics.")).to_be_visible()
    assert {status(studio, comic) for comic in (2, 3, 5)} == {"active"}
    studio.change_comic("3", status="paused")


def test_failed_panels_are_retried_from_the_first_page(page: Page, studio: Server) -> None:
    fail_again(studio)
    go(page, studio)
    failed = page.get_by_role("listitem").filter(has_text=re.compile("panels? failed in"))
    failed.get_by_role("button", name="Look").click()
    expect(page).to_have_url(re.compile(r"/admin/comics/2\?status=failed$"))

    page.go_back()
    failed.get_by_role("button", name=re.compile(r"Retry \d failed")).click()

    expect(page.get_by_text(re.compile(r"Queued \d panels? again\."))).to_be_visible()
    assert studio.get("/comics/2")["progress"]["failed"] == 0


def fail_again(studio: Server) -> None:
    """Let a panel of the comic fail, unless one has."""
    if studio.get("/comics/2")["progress"]["failed"] == 0:
        studio.change_comic("2", parallel=9)
        [hand_out] = studio.send("GET", "/tasks/pending?limit=1&domain=chatgpt.com", worker="another")
        receipt = hand_out["payload"]["panels"][0]["id"]
        studio.send("PATCH", f"/tasks/{receipt}", {"status": "failed"}, worker="another")


# The other pages


def test_a_worker_is_named_held_and_released(page: Page, studio: Server) -> None:
    go(page, studio, "workers")
    page.get_by_role("link", name="Rename office").click()
    expect(page.get_by_label("Label")).to_have_value("office")
    page.get_by_label("Label").fill("the desk upstairs")
    page.get_by_label("Label").press("Enter")
    expect(page.get_by_text("It is called the desk upstairs now.")).to_be_visible()

    page.get_by_role("button", name="Hold the desk upstairs").click()
    row = page.get_by_role("row").filter(has_text="the desk upstairs")
    expect(row).to_contain_text("on hold")
    go(page, studio)
    on_hold = page.get_by_role("listitem").filter(has_text="the desk upstairs is on hold.")
    on_hold.get_by_role("button", name="Release").click()
    expect(page.get_by_text("the desk upstairs gets panels again.")).to_be_visible()

    go(page, studio, "workers")
    page.get_by_role("link", name="Rename the desk upstairs").click()
    page.get_by_label("Label").fill("office")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("It is called office now.")).to_be_visible()


def test_the_activity_is_filtered_and_saved_as_a_file(page: Page, studio: Server) -> None:
    go(page, studio, "activity")
    page.get_by_role("link", name="Trouble only").click()
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows.filter(has_text="studio laptop failed at panel")).not_to_have_count(0)
    expect(rows.filter(has_text=" drew ")).to_have_count(0)

    go(page, studio, "activity")
    page.get_by_text("Choose what to show").click()
    page.get_by_label("Drawn", exact=True).check()
    page.get_by_label("Comic").select_option(TITLE)
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile(r"type=completed&comic=2&worker=$"))
    expect(rows.filter(has_text=f"of {TITLE}")).to_have_count(9)
    expect(page.get_by_label("Drawn", exact=True)).to_be_checked()

    with page.expect_download() as downloading:
        page.get_by_role("link", name="Save this as a CSV file").click()
    lines = downloading.value.path().read_text("utf-8-sig").splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("id,at,type,comic,title,panel")


def test_attempts_and_pacing_are_set(page: Page, studio: Server) -> None:
    go(page, studio, "settings")
    page.get_by_label("Attempts per panel").fill("lots")
    page.get_by_role("button", name="Save attempts").click()
    expect(page.get_by_role("alert").filter(has_text="Give a whole number")).to_be_visible()
    expect(page.get_by_label("Attempts per panel")).to_have_value("lots")
    page.get_by_label("Attempts per panel").fill("4")
    page.get_by_role("button", name="Save attempts").click()
    expect(page.get_by_text("A panel is tried 4 times before it fails.")).to_be_visible()

    site = page.get_by_role("article").filter(has_text="gemini.google.com")
    site.get_by_label("Daily cap").fill("40")
    site.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved for gemini.google.com.")).to_be_visible()
    expect(site).to_contain_text("0 of 40 panels handed out today")

    site.get_by_label("Daily cap").fill("0")
    site.get_by_role("button", name="Save").click()
    expect(site).not_to_contain_text("handed out today")
    page.get_by_label("Attempts per panel").fill("")
    page.get_by_role("button", name="Save attempts").click()
    expect(page.get_by_text("A panel is tried 1 time before it fails.")).to_be_visible()


def test_a_style_is_added_changed_and_removed(page: Page, studio: Server) -> None:
    go(page, studio, "settings")
    page.get_by_role("link", name="Styles").click()
    page.get_by_label("Name").first.fill("ink")
    page.get_by_label("Text").first.fill("black ink")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("Added ink.")).to_be_visible()

    style = page.get_by_role("article").filter(has=page.get_by_role("heading", name="ink", exact=True))
    expect(style).to_contain_text("Hero enters the cave, black ink")
    style.get_by_text("Edit").click()
    style.get_by_label("Text").fill(" ")
    style.get_by_role("button", name="Save").click()
    expect(style.get_by_role("alert")).to_contain_text("Must have 1 to 500 characters.")
    style.get_by_label("Text").fill("brown ink")
    style.get_by_role("button", name="Save").click()
    expect(style).to_contain_text("Hero enters the cave, brown ink")

    style.get_by_text("Remove…").click()
    style.get_by_role("button", name="Remove ink").click()
    expect(page.get_by_text("Removed ink.")).to_be_visible()
    expect(style).to_have_count(0)


# The first visit


def test_the_first_visit_explains_and_sees_the_extension_come(
    plain_browser: Browser, chromium: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = Server(tmp_path_factory.mktemp("first"))
    server.start()
    try:
        page = plain_browser.new_page()
        page.goto(server.url)
        expect(page.get_by_role("button", name="Queue your first comic")).to_be_visible()
        expect(page.get_by_text("Load unpacked")).to_be_visible()
        server.send("GET", "/tasks/pending", worker="studio laptop")
        expect(page.get_by_text("1 extension polling already")).to_be_visible()
        expect(page.get_by_text("Load unpacked")).to_have_count(0)
        page.close()
    finally:
        server.stop()
