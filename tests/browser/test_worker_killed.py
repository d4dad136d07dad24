"""The reference extension's service worker is killed, as Chrome does all the time."""

from collections import Counter
from collections.abc import Callable

import pytest

from .conftest import LaunchBrowser, OpenGate, RunServer
from .gate import Call, Gate
from .stub_site import StubSite
from .waiting import until

PROMPTS = ["A knock at the door", "Nobody is there", "A letter on the mat"]
NEVER = 600  # seconds: longer than any test


def _poll_answer(gate: Gate) -> None:
    gate.lose_answer(Call.hands_out)


def _acknowledgement(gate: Gate) -> None:
    gate.lose_request(lambda call: call.reports("delivered"))


def _first_progress(gate: Gate) -> None:
    gate.lose_request(lambda call: call.reports("running"))


def _success(gate: Gate) -> None:
    gate.lose_request(lambda call: call.reports("completed"))


def _answer_to_success(gate: Gate) -> None:
    gate.lose_answer(lambda call: call.reports("completed"))


@pytest.mark.parametrize(
    "lose",
    [_acknowledgement, _first_progress, _success, _answer_to_success],
    ids=lambda lose: lose.__name__[1:],
)
def test_killed_while_it_waits_for_an_answer_it_resumes_and_draws_no_panel_twice(
    lose: Callable[[Gate], None],
    run_server: RunServer,
    launch: LaunchBrowser,
    open_gate: OpenGate,
    site: StubSite,
) -> None:
    server = run_server()
    gate = open_gate(server)
    browser = launch("reference", gate.port)
    browser.open_site()
    lose(gate)
    comic = server.queue_comic("A Letter", PROMPTS)

    gate.wait_until_caught()
    browser.kill_service_worker()
    gate.open()

    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS)
    for task in server.tasks(comic):
        assert task["attempt"] == 1, "what is still held is not handed out again"
        assert server.events(task).count("completed") == 1


def test_killed_while_the_tab_draws_it_resumes_with_the_same_drawing(
    run_server: RunServer, launch: LaunchBrowser, site: StubSite
) -> None:
    server = run_server()
    site.hold()
    browser = launch("reference", server.port)
    browser.open_site()
    comic = server.queue_comic("A Letter", PROMPTS)

    until(lambda: site.held == 1, "the first panel is being drawn")
    browser.kill_service_worker()
    site.go_on()

    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS)
    assert [task["attempt"] for task in server.tasks(comic)] == [1, 1, 1]


def test_panels_lost_with_the_worker_come_back_after_the_acknowledgement_window(
    run_server: RunServer, launch: LaunchBrowser, open_gate: OpenGate, site: StubSite
) -> None:
    server = run_server(ack_seconds=5, lease_seconds=NEVER, resend_seconds=NEVER)
    gate = open_gate(server)
    browser = launch("reference", gate.port)
    browser.open_site()
    _acknowledgement(gate)
    comic = server.queue_comic("A Letter", PROMPTS)

    gate.wait_until_caught()
    browser.forget_all_but_worker_id()
    browser.kill_service_worker()
    gate.open()

    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS)
    for task in server.tasks(comic):
        assert server.events(task)[:4] == ["queued", "handed_out", "expired", "handed_out"]
        assert server.events(task).count("completed") == 1


def test_panels_lost_with_the_worker_are_sent_again_under_the_same_receipts(
    run_server: RunServer, launch: LaunchBrowser, open_gate: OpenGate, site: StubSite
) -> None:
    server = run_server(ack_seconds=NEVER, lease_seconds=NEVER, resend_seconds=2)
    gate = open_gate(server)
    browser = launch("reference", gate.port)
    browser.open_site()
    _acknowledgement(gate)
    comic = server.queue_comic("A Letter", PROMPTS)

    gate.wait_until_caught()
    browser.forget_all_but_worker_id()
    browser.kill_service_worker()
    gate.open()

    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS)
    assert [task["attempt"] for task in server.tasks(comic)] == [1, 1, 1]


def test_panels_lost_with_the_answer_to_a_poll_are_sent_again_under_the_same_receipts(
    run_server: RunServer, launch: LaunchBrowser, open_gate: OpenGate, site: StubSite
) -> None:
    server = run_server(ack_seconds=NEVER, lease_seconds=NEVER, resend_seconds=2)
    gate = open_gate(server)
    browser = launch("reference", gate.port)
    browser.open_site()
    _poll_answer(gate)
    comic = server.queue_comic("A Letter", PROMPTS)

    gate.wait_until_caught()
    browser.kill_service_worker()
    gate.open()

    server.wait_until_finished(comic)
    assert site.times_drawn() == Counter(PROMPTS)
    assert [task["attempt"] for task in server.tasks(comic)] == [1, 1, 1]
