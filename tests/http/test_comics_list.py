"""GET /comics: comics and their progress, newest first."""

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from ..conftest import FrozenClock
from .conftest import (
    COMIC_KEYS,
    FOREIGN_ORIGIN,
    PROGRESS_KEYS,
    on_one_database,
    pointers,
    poll,
    problem,
    queue,
    show,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("clock")


def test_there_may_be_no_comics(client: FlaskClient) -> None:
    assert show(client, "/comics") == {"comics": [], "next": None}


def test_comics_have_the_same_shape_as_alone(client: FlaskClient) -> None:
    queue(client, 2, style="noir")
    page = show(client, "/comics")
    assert set(page) == {"comics", "next"}
    [comic] = page["comics"]
    assert set(comic) == COMIC_KEYS
    assert set(comic["progress"]) == PROGRESS_KEYS
    assert comic == show(client, "/comics/1")


def test_the_newest_comic_comes_first(client: FlaskClient) -> None:
    for title in ("One", "Two", "Three"):
        queue(client, title=title)
    assert [comic["title"] for comic in show(client, "/comics")["comics"]] == ["Three", "Two", "One"]


def test_pages_show_every_comic_once(client: FlaskClient) -> None:
    for number in range(5):
        queue(client, title=f"Comic {number}")
    seen: list[str] = []
    page = show(client, "/comics?limit=2")
    while page["next"] is not None:
        seen += [comic["id"] for comic in page["comics"]]
        page = show(client, f"/comics?limit=2&cursor={page['next']}")
    seen += [comic["id"] for comic in page["comics"]]
    assert seen == ["5", "4", "3", "2", "1"]


def test_lapsed_leases_count_as_ended_in_every_comic(client: FlaskClient, engine: Engine, clock: FrozenClock) -> None:
    queue(client, 2)
    queue(client, 1)
    poll(client)
    clock.advance(61)
    with unchanged(engine):
        page = show(client, "/comics")
    assert [comic["progress"]["running"] for comic in page["comics"]] == [0, 0]
    assert [comic["progress"]["queued"] for comic in page["comics"]] == [1, 2]


@on_one_database
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/limit"),
        ("limit=201", "/limit"),
        ("limit=x", "/limit"),
        ("limit=%D9%A3", "/limit"),
        ("cursor=x", "/cursor"),
        ("cursor=-1", "/cursor"),
        ("cursor=%D9%A1", "/cursor"),
        ("cursor=" + "9" * 5000, "/cursor"),
    ],
    ids=lambda text: text[:20],
)
def test_a_parameter_that_cannot_be_used_is_refused(client: FlaskClient, query: str, pointer: str) -> None:
    assert pointers(problem(client.get(f"/comics?{query}"), 422)) == [pointer]


@on_one_database
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_other_methods_are_not_allowed(client: FlaskClient, method: str) -> None:
    response = client.open("/comics", method=method)
    problem(response, 405)
    assert {"GET", "POST"} <= set(response.headers["Allow"].split(", "))


@on_one_database
def test_a_foreign_page_sees_nothing(client: FlaskClient) -> None:
    queue(client)
    problem(client.get("/comics", headers={"Origin": FOREIGN_ORIGIN}), 403)
