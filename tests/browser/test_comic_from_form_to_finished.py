"""The main job, end to end: a comic queued in the form is drawn by the reference extension."""

from collections import Counter
from pathlib import Path

from playwright.sync_api import expect

from .conftest import LaunchBrowser, RunServer
from .stub_site import StubSite

SCREENSHOTS = Path(__file__).parent / "screenshots"
PROMPTS = [
    "Hero reads the map by candlelight",
    "Hero enters the cave",
    "Echoes answer from the dark",
    "Monster appears",
    "Hero sings, and the monster weeps",
    "Both leave the cave at dawn",
]


def test_a_comic_queued_in_the_form_is_drawn_by_the_reference_extension(
    run_server: RunServer, launch: LaunchBrowser, site: StubSite
) -> None:
    server = run_server()
    browser = launch("reference", server.port)
    browser.open_site()

    page = browser.open(f"{server.url}/admin/comics/new")
    page.get_by_label("Title").fill("Cave of Echoes")
    page.get_by_label("Prompts").fill("\n".join(PROMPTS))
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("button", name=f"Queue {len(PROMPTS)} panels").click()
    page.wait_for_url("**/admin/comics/*")
    comic = page.url.rstrip("/").rsplit("/", 1)[-1]

    # The page keeps itself up to date: nobody reloads it.
    completed = page.get_by_role("table").get_by_text("completed", exact=True)
    expect(completed).to_have_count(len(PROMPTS))
    expect(page.get_by_text("finished", exact=True)).to_be_visible()
    SCREENSHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "comic-finished.png", full_page=True)

    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS)
    tasks = server.tasks(comic)
    assert [task["prompt"] for task in tasks] == PROMPTS
    assert all(task["imageUrl"].startswith("https://chatgpt.com/pictures/") for task in tasks)
    assert all(server.events(task).count("completed") == 1 for task in tasks)


def test_panels_wait_for_a_tab_of_their_site(run_server: RunServer, launch: LaunchBrowser, site: StubSite) -> None:
    server = run_server(give_back_seconds=5)
    comic = server.queue_comic("No tab yet", PROMPTS[:2])
    browser = launch("reference", server.port)

    page = browser.open(f"{server.url}/admin/comics/{comic}")
    expect(page.get_by_text("needs a tab")).to_be_visible()

    browser.open_site()
    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS[:2])
