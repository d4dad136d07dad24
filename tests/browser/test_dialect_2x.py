"""A worker that speaks the dialect of the 2.x extension."""

from collections import Counter

from .conftest import LaunchBrowser, RunServer
from .stub_site import StubSite
from .waiting import until

PROMPTS = ["The ship leaves harbour", "A storm gathers", "Land at last"]


def test_the_dialect_completes_a_comic_in_one_tab(run_server: RunServer, launch: LaunchBrowser, site: StubSite) -> None:
    server = run_server()
    browser = launch("dialect_2x", server.port)
    browser.open_site()
    comic = server.queue_comic("Landfall", PROMPTS)

    server.wait_until_finished(comic)

    assert site.times_drawn() == Counter(PROMPTS)
    for task in server.tasks(comic):
        assert task["attempt"] == 1
        assert server.events(task).count("completed") == 1


def test_with_two_tabs_both_draw_and_one_result_counts(
    run_server: RunServer, launch: LaunchBrowser, site: StubSite
) -> None:
    server = run_server()
    browser = launch("dialect_2x", server.port)
    browser.open_site()
    browser.open_site()
    comic = server.queue_comic("Landfall, twice", PROMPTS)

    server.wait_until_finished(comic)

    until(lambda: site.times_drawn() == Counter(PROMPTS * 2), "both tabs have drawn every panel")
    for task in server.tasks(comic):
        assert task["attempt"] == 1
        assert server.events(task).count("completed") == 1
