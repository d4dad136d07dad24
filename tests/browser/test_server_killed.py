"""The server is killed in the middle, with `kill -9`, and started again."""

from collections import Counter

from .conftest import LaunchBrowser, RunServer
from .stub_site import StubSite
from .waiting import until

PROMPTS = [f"Night {number} at the lighthouse" for number in range(1, 7)]


def test_a_killed_server_loses_nothing_and_doubles_nothing(
    run_server: RunServer, launch: LaunchBrowser, site: StubSite
) -> None:
    server = run_server()
    site.hold(after=2)
    browser = launch("reference", server.port)
    browser.open_site()
    comic = server.queue_comic("The Lighthouse", PROMPTS)
    until(lambda: server.completed(comic) == 2, "two panels are completed")
    until(lambda: site.held == 1, "the third is being drawn")

    server.kill()
    site.go_on()
    until(lambda: any("report" in panel for panel in browser.held_panels()), "its report waits for a server")
    server.start()

    assert server.completed(comic) >= 2
    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS)
    tasks = server.tasks(comic)
    assert [task["prompt"] for task in tasks] == PROMPTS
    for task in tasks:
        assert task["attempt"] == 1
        assert server.events(task).count("completed") == 1
