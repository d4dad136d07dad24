"""Counts of how often something was done, for each key."""

from limits import parse_many

from semantest_server.throttle import Throttle


def test_as_many_as_the_rate_allows_pass_and_the_next_has_to_wait() -> None:
    throttle = Throttle(parse_many("3 per hour"))
    assert [throttle.hit("a") for _ in range(3)] == [None] * 3
    seconds = throttle.hit("a")
    assert seconds is not None
    assert 1 <= seconds <= 3600


def test_keys_are_counted_apart() -> None:
    throttle = Throttle(parse_many("1 per hour"))
    assert throttle.hit("a") is None
    assert throttle.hit("b") is None
    assert throttle.hit("a") is not None


def test_every_rate_has_to_have_room() -> None:
    throttle = Throttle(parse_many("2 per hour; 100 per day"))
    assert [throttle.hit("a") is None for _ in range(3)] == [True, True, False]


def test_to_ask_how_long_to_wait_counts_nothing() -> None:
    throttle = Throttle(parse_many("1 per hour"))
    assert [throttle.wait("a") for _ in range(5)] == [None] * 5
    throttle.hit("a")
    assert throttle.wait("a") is not None


def test_a_storage_that_does_not_answer_stops_nobody() -> None:
    throttle = Throttle(parse_many("1 per hour"), "redis://127.0.0.1:1")
    assert [throttle.hit("a") for _ in range(3)] == [None] * 3
    assert throttle.wait("a") is None
