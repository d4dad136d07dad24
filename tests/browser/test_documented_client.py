"""The polling client as it is documented, word for word, with its timer and an alarm besides."""

from collections import Counter

from .conftest import LaunchBrowser, RunServer
from .stub_site import StubSite

PROMPTS = [f"Panel {number} of the long walk" for number in range(1, 13)]


def test_the_documented_client_draws_no_panel_twice_though_its_polls_overlap(
    run_server: RunServer, launch: LaunchBrowser, site: StubSite
) -> None:
    site.drawing_seconds = 1
    server = run_server()
    comic = server.queue_comic("The Long Walk", PROMPTS, parallel=5)

    launch("literal", server.port)

    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS)
    for task in server.tasks(comic):
        assert task["attempt"] == 1
        assert server.events(task).count("completed") == 1
