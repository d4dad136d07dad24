"""From a file to a queued comic, in a real browser, with and without JavaScript."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .server import Server

WRONG = {
    10: '"A door opens",One,hgih,',
    50: ",One,high,",
    90: "A lamp, a shadow, a cat,One,high,",
    130: '"The cat turns",One,high,../up.png',
    170: '"Rain falls",One,low,',
}
TWO_HUNDRED = "prompt,chapter,priority,filename\n" + "".join(
    WRONG.get(n, f'"Panel {n}, a street",One,high,') + "\n" for n in range(1, 201)
)
DROP = """([form, name, text]) => {
  const files = new DataTransfer();
  files.items.add(new File([text], name, { type: "text/plain" }));
  for (const kind of ["dragover", "drop"]) {
    form.dispatchEvent(new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true }));
  }
}"""


@pytest.fixture(scope="module")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that runs for all tests here."""
    running = Server(tmp_path_factory.mktemp("queueing"))
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log()


@pytest.fixture
def open_form(plain_browser: Browser, server: Server) -> Iterator[Any]:
    """Opens the form that queues a comic, in a browser context of its own."""
    contexts = []

    def open_it(**options: Any) -> Page:
        context = plain_browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{server.url}/admin/comics/new")
        return page

    yield open_it
    for context in contexts:
        context.close()


def choose(page: Page, text: str, name: str = "cave.csv") -> None:
    """Choose a file in the form."""
    page.get_by_label("File", exact=True).set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": text.encode()}
    )


def look_through(page: Page, prompts: str, title: str = "Cave of Echoes") -> None:
    """Paste prompts and go on to their preview."""
    page.get_by_label("Title").fill(title)
    page.get_by_label("Prompts").fill(prompts)
    page.get_by_role("button", name="Preview").click()


@pytest.mark.parametrize("has_scripts", [True, False])
def test_five_bad_rows_among_two_hundred_are_mended_and_queued(
    open_form: Any, server: Server, has_scripts: bool
) -> None:
    page = open_form(java_script_enabled=has_scripts)
    choose(page, TWO_HUNDRED, f"cave {has_scripts}.csv")
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Preview of cave {has_scripts}")
    expect(page.locator("tr[data-row]")).to_have_count(5)
    page.locator("#cell-9-priority").fill("high")
    page.locator("#cell-49-prompt").fill("The missing panel")
    page.locator("#row-89").get_by_label("It is right as it stands here").check()
    page.locator("#cell-129-filename").fill("up.png")
    page.locator("#row-169").get_by_role("checkbox").uncheck()
    page.get_by_role("button", name="Save changes").click()
    expect(page.get_by_text("Nothing is wrong any more.")).to_be_visible()
    page.get_by_role("button", name="Queue 199 panels").click()
    page.wait_for_url("**/admin/comics/*")
    found = page.request.get(f"{server.url}/tasks", params={"comic": page.url.rsplit("/", 1)[-1], "limit": 200}).json()
    tasks = {task["number"]: task for task in found["tasks"]}
    assert len(tasks) == 199
    assert (tasks[50]["prompt"], tasks[90]["prompt"]) == ("The missing panel", "A lamp, a shadow, a cat")
    assert (tasks[130]["outputPath"], tasks[170]["prompt"]) == ("up.png", "Panel 171, a street")


def test_a_file_is_dropped_on_the_form(open_form: Any) -> None:
    page = open_form()
    page.evaluate(DROP, [page.locator("form.queue").element_handle(), "dropped.txt", "Hero enters\nCat turns"])
    assert page.evaluate("document.querySelector('[type=file]').files[0].name") == "dropped.txt"
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Preview of dropped")
    expect(page.get_by_text("2 rows from dropped.txt")).to_be_visible()


def test_the_prompt_with_its_style_is_shown_while_it_is_chosen(open_form: Any) -> None:
    page = open_form()
    composed = page.locator(".composed")
    page.get_by_label("Prompts").fill("# Chapter: One\nHero enters the hall\n" + "x" * 9_000)
    page.get_by_label("Style", exact=True).select_option("noir")
    expect(composed).to_contain_text("Hero enters the hall, noir")
    expect(page.get_by_label("Own words for the style")).to_be_hidden()
    page.get_by_label("Style", exact=True).select_option(":own")
    page.get_by_label("Own words for the style").fill("chalk on slate")
    expect(composed).to_have_text("Hero enters the hall, chalk on slate")


def test_a_rows_style_is_shown_while_it_is_chosen_and_then_kept(open_form: Any) -> None:
    page = open_form()
    look_through(page, "Hero enters the hall\nCat turns")
    with page.expect_navigation():  # to the end of it: before, nothing hears what is chosen
        page.get_by_role("button", name="Change line 1").click()
    row = page.locator("#row-0")
    row.get_by_label("Style").select_option("manga")
    expect(row.locator(".text")).to_contain_text("Hero enters the hall, manga")
    row.get_by_label("Prompt").fill("Hero leaves")
    expect(row.locator(".text")).to_contain_text("Hero leaves, manga")
    row.get_by_role("button", name="Save").click()
    expect(page.locator("#row-0 .text")).to_contain_text("Hero leaves, manga")
    expect(page.locator("#row-1 .text")).to_have_text("Cat turns")


def test_who_leaves_with_unsaved_changes_is_asked(open_form: Any) -> None:
    page = open_form()
    look_through(page, "Hero enters the hall\nx")
    address = page.url
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.get_by_role("button", name="Change line 2").click()
    page.get_by_label("Prompt", exact=True).fill("Cat turns")
    page.get_by_role("link", name="Queue a comic").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("Cat turns")
    assert asked == ["beforeunload"]
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(address)
    expect(page.locator("#row-1 .text")).to_have_text("Cat turns")
    assert len(asked) == 1


def test_the_file_comes_back_as_a_download(open_form: Any) -> None:
    page = open_form()
    look_through(page, "prompt,priority\nHero enters,hihg\n")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download with an errors column").click()
    assert download.value.suggested_filename == "cave-of-echoes.csv"
    assert "Did you mean high?" in download.value.path().read_text()


def test_a_preview_can_be_left_and_come_back_to_and_is_discarded_after_a_question(open_form: Any) -> None:
    page = open_form()
    look_through(page, "Hero enters the hall", "Left and found")
    page.get_by_role("link", name="Queue a comic").click()
    page.get_by_role("link", name="Left and found").click()
    page.get_by_text("Discard…").click()
    page.get_by_role("button", name="Discard this preview").click()
    expect(page.get_by_text("Discarded. Nothing of it was queued.")).to_be_visible()
    expect(page.get_by_role("link", name="Left and found")).to_have_count(0)
