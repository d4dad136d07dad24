"""What comes between the extension and its drawing: time, a comic cancelled, a tab closed, a browser closed."""

from collections import Counter
from datetime import datetime, timedelta

from .conftest import LaunchBrowser, RunServer
from .stub_site import StubSite
from .waiting import until

PROMPTS = ["The clock strikes one", "The clock strikes two", "The clock strikes three"]


def test_panels_that_take_longer_than_their_lease_stay_with_the_worker_that_holds_them(
    run_server: RunServer, launch: LaunchBrowser, site: StubSite
) -> None:
    lease_seconds = 12
    server = run_server(ack_seconds=lease_seconds, lease_seconds=lease_seconds)
    site.hold()
    browser = launch("reference", server.port)
    browser.open_site()
    comic = server.queue_comic("Clock", PROMPTS)

    def leased_until() -> datetime:
        return min(datetime.fromisoformat(task["leasedUntil"]) for task in server.tasks(comic))

    until(lambda: site.held == 1, "the first panel is being drawn")
    one_lease_later = leased_until() + timedelta(seconds=lease_seconds)
    until(lambda: leased_until() > one_lease_later, "the leases were renewed for longer than they had lasted")
    site.go_on()

    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS)
    assert [task["attempt"] for task in server.tasks(comic)] == [1, 1, 1]


def test_what_is_cancelled_is_not_drawn_but_a_finished_picture_counts(
    run_server: RunServer, launch: LaunchBrowser, site: StubSite
) -> None:
    server = run_server()
    site.hold()
    browser = launch("reference", server.port)
    browser.open_site()
    comic = server.queue_comic("Clock", PROMPTS)

    until(lambda: site.held == 1, "the first panel is being drawn")
    server.change_comic(comic, status="cancelled")
    site.go_on()

    until(lambda: not browser.held_panels(), "the extension holds no panel any more")
    assert server.statuses(comic) == ["completed", "cancelled", "cancelled"]
    assert site.times_drawn() == Counter(PROMPTS[:1])


def test_a_panel_whose_tab_is_closed_fails_and_is_drawn_again_in_another_tab(
    run_server: RunServer, launch: LaunchBrowser, site: StubSite
) -> None:
    server = run_server(backoff_seconds=1, give_back_seconds=1)
    site.hold()
    browser = launch("reference", server.port)
    tab = browser.open_site()
    comic = server.queue_comic("Clock", PROMPTS[:1])

    until(lambda: site.held == 1, "the panel is being drawn")
    tab.close()
    until(lambda: "failed" in server.events(server.tasks(comic)[0]), "its failure is reported")
    site.go_on()
    browser.open_site()

    server.wait_until_finished(comic)
    events = server.events(server.tasks(comic)[0])
    assert events.count("failed") == 1
    assert events.count("completed") == 1


def test_after_a_restart_of_the_browser_the_same_worker_polls_again(
    run_server: RunServer, launch: LaunchBrowser, site: StubSite
) -> None:
    server = run_server()
    browser = launch("reference", server.port)
    browser.open_site()
    first_comic = server.queue_comic("Clock", PROMPTS)
    server.wait_until_finished(first_comic)
    browser.close()

    launch("reference", server.port).open_site()
    second_comic = server.queue_comic("The clock has stopped", ["Silence"])

    server.wait_until_finished(second_comic)
    workers = {task["worker"] for comic in (first_comic, second_comic) for task in server.tasks(comic)}
    assert len(workers) == 1
    assert site.times_drawn() == Counter([*PROMPTS, "Silence"])
