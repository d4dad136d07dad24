"""GET /tasks: a snapshot, last changed first, that costs next to nothing while nothing changes."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import (
    EXTENSION_ORIGIN,
    FOREIGN_ORIGIN,
    TASK_KEYS,
    moment,
    on_one_database,
    pointers,
    poll,
    problem,
    queue,
    report,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")


def ids(client: FlaskClient, path: str) -> list[str]:
    """The ids of the tasks on a page, in their order."""
    return [task["id"] for task in show(client, path)["tasks"]]


def etag_of(client: FlaskClient, path: str = "/tasks") -> str:
    """The ETag of a snapshot."""
    return client.get(path).headers["ETag"]


def is_unchanged(client: FlaskClient, etag: str, path: str = "/tasks") -> bool:
    """Whether the server says that a snapshot is still good."""
    response = client.get(path, headers={"If-None-Match": etag})
    assert response.status_code in (200, 304)
    return response.status_code == 304


# Works


def test_an_empty_queue_has_no_tasks(client: FlaskClient) -> None:
    assert show(client, "/tasks") == {"tasks": [], "next": None}


def test_a_task_has_exactly_the_documented_shape_with_nulls_for_what_is_absent(client: FlaskClient) -> None:
    comic = queue(client, [{"prompt": "Hero enters cave"}])
    [task] = show(client, "/tasks")["tasks"]
    assert set(task) == TASK_KEYS
    assert task == {
        "id": "1",
        "batchId": comic["id"],
        "number": 1,
        "status": "queued",
        "prompt": "Hero enters cave",
        "style": None,
        "attempt": 0,
        "receipt": None,
        "worker": None,
        "leasedUntil": None,
        "attemptsLeft": 3,
        "availableAt": None,
        "progress": None,
        "imageUrl": None,
        "downloadPath": None,
        "message": None,
        "correlationId": None,
        "outputPath": "panel-001.png",
        "downloadFolder": "cave-of-echoes",
        "domain": "chatgpt.com",
        "createdAt": moment(),
        "updatedAt": moment(),
    }


def test_a_leased_task_names_its_worker_and_its_receipt(client: FlaskClient) -> None:
    queue(client)
    poll(client, "w1")
    [task] = show(client, "/tasks")["tasks"]
    assert (task["status"], task["attempt"], task["receipt"], task["worker"]) == ("leased", 1, "1.1", "w1")
    assert task["leasedUntil"] == moment(60)


def test_a_lapsed_lease_counts_as_ended_though_nothing_has_written_so(
    client: FlaskClient, engine: Engine, clock: FrozenClock
) -> None:
    queue(client)
    poll(client)
    clock.advance(61)
    with unchanged(engine):
        [task] = show(client, "/tasks")["tasks"]
    assert (task["status"], task["leasedUntil"], task["worker"]) == ("queued", None, None)


def test_the_last_changed_task_comes_first(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 3)
    poll(client)
    clock.advance(1)
    report(client, "2.1", "running")
    clock.advance(1)
    report(client, "1.1", "running")
    assert ids(client, "/tasks") == ["1", "2", "3"]


def test_a_snapshot_changes_nothing(client: FlaskClient, engine: Engine, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client)
    clock.advance(100)
    with unchanged(engine):
        show(client, "/tasks")
        show(client, "/tasks?status=queued&limit=1")


# Filters


def test_tasks_are_filtered_by_status(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 5)
    poll(client, limit=4)
    report(client, "1.1", "running")
    report(client, "2.1", "completed")
    report(client, "3.1", "failed")
    assert ids(client, "/tasks?status=running") == ["1"]
    assert ids(client, "/tasks?status=completed") == ["2"]
    assert sorted(ids(client, "/tasks?status=queued")) == ["3", "5"]
    assert sorted(ids(client, "/tasks?status=leased,running")) == ["1", "4"]
    assert ids(client, "/tasks?status=failed,cancelled") == []


def test_the_filter_sees_lapsed_leases_as_ended(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client)
    clock.advance(30)
    report(client, "1.1", "completed")
    clock.advance(301)
    assert ids(client, "/tasks?status=queued") == ["2"]
    assert ids(client, "/tasks?status=leased,running") == []


def test_tasks_are_filtered_by_comic(client: FlaskClient) -> None:
    queue(client, 1)
    second = queue(client, 2)
    assert sorted(ids(client, f"/tasks?comic={second['id']}")) == ["2", "3"]
    assert ids(client, "/tasks?comic=99") == []


def test_tasks_are_filtered_by_worker(client: FlaskClient) -> None:
    queue(client, 3)
    poll(client, "w1", limit=1)
    poll(client, "w2", limit=1)
    assert ids(client, "/tasks?worker=w1") == ["1"]
    assert ids(client, "/tasks?worker=w2") == ["2"]
    assert ids(client, "/tasks?worker=w3") == []


def test_filters_may_be_combined(client: FlaskClient) -> None:
    first, second = queue(client, 2), queue(client, 2)
    poll(client, "w1", limit=3)
    report(client, "1.1", "running")
    report(client, "3.1", "running")
    assert ids(client, f"/tasks?status=running&comic={second['id']}&worker=w1") == ["3"]
    assert ids(client, f"/tasks?status=leased&comic={first['id']}") == ["2"]


# Cursor


@pytest.mark.parametrize("query", ["", "&status=queued", "&status=queued,leased,running", "&comic=1"])
def test_pages_show_every_task_once(client: FlaskClient, clock: FrozenClock, query: str) -> None:
    queue(client, 7)
    clock.advance(1)
    queue(client, 4)
    seen: list[str] = []
    page = show(client, f"/tasks?limit=3{query}")
    while True:
        assert len(page["tasks"]) <= 3
        seen += [task["id"] for task in page["tasks"]]
        if page["next"] is None:
            break
        page = show(client, f"/tasks?limit=3{query}&cursor={page['next']}")
    assert len(seen) == len(set(seen)) == (7 if "comic" in query else 11)


def test_the_last_page_has_no_next_even_when_it_is_full(client: FlaskClient) -> None:
    queue(client, 2)
    assert show(client, "/tasks?limit=2")["next"] is None
    assert show(client, "/tasks?limit=1")["next"] is not None


def test_the_default_is_50_and_the_most_200(client: FlaskClient) -> None:
    queue(client, 201)
    assert len(ids(client, "/tasks")) == 50
    assert len(ids(client, "/tasks?limit=200")) == 200


# ETag


def test_an_unchanged_snapshot_is_a_304_without_a_body(client: FlaskClient) -> None:
    queue(client)
    etag = etag_of(client)
    response = client.get("/tasks", headers={"If-None-Match": etag})
    assert response.status_code == 304
    assert response.data == b""
    assert response.headers["ETag"] == etag


def test_a_304_is_still_for_the_extension_to_read(client: FlaskClient) -> None:
    headers = {"If-None-Match": etag_of(client), "Origin": EXTENSION_ORIGIN}
    response = client.get("/tasks", headers=headers)
    assert response.status_code == 304
    assert response.headers["Access-Control-Allow-Origin"] == EXTENSION_ORIGIN
    assert "Origin" in response.headers["Vary"]


def test_browsers_must_ask_before_they_use_what_they_kept(client: FlaskClient) -> None:
    assert client.get("/tasks").headers["Cache-Control"] == "no-cache"


def test_etags_are_compared_weakly_and_in_lists(client: FlaskClient) -> None:
    etag = etag_of(client)
    assert is_unchanged(client, f'"other", {etag}')
    assert is_unchanged(client, f"W/{etag}")
    assert not is_unchanged(client, '"other"')


def test_each_filter_has_an_etag_of_its_own(client: FlaskClient) -> None:
    queue(client, 2)
    etag = etag_of(client, "/tasks")
    assert not is_unchanged(client, etag, "/tasks?status=completed")
    assert not is_unchanged(client, etag, "/tasks?limit=1")


def test_an_etag_never_hides_a_committed_change(client: FlaskClient) -> None:
    def submit() -> object:
        return client.post("/tasks", json={"prompt": "One more"})

    steps: list[Callable[[], object]] = [
        lambda: queue(client, 3),
        lambda: poll(client),
        lambda: report(client, "1.1", "running", progress=1),
        lambda: report(client, "1.1", "running", progress=2),
        lambda: poll(client, holding="2.1"),
        lambda: report(client, "1.1", "completed"),
        lambda: report(client, "2.1", "failed"),
        lambda: report(client, "3.1", "cancelled"),
        submit,
        lambda: client.patch("/comics/1", json={"status": "cancelled"}),
        lambda: client.post("/comics/1/retry", json={}),
        lambda: client.get("/pending-tasks"),
        lambda: client.post("/task-status", json={"taskId": "2.2", "status": "sent"}),
        submit,
    ]
    for number, step in enumerate(steps):
        before = client.get("/tasks")
        step()
        if client.get("/tasks").json != before.json:
            assert not is_unchanged(client, before.headers["ETag"]), f"step {number}"


def test_an_etag_never_hides_a_lease_that_lapsed(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client, 2)
    poll(client, limit=1)
    clock.advance(10)
    poll(client, "w2", limit=1)
    for seconds in (49, 1, 10):
        etag = etag_of(client)
        clock.advance(seconds)
        assert is_unchanged(client, etag) == (seconds == 49)


@pytest.mark.parametrize("backend", ["sqlite"])  # PostgreSQL tells of every transaction, also of one without effect
def test_what_changes_nothing_leaves_the_snapshot_unchanged(client: FlaskClient, clock: FrozenClock) -> None:
    queue(client)
    poll(client)
    report(client, "1.1", "completed")
    poll(client)
    etag = etag_of(client)
    report(client, "1.1", "completed")
    report(client, "99.1", "running")
    poll(client)
    show(client, "/comics")
    clock.advance(3)
    assert is_unchanged(client, etag)


# Refuses


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("status=nonsense", "/status"),
        ("status=queued,nonsense", "/status"),
        ("status=QUEUED", "/status"),
        ("comic=x", "/comic"),
        ("comic=-1", "/comic"),
        ("comic=9223372036854775808", "/comic"),
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=x", "/limit"),
        ("limit=%D9%A3", "/limit"),
        ("limit=1_0", "/limit"),
        ("comic=%D9%A1", "/comic"),
        ("cursor=x", "/cursor"),
        ("cursor=", "/cursor"),
        ("cursor=MjAyNi0xMS0yMlQxODowMDowMCAx", "/cursor"),  # without a time zone
        ("cursor=MjAyNi0xMS0yMlQxODowMDowMCswMDowMCA5OTk5OTk5OTk5OTk5OTk5OTk5OQ==", "/cursor"),
    ],
)
def test_a_parameter_that_cannot_be_used_is_refused_by_its_name(client: FlaskClient, query: str, pointer: str) -> None:
    queue(client)
    assert pointers(problem(client.get(f"/tasks?{query}"), 422)) == [pointer]


@on_one_database
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_are_not_allowed(client: FlaskClient, method: str) -> None:
    response = client.open("/tasks", method=method)
    problem(response, 405)
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


# Stranger


@on_one_database
def test_a_foreign_page_sees_nothing(client: FlaskClient) -> None:
    queue(client)
    response = client.get("/tasks", headers={"Origin": FOREIGN_ORIGIN})
    problem(response, 403)
    assert "ETag" not in response.headers
