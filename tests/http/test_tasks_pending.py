"""GET /tasks/pending: the poll that claims. Its body is a JSON array, whatever happens."""

from importlib import import_module
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from semantest_server.errors import RaceLost

from ..conftest import FrozenClock
from .conftest import (
    EXTENSION,
    EXTENSION_ORIGIN,
    FOREIGN_ORIGIN,
    TASK_KEYS,
    moment,
    named,
    on_one_database,
    pointers,
    poll,
    problem_of_poll,
    queue,
    receipts,
    report,
    rows,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")

LOOKS_ONLY = [
    pytest.param({"Sec-Purpose": "prefetch"}, id="prefetch"),
    pytest.param({"Sec-Purpose": "prefetch;prerender"}, id="prerender"),
    pytest.param({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}, id="address bar"),
]


# Works


def test_an_empty_queue_is_an_empty_array(client: FlaskClient) -> None:
    response = client.get("/tasks/pending")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert response.json == []
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Retry-After"].isdigit()


def test_a_hand_out_has_exactly_the_documented_shape(client: FlaskClient) -> None:
    comic = queue(
        client,
        [
            {"prompt": "Hero enters cave", "number": 46},
            {"prompt": "Bats", "outputPath": "b.png", "downloadFolder": "x"},
        ],
        title="Cave of Echoes",
        style="noir",
        parallel=7,
    )
    [hand_out] = poll(client)
    assert hand_out.pop("id").startswith("h-")
    assert hand_out == {
        "type": "bulkImageGeneration",
        "leasedUntil": moment(60),
        "payload": {
            "batchId": comic["id"],
            "title": "Cave of Echoes",
            "panels": [
                {
                    "id": "1.1",
                    "number": 46,
                    "prompt": "Hero enters cave, noir",
                    "outputPath": "panel-046.png",
                    "downloadFolder": "cave-of-echoes",
                },
                {
                    "id": "2.1",
                    "number": 47,
                    "prompt": "Bats, noir",
                    "outputPath": "b.png",
                    "downloadFolder": "x",
                },
            ],
            "options": {"style": "noir", "parallel": 7, "domain": "chatgpt.com"},
        },
    }


def test_what_is_absent_is_null(client: FlaskClient) -> None:
    queue(client)
    [hand_out] = poll(client)
    assert hand_out["payload"]["options"]["style"] is None


def test_a_worker_that_names_itself_has_60_seconds_and_any_other_the_full_lease(client: FlaskClient) -> None:
    queue(client, 2)
    assert poll(client, "w1", limit=1)[0]["leasedUntil"] == moment(60)
    assert poll(client, None, limit=1)[0]["leasedUntil"] == moment(300)


def test_a_new_comic_is_seen_by_the_next_poll(client: FlaskClient) -> None:
    assert poll(client) == []
    queue(client)
    assert receipts(poll(client)) == ["1.1"]


def test_the_default_limit_is_10_panels(client: FlaskClient) -> None:
    queue(client, 12, parallel=100)
    assert len(receipts(poll(client))) == 10


def test_the_limit_counts_the_panels_of_all_hand_outs(client: FlaskClient) -> None:
    queue(client, 2)
    queue(client, 2)
    hand_outs = poll(client, limit=3)
    assert [len(one["payload"]["panels"]) for one in hand_outs] == [2, 1]
    assert len({one["id"] for one in hand_outs}) == 2


def test_limits_from_1_to_50_are_taken(client: FlaskClient) -> None:
    queue(client, 12)
    assert len(receipts(poll(client, limit=1))) == 1
    assert len(receipts(poll(client, limit=50))) == 9


def test_a_worker_holds_10_panels_at_most_however_many_it_asks_for(client: FlaskClient) -> None:
    queue(client, 30, parallel=100)
    assert len(receipts(poll(client, limit=50))) == 10
    assert poll(client, limit=50) == []
    assert len(receipts(poll(client, "w2", limit=50))) == 10


def test_a_comic_has_at_most_parallel_panels_out_over_all_workers(client: FlaskClient) -> None:
    queue(client, 5, parallel=3)
    assert len(receipts(poll(client, "w1", limit=2))) == 2
    assert len(receipts(poll(client, "w2"))) == 1
    assert poll(client, "w3") == []


def test_comics_of_higher_priority_come_first(client: FlaskClient) -> None:
    low, high = queue(client, priority="low"), queue(client, priority="high")
    assert [one["payload"]["batchId"] for one in poll(client)] == [high["id"], low["id"]]


def test_only_the_sites_that_a_worker_has_tabs_for_are_given(client: FlaskClient) -> None:
    for domain in ("a.example", "b.example", "c.example"):
        queue(client, domain=domain)
    response = client.get("/tasks/pending?domain=a.example&domain=C.example", headers=named("w1"))
    given: Any = response.json
    assert {one["payload"]["options"]["domain"] for one in given} == {"a.example", "c.example"}


def test_an_empty_domain_means_no_tab_at_all(client: FlaskClient) -> None:
    queue(client)
    assert poll(client, domain="") == []


def test_a_paused_comic_is_not_handed_out(client: FlaskClient) -> None:
    comic = queue(client)
    client.patch(f"/comics/{comic['id']}", json={"status": "paused"})
    assert poll(client) == []


@pytest.mark.parametrize(
    "second",
    [{"X-Extension-Id": EXTENSION}, {"Origin": EXTENSION_ORIGIN}],
    ids=["by header", "by Origin"],
)
def test_an_extension_that_does_not_name_itself_is_one_worker_at_its_address(
    client: FlaskClient, second: dict[str, str]
) -> None:
    queue(client, 11, parallel=100)
    assert len(receipts_as(client, {"X-Extension-Id": EXTENSION})) == 10
    assert receipts_as(client, second) == []


def test_clients_that_share_address_and_browser_share_one_cap(client: FlaskClient) -> None:
    queue(client, 21, parallel=100)
    assert len(receipts_as(client, {"User-Agent": "one"})) == 10
    assert receipts_as(client, {"User-Agent": "one"}) == []
    assert len(receipts_as(client, {"User-Agent": "two"})) == 10


def receipts_as(client: FlaskClient, headers: dict[str, str]) -> list[str]:
    response = client.get("/tasks/pending", headers=headers)
    hand_outs: Any = response.json
    return receipts(hand_outs)


# How soon to ask again


def retry_after(client: FlaskClient) -> int:
    response = client.get("/tasks/pending", headers=named("w1"))
    assert response.headers["Cache-Control"] == "no-store"
    return int(response.headers["Retry-After"])


def test_while_there_is_work_the_next_poll_is_in_5_seconds(client: FlaskClient) -> None:
    queue(client, 11)
    assert retry_after(client) in (4, 5)
    assert retry_after(client) in (4, 5)


def test_the_longer_the_queue_is_empty_the_later_the_next_poll(client: FlaskClient, clock: FrozenClock) -> None:
    assert retry_after(client) in (4, 5)
    clock.advance(150)
    assert 10 <= retry_after(client) <= 15
    clock.advance(3600)
    assert 20 <= retry_after(client) <= 30


def test_new_work_brings_the_short_interval_back(client: FlaskClient, clock: FrozenClock) -> None:
    poll(client)
    clock.advance(3600)
    queue(client)
    assert retry_after(client) in (4, 5)


# Repeated


def test_a_repeated_poll_gives_nothing_twice_not_even_to_the_same_worker(client: FlaskClient) -> None:
    queue(client, 3)
    assert receipts(poll(client)) == ["1.1", "2.1", "3.1"]
    assert poll(client) == []
    assert poll(client, "w2") == []


def test_a_panel_without_a_first_report_comes_back_after_60_seconds(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    assert receipts(poll(client, "w1")) == ["1.1"]
    clock.advance(59)
    assert poll(client, "w2") == []
    clock.advance(1)
    assert receipts(poll(client, "w2")) == ["1.2"]


def test_a_client_without_a_name_has_5_minutes(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    assert receipts(poll(client, None)) == ["1.1"]
    clock.advance(299)
    assert poll(client, "w2") == []
    clock.advance(1)
    assert receipts(poll(client, "w2")) == ["1.2"]


def test_an_empty_poll_writes_only_when_the_worker_was_seen_and_at_most_once_in_5_minutes(
    client: FlaskClient, engine: Engine, clock: FrozenClock
) -> None:
    poll(client)
    with unchanged(engine):
        for _ in range(4):
            clock.advance(70)
            poll(client)
    before = rows(engine)
    clock.advance(70)
    poll(client)
    after = rows(engine)
    assert [name for name in after if after[name] != before[name] and name != "revision"] == ["worker"]


# What a client says it is holding


def test_what_a_worker_says_it_holds_is_renewed_before_anything_is_claimed(
    client: FlaskClient, clock: FrozenClock
) -> None:
    queue(client, 2)
    poll(client)
    clock.advance(50)
    poll(client, holding="1.1,2.1")
    assert [task["leasedUntil"] for task in show(client, "/tasks")["tasks"]] == [moment(350)] * 2


def test_a_lapsed_lease_is_renewed_too_and_not_claimed(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    clock.advance(61)
    assert poll(client, holding="1.1") == []
    assert show(client, "/tasks/1")["leasedUntil"] == moment(61 + 300)
    assert show(client, "/tasks/1")["attempt"] == 1


def test_a_worker_without_a_name_may_say_what_it_holds_too(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client, None)
    clock.advance(200)
    poll(client, None, holding="1.1")
    assert show(client, "/tasks/1")["leasedUntil"] == moment(500)


def test_receipts_that_are_not_the_workers_are_ignored(client: FlaskClient, engine: Engine, clock: FrozenClock) -> None:
    queue(client)
    poll(client, "w1")
    poll(client, "w2")
    clock.advance(10)
    with unchanged(engine):
        for holding in ["1.1", "1.2", "9.9", "x", "1", "1.1.1", "h-1-1", "a" * 3000, "9" * 3000 + ".1", "1.١", "%"]:
            assert poll(client, "w2", holding=holding) == []


def test_what_is_not_named_comes_again_once_with_the_same_receipt(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    [first] = poll(client)
    clock.advance(16)
    [again] = poll(client, holding="1.1")
    assert receipts([again]) == ["2.1"]
    assert again["id"] != first["id"]
    clock.advance(16)
    assert poll(client, holding="1.1") == []


def test_what_is_sent_again_belongs_to_the_new_hand_out_from_then_on(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    [first] = poll(client)
    clock.advance(16)
    [again] = poll(client, holding="1.1")
    answer: Any = report(client, first["id"], "running").json
    assert [task["receipt"] for task in answer["tasks"]] == ["1.1"]
    answer = report(client, again["id"], "running").json
    assert [task["receipt"] for task in answer["tasks"]] == ["2.1"]


def test_an_empty_holding_means_that_everything_was_lost(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client)
    clock.advance(16)
    assert receipts(poll(client, holding="")) == ["1.1", "2.1"]


def test_nothing_comes_again_before_15_seconds_of_silence(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client)
    clock.advance(10)
    assert poll(client, holding="") == []
    report(client, "1.1", "running")
    clock.advance(6)
    assert receipts(poll(client, holding="")) == ["2.1"]
    clock.advance(10)
    assert receipts(poll(client, holding="")) == ["1.1"]


def test_without_holding_nothing_is_concluded(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    clock.advance(30)
    assert poll(client) == []


def test_a_client_without_a_name_is_sent_nothing_again(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client, None)
    clock.advance(30)
    assert poll(client, None, holding="") == []


def test_nothing_is_sent_again_from_a_paused_comic(client: FlaskClient, clock: FrozenClock) -> None:
    comic = queue(client)
    poll(client)
    client.patch(f"/comics/{comic['id']}", json={"status": "paused"})
    clock.advance(16)
    assert poll(client, holding="") == []


def test_what_comes_again_counts_against_the_limit(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 5)
    poll(client, limit=2)
    clock.advance(16)
    assert receipts(poll(client, holding="", limit=3)) == ["1.1", "2.1", "3.1"]


# Only looking


def test_head_claims_nothing_and_is_answered_like_get(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        response = client.head("/tasks/pending", headers=named("w1"))
    assert response.status_code == 200
    assert response.data == b""
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("headers", LOOKS_ONLY)
def test_a_prefetch_and_a_person_see_a_snapshot_and_claim_nothing(
    client: FlaskClient, engine: Engine, headers: dict[str, str]
) -> None:
    queue(client, 2)
    with unchanged(engine):
        response = client.get("/tasks/pending", headers={**headers, **named("w1")})
    assert response.headers["Cache-Control"] == "no-store"
    seen: Any = response.json
    assert isinstance(seen, list)
    assert sorted(task["id"] for task in seen) == ["1", "2"]
    assert all(set(task) == TASK_KEYS for task in seen)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_answers_to_those_who_only_look_say_when_to_ask_again_too(client: FlaskClient, method: str) -> None:
    response = client.open("/tasks/pending", method=method, headers={"Sec-Purpose": "prefetch"})
    assert response.headers.get("Retry-After", "").isdigit()


# Refuses


def test_a_limit_that_cannot_be_used_is_refused_with_an_empty_array(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        for limit in ["0", "51", "-1", "x", "", "1.5", "1e1", "٣", "+5", "9" * 5000, "10 ", "1_0"]:
            response = client.get("/tasks/pending", query_string={"limit": limit}, headers=named("w1"))
            assert pointers(problem_of_poll(response, 422)) == ["/limit"], limit
            assert response.headers["Cache-Control"] == "no-store"


def test_a_refused_poll_says_when_to_ask_again(client: FlaskClient) -> None:
    response = client.get("/tasks/pending?limit=0")
    assert response.headers.get("Retry-After", "").isdigit()


def test_a_workers_name_of_200_characters_is_taken_and_a_longer_one_refused(
    client: FlaskClient, engine: Engine
) -> None:
    queue(client)
    with unchanged(engine):
        problem_of_poll(client.get("/tasks/pending", headers=named("w" * 201)), 422)
    assert receipts(poll(client, "w" * 200)) == ["1.1"]


@on_one_database
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_not_allowed(client: FlaskClient, method: str) -> None:
    response = client.open("/tasks/pending", method=method)
    problem_of_poll(response, 405)
    assert "GET" in response.headers["Allow"]


def test_options_is_answered(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        response = client.options("/tasks/pending")
    assert response.status_code == 200
    assert {"GET", "HEAD", "OPTIONS"} <= set(response.headers["Allow"].split(", "))


@on_one_database
@pytest.mark.parametrize(
    "trouble",
    [OperationalError("SELECT 1", {}, Exception("gone")), RaceLost("somebody was faster")],
    ids=["database away", "race lost"],
)
def test_a_database_that_is_away_is_a_503_with_an_empty_array(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    queue(client)

    fail_to_claim(monkeypatch, trouble)
    response = client.get("/tasks/pending", headers=named("w1"))
    problem_of_poll(response, 503)
    assert response.headers["Retry-After"].isdigit()
    assert response.headers["Cache-Control"] == "no-store"


def fail_to_claim(monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    def fail(*_: object) -> None:
        raise trouble

    monkeypatch.setattr(import_module("semantest_server.api.polling"), "hand_out_all", fail)


@on_one_database
def test_even_a_mistake_of_ours_is_an_empty_array(
    as_in_production: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(as_in_production)

    fail_to_claim(monkeypatch, ZeroDivisionError("division by zero"))
    response = as_in_production.get("/tasks/pending", headers=named("w1"))
    found = problem_of_poll(response, 500)
    assert "division" not in str(found).lower()


# Stranger


def test_a_foreign_page_gets_an_empty_array_and_claims_nothing(client: FlaskClient, engine: Engine) -> None:
    queue(client)
    with unchanged(engine):
        response = client.get("/tasks/pending", headers={"Origin": FOREIGN_ORIGIN, "Sec-Fetch-Site": "cross-site"})
    problem_of_poll(response, 403)
    assert "Access-Control-Allow-Origin" not in response.headers


def test_a_foreign_page_that_navigates_here_sees_nothing(client: FlaskClient) -> None:
    queue(client)
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    problem_of_poll(client.get("/tasks/pending", headers=headers), 403)
