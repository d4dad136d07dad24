"""GET /comics/{id}: a comic and how far it is."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import (
    COMIC_KEYS,
    FOREIGN_ORIGIN,
    PROGRESS_KEYS,
    moment,
    on_one_database,
    poll,
    problem,
    queue,
    report,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")

COUNTS = ("queued", "running", "completed", "failed", "cancelled")


def progress(client: FlaskClient, comic: str = "1") -> Any:
    """How far a comic is; its five counts always sum to its total."""
    found = show(client, f"/comics/{comic}")
    assert set(found) == COMIC_KEYS
    assert set(found["progress"]) == PROGRESS_KEYS
    assert sum(found["progress"][name] for name in COUNTS) == found["progress"]["total"]
    return found["progress"]


def counts(client: FlaskClient, comic: str = "1") -> list[int]:
    """The five counts, in their documented order."""
    found = progress(client, comic)
    return [found[name] for name in COUNTS]


def draw(client: FlaskClient, clock: FrozenClock, panels: int, seconds: float) -> None:
    """Draw so many panels, one after the other."""
    for _ in range(panels):
        [hand_out] = poll(client, limit=1)
        clock.advance(seconds)
        report(client, hand_out["payload"]["panels"][0]["id"], "completed")


def test_every_panel_is_counted_where_it_is(client: FlaskClient) -> None:
    queue(client, 6)
    assert counts(client) == [6, 0, 0, 0, 0]
    poll(client, limit=4)
    assert counts(client) == [2, 4, 0, 0, 0]
    report(client, "1.1", "running")
    report(client, "2.1", "completed")
    report(client, "3.1", "failed")
    report(client, "4.1", "cancelled")
    assert counts(client) == [4, 1, 1, 0, 0]
    client.patch("/comics/1", json={"status": "cancelled"})
    assert counts(client) == [0, 0, 1, 0, 5]


def test_failed_panels_are_counted(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 1)
    for attempt in (1, 2, 3):
        poll(client)
        report(client, f"1.{attempt}", "failed")
        clock.advance(60)
    assert counts(client) == [0, 0, 0, 1, 0]
    assert show(client, "/comics/1")["status"] == "finished"


def test_a_lapsed_lease_counts_as_ended(client: FlaskClient, engine: Engine, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client)
    clock.advance(61)
    with unchanged(engine):
        assert counts(client) == [2, 0, 0, 0, 0]
        assert progress(client)["current"] is None


def test_current_names_the_panel_that_is_drawn(client: FlaskClient) -> None:
    queue(client, [{"prompt": "Monster appears", "number": 46}, {"prompt": "It roars"}])
    assert progress(client)["current"] is None
    poll(client)
    assert progress(client)["current"] == "Panel 46: Monster appears"
    report(client, "1.1", "completed")
    assert progress(client)["current"] == "Panel 47: It roars"


def test_a_comic_is_finished_when_nothing_is_left_to_draw(client: FlaskClient) -> None:
    queue(client, 1)
    poll(client)
    assert show(client, "/comics/1")["status"] == "active"
    report(client, "1.1", "completed")
    comic = show(client, "/comics/1")
    assert comic["status"] == "finished"
    assert (comic["progress"]["blocked"], comic["progress"]["eta"], comic["progress"]["etaSeconds"]) == (None,) * 3


# ETA


def test_the_eta_is_unknown_under_3_completions(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 10)
    draw(client, clock, 2, 60)
    assert (progress(client)["eta"], progress(client)["etaSeconds"]) == (None, None)
    draw(client, clock, 1, 60)
    assert progress(client)["etaSeconds"] == 7 * 60
    assert progress(client)["eta"] == "7 minutes remaining"


def test_gaps_over_10_minutes_count_as_nothing(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 8)
    draw(client, clock, 3, 60)
    clock.advance(3600)
    draw(client, clock, 2, 60)
    assert progress(client)["etaSeconds"] == 3 * 180 // 4


def test_a_pause_counts_as_nothing_and_freezes_the_eta(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 6)
    draw(client, clock, 3, 60)
    client.patch("/comics/1", json={"status": "paused"})
    clock.advance(300)
    found = progress(client)
    assert (found["etaSeconds"], found["blocked"]["reason"]) == (180, "paused")
    assert found["eta"].startswith("3 minutes remaining")
    assert "paused" in found["eta"]
    client.patch("/comics/1", json={"status": "active"})
    draw(client, clock, 1, 60)
    assert progress(client)["etaSeconds"] == 120


# Blocked


def test_without_a_worker_nothing_goes_on(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    assert progress(client)["blocked"] == {"reason": "no_worker", "domain": None, "until": None}
    poll(client, limit=1)
    assert progress(client)["blocked"] is None
    clock.advance(3600)
    assert progress(client)["blocked"]["reason"] == "no_worker"


def test_a_paused_comic_says_so(client: FlaskClient) -> None:
    queue(client)
    poll(client, limit=1, domain="other.example")
    client.patch("/comics/1", json={"status": "paused"})
    assert progress(client)["blocked"] == {"reason": "paused", "domain": None, "until": None}


def test_a_missing_tab_says_which_site_and_until_when(client: FlaskClient) -> None:
    queue(client, domain="a.example")
    poll(client)
    report(client, "1.1", "no_tabs")
    assert progress(client)["blocked"] == {"reason": "no_tab", "domain": "a.example", "until": moment(30)}


@pytest.mark.parametrize(
    ("settings", "reason", "until"),
    [
        pytest.param({"SEMANTEST_GAP_SECONDS": 90}, "pacing", 90, id="gap"),
        pytest.param({"SEMANTEST_BREAK_AFTER": 1, "SEMANTEST_BREAK_SECONDS": 300}, "pacing", 300, id="break"),
        pytest.param({"SEMANTEST_DAILY_CAP": 1}, "daily_cap", 6 * 3600, id="daily cap"),
    ],
)
def test_pacing_says_which_site_and_until_when(client: FlaskClient, reason: str, until: int) -> None:
    queue(client, 5)
    [hand_out] = poll(client)
    assert len(hand_out["payload"]["panels"]) == 1
    assert poll(client, "w2") == []
    assert progress(client)["blocked"] == {"reason": reason, "domain": "chatgpt.com", "until": moment(until)}


# Refuses


def test_a_comic_that_there_is_not_is_not_found(client: FlaskClient) -> None:
    queue(client)
    for name in ["2", "0", "x", "-1", "1.1", "%D9%A1", "9223372036854775808", "9" * 5000, "+1", "1_", "%201"]:
        problem(client.get(f"/comics/{name}"), 404)


@on_one_database
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_other_methods_are_not_allowed(client: FlaskClient, method: str) -> None:
    queue(client)
    problem(client.open("/comics/1", method=method), 405)


@on_one_database
def test_a_foreign_page_sees_nothing(client: FlaskClient) -> None:
    queue(client)
    problem(client.get("/comics/1", headers={"Origin": FOREIGN_ORIGIN}), 403)
